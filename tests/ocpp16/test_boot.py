"""BootNotification first, and nothing else before Accepted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from agent.core.commands import Authorize, NotifyStatus
from agent.core.events import AuthorizeFailed, LinkAccepted, LinkLost, LinkPending
from agent.core.values import Status, StatusReport
from tests.emulators.central_system import (
    Answer,
    Error,
    FakeCentralSystem,
    HangUp,
    Late,
    Raw,
    Reaction,
    Silence,
)
from tests.ocpp16.rig import START, TAG, Rig, accepted, row, running

PENDING = Answer({"status": "Pending", "currentTime": "2026-03-01T12:00:00Z", "interval": 20})
REJECTED = Answer({"status": "Rejected", "currentTime": "2026-03-01T12:00:00Z", "interval": 20})


async def test_boot_notification_comes_first_and_its_answer_sets_clock_and_interval():
    async with accepted() as rig:
        boot = rig.system.calls[0]
        assert boot.action == "BootNotification"
        assert boot.payload["chargePointSerialNumber"] == "SN1"
        assert rig.inbox.events == [LinkAccepted(300)]
        assert rig.clock.learned == [datetime(2026, 3, 1, 12, tzinfo=UTC)]


@pytest.mark.parametrize("interval", [0, -5])
async def test_an_interval_that_is_none_keeps_the_configured_one(interval: int):
    async with accepted(Rig(FakeCentralSystem(boot_interval=interval))) as rig:
        assert rig.inbox.events == [LinkAccepted(None)]


@pytest.mark.parametrize(
    ("reaction", "at_least_s", "at_most_s"),
    [
        (PENDING, 20, 22),
        (REJECTED, 20, 22),
        (Answer({"status": "Pending", "interval": 0}), 60, 66),
        (Answer({"status": "Pending", "interval": 10**9}), 86_400, 86_410),
        (Error("InternalError"), 60, 66),
        (Answer({"status": "Perhaps"}), 60, 66),
        (Raw('[3,"{id}",null]'), 60, 66),
        (Silence(), 90, 96),  # MessageTimeout first
    ],
)
async def test_boot_is_repeated_after_the_interval_and_nothing_else_is_sent(
    reaction: Reaction, at_least_s: float, at_most_s: float
):
    system = FakeCentralSystem()
    system.next("BootNotification", reaction)
    async with running(Rig(system)) as rig:
        first = await system.received("BootNotification", 1)
        rig.link.perform(NotifyStatus(StatusReport(1, Status.AVAILABLE)))
        rig.deliver(row(1, START))
        second = await system.received("BootNotification", 2)
        assert at_least_s <= second.at_s - first.at_s <= at_most_s
        assert {call.action for call in system.calls} == {"BootNotification"}
        assert len({call.unique_id for call in system.calls}) == 2


async def test_pending_is_told_to_the_core_and_cards_fail_at_once():
    system = FakeCentralSystem()
    system.next("BootNotification", PENDING)
    async with running(Rig(system)) as rig:
        assert await rig.inbox.posted(LinkPending) == LinkPending("Pending")
        rig.link.perform(Authorize(TAG, 5.0))
        assert rig.inbox.of(AuthorizeFailed) == [
            AuthorizeFailed(TAG, "the link is not accepted yet")
        ]
        assert rig.link.snapshot().registration == "Pending"
        assert not rig.link.snapshot().is_accepted


async def test_a_boot_answer_that_comes_after_its_time_out_still_counts():
    system = FakeCentralSystem()
    system.next("BootNotification", Late(40))
    async with running(Rig(system)) as rig:
        await rig.inbox.posted(LinkAccepted)
        assert 40 <= rig.inbox.at_s[0] <= 43
        assert len(system.of("BootNotification")) == 1
        assert rig.clock.learned == []  # the clock knows better than a time that is 40 s old


async def test_a_clock_that_nobody_has_set_takes_the_time_of_a_late_boot_answer_too():
    system = FakeCentralSystem()
    system.next("BootNotification", Late(40))
    rig = Rig(system)
    rig.clock.is_trusted = False
    async with running(rig):
        await rig.inbox.posted(LinkAccepted)
        assert rig.clock.learned == [datetime(2026, 3, 1, 12, tzinfo=UTC)]


async def test_a_clock_that_nobody_has_set_takes_the_time_of_a_late_heartbeat_too():
    system = FakeCentralSystem()
    system.next("Heartbeat", Late(40))
    rig = Rig(system)
    async with running(rig):
        await rig.inbox.posted(LinkAccepted)
        rig.clock.is_trusted = False
        await asyncio.sleep(335)  # time-out of the first one, which was sent after 300 s
        assert not rig.clock.is_trusted
        await asyncio.sleep(10)
        assert rig.clock.is_trusted


async def test_a_boot_answer_that_is_overtaken_by_a_later_one_changes_nothing():
    system = FakeCentralSystem()
    system.next("BootNotification", Late(200))
    async with running(Rig(system)) as rig:
        await rig.inbox.posted(LinkAccepted)
        assert len(system.of("BootNotification")) == 2
        await asyncio.sleep(250)
        assert rig.inbox.events == [LinkAccepted(300)]


async def test_after_a_mere_reconnect_there_is_no_boot_notification():
    async with accepted() as rig:
        await asyncio.sleep(60)
        await rig.system.drop()
        assert await rig.inbox.posted(LinkAccepted, 2) == LinkAccepted(None)
        await asyncio.sleep(10)
        assert len(rig.system.of("BootNotification")) == 1


async def test_a_connection_that_ends_during_boot_boots_again_at_once_when_it_is_back():
    system = FakeCentralSystem()
    system.next("BootNotification", HangUp())
    async with running(Rig(system)) as rig:
        await rig.inbox.posted(LinkAccepted)
        assert rig.inbox.at_s[-1] < 20
        assert isinstance(rig.inbox.events[0], LinkLost)


async def test_the_minimum_wait_holds_over_a_reconnect():
    system = FakeCentralSystem()
    system.next("BootNotification", Answer({"status": "Rejected", "interval": 600}))
    async with running(Rig(system)) as rig:
        await rig.inbox.posted(LinkPending)
        await system.drop()
        await rig.inbox.posted(LinkAccepted)
        first, second = (call.at_s for call in system.of("BootNotification"))
        assert 600 <= second - first <= 620


async def test_calls_before_the_first_answer_are_not_answered():
    system = FakeCentralSystem()
    system.always("BootNotification", Silence())
    async with running(Rig(system)):
        await system.received("BootNotification")
        with pytest.raises(TimeoutError):
            await system.send_call("GetConfiguration", {})


async def test_a_rejected_charge_point_does_not_answer():
    system = FakeCentralSystem()
    system.always("BootNotification", REJECTED)
    async with running(Rig(system)) as rig:
        await rig.inbox.posted(LinkPending)
        with pytest.raises(TimeoutError):
            await system.send_call("GetConfiguration", {})
        with pytest.raises(TimeoutError):
            await system.answer_to("x", '[2,"x"]')


async def test_a_pending_charge_point_answers_but_refuses_remote_start_and_stop():
    system = FakeCentralSystem()
    system.always("BootNotification", PENDING)
    async with running(Rig(system)) as rig:
        await rig.inbox.posted(LinkPending)
        assert (await system.send_call("GetConfiguration", {}))[0] == 3
        for action, payload in (
            ("RemoteStartTransaction", {"idTag": TAG}),
            ("RemoteStopTransaction", {"transactionId": 5}),
        ):
            assert (await system.send_call(action, payload))[2] == {"status": "Rejected"}
        assert rig.inbox.requests == []


async def test_a_central_system_that_has_forgotten_us_is_registered_with_again_without_a_storm():
    async with accepted() as rig:
        rig.system.always("StatusNotification", Error("SecurityError"))
        await asyncio.sleep(100)
        rig.link.perform(NotifyStatus(StatusReport(1, Status.AVAILABLE)))
        lost = await rig.inbox.posted(LinkLost)
        assert "does not know this charge point" in lost.problem
        await rig.inbox.posted(LinkAccepted, 2)
        assert len(rig.system.attempts) == 1  # on the same connection
        for _ in range(5):
            rig.link.perform(NotifyStatus(StatusReport(1, Status.AVAILABLE)))
            await asyncio.sleep(1)
        boots = [call.at_s for call in rig.system.of("BootNotification")]
        assert len(boots) == 2
        await rig.inbox.posted(LinkAccepted, 3)
        assert rig.system.of("BootNotification")[2].at_s - boots[1] >= 60
