"""Calls that an operator sends through the link, and what the frame log keeps of them."""

from __future__ import annotations

import asyncio
import json

import pytest

from agent.config.settings import ChargePointSettings
from agent.core.commands import Authorize
from agent.core.state import ChargePoint, Connector, Rules
from agent.core.values import Reading
from agent.ocpp16.operator_messages import check_action, proxied_call
from agent.ocpp16.triggered_messages import TriggeredMessages
from agent.ocppj.frame_log import FRAMES_KEPT, FrameLog
from agent.ocppj.pending_call import CallErrorReceived
from agent.ocppj.send_queue import OPERATOR_CALLS_MAX
from agent.platform.errors import CallFailed, LinkError
from tests.emulators.central_system import Answer, Error, FakeCentralSystem, Late, Silence
from tests.emulators.virtual_clock import NOON, VirtualClock
from tests.ocpp16.rig import Rig, accepted, running

BOX = ChargePointSettings(identity="CP7")


async def test_the_answer_comes_back():
    async with accepted() as rig:
        rig.system.next("DataTransfer", Answer({"status": "Accepted", "data": "x"}))
        answer = await rig.link.call("DataTransfer", {"vendorId": "v"})
        assert answer == {"status": "Accepted", "data": "x"}
        assert rig.system.of("DataTransfer")[0].payload == {"vendorId": "v"}


async def test_a_callerror_a_silence_and_a_lost_link_are_failures():
    async with accepted() as rig:
        rig.system.next("DataTransfer", Error("SecurityError", "no"), Silence(), Silence())
        with pytest.raises(CallErrorReceived, match="SecurityError"):
            await rig.link.call("DataTransfer", {"vendorId": "v"})
        with pytest.raises(CallFailed, match="no answer"):
            await rig.link.call("DataTransfer", {"vendorId": "v"})
        lost = asyncio.ensure_future(rig.link.call("DataTransfer", {"vendorId": "v"}))
        waits = asyncio.ensure_future(rig.link.call("Heartbeat", {}))
        await rig.system.received("DataTransfer", 3)
        await rig.system.drop()
        for call in (lost, waits):
            with pytest.raises(CallFailed, match="link was lost"):
                await call


async def test_without_a_link_or_before_it_is_accepted_nothing_is_sent():
    system = FakeCentralSystem(boot_status="Pending")
    async with running(Rig(system)) as rig:
        with pytest.raises(CallFailed, match="no link"):
            await rig.link.call("Heartbeat", {})
        await system.received("BootNotification")
        with pytest.raises(CallFailed, match="not accepted"):
            await rig.link.call("Heartbeat", {})
    assert system.of("Heartbeat") == []


async def test_too_many_at_once_are_refused_and_cards_go_first():
    async with accepted() as rig:
        rig.system.next("DataTransfer", Late(5.0))
        calls = [
            asyncio.ensure_future(rig.link.call("DataTransfer", {"vendorId": str(number)}))
            for number in range(OPERATOR_CALLS_MAX + 2)
        ]
        await rig.system.received("DataTransfer")
        over = asyncio.ensure_future(rig.link.call("DataTransfer", {"vendorId": "over"}))
        rig.link.perform(Authorize("CARD", 20.0))
        done = await asyncio.gather(*calls, over, return_exceptions=True)
        assert any(isinstance(one, CallFailed) and "too many" in str(one) for one in done)
        actions = [call.action for call in rig.system.calls]
        assert actions.index("Authorize") == actions.index("DataTransfer") + 1


async def test_who_does_not_wait_any_more_harms_nobody():
    async with accepted() as rig:
        rig.system.next("DataTransfer", Late(2.0))
        gone = asyncio.ensure_future(rig.link.call("DataTransfer", {"vendorId": "v"}))
        await rig.system.received("DataTransfer")
        gone.cancel()
        await asyncio.sleep(3)
        assert await rig.link.call("Heartbeat", {})


# --- the frame log -------------------------------------------------------------------------------


def frame(*content: object) -> str:
    return json.dumps(content)


