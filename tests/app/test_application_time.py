"""A box without battery clock: it starts in 1970, charges, and tells the true times afterwards."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.platform.errors import LinkError
from agent.runtime.clock import SystemClock
from tests.app.box import CARD, Box, box_settings, put_on_list
from tests.emulators.virtual_clock import NOON

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def true_time() -> datetime:
    return NOON + timedelta(seconds=asyncio.get_running_loop().time())


class Machine:
    """A box whose wall clock starts anew at every power-on; true time goes on meanwhile."""

    def __init__(self, directory: Path, power_on: datetime = EPOCH) -> None:
        self.is_synchronized = False
        self.wall_jumps = timedelta()
        self._power_on = power_on
        self.box = Box(box_settings(directory))
        self.box.central_system.current_time = lambda: true_time().isoformat()
        self.box.central_system.refuse_always = LinkError("no network yet")
        self.switch_on()

    def switch_on(self) -> None:
        loop = asyncio.get_running_loop()
        booted_s = loop.time()

        def since_boot_s() -> float:
            return loop.time() - booted_s

        def wall() -> datetime:
            if self.is_synchronized:
                return true_time()
            return self._power_on + timedelta(seconds=since_boot_s()) + self.wall_jumps

        self.box.clock = SystemClock(since_boot_s, wall, lambda: self.is_synchronized)

    async def lose_power(self, off_s: float) -> None:
        await self.box.lose_power()
        await asyncio.sleep(off_s)
        self.switch_on()
        await self.box.start()

    async def restart(self) -> None:
        """The process only: the kernel's clocks go on."""
        await self.box.die()
        machine_clock = self.box.clock
        assert isinstance(machine_clock, SystemClock)
        self.box.clock = SystemClock(
            machine_clock._monotonic, machine_clock._wall, machine_clock._is_synchronized
        )
        await self.box.start()

    async def charge(self, seconds: float = 150) -> tuple[datetime, datetime]:
        """One session; its true begin and end."""
        await self.box.charge()
        begun_at = true_time()
        await asyncio.sleep(seconds)
        ended_at = true_time()
        await self.box.finish()
        return begun_at, ended_at

    def connect(self) -> None:
        self.box.central_system.refuse_always = None

    async def told(self, sessions: int) -> list[tuple[str, datetime]]:
        """Every transaction message with its time, once all sessions are told."""
        system = self.box.central_system
        await system.received("StopTransaction", sessions)
        told = []
        for call in system.calls:
            if call.action in ("StartTransaction", "StopTransaction"):
                told.append((call.action, datetime.fromisoformat(call.payload["timestamp"])))
            elif call.action == "MeterValues":
                (value,) = call.payload["meterValue"]
                told.append((call.action, datetime.fromisoformat(value["timestamp"])))
        assert [at for _, at in told] == sorted(at for _, at in told)
        return told


async def a_machine(directory: Path, **given) -> Machine:
    machine = Machine(directory, **given)
    put_on_list(machine.box.settings, CARD)
    await machine.box.start()
    return machine


def assert_close(told: datetime, true: datetime, within_s: float = 2.0) -> None:
    assert abs((told - true).total_seconds()) <= within_s, (told, true)


async def test_sessions_of_a_box_that_woke_up_in_1970_are_told_with_their_true_times(tmp_path):
    machine = await a_machine(tmp_path)
    begun_at, ended_at = await machine.charge()
    machine.connect()
    told = await machine.told(1)
    assert [action for action, _ in told] == [
        "StartTransaction",
        "MeterValues",
        "MeterValues",
        "StopTransaction",
    ]
    assert_close(told[0][1], begun_at)
    assert_close(told[1][1], begun_at + timedelta(seconds=60))
    assert_close(told[3][1], ended_at)
    await machine.box.die()


async def test_a_session_that_runs_when_the_time_becomes_known_is_told_true(tmp_path):
    machine = await a_machine(tmp_path)
    await machine.box.charge()
    begun_at = true_time()
    await asyncio.sleep(100)
    machine.connect()
    await machine.box.central_system.received("MeterValues", 8)
    await machine.box.finish()
    told = await machine.told(1)
    for (_, at), (_, after) in itertools.pairwise(told[:-1]):
        assert_close(after, at + timedelta(seconds=60))
    assert_close(told[0][1], begun_at)
    session = (await machine.box.do("status"))["connectors"][0]["session"]
    assert session is None
    await machine.box.die()


