"""Which certificate of this box is shown, and when the one before has its turn."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.certificates import TrustedRoots
from agent.core.connection_profile import ConnectionProfile
from agent.core.own_certificates import OwnCertificate
from agent.ocpp16.websocket_opener import OpenedWebSocket, WebSocketOpener
from agent.platform.errors import LinkError, OwnCertificateError
from tests.core.own_certificates import own
from tests.emulators.authorities import made
from tests.emulators.central_system import memory_wire
from tests.emulators.virtual_clock import VirtualClock

NEW, OLD = own("new"), own("old")
SHOWING = ConnectionProfile("wss://cs.example", 3)
REFUSED = ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:1)")


class Box:
    """Its certificates in files, and what becomes of each attempt to connect."""

    def __init__(self, folder: Path, *results: BaseException) -> None:
        self.folder = folder
        self.results = deque(results)
        self.shown: list[str] = []
        self.broken: dict[str, str] = {}  # what is in the file of one
        self.certificates: tuple[OwnCertificate, ...] = (NEW, OLD)
        settings, charge_point = CentralSystemSettings(), ChargePointSettings(identity="CP7")
        self.opener = WebSocketOpener(
            settings, charge_point, VirtualClock(), self.connect, lambda: (TrustedRoots(),), self
        )

    def to_show(self) -> tuple[OwnCertificate, ...]:
        return self.certificates

    async def files_of(self, certificate: OwnCertificate) -> tuple[str, str]:
        name = certificate.fingerprint
        self.shown.append(name)
        if self.broken.get(name) == "disk":
            raise OwnCertificateError("the disk is full")
        one = made(name)
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_text(self.broken.get(name, one.pem))
        files[1].write_text(one.key_pem())
        return str(files[0]), str(files[1])

    async def connect(self, url: str, **how: Any) -> Any:
        if self.results:
            raise self.results.popleft()
        return memory_wire()[0]

    async def open(self, profile: ConnectionProfile = SHOWING) -> OpenedWebSocket:
        return await self.opener.open(profile)


async def test_the_newest_is_shown_first_and_alone_where_it_is_accepted(tmp_path: Path):
    box = Box(tmp_path)
    opened = await box.open()
    assert (box.shown, opened.shown, opened.refusal) == (["new"], "new", "")
    assert box.opener.shows_first(SHOWING) == "new"


@pytest.mark.parametrize("refusal", [REFUSED, ConnectionResetError(), ssl.SSLEOFError(8, "EOF")])
async def test_where_it_is_refused_the_one_before_has_its_turn_in_the_same_attempt(
    tmp_path: Path, refusal: BaseException
):
    box = Box(tmp_path, refusal)
    opened = await box.open()
    assert (box.shown, opened.shown) == (["new", "old"], "old")
    assert "certificate of this box" in opened.refusal


@pytest.mark.parametrize("content", ["disk", "no certificate"])
async def test_a_file_that_cannot_be_used_gives_the_one_before_its_turn(
    tmp_path: Path, content: str
):
    box = Box(tmp_path)
    box.broken = {"new": content}
    opened = await box.open()
    assert opened.shown == "old"
    assert "the disk is full" in opened.refusal or "cannot be used" in opened.refusal


@pytest.mark.parametrize(
    "problem", [socket.gaierror(), ConnectionRefusedError(), TimeoutError(), OSError("no route")]
)
async def test_what_has_nothing_to_do_with_it_ends_the_attempt(
    tmp_path: Path, problem: BaseException
):
    box = Box(tmp_path, problem)
    with pytest.raises(LinkError):
        await box.open()
    assert box.shown == ["new"]


async def test_where_both_are_refused_the_attempt_has_failed(tmp_path: Path):
    box = Box(tmp_path, REFUSED, REFUSED)
    with pytest.raises(LinkError, match="does not accept the certificate of this box"):
        await box.open()
    assert box.shown == ["new", "old"]


async def test_in_another_profile_none_is_shown(tmp_path: Path):
    box, plain = Box(tmp_path), ConnectionProfile("wss://cs.example", 0)
    assert await box.open(plain) is not None
    assert (box.shown, box.opener.shows_first(plain)) == ([], "")


async def test_without_any_certificate_profile_3_is_said_to_need_one(tmp_path: Path):
    box = Box(tmp_path)
    box.certificates = ()
    with pytest.raises(LinkError, match="none was signed for it"):
        await box.open()
