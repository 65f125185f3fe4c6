"""Counts what else happens, for the figures of a run."""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.commands import Command, ParkMessage, Row, SaveTransaction
from agent.core.events import Event
from agent.core.state import ChargePoint
from tests.simulation.account import Receipt
from tests.simulation.invariants.base import Invariant

OFFLINE = "sessions begun offline"
FOUND = "sessions found open at a start"
RESUMED = "sessions resumed"
REPEATED = "messages that came more than once"
PARKED = "parked messages"
REFUSED = "sessions refused by the central system"


class Counting(Invariant):
    """Promises nothing."""

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        for command in commands:
            if isinstance(command, SaveTransaction):
                self._saved(command, before, after)
        for connector in before.connectors:
            now = after.connector(connector.connector_id)
            if now.transaction is None or connector.transaction is None:
                continue
            if connector.stop is not None and now.stop is None:
                self.world.count(RESUMED)
            if now.transaction.deauthorized and not connector.transaction.deauthorized:
                self.world.count(REFUSED)

    def _saved(self, command: SaveTransaction, before: ChargePoint, after: ChargePoint) -> None:
        is_new = command.transaction.ref >= before.next_transaction_ref
        if is_new and not after.online:
            self.world.count(OFFLINE)

    def committed(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if isinstance(row, ParkMessage):
                self.world.count(PARKED)

    def opened(self, reader: object, store: object) -> None:
        self.world.tally[FOUND] += sum(not s.is_ended for s in self.world.ledger.sessions.values())

    def received(self, receipt: Receipt) -> None:
        if not receipt.is_first:
            self.world.count(REPEATED)
