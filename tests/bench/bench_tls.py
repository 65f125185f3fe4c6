"""What security profile 3 costs the box beside profile 2, and what reading certificates takes.

A connection here: everything from the settings to the end of a TLS 1.3 handshake. Only the
processor time of the box counts; its other side is OpenSSL in memory, there is no network.
"""

from __future__ import annotations

import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from agent.certificates.own_keys import keep_chain, make_request
from agent.certificates.signed_chain import inspected_chain
from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.own_certificates import KeyKind
from agent.ocppj.connect import prepare_access
from tests.emulators.authorities import Made, made

ROUNDS = 200
HOST = "central.test"
_WEIGH = """
import agent.app.daemon, agent.app.application, agent.certificates.inspection as inspection
def rss():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
before = rss()
inspection.inspect({pem!r})
print(rss() - before)
"""


def run(rounds: int = ROUNDS) -> list[tuple[str, str]]:
    """Profile 2, profile 3 with each kind of key, turn by turn; then the library's memory."""
    root = made("Root")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = _server(root, folder)
        ways = {"profile 2": _profile_2(root, folder)}
        ways |= {f"profile 3, {kind.value}": _profile_3(root, folder, kind) for kind in KeyKind}
        taken_s: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, settings in ways.items():
                taken_s[way].append(_connect(settings, server))
    medians_s = {way: statistics.median(times_s) for way, times_s in taken_s.items()}
    base_s = medians_s["profile 2"]
    return [
        (f"a connection, {way}, p50", f"{median_s * 1e3:.2f} ms, ratio {median_s / base_s:.2f}")
        for way, median_s in medians_s.items()
    ] + [("memory that the first certificate takes, with its library", _weighed(root))]


def _server(root: Made, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(cadata=root.pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    root.signs(HOST, is_authority=False).is_shown_by(context, folder)
    return context


def _profile_2(root: Made, folder: Path) -> CentralSystemSettings:
    password = folder / "password"
    password.write_text("sixteen chars ok")
    return _settings(root, folder, 2, authorization_key_file=str(password))


def _profile_3(root: Made, folder: Path, kind: KeyKind) -> CentralSystemSettings:
    request = make_request(folder, kind, "CPO", "CP7")
    found, why = inspected_chain(root.answers(request.csr), [])
    assert found is not None, why
    certificate, key = keep_chain(folder, found.certificate)
    return _settings(root, folder, 3, certificate_file=certificate, certificate_key_file=key)


def _settings(root: Made, folder: Path, profile: int, **files: str) -> CentralSystemSettings:
    ca_file = folder / "ca"
    ca_file.write_text(root.pem)
    return CentralSystemSettings(
        url=f"wss://{HOST}", security_profile=profile, ca_file=str(ca_file), **files
    )


def _connect(settings: CentralSystemSettings, server: ssl.SSLContext) -> float:
    """The box's processor time in seconds."""
    to_server, to_box = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = server.wrap_bio(to_server, to_box, server_side=True)
    begun_s = time.thread_time()
    access = prepare_access(settings, ChargePointSettings(identity="CP7"))
    assert access.tls is not None
    ours = access.tls.wrap_bio(to_box, to_server, server_hostname=HOST)
    spent_s = time.thread_time() - begun_s
    while ours.version() is None or theirs.version() is None:
        begun_s = time.thread_time()
        with suppress(ssl.SSLWantReadError):
            ours.do_handshake()
        spent_s += time.thread_time() - begun_s
        with suppress(ssl.SSLWantReadError):
            theirs.do_handshake()
    assert bool(theirs.getpeercert()) == access.shows_certificate
    return spent_s


def _weighed(root: Made) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _WEIGH.format(pem=root.pem)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return f"{int(done.stdout) / 1024:.1f} MiB"


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
