"""Security events reach the central system: each once, over restarts, kills and refusals."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from agent.core.security_events import DISABLED
from agent.platform.errors import ControlError, LinkError, StoreFull
from tests.app.box import Box, box_settings, running_box
from tests.emulators.central_system import Error, FakeCentralSystem, Silence

ACTION = "SecurityEventNotification"


def told(system: FakeCentralSystem) -> list[str]:
    """The types in the order in which they came."""
    return [call.payload["type"] for call in system.of(ACTION)]


async def queued(box: Box) -> int:
    services = box.application.services
    found = await services.threads.read(services.store.security_queue)
    return found.waiting_count


async def test_a_start_is_told_after_the_boot_was_accepted(tmp_path):
    async with running_box(tmp_path) as box:
        call = await box.central_system.received(ACTION)
        assert box.central_system.calls[0].action == "BootNotification"
        assert call.payload["type"] == "StartupOfTheDevice"
        assert call.payload["techInfo"].endswith("no earlier start is known")
        await asyncio.sleep(60)
        assert await queued(box) == 0
        assert told(box.central_system) == ["StartupOfTheDevice"]


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
async def test_events_are_held_back_until_the_boot_is_accepted(tmp_path, status):
    system = FakeCentralSystem(boot_status=status, boot_interval=10)
    box = Box(box_settings(tmp_path), system)
    await box.start()
    await asyncio.sleep(100)
    assert told(system) == []
    system.boot_status = "Accepted"
    await system.received(ACTION)
    assert told(system) == ["StartupOfTheDevice"]
    await box.die()


async def test_what_happened_while_it_was_offline_is_told_in_order_with_its_times(tmp_path):
    box = Box(box_settings(tmp_path))
    box.central_system.refuse_always = LinkError("gone")
    for _ in range(3):  # killed twice
        await box.start()
        await asyncio.sleep(10)
        await box.die()
    box.central_system.refuse_always = None
    await box.start()
    await box.central_system.received(ACTION, 4)
    await asyncio.sleep(60)
    calls = box.central_system.of(ACTION)
    assert told(box.central_system) == ["StartupOfTheDevice"] * 4
    times = [call.payload["timestamp"] for call in calls]
    assert times == sorted(times)
    assert len(set(times)) == len({call.unique_id for call in calls}) == 4
    await box.die()


async def test_an_event_without_an_answer_goes_out_again_after_a_kill_as_the_same_message(tmp_path):
    box = Box(box_settings(tmp_path))
    box.central_system.always(ACTION, Silence())
    await box.start()
    await box.central_system.received(ACTION)
    await box.die()
    box.central_system.always(ACTION, None)
    await box.start()
    await box.central_system.received(ACTION, 3)
    first, again, second = box.central_system.of(ACTION)
    assert first.unique_id == again.unique_id != second.unique_id
    assert first.payload == again.payload
    await box.die()


async def test_an_event_is_not_held_up_by_a_start_that_waits_for_its_retry(tmp_path):
    async with running_box(tmp_path) as box:
        system = box.central_system
        await system.received(ACTION)
        system.always("StartTransaction", Error("InternalError"))
        await box.charge()
        await system.received("StartTransaction")
        await box.do("sim", lever="fault", name="door")
        await system.received(ACTION, 2)
        assert told(system)[1:] == ["TamperDetectionActivated"]


async def test_a_central_system_that_refuses_for_days_gets_each_event_in_the_end(tmp_path):
    system = FakeCentralSystem()
    system.always(ACTION, Error("InternalError"))
    box = Box(box_settings(tmp_path), system)
    await box.start()
    await asyncio.sleep(2 * 86_400)
    attempts = len(system.of(ACTION))
    assert 150 < attempts < 250  # every quarter of an hour
    system.always(ACTION, None)
    await system.received(ACTION, attempts + 1)
    await asyncio.sleep(60)
    assert len({call.unique_id for call in system.of(ACTION)}) == 1
    assert await queued(box) == 0
    await box.die()


async def test_a_central_system_that_knows_no_such_message_is_asked_once(tmp_path):
    system = FakeCentralSystem()
    system.always(ACTION, Error("NotImplemented"))
    box = Box(box_settings(tmp_path), system)
    await box.start()
    await system.received(ACTION)
    await asyncio.sleep(1)
    await box.do("sim", lever="fault", name="door")
    await system.drop()
    await asyncio.sleep(1000)
    assert len(system.of(ACTION)) == 1
    assert await queued(box) == 0
    store = box.application.services.store
    lines = await box.application.services.threads.report(store.security_log)
    assert "TamperDetectionActivated" in [line.type for line in lines]
    await box.die()


async def test_a_full_disk_holds_events_back_and_loses_none_of_them(tmp_path):
    async with running_box(tmp_path) as box:
        await box.central_system.received(ACTION)
        box.executors["journal"].problem = StoreFull("no room on the disk")
        await box.do("sim", lever="fault", name="door")
        await asyncio.sleep(600)
        assert len(box.central_system.of(ACTION)) == 1
        box.executors["journal"].problem = None
        await box.central_system.received(ACTION, 2)
        assert told(box.central_system)[1:] == ["TamperDetectionActivated"]


async def test_the_key_switches_the_notifications_off_at_once(tmp_path):
    async with running_box(tmp_path) as box:
        system = box.central_system
        await system.received(ACTION)
        payload = {"key": DISABLED, "value": "true"}
        assert (await system.send_call("ChangeConfiguration", payload))[2] == {"status": "Accepted"}
        await box.do("sim", lever="fault", name="door")
        await asyncio.sleep(100)
        assert len(system.of(ACTION)) == 1


async def test_a_disk_that_fills_up_is_told(tmp_path: Path):
    box = Box(box_settings(tmp_path), free_bytes=lambda folder: 1_000_000)
    await box.start()
    await box.central_system.received(ACTION, 2)
    assert told(box.central_system) == ["StartupOfTheDevice", "MemoryExhaustion"]
    await box.die()


# --- what is seen outside the core ----------------------------------------------------------------


async def recorded(box: Box) -> list[tuple[str, str]]:
    """Type and techInfo of each line, without the startup."""
    lines = await box.do("security-log", order="show")
    return [(one["type"], one["techInfo"]) for one in reversed(lines)][1:]


@pytest.mark.parametrize("frame", ["{", "[9]", '["x"]', '[2,"id-1","Reset"]'])
async def test_a_message_that_is_none_is_recorded(tmp_path, frame):
    async with running_box(tmp_path) as box:
        await box.central_system.received(ACTION)
        await box.central_system.wires[-1].other.send(frame)
        await asyncio.sleep(1)
        ((kind, text),) = await recorded(box)
        assert kind == "InvalidMessages"
        assert text.startswith("from the central system: ")


async def test_a_call_that_comes_a_second_time_is_answered_and_recorded(tmp_path):
    async with running_box(tmp_path) as box:
        system = box.central_system
        await system.received(ACTION)
        call = '[2,"same-id","ClearCache",{}]'
        first = await system.answer_to("same-id", call)
        assert await system.answer_to("same-id", call) == first
        text = "from the central system: ClearCache came a second time"
        assert await recorded(box) == [("AttemptedReplayAttacks", text)]


def _tls(kind: type[ssl.SSLError], reason: str) -> ssl.SSLError:
    return kind(1, f"[SSL: {reason}] {reason.lower()} (_ssl.c:1006)")


@pytest.mark.parametrize(
    ("problem", "types"),
    [
        (
            _tls(ssl.SSLCertVerificationError, "CERTIFICATE_VERIFY_FAILED"),
            ["InvalidCentralSystemCertificate", "CentralSystemFailedToAuthenticate"],
        ),
        (_tls(ssl.SSLError, "TLSV1_ALERT_PROTOCOL_VERSION"), ["InvalidTLSVersion"]),
        (_tls(ssl.SSLError, "UNSUPPORTED_PROTOCOL"), ["InvalidTLSVersion"]),
        (
            _tls(ssl.SSLError, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            ["FailedToAuthenticateAtCentralSystem"],
        ),
        (_tls(ssl.SSLError, "SSLV3_ALERT_HANDSHAKE_FAILURE"), ["InvalidTLSCipherSuite"]),
        (InvalidStatus(Response(401, "", Headers())), ["FailedToAuthenticateAtCentralSystem"]),
        (InvalidStatus(Response(403, "", Headers())), ["FailedToAuthenticateAtCentralSystem"]),
        (InvalidStatus(Response(404, "", Headers())), []),
        (
            InvalidStatus(Response(400, "", Headers(), b"No required SSL certificate was sent")),
            ["FailedToAuthenticateAtCentralSystem"],
        ),
        (ConnectionResetError(), []),  # with security profile 3 it may mean the certificate
        (ConnectionRefusedError(), []),
    ],
)
async def test_a_connection_that_fails_for_security_is_recorded_once_in_a_row(
    tmp_path, problem, types
):
    box = Box(box_settings(tmp_path, "wss://central.test/ocpp"))
    box.central_system.refuse_always = problem
    await box.start()
    await asyncio.sleep(600)
    found = await recorded(box)
    assert [kind for kind, _ in found] == types
    assert all("central.test" in text for _, text in found)
    await box.die()


# --- the command ----------------------------------------------------------------------------------


async def test_the_log_is_shown_verified_and_cleared_over_the_control_socket(tmp_path):
    async with running_box(tmp_path) as box:
        await box.central_system.received(ACTION)
        await box.do("sim", lever="fault", name="door")
        await box.central_system.received(ACTION, 2)
        lines = await box.do("security-log", order="show")
        assert [one["type"] for one in lines] == ["TamperDetectionActivated", "StartupOfTheDevice"]
        assert await box.do("security-log", order="show", limit=1) == lines[:1]
        older = await box.do("security-log", order="show", before=lines[0]["number"])
        assert older == lines[1:]
        assert await box.do("security-log", order="show", since="2026-03-02") == []
        assert await box.do("security-log", order="verify") == {"problem": ""}
        await box.do("security-log", order="clear")
        ((kind, text),) = [
            (one["type"], one["techInfo"]) for one in await box.do("security-log", order="show")
        ]
        assert (kind, text) == ("SecurityLogWasCleared", "by a person at the box")
        assert await box.do("security-log", order="verify") == {"problem": ""}
        await box.central_system.received(ACTION, 3)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"order": "show", "since": "yesterday"}, "since must be an instant"),
        ({"order": "show", "limit": 501}, "limit must be a whole number from 1 to 500"),
        ({"order": "burn"}, "cannot be 'burn'"),
        ({}, "cannot be None"),
    ],
)
async def test_what_cannot_be_done_with_the_log_is_said(tmp_path, request_, words):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match=words):
            await box.do("security-log", **request_)
