"""The link leaves one way to the central system for another."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent.core.commands import ApplyConfiguration
from agent.core.connection_profile import URL, ConnectionProfile, ConnectionProfiles, LinkOpened
from agent.core.events import LinkLost, LinkPending
from agent.platform.errors import LinkError
from tests.emulators.central_system import Answer, FakeCentralSystem
from tests.ocpp16.rig import Rig, accepted, running

OLD = ConnectionProfile("ws://old.example/ocpp")
NEW = ConnectionProfile("ws://new.example/ocpp")


def a_rig() -> Rig:
    return Rig(FakeCentralSystem(), known=ConnectionProfiles(OLD))


def order(rig: Rig, known: ConnectionProfiles) -> None:
    rig.known = known
    rig.link.perform(ApplyConfiguration(URL, ""))


async def test_the_answer_to_the_wish_goes_out_before_the_link_leaves():
    async with accepted(a_rig()) as rig:
        rig.inbox.reply_after_s = 0.2
        wish = {"key": URL, "value": NEW.url}
        answer = asyncio.ensure_future(rig.system.send_call("ChangeConfiguration", wish))
        await asyncio.sleep(0.1)
        order(rig, ConnectionProfiles(OLD, NEW))
        assert (await answer)[2] == {"status": "Accepted"}
        await rig.system.received("BootNotification", 2)
        assert rig.system.attempts[-1].url == "ws://new.example/ocpp/CP7"
        assert rig.system.attempts[-1].at_s < 1  # at once, without a wait for the next attempt


async def test_a_way_that_is_taken_already_is_not_left():
    async with accepted(a_rig()) as rig:
        order(rig, ConnectionProfiles(OLD, NEW, is_held=True))
        await asyncio.sleep(100)
        assert len(rig.system.attempts) == 1


async def test_the_core_is_told_which_way_is_open_and_which_failed_just_before():
    async with accepted(a_rig()) as rig:
        rig.system.refusals.extend([LinkError("nobody there")] * 4)
        order(rig, ConnectionProfiles(OLD, NEW))
        while len(rig.inbox.opened) < 2:
            await asyncio.sleep(1)
        assert rig.inbox.opened == [LinkOpened(OLD), LinkOpened(OLD, instead_of=NEW)]
        assert len(rig.system.of("BootNotification")) == 1  # it never was anywhere else


async def test_another_central_system_that_is_silent_is_left_after_two_minutes():
    async with accepted(a_rig()) as rig:
        rig.system.boot_status = "Rejected"
        order(rig, ConnectionProfiles(OLD, NEW))
        while len(rig.inbox.opened) < 2:
            await asyncio.sleep(1)
        begun_s = rig.system.attempts[-1].at_s
        while rig.link.snapshot().connected_since is not None:
            await asyncio.sleep(1)
        assert 119 <= asyncio.get_running_loop().time() - begun_s <= 122
        assert "did not accept this box" in rig.link.snapshot().last_problem


async def test_a_trial_that_has_settled_meanwhile_is_not_doubted_any_more():
    async with accepted(a_rig()) as rig:
        order(rig, ConnectionProfiles(OLD, NEW))
        await rig.system.received("BootNotification", 2)
        rig.known = replace(rig.known or ConnectionProfiles(), settled=NEW, trial=None)
        await asyncio.sleep(1000)
        assert len(rig.system.attempts) == 2


@pytest.mark.parametrize("url", ["ws://[::::]/a", "ws://[1.2.3.4]/", "ws://h:99999/"])
async def test_an_address_that_nobody_can_read_does_not_keep_the_box_from_the_old_one(url: str):
    bad = ConnectionProfile(url)
    rig = Rig(FakeCentralSystem(), known=ConnectionProfiles(OLD, bad))  # so a database may hold it
    async with running(rig):
        await rig.inbox.posted(LinkLost)
        assert url in rig.link.snapshot().last_problem
        while not rig.inbox.opened:
            await asyncio.sleep(1)
        assert rig.inbox.opened == [LinkOpened(OLD, instead_of=bad)]
        assert asyncio.get_running_loop().time() < 20  # it is not tried three times once more


async def test_whatever_an_attempt_raises_counts_as_a_failure_of_that_way(
    caplog: pytest.LogCaptureFixture,
):
    rig = a_rig()
    system = rig.system

    async def breaks(url: str, **more: object) -> object:
        if "new" in url:
            raise ZeroDivisionError
        return await system.connect(url, **more)  # type: ignore[arg-type]

    rig.link = rig.make_link(breaks)  # type: ignore[arg-type]
    async with accepted(rig):
        order(rig, ConnectionProfiles(OLD, NEW))
        await asyncio.sleep(600)
        assert rig.inbox.opened[1:2] == [LinkOpened(OLD, instead_of=NEW)]
    named = "failed inside the agent, see its log (the new way, ws://new.example/ocpp)"
    assert any(named in lost.problem for lost in rig.inbox.of(LinkLost))
    assert any(record.exc_info for record in caplog.records)


async def test_a_trial_that_is_ordered_now_is_tried_three_times_first():
    async with accepted(a_rig()) as rig:
        rig.system.refusals.extend([LinkError("nobody there")] * 4)
        order(rig, ConnectionProfiles(OLD, NEW))
        while len(rig.inbox.opened) < 2:
            await asyncio.sleep(1)
        tried = [attempt.url.split("/")[2] for attempt in rig.system.attempts[1:]]
        assert tried == ["new.example"] * 4 + ["old.example"]


@pytest.mark.parametrize(("status", "times"), [("Pending", 0), ("Accepted", 1)])
async def test_a_central_system_on_trial_sets_the_clock_only_once_it_has_accepted(
    status: str, times: int
):
    rig = Rig(FakeCentralSystem(boot_status=status), known=ConnectionProfiles(OLD, NEW))
    rig.clock.is_trusted = False
    async with running(rig):
        await rig.system.received("BootNotification")
        await asyncio.sleep(5)
        rig.link.tell([("Heartbeat", {})])
        await rig.system.received("Heartbeat")
        await asyncio.sleep(5)
        assert len(rig.clock.learned) == 2 * times


async def test_a_central_system_that_wants_a_boot_every_second_gets_one_in_ten():
    rig = a_rig()
    answer = {"status": "Pending", "currentTime": "2026-03-01T12:00:00Z", "interval": 1}
    rig.system.always("BootNotification", Answer(answer))
    async with running(rig):
        await rig.inbox.posted(LinkPending)
        await asyncio.sleep(109)
        assert 9 <= len(rig.system.of("BootNotification")) <= 11
        assert len(rig.clock.learned) >= 9  # it is not on trial: its time counts
