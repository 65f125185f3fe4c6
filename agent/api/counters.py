"""What is counted for the metrics, on the agent's loop, turn by turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agent.core.commands import Command, ParkMessage, QueueMessage, RecordDecision
from agent.core.events import Event
from agent.core.values import TransactionBegan, TransactionEnded


class Counters:
    """Counters since the start of the process; read from any thread."""

    def __init__(self) -> None:
        self.decisions: Counter[tuple[str, str]] = Counter()  # by verdict and source
        self.begun = 0
        self.ended: Counter[str] = Counter()  # by reason
        self.parked = 0

    def observe(self, event: Event, commands: Sequence[Command]) -> None:
        """Count what one turn has ordered."""
        for command in commands:
            match command:
                case RecordDecision(record):
                    self.decisions[record.verdict.value, record.source] += 1
                case QueueMessage(message=TransactionBegan()):
                    self.begun += 1
                case QueueMessage(message=TransactionEnded(reason=reason)):
                    self.ended[reason.value] += 1
                case ParkMessage():
                    self.parked += 1
