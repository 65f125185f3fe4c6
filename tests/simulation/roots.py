"""Who has signed the central system's certificate, and how it moves from one authority to another.

The handshakes are OpenSSL's own, in memory: what the box trusts is its real context. How one ends
depends on that context and on who is shown alone, so that each pair shakes hands once. A central
system shows a certificate only of an authority that the box has said it keeps.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from agent.certificates.inspection import hash_data, inspect
from agent.config.settings import CentralSystemSettings
from agent.core.certificates import Certificate, RootUse, TrustedRoots
from agent.ocppj import connect
from agent.platform.tls import verified_by
from tests.emulators.authorities import Made, made
from tests.simulation.central_system import CentralSystem
from tests.simulation.run_log import RunLog
from tests.simulation.signing import client_authorities

HOST = "central.test"
OF_FILE = 0  # the installer's
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME: its clock is the world's
_USE = RootUse.CENTRAL_SYSTEM.value


@cache
def roots() -> tuple[Made, ...]:
    """Three of one name, one of them without any extension, and one that another has signed."""
    named_alike = (made("Root"), made("Root"), made("Root").version_1())
    return (*named_alike, named_alike[0].signs("Root of next year"))


@cache
def _server(number: int) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        leaf = roots()[number].signs(HOST, is_authority=False)
        leaf.is_shown_by(context, Path(folder))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    context.load_verify_locations(cadata=client_authorities(roots()[OF_FILE]))
    return context


@contextmanager
def contexts_kept() -> Iterator[None]:
    """The box's contexts are made once each, not for each attempt: that takes OpenSSL long."""
    make = connect._tls
    kept: dict[object, ssl.SSLContext] = {}

    def tls(settings: CentralSystemSettings, roots: TrustedRoots) -> ssl.SSLContext:
        is_shown = settings.security_profile == 3
        own = (settings.certificate_file, settings.certificate_key_file) if is_shown else ()
        files = [Path(name) for name in own]
        key = (settings.ca_file, roots, *(file.name for file in files))  # named by the content
        if key not in kept or not all(file.is_file() for file in files):
            kept[key] = make(settings, roots)
        return kept[key]

    with patch.object(connect, "_tls", tls):
        yield


@dataclass(frozen=True)
class _Greeted:
    """A handshake as both ends see it. ``shown``: by the box, in DER form."""

    chain: tuple[Certificate, ...] = ()
    shown: bytes | None = None
    problem: ssl.SSLError | None = None


def _greeted(client: ssl.SSLContext, shown: int) -> _Greeted:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=HOST)
    theirs = _server(shown).wrap_bio(to_server, to_client, server_side=True)
    try:
        for _ in range(3):
            with suppress(ssl.SSLWantReadError):
                ours.do_handshake()
            with suppress(ssl.SSLError):
                theirs.do_handshake()
    except ssl.SSLError as problem:
        return _Greeted(problem=problem)
    return _Greeted(verified_by(ours), theirs.getpeercert(binary_form=True))


class Roots:
    """``shown``: whose certificate the server shows to who connects now."""

    def __init__(
        self,
        random: Random,
        central: CentralSystem,
        run_log: RunLog,
        count: Callable[[str], None],
        only_installed: bool,
        lets_in: Callable[[bytes | None], bool],
    ) -> None:
        """``lets_in``: whether who shows this certificate, or none, may talk."""
        self.shown = OF_FILE
        self.refused = 0  # handshakes in a row, none of them kept off by the line
        self._kept = {OF_FILE}  # as far as the box has said
        self._random = random
        self._central = central
        self._run_log = run_log
        self._count = count
        self._only_installed = only_installed
        self._lets_in = lets_in
        self._greeted = cache(_greeted)

    async def live(self, gap_h: float) -> None:
        """Move on now and then, for ever."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / (gap_h * 3600)))
            self._random.choice((self._install, self._install, self._show, self._delete))()

    def shake_hands(self, client: ssl.SSLContext) -> tuple[Certificate, ...]:
        """What the connection is verified by. Raises ssl.SSLError as the box sees it."""
        greeted = self._greeted(client, self.shown)
        if greeted.problem is not None:
            self.refused += 1
            raise greeted.problem.with_traceback(None)
        self.refused = 0
        if not self._lets_in(greeted.shown):
            # With TLS 1.3 that is all that is seen of it.
            raise ConnectionResetError(104, "Connection reset by peer")
        return greeted.chain

    def interrupted(self) -> None:
        """The box has not come to try all that it trusts."""
        self.refused = 0

    def _install(self) -> None:
        number = self._random.randrange(len(roots()))
        payload = {"certificateType": _USE, "certificate": roots()[number].pem}
        self._ask("InstallCertificate", payload, lambda: self._kept.add(number))

    def _show(self) -> None:
        shown = self._random.choice(sorted(self._kept))
        if shown == self.shown:
            return
        self._count("central system: shows a certificate of another authority")
        self._run_log.note("central system", f"root {shown} in place of {self.shown}")
        if self._only_installed and self.shown == OF_FILE:
            self._kept.discard(OF_FILE)  # the file's counts no longer; installed it would
        self.shown, self.refused = shown, 0
        self._central.restart()

    def _delete(self) -> None:
        kept = sorted(self._kept - {OF_FILE})
        if not kept:
            return
        number = self._random.choice(kept)
        if number != self.shown:  # the one in use: a mistake that the box must not go along with
            self._kept.discard(number)  # whatever it answers: nobody relies on it from now on
        data = hash_data(inspect(roots()[number].pem).certificate)
        self._ask("DeleteCertificate", {"certificateHashData": data}, lambda: None)

    def _ask(self, action: str, payload: dict[str, Any], accepted: Callable[[], None]) -> None:
        def answered(frame: Any) -> None:
            self._run_log.note("central system", f"{action}: {frame[2]}")
            if frame[0] == 3 and frame[2] == {"status": "Accepted"}:
                accepted()

        self._central.call(action, payload, answered)
