"""Which message goes next, when to retry, when to park (OCPP 1.6 sections 3.7 and 3.7.1).

One strict queue over the whole charge point: a row that waits for its retry holds up those behind.

An answered sample costs no commit of its own, which halves the wear of a memory card: it is removed
together with whatever is written next. After a power cut before that it is sent once more, as the
same message; but never behind a start or stop that it came before.
"""

from __future__ import annotations

from agent.core.commands import (
    DeliverNext,
    DiscardMessage,
    ParkMessage,
    QueueMessage,
    RecordAttempt,
    RemoveMessage,
    Reply,
    RequeueMessage,
    SetTransactionId,
)
from agent.core.commands_rows import Row, may_wait_s
from agent.core.events import (
    DiscardRequested,
    MessageAnswered,
    MessageFailed,
    OutboxWasEmpty,
    RetryRequested,
)
from agent.core.replace import replace
from agent.core.state import Outbox
from agent.core.turn import Turn
from agent.core.values import TransactionMessage

REMOVE_WITHIN_S = 75.0  # an answered sample: a little more than until the next sample
ANSWERED_MAX = 20  # so many samples may be sent twice after a power cut


def queue(
    turn: Turn, transaction_ref: int, message: TransactionMessage, boot: int | None = None
) -> None:
    """Append a message, durably, in this turn's commit.

    ``boot`` says whose untrusted clock gave its times; None: the clock as it is.
    """
    outbox = turn.state.outbox
    mark = turn.time_mark if boot is None else boot
    turn.emit(QueueMessage(outbox.next_sequence, transaction_ref, message, mark))
    _put(turn, replace(outbox, next_sequence=outbox.next_sequence + 1))
    if mark:
        turn.state = replace(turn.state, owes_correction=True)


def update(turn: Turn) -> None:
    """Remove what was answered, if it is time; order the next delivery if nothing is against it."""
    if _must_remove(turn):
        remove_answered(turn)
    outbox = turn.state.outbox
    if not turn.state.online or outbox.in_flight or outbox.waiting == 0:
        return
    if outbox.not_before_s is not None and turn.now.monotonic_s < outbox.not_before_s:
        return
    _put(turn, replace(outbox, in_flight=True, not_before_s=None))
    turn.emit(DeliverNext(outbox.next_sequence - 1, outbox.answered))


def _must_remove(turn: Turn) -> bool:
    outbox = turn.state.outbox
    if outbox.remove_by_s is None:
        return False
    return (
        len(outbox.answered) >= ANSWERED_MAX
        or turn.now.monotonic_s >= outbox.remove_by_s
        or any(isinstance(command, Row) and not may_wait_s(command) for command in turn.commands)
    )


def remove_answered(turn: Turn) -> None:
    """Remove the samples that were answered, in this turn's commit."""
    outbox = turn.state.outbox
    turn.emit(*(RemoveMessage(sequence) for sequence in outbox.answered))
    _put(turn, replace(outbox, answered=(), remove_by_s=None))


def answered(turn: Turn, event: MessageAnswered) -> None:
    """A row was answered, in time, late or twice: it leaves."""
    was_waiting = is_waiting(turn, event.sequence)
    if was_waiting and event.is_sample:
        _remove_later(turn, event.sequence)
    else:
        turn.emit(RemoveMessage(event.sequence))
    if was_waiting:
        _advance(turn, event.sequence)
    if event.transaction_id is not None:
        turn.emit(SetTransactionId(event.transaction_ref, event.transaction_id))


def failed(turn: Turn, event: MessageFailed) -> None:
    """A row was refused or not answered: wait interval x attempts, or park it when it was the last.

    OCPP 1.6 section 3.7.1: the wait before a retransmission grows with every transmission.
    """
    outbox = turn.state.outbox
    if not is_waiting(turn, event.sequence):
        return  # answered meanwhile
    attempts = 1 + (outbox.attempts if event.attempts is None else event.attempts)
    allowed = max(1, turn.state.configuration.integer("TransactionMessageAttempts"))
    if attempts >= allowed:
        turn.emit(ParkMessage(event.sequence, event.problem))
        _advance(turn, event.sequence)
        return
    interval_s = turn.state.configuration.integer("TransactionMessageRetryInterval")
    turn.emit(RecordAttempt(event.sequence, attempts))
    again_s = turn.now.monotonic_s + interval_s * attempts
    _put(turn, replace(outbox, in_flight=False, attempts=attempts, not_before_s=again_s))


def retry(turn: Turn, event: RetryRequested) -> None:
    """A person wants messages of one session sent once more: they take their old places.

    These are before everything that waits, so that the order of time is kept, and what still waits
    of the session is sent with what is known then.
    """
    outbox = turn.state.outbox
    turn.emit(*(RequeueMessage(sequence, event.by) for sequence in event.sequences))
    retried = tuple(sorted({*outbox.retried, *event.sequences}))
    _put(turn, replace(outbox, retried=retried, attempts=0, not_before_s=None))
    turn.emit(Reply(event.request_id, "applied"))


def discard(turn: Turn, event: DiscardRequested) -> None:
    """A person gives a message up."""
    turn.emit(DiscardMessage(event.sequence, event.by), Reply(event.request_id, "applied"))


def interrupted(turn: Turn) -> None:
    """The link went away with a row in flight: not an attempt (section 3.7 speaks of failures)."""
    _put(turn, replace(turn.state.outbox, in_flight=False, not_before_s=None))


def was_empty(turn: Turn, event: OutboxWasEmpty) -> None:
    """The store has no row, up to the newest one at the time of asking.

    Nobody knows whether rows were put back after the asking, so these are asked for once more.
    """
    outbox = turn.state.outbox
    if event.up_to > outbox.done:
        _advance(turn, event.up_to)
    else:
        interrupted(turn)
    retried = tuple(sequence for sequence in outbox.retried if sequence not in outbox.doubted)
    _put(turn, replace(turn.state.outbox, retried=retried, doubted=retried))


def is_waiting(turn: Turn, sequence: int) -> bool:
    """True for a row that has not left the queue, as far as the core knows."""
    outbox = turn.state.outbox
    return sequence > outbox.done or sequence in outbox.retried


def _remove_later(turn: Turn, sequence: int) -> None:
    outbox = turn.state.outbox
    by_s = outbox.remove_by_s or turn.now.monotonic_s + REMOVE_WITHIN_S
    _put(turn, replace(outbox, answered=(*outbox.answered, sequence), remove_by_s=by_s))


def _advance(turn: Turn, sequence: int) -> None:
    outbox = turn.state.outbox
    retried = tuple(other for other in outbox.retried if other != sequence)
    done = max(outbox.done, sequence)
    outbox = replace(outbox, done=done, in_flight=False, attempts=0, retried=retried)
    _put(turn, replace(outbox, not_before_s=None))


def _put(turn: Turn, outbox: Outbox) -> None:
    turn.state = replace(turn.state, outbox=outbox)
