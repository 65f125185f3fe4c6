"""Nothing grows without end, and everything comes to rest (invariants 10 and 11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.core.commands import Command, Row
from agent.core.events import Event
from agent.core.state import ChargePoint, Finished, Idle
from agent.runtime.event_queue import EVENTS_MAX
from agent.runtime.journal import ROWS_MAX
from agent.store.cache import CACHE_ENTRIES_MAX
from agent.store.charge_log import USUAL_LIMITS
from agent.store.rows import (
    DECISIONS_MAX,
    PARKED_MESSAGES_MAX,
)
from agent.store.transactions import ENDED_TRANSACTIONS_MAX
from tests.simulation.invariants.base import Invariant
from tests.simulation.invariants.firmware import EachUpdateIsToldToItsEnd

_DISK_BYTES_MAX = 24_000_000
_COMMITS_BETWEEN_LOOKS = 200
_GRANTS_MAX = 16


class NothingGrowsWithoutEnd(Invariant):
    """Queues in every turn; tables now and then."""

    promise = "No queue passes its limit, and the database does not grow without end"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._commits = 0

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        runtime = self.world.runtime()
        assert runtime is not None
        if len(runtime._queue) > EVENTS_MAX:
            self.broken(f"{len(runtime._queue)} events wait")
        if len(after.waiting) > _GRANTS_MAX or len(after.checking) > _GRANTS_MAX:
            self.broken("too many cards wait")
        if after.outbox.waiting < 0:
            self.broken("fewer than no messages wait")

    def committed(self, rows: Sequence[Row]) -> None:
        if len(rows) > ROWS_MAX + 1000:
            self.broken(f"{len(rows)} rows in one commit")
        self._commits += 1
        if self._commits % _COMMITS_BETWEEN_LOOKS == 0:
            self._look()

    def settled(self) -> None:
        self._look()

    def _look(self) -> None:
        self.look()
        reader = self.world.reader()
        for table, condition, most in (
            ("decisions", "1", DECISIONS_MAX),
            ("authorization_cache", "1", CACHE_ENTRIES_MAX),
            ("outbox", "parked_at IS NOT NULL", PARKED_MESSAGES_MAX),
            (
                "transactions",
                "ended_at IS NOT NULL AND ref NOT IN (SELECT transaction_ref FROM outbox)",
                ENDED_TRANSACTIONS_MAX,
            ),
            ("charge_log", "1", USUAL_LIMITS.sessions),
        ):
            (count,) = reader.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()
            if count > most + 1:
                self.broken(f"{count} rows in {table}")
        if self.world.disk.size() > _DISK_BYTES_MAX:
            self.broken(f"the database takes {self.world.disk.size()} bytes")


class TheAgentLives(Invariant):
    """It ends when it is told to, and makes no mistakes that it has to swallow."""

    promise = "The agent neither ends by itself nor swallows a mistake of its own"

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        self.look()

    def mistake(self, detail: str) -> None:
        """It logged an exception."""
        self.broken(detail)

    def ended_by_itself(self, detail: str) -> None:
        """Nobody had told it to."""
        self.broken(detail)


class ComesToRest(Invariant):
    """Liveness: after healing nothing waits any more, and nobody holds on to anything."""

    promise = "Once the world is healed, the outbox is empty and both ends agree in ten minutes"

    def is_at_rest(self) -> bool:
        """True when there is nothing left to do."""
        return self._what_is_left() is None

    def settled(self) -> None:
        self.look()
        left = self._what_is_left()
        if left is not None:
            self.broken(left)

    def _what_is_left(self) -> str | None:
        state = self.world.state()
        if state is None or not self.world.has_reader():
            return "there is no process"
        if not state.online:
            return "there is no link"
        for connector in state.connectors:
            if not isinstance(connector.phase, Idle | Finished):
                return f"connector {connector.connector_id} is {connector.phase}"
            if connector.faults:
                return f"connector {connector.connector_id} has {set(connector.faults)}"
            if connector.plugged and isinstance(connector.phase, Idle):
                return f"connector {connector.connector_id}: a plug that is not there"
        if state.outbox.waiting or self.world.ledger.waiting:
            return f"messages {sorted(self.world.ledger.waiting)[:20]} wait"
        (rows,) = self.world.reader().execute("SELECT count(*) FROM outbox").fetchone()
        if rows:
            return f"{rows} rows are in the outbox"
        return self.world.watch.find(EachUpdateIsToldToItsEnd).what_is_left()
