"""The way to the central system, with real servers: the step that breaks is named, in words."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.certificates import TrustedRoots
from agent.core.connection_profile import ConnectionProfile, ConnectionProfiles
from agent.maintenance import check_link
from agent.maintenance.check_link import look_at_link
from agent.maintenance.findings import Finding, FindingVerdict
from agent.ocppj.connect import basic_authorization
from tests.emulators.central_system import FakeCentralSystem
from tests.emulators.certificates import certificate_for

pytestmark = pytest.mark.real_time

NOW = datetime.now(UTC)  # noqa: TID251 - certificates are made now
BOX = ChargePointSettings(identity="CP7")
STEPS = ["address", "DNS", "TCP", "TLS", "websocket", "boot"]


async def walk(
    url: str, status: Any = None, now: datetime = NOW, **settings: Any
) -> dict[str, Finding]:
    """Every step with what was found."""
    central = CentralSystemSettings(url=url, **settings)
    findings = await asyncio.to_thread(lambda: list(look_at_link(central, BOX, status, now)))
    return {finding.step: finding for finding in findings}


def verdicts(found: dict[str, Finding]) -> list[str]:
    return [finding.verdict.value for finding in found.values()]


async def broken_at(step: str, url: str, **settings: Any) -> Finding:
    """The finding of the step that breaks: what is before passes, what is after is left out."""
    found = await walk(url, **settings)
    assert list(found) == STEPS
    at = STEPS.index(step)
    assert "fail" not in verdicts(found)[:at]
    assert verdicts(found)[at:] == ["fail"] + ["skip"] * (len(STEPS) - at - 1)
    return found[step]


async def test_the_whole_way_is_walked_and_no_boot_is_played():
    system = FakeCentralSystem()
    async with system.serve() as url:
        found = await walk(url)
    assert list(found) == STEPS
    assert verdicts(found) == ["pass", "pass", "pass", "note", "pass", "skip"]
    assert found["address"].words == f"{url}/CP7"
    assert found["DNS"].words == "127.0.0.1 is 127.0.0.1"
    assert system.frames == []


async def test_over_tls_version_suite_and_days_are_told(tmp_path: Path):
    good = certificate_for("localhost", tmp_path)
    key = tmp_path / "key"
    key.write_text("sixteen chars ok")
    settings = {"security_profile": 2, "authorization_key_file": str(key)}
    async with FakeCentralSystem().serve(good.server_context()) as url:
        url = url.replace("127.0.0.1", "localhost")
        found = await walk(url, ca_file=str(good.path), **settings)
        assert verdicts(found) == ["pass", "pass", "pass", "pass", "pass", "skip"]
        assert "TLSv1.3" in found["TLS"].words
        later = await walk(url, now=NOW + timedelta(hours=46), ca_file=str(good.path), **settings)
        assert later["TLS"].verdict is FindingVerdict.NOTE
        assert "must be renewed by" in later["TLS"].then  # of its two days the last tenth began


async def test_what_the_central_system_installed_is_trusted_too(tmp_path: Path):
    installed = certificate_for("localhost", tmp_path)
    of_file = certificate_for("other.example", tmp_path)
    central = CentralSystemSettings(url="wss://localhost", ca_file=str(of_file.path))
    async with FakeCentralSystem().serve(installed.server_context()) as url:
        way = ConnectionProfiles(ConnectionProfile(url.replace("127.0.0.1", "localhost")))
        alone = TrustedRoots(installed.path.read_text(), with_file=False)
        look = partial(look_at_link, central, BOX, None, NOW, way)
        found = await asyncio.to_thread(lambda: list(look([TrustedRoots(), alone])))
        assert "fail" not in [finding.verdict.value for finding in found]
        refused = await asyncio.to_thread(lambda: list(look([TrustedRoots()])))
        assert "fail" in [finding.verdict.value for finding in refused]


async def test_without_a_central_system_there_is_no_way_to_walk():
    found = await walk("")
    assert verdicts(found) == ["skip"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a.example", "must look like ws://"),
        ("wss://a.example", "security_profile 1 is without TLS"),
        ("ws://a.example", "needs central_system.authorization_key_file"),
    ],
)
async def test_an_address_that_does_not_fit_is_told(url: str, words: str):
    assert words in (await broken_at("address", url, security_profile=1)).words


async def test_a_name_that_nobody_knows_is_told():
    finding = await broken_at("DNS", "ws://no-such-host.invalid/ocpp")
    assert "cannot be resolved (DNS)" in finding.words
    assert "network" in finding.then


async def test_a_name_that_cannot_be_one_is_told():
    assert "no name of a host" in (await broken_at("DNS", f"ws://{'x' * 70}.example/ocpp")).words


async def test_a_resolver_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch):
    released = threading.Event()

    def hang(*arguments: Any, **more: Any) -> Any:
        released.wait(30)
        return []

    monkeypatch.setattr(check_link, "STEP_S", 0.05)
    monkeypatch.setattr(check_link.socket, "getaddrinfo", hang)
    central = CentralSystemSettings(url="ws://a.example/ocpp")
    findings = list(look_at_link(central, BOX, None, NOW))
    released.set()
    assert "did not answer in time" in findings[1].words


async def test_a_port_where_nobody_listens_is_told():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        finding = await broken_at("TCP", f"ws://127.0.0.1:{port}/ocpp")
    assert "nothing listens on that port" in finding.words
    assert "firewall" in finding.then


async def tls_problem(tmp_path: Path, name: str, ca: str) -> str:
    """What is told about a server with a certificate for this name, when that CA is trusted."""
    (tmp_path / "key").write_text("sixteen chars ok")
    certificate = certificate_for(name, tmp_path)
    ca_file = certificate_for(ca, tmp_path).path if ca != name else certificate.path
    async with FakeCentralSystem().serve(certificate.server_context()) as url:
        finding = await broken_at(
            "TLS",
            url.replace("127.0.0.1", "localhost"),
            security_profile=2,
            authorization_key_file=str(tmp_path / "key"),
            ca_file=str(ca_file),
        )
    return finding.words


async def test_a_certificate_for_another_name_is_told(tmp_path: Path):
    assert "for another name" in await tls_problem(tmp_path, "other.example", "other.example")


async def test_a_certificate_of_a_stranger_is_told(tmp_path: Path):
    assert "signed by itself" in await tls_problem(tmp_path, "localhost", "stranger.example")


async def test_a_server_without_tls_is_told(tmp_path: Path):
    (tmp_path / "key").write_text("sixteen chars ok")
    async with FakeCentralSystem().serve() as url:
        finding = await broken_at(
            "TLS",
            url.replace("ws://", "wss://"),
            security_profile=2,
            authorization_key_file=str(tmp_path / "key"),
        )
    assert "does this port speak TLS 1.2 or newer?" in finding.words


async def test_a_server_that_speaks_only_old_tls_is_told(tmp_path: Path):
    (tmp_path / "key").write_text("sixteen chars ok")
    good = certificate_for("localhost", tmp_path)
    context = good.server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    for name in ("minimum_version", "maximum_version"):
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            setattr(context, name, ssl.TLSVersion.TLSv1_1)
    async with FakeCentralSystem().serve(context) as url:
        finding = await broken_at(
            "TLS",
            url.replace("127.0.0.1", "localhost"),
            security_profile=2,
            authorization_key_file=str(tmp_path / "key"),
            ca_file=str(good.path),
        )
    assert "does this port speak TLS 1.2 or newer?" in finding.words


async def test_a_server_that_demands_a_client_certificate_is_told(tmp_path: Path):
    (tmp_path / "key").write_text("sixteen chars ok")
    good = certificate_for("localhost", tmp_path)
    context = good.server_context(demands_from=good)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with FakeCentralSystem().serve(context) as url:
        finding = await broken_at(
            "TLS",
            url.replace("127.0.0.1", "localhost"),
            security_profile=2,
            authorization_key_file=str(tmp_path / "key"),
            ca_file=str(good.path),
        )
    assert "demand" in finding.words
    assert "a client certificate" in finding.words
    assert "ca_file" not in finding.then


@pytest.mark.parametrize(
    ("status", "words"), [(401, "refuses the password"), (404, "does not know"), (503, "trouble")]
)
async def test_a_refusal_by_http_status_is_told(status: int, words: str):
    async with FakeCentralSystem(http_status=status).serve() as url:
        assert words in (await broken_at("websocket", url)).words


async def test_a_server_that_does_not_speak_ocpp_is_told():
    async with FakeCentralSystem(subprotocol=None).serve() as url:
        assert "does not speak OCPP 1.6" in (await broken_at("websocket", url)).words


def a_status(**link: Any) -> Any:
    connected = {"connected_since": "2026-03-01T12:00:00Z", "is_accepted": True, "registration": ""}
    return {"link": {**connected, **link}}


async def test_while_the_agent_is_connected_nobody_else_connects_under_its_name():
    system = FakeCentralSystem()
    async with system.serve() as url:
        found = await walk(url, a_status())
        assert verdicts(found) == ["pass", "pass", "pass", "note", "pass", "pass"]
        assert system.attempts == []
        pending = await walk(url, a_status(is_accepted=False, registration="Pending"))
        assert pending["boot"].verdict is FindingVerdict.FAIL
        assert "Pending" in pending["boot"].words
        silent = await walk(url, a_status(is_accepted=False))
        assert "no answer yet" in silent["boot"].words
        apart = await walk(url, a_status(connected_since=None, is_accepted=False))
        assert apart["websocket"].words.startswith("connected")
        assert len(system.attempts) == 1


async def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch):
    async with FakeCentralSystem().serve() as url:
        port = int(url.rpartition(":")[2])
        real = socket.getaddrinfo

        def two_for_one(host: str, *arguments: Any, **more: Any) -> Any:
            hosts = ("127.0.0.9", "127.0.0.1") if host == "localhost" else (host,)
            return [found for one in hosts for found in real(one, *arguments, **more)]

        monkeypatch.setattr(check_link.socket, "getaddrinfo", two_for_one)
        central = CentralSystemSettings(url=f"ws://localhost:{port}")
        steps = check_link.look_at_link(central, BOX, a_status(), NOW)
        found = await asyncio.to_thread(lambda: {one.step: one for one in steps})
    assert found["DNS"].words == "localhost is 127.0.0.9, 127.0.0.1"
    assert "of 127.0.0.1 answers" in found["TCP"].words


# --- after a change over OCPP --------------------------------------------------------------------


async def walk_after(changed: ConnectionProfiles, url: str) -> list[Finding]:
    central = CentralSystemSettings(url=url)
    steps = look_at_link(central, BOX, None, NOW, changed)
    return await asyncio.to_thread(list, steps)


async def test_the_way_that_the_agent_takes_is_walked_and_not_that_of_the_file():
    system = FakeCentralSystem()
    async with system.serve() as url:
        here = ConnectionProfile(url, 1, "sixteen chars ok")
        there = ConnectionProfile("ws://new.example", 1, "sixteen chars ok")
        found = await walk_after(ConnectionProfiles(here, there), "ws://127.0.0.1:1")
    told = [finding.words for finding in found if finding.step == "address"]
    assert told == [
        f"{url}/CP7",
        f"changed over OCPP: {url}, security profile 1",
        "the password was changed over OCPP; that of the file is not used",
        "on trial: ws://new.example, security profile 1",
    ]
    assert found[-2].words.startswith("connected")
    header = system.attempts[0].headers["Authorization"]
    assert header == basic_authorization("CP7", b"sixteen chars ok")


async def test_where_nothing_was_changed_nothing_is_told_about_it():
    async with FakeCentralSystem().serve() as url:
        found = await walk_after(ConnectionProfiles(ConnectionProfile(url)), url)
    assert [finding.step for finding in found] == STEPS
