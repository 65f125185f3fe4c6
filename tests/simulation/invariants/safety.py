"""Energy flows only when it may, and stops when it must (invariants 1, 2 and 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from agent.core.commands import Command
from agent.core.connector_phases import RandomDelay
from agent.core.events import Event, LimitRequested
from agent.core.state import ChargePoint, Charging, Connector, Stopping
from tests.simulation.agent_process import AgentProcess
from tests.simulation.invariants.base import Invariant
from tests.simulation.site import SHARED

WITHIN_S = 1.0
_AT_LEAST_A = 6.0


class ClosedOnlyForAJournalledSession(Invariant):
    """Looks at the instant at which the main contacts close."""

    promise = (
        "The contactor closes only while a journalled, authorized session is open on that "
        "connector, the lock holds, the pilot shows C or D, and nothing is faulted"
    )

    def moved(self, connector_id: int, part: str, what: str) -> None:
        if part != "contactor" or what != "contacts closed":
            return
        self.look()
        reason = self.world.site.reason_to_open(connector_id)
        if reason is not None:
            self.broken(f"connector {connector_id} closed with {reason}")
        connector = self._connector(connector_id)
        if connector is None or connector.transaction is None:
            self.broken(f"connector {connector_id} closed without a session")
            return
        ref = connector.transaction.ref
        reader = self.world.reader()
        if reader.execute(_OPEN_SESSION, (ref, connector_id)).fetchone() is None:
            self.broken(f"connector {connector_id} closed before session {ref} was journalled")
        if not self.world.disk.is_synced():
            self.broken(f"connector {connector_id} closed before the journal was synced")
        tag = connector.transaction.id_tag
        if reader.execute(_ACCEPTED, (tag,)).fetchone() is None:
            self.broken(f"connector {connector_id} closed, and no stored decision accepted {tag}")

    def _connector(self, connector_id: int) -> Connector | None:
        state = self.world.state()
        return None if state is None else state.connector(connector_id)


_OPEN_SESSION = "SELECT 1 FROM transactions WHERE ref = ? AND connector_id = ? AND ended_at IS NULL"
_ACCEPTED = "SELECT 1 FROM decisions WHERE id_tag = ? AND verdict = 'accepted'"


class OpenWithinASecond(Invariant):
    """From the first instant of a reason on, whatever disk and network do."""

    promise = "After a reason to open, the contactor is open within one second"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._since: dict[int, float] = {}

    def moved(self, connector_id: int, part: str, what: str) -> None:
        self._look(connector_id)

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        for connector in after.connectors:
            self._look(connector.connector_id)

    def ended(self) -> None:
        self._since.clear()

    def _look(self, connector_id: int) -> None:
        if connector_id == SHARED:
            for each in self.world.site.places:
                self._look(each)
            return
        if not self.world.site.are_contacts_closed(connector_id) or self._reason(connector_id) in (
            None,
            "stuck",
        ):
            self._since.pop(connector_id, None)
        elif connector_id not in self._since:
            since_s = self._since[connector_id] = self.now_s()
            asyncio.get_running_loop().call_later(WITHIN_S, self._verify, connector_id, since_s)

    def _verify(self, connector_id: int, since_s: float) -> None:
        self.look()
        self._look(connector_id)
        if self._since.get(connector_id) == since_s:
            self.broken(
                f"connector {connector_id} is closed {WITHIN_S:g} s after: "
                f"{self._reason(connector_id)}"
            )

    def _reason(self, connector_id: int) -> str | None:
        site = self.world.site
        if site.is_stuck(connector_id):
            return "stuck"
        reason = site.reason_to_open(connector_id)
        process = self.world.process
        state = self.world.state()
        if reason is not None or state is None or process is None:
            return reason
        if self.now_s() < process.hangs_until_s:
            return None  # whoever knows more than the parts cannot say it: the lease will tell
        return _reason_in_state(state.connector(connector_id))


def _reason_in_state(connector: Connector) -> str | None:
    session = connector.phase
    if not isinstance(session, Charging | Stopping):
        return "no session"
    is_refused = session.transaction.deauthorized and session.grace_until_wh is None
    if isinstance(session, Charging) and is_refused:
        return "the central system refused this session"
    return None


def delay_of(connector: Connector) -> RandomDelay | None:
    """The random delay that it waits for."""
    return connector.phase.delay if isinstance(connector.phase, Charging) else None


class OpenWhenTheAgentHangs(Invariant):
    """Nobody renews the lease: the contactor opens by itself."""

    promise = "A contactor whose lease is not renewed opens by itself"

    def hangs(self, lease_s: float) -> None:
        """The runtime has stopped turning, now."""
        loop = asyncio.get_running_loop()
        was_closed = any(map(self.world.site.are_contacts_closed, self.world.site.places))
        loop.call_later(lease_s + WITHIN_S, self._verify, self.world.process, was_closed)

    def _verify(self, process: AgentProcess | None, was_closed: bool) -> None:
        if process is None or process is not self.world.process:
            return
        if self.now_s() >= process.hangs_until_s:
            return
        if was_closed:
            self.look()
        site = self.world.site
        for connector_id in site.places:
            if site.are_contacts_closed(connector_id) and not site.is_stuck(connector_id):
                self.broken(f"connector {connector_id} is closed though nobody turns any more")


class NeverMoreThanMayFlow(Invariant):
    """What the pilot tells the car."""

    promise = "The current offered never exceeds the limits of session and board"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._limits_a: dict[int, tuple[int, float | None]] = {}  # connector: session and limit

    def ended(self) -> None:
        self._limits_a.clear()  # nobody has written it down

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        if not isinstance(event, LimitRequested):
            return
        connector = before.connector(event.connector_id)
        if isinstance(connector.phase, Charging) and connector.transaction is not None:
            session_and_limit = (connector.transaction.ref, event.current_a)
            self._limits_a[event.connector_id] = session_and_limit
            loop = asyncio.get_running_loop()
            loop.call_later(WITHIN_S, self._verify, event.connector_id, session_and_limit)

    def _verify(self, connector_id: int, session_and_limit: tuple[int, float | None]) -> None:
        """A lower limit is obeyed soon, whatever the disk does, unless the runtime hangs."""
        process, state = self.world.process, self.world.state()
        if process is None or state is None or self.now_s() < process.hangs_until_s + WITHIN_S:
            return
        running = state.connector(connector_id).transaction
        is_still_so = self._limits_a.get(connector_id) == session_and_limit
        if is_still_so and running is not None and running.ref == session_and_limit[0]:
            self._check(connector_id, session_and_limit[1])

    def moved(self, connector_id: int, part: str, what: str) -> None:
        if part == "pilot" and what.startswith("offers"):
            state = self.world.state()
            limit_a = None if state is None else state.connector(connector_id).limit_a
            self._check(connector_id, limit_a)

    def _check(self, connector_id: int, limit_a: float | None) -> None:
        offered_a = self.world.site.offered_a(connector_id)
        if offered_a == 0:
            return
        self.look()
        state, process = self.world.state(), self.world.process
        delay = None if state is None else delay_of(state.connector(connector_id))
        if process and delay and process.clock.now().monotonic_s < delay.until_s:
            self.broken(f"connector {connector_id} offers {offered_a:g} A, and waits for {delay}")
        board_a = self.world.settings.charge_point.max_current_a
        most_a = board_a if limit_a is None else min(board_a, limit_a)
        if not _AT_LEAST_A <= offered_a <= most_a:
            self.broken(f"connector {connector_id} offers {offered_a:g} A of {most_a:g} A")
