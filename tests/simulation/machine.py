"""The box's machine: its process starts, hangs, is killed; its power is cut and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from agent.config.settings import StorageSettings
from tests.simulation.agent_process import AgentProcess
from tests.simulation.clocks import EPOCH, BoxClocks, true_time
from tests.simulation.invariants.bounds import TheAgentLives
from tests.simulation.invariants.safety import OpenWhenTheAgentHangs
from tests.simulation.tally import AT_SOME_MOMENT

if TYPE_CHECKING:
    from tests.simulation.world import World

RESTART_S = 2.0  # systemd starts the process again
BOOT_S = 20.0  # the machine starts
GHOST_S = 1.0
_LAST_WORD_S = 30.0

Strike = Callable[[str, str], None]  # at which place, and exactly where


class Machine:
    """``process`` is the one that runs now, if any; ``starts`` counts them."""

    def __init__(self, world: World) -> None:
        self.process: AgentProcess | None = None
        self.starts = 0
        self.clocks = BoxClocks()
        self._world = world
        self._chance = world.chance("crashes")
        self._armed: tuple[Strike, str, int] | None = None
        self._ghosts: list[AgentProcess] = []
        self._power_off = False
        self._told_to_end = False
        self._next_start: asyncio.TimerHandle | None = None

    # --- how it ends ---

    def step(self, place: str, where: str = "") -> None:
        """A point at which a process can end; an armed end may strike here."""
        if self._armed is None or self.process is None or self._armed[1] != place:
            return
        strike, _, left = self._armed
        if left > 1:
            self._armed = (strike, place, left - 1)
            return
        self._armed = None
        strike(place, where)

    def arm(self, strike: Strike, place: str, times: int) -> None:
        """Let this strike when the process has come to such a place so many times."""
        self._armed = (strike, place, times)

    def disarm(self) -> None:
        """Nothing strikes any more."""
        self._armed = None

    def kill(self, place: str = AT_SOME_MOMENT, where: str = "") -> None:
        """The process is gone at once; the machine runs on."""
        if self.process is None:
            return
        self._note("incident", f"the process is killed {place} {where}".rstrip())
        self._world.count(f"killed {place}")
        self._bury()
        self._world.disk.killed()
        self._world.network.box_is_gone(politely=True)
        self._start_in(RESTART_S)

    def cut_power(self, place: str = AT_SOME_MOMENT, where: str = "") -> None:
        """The machine is gone at once, with everything that was not synced."""
        if self._power_off:
            return
        self._note("incident", f"the power is cut {place} {where}".rstrip())
        self._world.count(f"power cut {place}")
        self._power_off = True
        self._bury()
        self._world.disk.lost_power(self._chance)
        self._world.rollout.lost_power()
        self._world.network.box_is_gone(politely=False)
        off_s = self._chance.choice((1.0, 60.0, 1200.0)) * self._chance.uniform(0.5, 2) + BOOT_S
        self._start_in(off_s, self._power_on)

    def hang(self, for_s: float) -> None:
        """The runtime does not turn for a while."""
        state = self._world.state()
        if self.process is not None and state is not None:
            self._note("incident", f"the runtime hangs for {for_s:.1f} s")
            self._world.count("the runtime hangs")
            self.process.hangs_until_s = asyncio.get_running_loop().time() + for_s
            self._world.watch.find(OpenWhenTheAgentHangs).hangs(state.rules.lease_s)

    def process_ended(self, again: bool, problem: str | None) -> None:
        """It has ended by itself: told to, or because its disk does not work."""
        self._note("process", f"has ended; {problem or 'as it was told'}")
        alive = self._world.watch.find(TheAgentLives)
        if not self._told_to_end:
            self._world.count("ended by itself" if problem else "ended for a reset")
            if not again:
                alive.ended_by_itself("it ended for good")
        if problem is not None and self._world.disk.trouble is None:
            alive.ended_by_itself(problem)
        self._bury()
        self._world.disk.killed()
        self._world.network.box_is_gone(politely=True)
        if not self._told_to_end:
            self._start_in(RESTART_S)

    def _bury(self) -> None:
        process, self.process = self.process, None
        self._world.site.leave()
        self._world.rollout.process_ended(self._world.disk.path.parent)
        self._world.watch.ended()
        self._armed = None
        if process is not None:
            self._ghosts.append(process)
            # Not at once: what is being opened just now would stay open for ever.
            asyncio.get_running_loop().call_later(GHOST_S, process.task.cancel)

    # --- how it begins ---

    def start(self) -> None:
        """A process begins."""
        self._ghosts = [ghost for ghost in self._ghosts if not ghost.task.done()]
        self.starts += 1
        self._note("process", f"number {self.starts} starts")
        storage = StorageSettings(path=str(self._world.disk.path))
        box = replace(
            self._world.settings.charge_point, firmware_version=self._world.rollout.version
        )
        settings = replace(self._world.settings, storage=storage, charge_point=box)
        self._world.rollout.process_begins(self._world.disk.path.parent)
        self.process = AgentProcess(self._world, self.starts, settings)
        self.process.task.add_done_callback(self._look_for_mistakes)

    def _start_in(self, wait_s: float, before: Callable[[], None] | None = None) -> None:
        if self._next_start is not None:
            self._next_start.cancel()

        def begin() -> None:
            self._next_start = None
            if before is not None:
                before()
            self.start()

        self._next_start = asyncio.get_running_loop().call_later(wait_s, begin)

    def _power_on(self) -> None:
        self._power_off = False
        off = timedelta()
        if "clock" in self._world.scenario.incidents:
            off = self._chance.choice((timedelta(), EPOCH - true_time(), timedelta(hours=-2)))
        if off:
            self._world.count("the clock is wrong after a power cut")
        self.clocks.power_on(off, is_synchronized=not off)

    def _look_for_mistakes(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        problem = task.exception()
        is_living = self.process is not None and self.process.task is task
        if problem is not None and is_living:
            self._world.watch.find(TheAgentLives).ended_by_itself(repr(problem))

    def heal(self) -> None:
        """A process runs from now on, and nothing strikes it any more."""
        self.disarm()
        self.clocks.synchronize()
        if self.process is None and self._next_start is not None:
            self._next_start.cancel()
            if self._power_off:
                self._power_on()
                self.clocks.synchronize()
            self.start()

    async def end_everything(self) -> None:
        """The living process is told to end, as systemd would; ghosts are waited for."""
        self._told_to_end = True
        self._armed = None
        if self._next_start is not None:
            self._next_start.cancel()
        tasks: list[Any] = [ghost.task for ghost in self._ghosts]
        if self.process is not None:
            tasks.append(self.process.task)
            self.process.application.shut_down()
        await asyncio.wait(tasks, timeout=_LAST_WORD_S)
        await end_tasks(tasks)

    def _note(self, who: str, what: str) -> None:
        self._world.run_log.note(who, what)


async def end_tasks(tasks: list[Any]) -> None:
    """Cancel them, and wait until they are over."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)
