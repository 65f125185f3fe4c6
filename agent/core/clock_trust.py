"""What happens when it becomes known what time it is.

Until then the clock is a belief that runs as the monotonic clock does, so that everything believed
in one boot is wrong by the same amount: when the true time of its beginning is known, all of it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.core.commands import CorrectTimes, KeepSample, SaveTransaction
from agent.core.own_certificates import SaveOwnCertificates, with_true_times
from agent.core.replace import replace
from agent.core.state import Connector, Session, Stopping
from agent.core.turn import Turn
from agent.core.values import Boot, MeterSample, Transaction


def take_over(turn: Turn) -> None:
    """The clock is trusted from this turn on: what the core itself believed in is corrected."""
    boot = turn.state.boot
    if boot is None or boot.is_time_known or not turn.now.is_trusted:
        return
    booted_at = turn.now.utc - timedelta(seconds=turn.now.monotonic_s)
    shift = booted_at - boot.booted_at
    for connector in turn.state.connectors:
        _correct(turn, connector, boot, shift)
    _correct_certificates(turn, boot, shift)
    known = replace(boot, booted_at=booted_at, is_time_known=True)
    turn.state = replace(turn.state, boot=known, owes_correction=True)


def correct_rows(turn: Turn) -> None:
    """Order the correction of what waits in the outbox, before any of it is delivered."""
    boot = turn.state.boot
    if boot is None or not boot.is_time_known or not turn.state.owes_correction:
        return
    turn.emit(CorrectTimes(boot.number, boot.booted_at))
    turn.state = replace(turn.state, owes_correction=False)


def not_before_last(turn: Turn, transaction: Transaction, utc: datetime) -> datetime:
    """A time of a session, never before the last one that was written down for it.

    Times of two clocks, one of which nobody trusted, are not compared.
    """
    is_same_clock = transaction.boot == turn.time_mark
    return max(transaction.last_at, utc) if is_same_clock else utc


def _correct(turn: Turn, connector: Connector, boot: Boot, shift: timedelta) -> None:
    session = connector.phase
    if not isinstance(session, Session) or session.transaction.boot != boot.number:
        return
    transaction = session.transaction
    if transaction.begun_boot == boot.number:  # else it began in a boot before this one
        transaction = replace(transaction, begun_at=transaction.begun_at + shift, begun_boot=0)
    transaction = replace(
        transaction,
        last_at=transaction.last_at + shift,
        boot=0,
        samples=tuple(_shifted(sample, boot, shift) for sample in transaction.samples),
    )
    session = replace(session, transaction=transaction)
    if isinstance(session, Stopping) and session.stop.ended_at is not None:
        stop = replace(session.stop, ended_at=session.stop.ended_at + shift)
        session = replace(session, stop=stop)
    turn.put_phase(connector.connector_id, session)
    turn.emit(SaveTransaction(transaction))
    turn.emit(*(KeepSample(transaction.ref, sample) for sample in transaction.samples))


def _correct_certificates(turn: Turn, boot: Boot, shift: timedelta) -> None:
    before = turn.state.own_certificates
    own = with_true_times(before, boot.booted_at, turn.now.utc - shift, shift)
    if own != before:
        turn.state = replace(turn.state, own_certificates=own)
        turn.emit(SaveOwnCertificates(own))


def _shifted(sample: MeterSample, boot: Boot, shift: timedelta) -> MeterSample:
    if sample.boot != boot.number:
        return sample
    return replace(sample, sampled_at=sample.sampled_at + shift, boot=0)
