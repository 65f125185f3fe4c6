"""Security profile 3 against OpenSSL's own server: the box's key, its chain, and its words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.certificates.own_keys import keep_chain, make_request
from agent.certificates.signed_chain import inspected_chain
from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.own_certificates import CertificateRequest, KeyKind
from agent.ocpp16.version import VERSION, connect_websocket
from agent.ocppj.connect import CONNECT_PROBLEMS, Access, explain, prepare_access
from agent.ocppj.security_findings import types_of
from tests.emulators.authorities import END, Key, Made, made, revoking
from tests.emulators.certificates import openssl_command

pytestmark = pytest.mark.real_time

HOST = "127.0.0.1"
LIMIT_S = 20.0
LONG_AGO, NOON, LATER = (datetime(year, 3, 1, 12, tzinfo=UTC) for year in (2021, 2026, 2048))
# What s_server sends for any address: the box has come through TLS to it.
PAGE = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
LET_IN = f"{HOST} is in trouble (HTTP 503)"

SERVERS, BOXES, OTHERS = made("Root of servers"), made("Root of boxes"), made("Another root")
OF_BOXES = BOXES.signs("Sub-CA of boxes")
RSA_KEY = rsa.generate_private_key(65537, 2048)

every_version = pytest.mark.parametrize("tls", ["-tls1_2", "-tls1_3"])
every_key = pytest.mark.parametrize("kind", KeyKind)


def server_of(name: str = HOST, end: datetime = END, key: Key | None = None) -> Made:
    return made(name, signer=SERVERS, key=key, end=end, is_authority=False)


@contextlib.asynccontextmanager
async def s_server(folder: Path, shown: Made, *words: str) -> AsyncIterator[str]:
    """It demands a certificate that the authority of the boxes has signed; its address."""
    files = {"shown": shown.pem + shown.key_pem(), "boxes": BOXES.pem, "CP7": PAGE}
    for name, text in files.items():
        (folder / name).write_text(text)
    demand = ("-Verify", "5", "-verify_return_error", "-CAfile", "boxes")
    command = openssl_command()
    process = await asyncio.create_subprocess_exec(
        *(command, "s_server", "-accept", f"{HOST}:0", "-cert", "shown", "-HTTP", *demand, *words),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            while not (line := await process.stdout.readline()).startswith(b"ACCEPT "):
                assert line, "s_server has not begun"
        yield f"wss://{line.decode().split()[1]}"
    finally:
        process.kill()
        await process.communicate()


@dataclass(frozen=True)
class OwnBox:
    """A box that has made its key, and keeps what was signed, as the agent does."""

    folder: Path
    request: CertificateRequest

    def access(self, url: str, signer: Made = BOXES, *above: Made, **more: Any) -> Access:
        """How it gets to this address, with a certificate that this authority has signed."""
        chain = signer.answers(self.request.csr, **more) + "".join(each.pem for each in above)
        found, why = inspected_chain(chain, [])
        assert found is not None, why
        certificate, key = keep_chain(self.folder, found.certificate)
        return self._access(url, 3, certificate_file=certificate, certificate_key_file=key)

    def access_by_password(self, url: str) -> Access:
        password = self.folder / "password"
        password.write_text("0123456789abcdef")
        return self._access(url, 2, authorization_key_file=str(password))

    def _access(self, url: str, profile: int, **files: str) -> Access:
        ca_file = self.folder / "ca"
        ca_file.write_text(SERVERS.pem)
        settings = CentralSystemSettings(
            url=url, security_profile=profile, ca_file=str(ca_file), **files
        )
        return prepare_access(settings, ChargePointSettings(identity="CP7"))


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> dict[KeyKind, OwnBox]:
    """One for each kind of key: an RSA key takes seconds."""
    folder = tmp_path_factory.mktemp("keys")
    return {kind: OwnBox(folder, make_request(folder, kind, "CPO", "CP7")) for kind in KeyKind}


@pytest.fixture
def box(boxes: dict[KeyKind, OwnBox]) -> OwnBox:
    return boxes[KeyKind.EC_P256]


async def outcome(access: Access) -> tuple[str, list[str]]:
    """What the box says of its attempt, and the security events of it: no WebSocket is there."""
    shows = access.shows_certificate
    try:
        await connect_websocket(
            access.url, headers=access.headers, ssl=access.tls, open_timeout_s=LIMIT_S
        )
    except CONNECT_PROBLEMS as problem:
        events = [event.value for event in types_of(problem, shows)]
        return explain(problem, access.url, NOON, VERSION, shows), events
    raise AssertionError("there is no WebSocket")


def is_refused(found: tuple[str, list[str]]) -> bool:
    """With TLS 1.3 the alert may get lost behind the end of the connection."""
    words, events = found
    said = (f"{HOST} does not accept the certificate of this box", "accept the certificate of this")
    return any(text in words for text in said) and events == ["FailedToAuthenticateAtCentralSystem"]


# --- let in --------------------------------------------------------------------------------------


@every_version
@every_key
@pytest.mark.parametrize("server_key", [None, RSA_KEY], ids=["EC server", "RSA server"])
async def test_it_is_let_in_by_a_certificate_on_its_own_request(
    boxes, tmp_path, tls, kind, server_key
):
    async with s_server(tmp_path, server_of(key=server_key), tls) as url:
        assert await outcome(boxes[kind].access(url)) == (LET_IN, [])


@every_version
async def test_it_shows_those_above_its_own_too(box, tmp_path, tls):
    """The server knows the root only."""
    async with s_server(tmp_path, server_of(), tls) as url:
        assert await outcome(box.access(url, OF_BOXES, OF_BOXES)) == (LET_IN, [])
        assert await outcome(box.access(url, OF_BOXES, OF_BOXES, BOXES)) == (LET_IN, [])
        assert is_refused(await outcome(box.access(url, OF_BOXES)))


# --- refused -------------------------------------------------------------------------------------

FOR_SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


@every_version
@pytest.mark.parametrize(
    ("signer", "more"),
    [
        (OTHERS, {}),
        (BOXES, {"end": LONG_AGO}),
        (BOXES, {"begin": LATER}),
        (BOXES, {"extensions": [FOR_SERVERS]}),
        (BOXES, {"serial": 666}),
    ],
    ids=["foreign", "expired", "not yet valid", "for another use", "revoked"],
)
async def test_a_client_certificate_that_is_refused_is_said_so(box, tmp_path, tls, signer, more):
    (tmp_path / "crl").write_text(revoking(BOXES, 666))
    crl = ("-CRL", "crl", "-crl_check")
    async with s_server(tmp_path, server_of(), tls, *crl) as url:
        assert await outcome(box.access(url)) == (LET_IN, [])
        assert is_refused(await outcome(box.access(url, signer, **more)))


@every_version
async def test_a_box_without_a_certificate_is_told_what_is_missing(box, tmp_path, tls):
    async with s_server(tmp_path, server_of(), tls) as url:
        words, events = await outcome(box.access_by_password(url))
    assert "client certificate" in words
    # TLS 1.2 has one alert for no common cipher and for this.
    known = ["FailedToAuthenticateAtCentralSystem"] if "demands" in words else []
    assert events in (known, ["InvalidTLSCipherSuite"], [])


@every_version
@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (server_of("another.example"), "it is for another name than the address has"),
        (server_of(end=LONG_AGO), "it has expired, and must be renewed there; the clock of"),
        (OTHERS.signs(HOST, is_authority=False), "this box does not trust its signer"),
    ],
    ids=["wrong name", "expired", "foreign"],
)
async def test_it_shows_nothing_to_a_server_that_it_does_not_trust(
    box, tmp_path, tls, shown, words
):
    async with s_server(tmp_path, shown, tls) as url:
        said, events = await outcome(box.access(url))
    assert f"the TLS certificate of {HOST} was not accepted: {words}" in said
    assert events == ["InvalidCentralSystemCertificate", "CentralSystemFailedToAuthenticate"]


async def test_a_server_that_knows_only_tls_1_1_is_named_so(box, tmp_path):
    old = ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    async with s_server(tmp_path, server_of(), *old) as url:
        said, events = await outcome(box.access(url))
    assert "no common TLS version" in said
    assert events == ["InvalidTLSVersion"]
