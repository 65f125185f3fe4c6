"""Injects the faults of a scenario, and stops when the world is healed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import Any

from agent.core.events import ExternalLimitSet
from agent.core.external_limits import ExternalSource
from tests.simulation.central_behaviour import Behaviour, draw_behaviour
from tests.simulation.clocks import EPOCH, true_time
from tests.simulation.machine import Strike
from tests.simulation.network import HEALTHY_LATENCY_S, Reach
from tests.simulation.scenario import Scenario
from tests.simulation.site import SHARED
from tests.simulation.tally import PLACES_OF_STEPS


class Incidents:
    """One task for each kind of fault that exists in this run."""

    def __init__(self, world: Any, scenario: Scenario) -> None:
        self._world = world
        self._scenario = scenario
        self._kinds: dict[str, Callable[[Random], Awaitable[None]]] = {
            "kill": self._kill,
            "power cut": self._power_cut,
            "kill at a step": self._kill_at_a_step,
            "power cut at a step": self._power_cut_at_a_step,
            "part": self._part,
            "disk": self._disk,
            "slow disk": self._slow_disk,
            "reach": self._reach,
            "cut": self._cut,
            "half open": self._half_open,
            "latency": self._latency,
            "mood": self._behaviour,
            "central restart": self._central_restart,
            "hang": self._hang,
            "clock": self._clock,
            "limit": self._limit,
        }

    def tasks(self) -> list[Callable[[], Awaitable[None]]]:
        """What to run, one task each."""

        def task(kind: str, gap_h: float) -> Callable[[], Awaitable[None]]:
            return lambda: self._live(kind, gap_h)

        gaps_h = dict(self._scenario.incidents)
        if self._scenario.limit_gap_h is not None:
            gaps_h["limit"] = self._scenario.limit_gap_h
        return [task(kind, gap_h) for kind, gap_h in gaps_h.items()]

    def heal(self) -> None:
        """Everything works from now on."""
        world = self._world
        for connector_id in world.site.places:
            world.site.mend(connector_id)
        world.site.grid_limit(False)
        for connector_id in (SHARED, *world.site.places):
            self._set_limit(connector_id, None, None)
        world.disk.trouble, world.disk.slow_s = None, 0.0
        world.network.reach, world.network.latency_s = Reach.UP, HEALTHY_LATENCY_S
        world.central.behaviour = Behaviour()

    async def _live(self, kind: str, gap_h: float) -> None:
        random = self._world.chance(f"weather {kind}")
        while True:
            await asyncio.sleep(random.expovariate(1 / (gap_h * 3600)))
            await self._kinds[kind](random)

    def _note(self, what: str) -> None:
        self._world.run_log.note("incident", what)

    # --- the process ---

    async def _kill(self, random: Random) -> None:
        self._world.machine.kill()

    async def _power_cut(self, random: Random) -> None:
        self._world.machine.cut_power()

    async def _kill_at_a_step(self, random: Random) -> None:
        self._arm(self._world.machine.kill, random)

    async def _power_cut_at_a_step(self, random: Random) -> None:
        self._arm(self._world.machine.cut_power, random)

    def _arm(self, strike: Strike, random: Random) -> None:
        place = random.choice(PLACES_OF_STEPS)
        self._world.machine.arm(strike, place, random.choice((1, 3, 10)) * random.randint(1, 3))

    async def _hang(self, random: Random) -> None:
        self._world.machine.hang(random.uniform(1, 40))

    # --- parts and disk ---

    async def _part(self, random: Random) -> None:
        connector_id = random.choice(sorted(self._world.site.places))
        fault = random.choice(self._scenario.parts)
        self._note(f"connector {connector_id}: {fault.value}")
        self._world.site.fail(connector_id, fault)
        await asyncio.sleep(random.choice((2.0, 60.0, 1800.0)) * random.uniform(0.2, 1))
        self._note(f"connector {connector_id} is mended")
        self._world.site.mend(connector_id)

    async def _disk(self, random: Random) -> None:
        trouble = random.choice(self._scenario.disk)
        self._note(trouble.value)
        self._world.disk.trouble = trouble
        await asyncio.sleep(random.choice((3.0, 30.0, 300.0)) * random.uniform(0.2, 1))
        self._note("the disk is well again")
        self._world.disk.trouble = None

    async def _slow_disk(self, random: Random) -> None:
        self._world.disk.slow_s = random.choice((0.2, 2.0, 12.0))
        self._note(f"each commit takes {self._world.disk.slow_s:g} s")
        await asyncio.sleep(random.uniform(10, 900))
        self._world.disk.slow_s = 0.0

    # --- the line and what is behind it ---

    async def _reach(self, random: Random) -> None:
        self._world.network.reach = random.choice(self._scenario.reaches)
        self._note(f"from now on {self._world.network.reach.value}")
        if random.random() < 0.7:
            self._world.network.cut()
        await asyncio.sleep(random.choice((20.0, 600.0, 14_400.0)) * random.uniform(0.2, 1))
        self._note("the way is free again")
        self._world.network.reach = Reach.UP

    async def _cut(self, random: Random) -> None:
        self._note("the connection breaks")
        self._world.network.cut()

    async def _half_open(self, random: Random) -> None:
        self._note("the connection is half open")
        self._world.network.half_open()

    async def _latency(self, random: Random) -> None:
        self._world.network.latency_s = random.choice((0.3, 3.0, 12.0))
        self._note(f"the line takes {self._world.network.latency_s:g} s")
        await asyncio.sleep(random.uniform(10, 1800))
        self._world.network.latency_s = HEALTHY_LATENCY_S

    async def _behaviour(self, random: Random) -> None:
        behaviour = draw_behaviour(random, self._scenario.behaviours)
        self._world.central.behaviour = behaviour
        self._note("the central system is well" if behaviour.is_calm() else f"{behaviour}")
        await asyncio.sleep(random.uniform(60, 7200))

    async def _central_restart(self, random: Random) -> None:
        self._note("the central system starts again")
        self._world.central.restart()
        if random.random() < 0.5:
            self._world.network.reach = Reach.REFUSED
            await asyncio.sleep(random.uniform(1, 120))
            self._world.network.reach = Reach.UP

    # --- limits from outside ---

    async def _limit(self, random: Random) -> None:
        if random.random() < 0.3:
            self._note("the grid operator limits the box")
            self._world.site.grid_limit(True)
            await asyncio.sleep(random.choice((30.0, 900.0)) * random.uniform(0.2, 1))
            self._note("the grid operator limits no more")
            self._world.site.grid_limit(False)
            return
        connector_id = random.choice((SHARED, SHARED, *sorted(self._world.site.places)))
        limit_a = random.choice((0.0, 5.9, 6.0, 9.0, 16.0, 40.0, None))
        valid_for_s = None if limit_a is None else random.choice((5.0, 120.0, 1800.0))
        self._note(f"the house limits connector {connector_id} to {limit_a} A for {valid_for_s} s")
        self._set_limit(connector_id, limit_a, valid_for_s)

    def _set_limit(
        self, connector_id: int, limit_a: float | None, valid_for_s: float | None
    ) -> None:
        runtime = self._world.runtime()
        if runtime is not None:
            event = ExternalLimitSet(
                ExternalSource.HOUSE, connector_id, limit_a, valid_for_s=valid_for_s
            )
            runtime.post(event)

    # --- the clock ---

    async def _clock(self, random: Random) -> None:
        clocks = self._world.clocks
        off = random.choice(
            (timedelta(hours=1), timedelta(hours=-1), EPOCH - true_time(), timedelta(days=400))
        )
        self._note(f"the wall clock jumps, it is off by {off.total_seconds():.0f} s")
        self._world.count("the clock jumps")
        clocks.off, clocks.is_synchronized = off, False
        if random.random() < 0.7:
            await asyncio.sleep(random.uniform(10, 3600))
            self._note("the wall clock is right again")
            clocks.synchronize()
