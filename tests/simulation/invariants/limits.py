"""What the house and the grid operator allow holds, and only as long as it stands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.core.charging_profiles import RateUnit
from agent.core.commands import Command
from agent.core.connector_phases import RandomDelay
from agent.core.events import Event, ExternalLimitSet, GridContactChanged
from agent.core.external_limits import ExternalSource
from agent.core.state import ChargePoint
from tests.simulation.agent_process import AgentProcess
from tests.simulation.invariants.base import Invariant
from tests.simulation.invariants.safety import WITHIN_S, delay_of
from tests.simulation.site import SHARED

_ROUNDING_A = 0.05
_EDGE_S = 0.001  # two clocks round differently
_GRID_LIMIT_W = 4200.0


@dataclass(frozen=True)
class _Standing:
    limit_a: float  # per phase
    since_s: float
    until_s: float


class ExternalLimitsHold(Invariant):
    """Adds up what the pilots offer."""

    promise = "No more is offered than the house and the grid operator allow"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._standing: dict[tuple[ExternalSource, int], _Standing] = {}

    def ended(self) -> None:
        self._standing.clear()  # the house sends its own again, and the contact is read anew

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        box, until_s = self.world.settings.charge_point, math.inf
        watts_per_ampere = box.phases * box.nominal_voltage_v
        match event:
            case GridContactChanged(is_limited):
                key = (ExternalSource.GRID_OPERATOR, SHARED)
                limit_a = _GRID_LIMIT_W / watts_per_ampere if is_limited else None
            case ExternalLimitSet(source, place, limit, unit, valid_for_s):
                key = (source, place)
                factor = watts_per_ampere if unit is RateUnit.WATT else 1.0
                limit_a = None if limit is None else limit / factor
                until_s = math.inf if valid_for_s is None else self.now_s() + valid_for_s
            case _:
                return
        self._standing.pop(key, None)
        if limit_a is not None:
            self._standing[key] = _Standing(limit_a, self.now_s(), until_s)
            asyncio.get_running_loop().call_later(WITHIN_S, self._verify)

    def moved(self, connector_id: int, part: str, what: str) -> None:
        if part == "pilot" and what.startswith("offers"):
            # When all of them have been told: what one gives up another one takes at once.
            asyncio.get_running_loop().call_later(_EDGE_S, self._verify)

    def _verify(self) -> None:
        process, site = self.world.process, self.world.site
        now_s = self.now_s()
        if process is None or site.board is None or now_s < process.hangs_until_s + WITHIN_S:
            return
        for (source, place), standing in self._standing.items():
            if not standing.since_s + WITHIN_S <= now_s < standing.until_s - _EDGE_S:
                continue
            self.look()
            places = site.places if place == SHARED else (place,)
            offered_a = sum(site.offered_a(each) for each in places)
            if offered_a > standing.limit_a + _ROUNDING_A:
                name = source.value
                self.broken(f"{offered_a:g} A are offered of {standing.limit_a:g} A ({name})")


class ALimitThatRanOutLimitsNothing(Invariant):
    """Looks when its time is over, whatever the wall clock did meanwhile; at random delays too."""

    promise = "A limit that ran out limits nothing"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._last: dict[tuple[ExternalSource, int], ExternalLimitSet] = {}

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        for connector in after.connectors:
            delay = delay_of(connector)
            if delay not in (None, delay_of(before.connector(connector.connector_id))):
                self._delayed(connector.connector_id, delay)
        if not isinstance(event, ExternalLimitSet):
            return
        self._last[event.source, event.connector_id] = event
        if event.valid_for_s is not None:
            late_s = event.valid_for_s + WITHIN_S
            loop = asyncio.get_running_loop()
            loop.call_later(late_s, self._verify, self.world.process, event)

    def _delayed(self, connector_id: int, delay: RandomDelay) -> None:
        process = self.world.process
        assert process is not None
        left_s = delay.until_s - process.clock.now().monotonic_s
        if left_s > self.world.scenario.random_delay_max_s:
            self.broken(f"connector {connector_id} waits for {left_s:g} s")
        loop = asyncio.get_running_loop()
        loop.call_later(left_s + WITHIN_S, self._verify_delay, process, connector_id, delay)

    def _verify_delay(self, process: AgentProcess, connector_id: int, delay: RandomDelay) -> None:
        state = self.world.state()
        if process is not self.world.process or state is None:
            return
        if self.now_s() < process.hangs_until_s + WITHIN_S:
            return
        self.look()
        if delay_of(state.connector(connector_id)) == delay:
            self.broken(f"connector {connector_id} still waits for {delay}")

    def _verify(self, process: AgentProcess | None, event: ExternalLimitSet) -> None:
        state = self.world.state()
        is_last = self._last.get((event.source, event.connector_id)) is event
        if process is None or process is not self.world.process or state is None or not is_last:
            return
        if self.now_s() < process.hangs_until_s + WITHIN_S:
            return
        self.look()
        for limit in state.external_limits:
            if (limit.source, limit.connector_id) == (event.source, event.connector_id):
                self.broken(f"{limit} stands after {event.valid_for_s:g} s")
        if not state.external_limits:
            for connector in state.connectors:
                if connector.allowed_a is not None and delay_of(connector) is None:
                    self.broken(f"connector {connector.connector_id} is still limited")
