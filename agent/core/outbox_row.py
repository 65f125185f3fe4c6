"""A row of the outbox, as the store reads it for whoever sends it."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.values import TransactionMessage


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A row of the outbox. ``transaction_id`` is filled in from the transaction when known.

    ``transaction_ref`` NO_TRANSACTION: clock-aligned values of a connector without a session.
    """

    sequence: int
    unique_id: str
    transaction_ref: int
    message: TransactionMessage
    attempts: int
    transaction_id: int | None


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """A row of the outbox that storage has damaged; ``problem`` says how."""

    sequence: int
    attempts: int
    problem: str


OutboxRow = QueuedMessage | UnreadableMessage