async def test_a_question_and_its_answer_have_the_same_action():
    log = FrameLog(lambda: VirtualClock().now().utc)
    log.note("sent", frame(2, "1", "Authorize", {"idTag": "SECRET-TAG"}))
    log.note("received", frame(3, "1", {"idTagInfo": {"status": "Accepted"}}).encode())
    log.note("received", frame(3, "1", {}))
    log.note("received", frame(4, "unknown", "X", "", {}))
    log.note("received", b"\xff")
    log.note("received", "7")
    logged = [(found.sent_by_us, found.action) for found in log.frames()]
    assert logged == [
        (True, "Authorize"),
        (False, "Authorize"),
        (False, ""),
        (False, ""),
        (False, ""),
        (False, ""),
    ]
    assert "SECRET-TAG" not in str(log.frames())


def test_the_log_is_a_ring_and_large_frames_are_only_described():
    log = FrameLog(lambda: NOON)
    for number in range(FRAMES_KEPT + 10):
        log.note("sent", frame(2, str(number), "Heartbeat", {}))
    assert len(log.frames()) == FRAMES_KEPT
    log.note("received", frame(2, "x", "SendLocalList", {"a": "x" * 100_000}))
    last = log.frames()[-1]
    assert (last.action, len(last.message) < 100) == ("SendLocalList", True)
    log.note("received", "x" * 100_000)
    assert log.frames()[-1].action == ""


async def test_a_link_with_a_frame_log_keeps_what_is_said():
    rig = Rig(FakeCentralSystem())
    log = FrameLog(lambda: NOON)
    rig.frame_log = log
    rig.link = rig.make_link(rig.system.connect)
    async with accepted(rig):
        logged = [(found.sent_by_us, found.action) for found in log.frames()]
        assert logged == [(True, "BootNotification"), (False, "BootNotification")]


# --- what may be sent ----------------------------------------------------------------------------


def test_keys_become_camel_case_and_two_that_become_the_same_are_refused():
    sent = proxied_call("authorize", {"id_tag": "A"})
    assert sent == ("Authorize", {"idTag": "A"})
    with pytest.raises(ValueError, match="idTag stands twice"):
        proxied_call("authorize", {"id_tag": "A", "idTag": "A"})
    with pytest.raises(ValueError, match="lacks idTag"):
        proxied_call("authorize", {})


@pytest.mark.parametrize(
    ("action", "version", "words"),
    [
        ("heartbeat", "ocpp2.0.1", "speaks ocpp1.6"),
        ("notify_event", "ocpp1.6", "does not exist in OCPP 1.6"),
        ("reset", "ocpp1.6", "unknown action"),
    ],
)
def test_what_ocpp_1_6_does_not_know_is_refused(action, version, words):
    with pytest.raises(ValueError, match=words):
        check_action(action, version)


async def test_the_truth_about_a_box_whose_meter_was_never_read_is_silence():
    now = VirtualClock().now()
    keys = Rig(FakeCentralSystem()).keys
    state = ChargePoint(Rules(), keys, (Connector(1), Connector(2)))
    assert TriggeredMessages(BOX, lambda: state, lambda: now).calls("MeterValues") == []
    read = ChargePoint(Rules(), keys, (Connector(1, reading=Reading(5, now.utc)),))
    ((action, payload),) = TriggeredMessages(BOX, lambda: read, lambda: now).calls("MeterValues")
    assert (action, payload["connectorId"], "transactionId" in payload) == ("MeterValues", 1, False)


async def test_a_link_error_is_told_to_the_one_who_waits():
    async with accepted() as rig:
        rig.system.next("DataTransfer", Silence())
        call = asyncio.ensure_future(rig.link.call("DataTransfer", {"vendorId": "v"}))
        await rig.system.received("DataTransfer")
        rig.system.refuse_always = LinkError("nobody is there")
        await rig.system.drop()
        with pytest.raises(CallFailed):
            await call
        with pytest.raises(CallFailed, match="link"):
            await rig.link.call("Heartbeat", {})
