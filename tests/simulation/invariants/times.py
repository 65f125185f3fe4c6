"""Times on the wire are true, whatever the box believed when it wrote them down (design 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from agent.core.commands import Command, QueueMessage, Row
from agent.core.events import Event
from agent.core.state import ChargePoint
from agent.core.values import TransactionBegan, TransactionEnded
from tests.simulation.account import Receipt
from tests.simulation.central_system import SECURITY_EVENT
from tests.simulation.clocks import true_time
from tests.simulation.invariants.base import Invariant
from tests.simulation.invariants.security_events import CriticalEventsArrive

_TOLERANCE = timedelta(seconds=180)  # an answer may tell the time late


class TimesAreTrue(Invariant):
    """Of messages that are sent in the boot in which they were written.

    Nobody will ever know the clock of an earlier boot that was over before it was set.
    """

    promise = "Times are corrected before they are sent"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._decided: dict[int, tuple[datetime, int]] = {}  # and not committed yet
        self._written: dict[int, tuple[datetime, int]] = {}  # by sequence: true time and boot
        self._begun: dict[int, int] = {}  # session: which process

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        for command in commands:
            if not isinstance(command, QueueMessage):
                continue
            if isinstance(command.message, TransactionBegan):
                self._begun[command.transaction_ref] = self.world.machine.starts
            is_found = self._begun.get(command.transaction_ref) != self.world.machine.starts
            # A session that was found open ends when its last sample was taken.
            if not is_found or not isinstance(command.message, TransactionEnded):
                self._decided[command.sequence] = (true_time(), self.world.clocks.boots)

    def committed(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if isinstance(row, QueueMessage) and row.sequence in self._decided:
                self._written[row.sequence] = self._decided.pop(row.sequence)

    def ended(self) -> None:
        self._decided.clear()  # what was not committed has never been; its number is given anew

    def received(self, receipt: Receipt) -> None:
        if receipt.action == SECURITY_EVENT:
            written = self.world.watch.find(CriticalEventsArrive).when_recorded(receipt.unique_id)
        else:
            message = self.world.ledger.by_unique_id.get(receipt.unique_id)
            written = None if message is None else self._written.pop(message.sequence, None)
        if written is None or written[1] != self.world.clocks.boots:
            return
        self.look()
        told = datetime.fromisoformat(_time_in(receipt.payload))
        if abs(told - written[0]) > _TOLERANCE:
            self.broken(f"{receipt.action} says {told}, it was {written[0]}")


def _time_in(payload: Mapping[str, Any]) -> str:
    if "timestamp" in payload:
        return str(payload["timestamp"])
    return str(payload["meterValue"][0]["timestamp"])