@pytest.mark.parametrize("jump", [timedelta(days=-200), timedelta(days=20_000)])
async def test_a_wall_clock_that_jumps_meanwhile_disturbs_nothing(tmp_path, jump):
    machine = await a_machine(tmp_path)
    await machine.box.charge()
    begun_at = true_time()
    await asyncio.sleep(70)
    machine.wall_jumps = jump
    await asyncio.sleep(80)
    ended_at = true_time()
    await machine.box.finish()
    machine.connect()
    told = await machine.told(1)
    assert_close(told[0][1], begun_at)
    assert_close(told[-1][1], ended_at)
    await machine.box.die()


async def test_a_restart_of_the_process_forgets_nothing_about_the_clock(tmp_path):
    machine = await a_machine(tmp_path)
    first = await machine.charge()
    await machine.restart()
    second = await machine.charge()
    machine.connect()
    told = await machine.told(2)
    starts = [at for action, at in told if action == "StartTransaction"]
    assert_close(starts[0], first[0])
    assert_close(starts[1], second[0])
    machine.box.central_system.refuse_always = LinkError("gone again")
    await machine.restart()  # the time is known in this boot, link or no link
    assert (await machine.box.do("status"))["time_is_known"]
    await machine.box.die()


async def test_a_session_cut_by_a_restart_before_the_time_is_known_is_told_true(tmp_path):
    machine = await a_machine(tmp_path)
    await machine.box.charge()
    begun_at = true_time()
    await asyncio.sleep(70)
    await machine.restart()
    await asyncio.sleep(600)
    machine.connect()
    told = await machine.told(1)
    assert_close(told[0][1], begun_at)
    assert_close(told[-1][1], begun_at + timedelta(seconds=60))
    await machine.box.die()


@pytest.mark.parametrize("has_network_at_start", [True, False])
async def test_sessions_of_an_earlier_power_on_are_told_before_this_one(
    tmp_path, has_network_at_start
):
    machine = await a_machine(tmp_path)
    earlier = await machine.charge()
    machine.is_synchronized = has_network_at_start
    off_until = 7200
    await machine.lose_power(off_until)
    booted_at = true_time()
    later = await machine.charge()
    machine.connect()
    told = await machine.told(2)
    starts = [at for action, at in told if action == "StartTransaction"]
    stops = [at for action, at in told if action == "StopTransaction"]
    # Nobody can know when it was; but it was before, it was this long, and it was not in 1970.
    assert_close(stops[0], booted_at)
    assert_close(starts[0], booted_at - (earlier[1] - earlier[0]))
    assert_close(starts[1], later[0])
    await machine.box.die()


async def test_a_session_cut_by_a_power_loss_without_a_clock_ends_before_the_next_power_on(
    tmp_path,
):
    machine = await a_machine(tmp_path)
    await machine.box.charge()
    await asyncio.sleep(130)
    await machine.lose_power(3600)
    booted_at = true_time()
    await asyncio.sleep(60)
    machine.connect()
    told = await machine.told(1)
    assert told[-1][1] <= booted_at + timedelta(seconds=2)
    assert told[0][1] >= booted_at - timedelta(seconds=200)
    await machine.box.die()


async def test_after_a_power_loss_the_clock_goes_on_from_the_last_known_moment(tmp_path):
    machine = await a_machine(tmp_path)
    machine.connect()
    await machine.box.central_system.received("StatusNotification", 2)
    await machine.charge()
    machine.box.central_system.refuse_always = LinkError("gone")
    known_at = true_time()
    await machine.lose_power(86_400)
    status = await machine.box.do("status")
    assert not status["time_is_known"]
    assert_close(datetime.fromisoformat(status["time"]), known_at, within_s=60)
    await machine.box.die()


async def test_a_time_service_makes_the_time_known_without_a_central_system(tmp_path):
    machine = await a_machine(tmp_path)
    await machine.charge()
    machine.is_synchronized = True
    await asyncio.sleep(60)
    await machine.box.plug()
    status = await machine.box.do("status")
    assert status["time_is_known"]
    assert_close(datetime.fromisoformat(status["time"]), true_time())
    await machine.box.die()
