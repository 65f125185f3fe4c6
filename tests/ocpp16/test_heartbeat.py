"""The heartbeat: after our own silence, and once a day for the time."""

from __future__ import annotations

import asyncio

import pytest

from agent.core.commands import NotifyStatus
from agent.core.values import Status, StatusReport
from tests.emulators.central_system import Answer
from tests.ocpp16.rig import accepted


async def test_a_heartbeat_follows_an_interval_of_our_own_silence():
    async with accepted() as rig:
        await asyncio.sleep(200)
        await rig.system.send_call("ClearCache", {})  # our answer breaks our silence
        spoken_s = asyncio.get_running_loop().time()
        heartbeat = await rig.system.received("Heartbeat")
        assert heartbeat.at_s - spoken_s == pytest.approx(300, abs=0.1)
        second = await rig.system.received("Heartbeat", 2)
        assert second.at_s - heartbeat.at_s == pytest.approx(300, abs=0.1)
        await asyncio.sleep(1)
        assert len(rig.clock.learned) == 3


async def test_the_heartbeat_interval_acts_at_once():
    async with accepted() as rig:
        await asyncio.sleep(5)
        rig.set_key("HeartbeatInterval", "10")
        heartbeat = await rig.system.received("Heartbeat")
        assert heartbeat.at_s < 15


async def test_interval_0_leaves_one_heartbeat_a_day():
    async with accepted() as rig:
        rig.set_key("HeartbeatInterval", "0")
        await asyncio.sleep(3 * 86_400 + 60)
        assert len(rig.system.of("Heartbeat")) == 3


async def test_a_talkative_charge_point_still_asks_for_the_time_once_a_day():
    async with accepted() as rig:
        for _ in range(300):
            rig.link.perform(NotifyStatus(StatusReport(1, Status.AVAILABLE)))
            await asyncio.sleep(290)
        assert len(rig.system.of("Heartbeat")) == 1


async def test_a_heartbeat_without_usable_time_is_no_reason_to_hurry():
    async with accepted() as rig:
        rig.system.always("Heartbeat", Answer({"currentTime": "yesterday"}))
        await asyncio.sleep(3000)
        assert len(rig.system.of("Heartbeat")) in (9, 10)
        assert len(rig.clock.learned) == 1
