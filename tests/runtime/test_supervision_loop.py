"""Supervision of a board that is simulated throughout: looks when something changes or is due."""

from __future__ import annotations

import asyncio

import pytest

from agent.core import events as ev
from agent.runtime.supervision import Supervisor
from agent.runtime.supervision_loop import SupervisionTimer
from hw.board import open_board
from tests.app.box import box_settings


class CountingSupervisor(Supervisor):
    """Knows when it was asked to look."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.looks: list[float] = []

    def step(self, now_s: float) -> None:
        self.looks.append(now_s)
        super().step(now_s)


class Bench:
    def __init__(self, directory) -> None:
        loop = asyncio.get_running_loop()
        self.board = open_board(box_settings(directory).board, loop.time, simulate=True)
        self.posted: list[ev.Event] = []
        self.supervisor = CountingSupervisor(self.board, self.posted.append)
        self.timer = SupervisionTimer(self.supervisor, loop.time)
        self.board.simulation.subscribe(self.timer.look_now)
        self.timer.start()


async def test_a_lever_is_seen_without_delay(tmp_path):
    bench = Bench(tmp_path)
    await asyncio.sleep(1)
    bench.board.simulation.plug(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ev.CablePluggedIn(1) in bench.posted


async def test_days_in_which_nothing_happens_cost_nothing(tmp_path):
    bench = Bench(tmp_path)
    await asyncio.sleep(3 * 86_400)
    assert len(bench.supervisor.looks) == 1


async def test_many_changes_at_once_are_one_look(tmp_path):
    bench = Bench(tmp_path)
    await asyncio.sleep(1)
    for _ in range(50):
        bench.timer.look_now()
    await asyncio.sleep(1)
    assert len(bench.supervisor.looks) == 2


async def test_a_lease_that_runs_out_is_seen_when_it_does(tmp_path):
    bench = Bench(tmp_path)
    contactor = bench.board.connectors[0].contactor
    bench.board.simulation.plug(1)
    bench.board.connectors[0].pilot.offer(16)
    bench.board.connectors[0].lock.lock()
    await asyncio.sleep(1)
    contactor.arm(0)
    contactor.close(5.0)
    bench.timer.look_now()
    await asyncio.sleep(4.9)
    assert contactor.is_closed
    await asyncio.sleep(0.2)
    assert not contactor.is_closed
    assert ev.ContactorTripped(1, "lease expired", 1) in bench.posted


@pytest.mark.parametrize("asked_before", [True, False])
async def test_after_the_end_it_looks_no_more(tmp_path, asked_before):
    bench = Bench(tmp_path)
    await asyncio.sleep(1)
    if asked_before:
        bench.timer.look_now()
    bench.timer.shut_down()
    bench.timer.shut_down()
    bench.timer.look_now()
    await asyncio.sleep(10)
    assert len(bench.supervisor.looks) == 1
    assert bench.timer.is_looking


class NeverQuiteDue(CountingSupervisor):
    """Its next moment is always a rounding error ahead, as sums of seconds make it."""

    def due_at(self) -> float | None:
        return None if len(self.looks) > 5000 else asyncio.get_running_loop().time() + 1e-12


async def test_a_moment_that_is_a_rounding_error_ahead_does_not_stop_time(tmp_path):
    bench = Bench(tmp_path)
    bench.timer.shut_down()
    loop = asyncio.get_running_loop()
    supervisor = NeverQuiteDue(bench.board, bench.posted.append)
    timer = SupervisionTimer(supervisor, loop.time)
    timer.start()
    await asyncio.sleep(1)
    timer.shut_down()
    assert len(supervisor.looks) <= 1001
