"""Which message goes next, when to retry, when to park (OCPP 1.6 sections 3.7 and 3.7.1).

One strict queue over the whole charge point: a row that waits for its retry holds up those behind.
"""

from __future__ import annotations

from dataclasses import replace

from agent.core.commands import (
    DeliverNext,
    ParkMessage,
    QueueMessage,
    RecordAttempt,
    RemoveMessage,
    SetTransactionId,
)
from agent.core.events import MessageAnswered, MessageFailed, OutboxWasEmpty
from agent.core.turn import Turn
from agent.core.values import TransactionMessage


def queue(turn: Turn, transaction_ref: int, message: TransactionMessage) -> None:
    """Append a message, durably, in this turn's commit."""
    outbox = turn.state.outbox
    turn.order(QueueMessage(outbox.next_sequence, transaction_ref, message))
    turn.change(outbox=replace(outbox, next_sequence=outbox.next_sequence + 1))


def deliver_when_possible(turn: Turn) -> None:
    """Order the next delivery if nothing speaks against it."""
    outbox = turn.state.outbox
    if not turn.state.online or outbox.in_flight or outbox.waiting == 0:
        return
    if outbox.not_before_s is not None and turn.now.monotonic_s < outbox.not_before_s:
        return
    turn.change(outbox=replace(outbox, in_flight=True, not_before_s=None))
    turn.order(DeliverNext(up_to=outbox.next_sequence - 1))


def answered(turn: Turn, event: MessageAnswered) -> None:
    """A row was answered, in time, late or twice: it leaves."""
    turn.order(RemoveMessage(event.sequence))
    if event.sequence > turn.state.outbox.done:
        _advance(turn, event.sequence)
    if event.action == "StartTransaction" and event.transaction_id is not None:
        turn.order(SetTransactionId(event.transaction_ref, event.transaction_id))


def failed(turn: Turn, event: MessageFailed) -> None:
    """A row was refused or not answered: wait interval x attempts, or park it when it was the last.

    OCPP 1.6 section 3.7.1: the wait before a retransmission grows with every transmission.
    """
    outbox = turn.state.outbox
    if event.sequence <= outbox.done:
        return  # answered meanwhile
    attempts = outbox.attempts + 1
    allowed = max(1, turn.state.configuration.integer("TransactionMessageAttempts"))
    if attempts >= allowed:
        turn.order(ParkMessage(event.sequence, event.problem))
        _advance(turn, event.sequence)
        return
    interval_s = turn.state.configuration.integer("TransactionMessageRetryInterval")
    turn.order(RecordAttempt(event.sequence, attempts))
    turn.change(
        outbox=replace(
            outbox,
            in_flight=False,
            attempts=attempts,
            not_before_s=turn.now.monotonic_s + interval_s * attempts,
        )
    )


def interrupted(turn: Turn) -> None:
    """The link went away with a row in flight: not an attempt (section 3.7 speaks of failures)."""
    turn.change(outbox=replace(turn.state.outbox, in_flight=False, not_before_s=None))


def was_empty(turn: Turn, event: OutboxWasEmpty) -> None:
    """The store has no row, up to the newest one at the time of asking."""
    if event.up_to > turn.state.outbox.done:
        _advance(turn, event.up_to)
    else:
        interrupted(turn)


def _advance(turn: Turn, sequence: int) -> None:
    outbox = turn.state.outbox
    turn.change(
        outbox=replace(
            outbox,
            done=sequence,
            in_flight=False,
            attempts=0,
            not_before_s=None,
        )
    )
