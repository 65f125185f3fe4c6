"""Clock-aligned meter values: at full multiples of an interval from midnight (section 3.16.2).

The boundary is a time of day; what is waited for is a monotonic time. Both are compared in every
turn, so that a clock that becomes known, or jumps, gives another deadline and no false sample.
While the time is unknown nothing can be aligned, and nothing is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.core import meter_values, meter_values_stop, outbox, transaction
from agent.core.commands import ReadMeter
from agent.core.replace import replace
from agent.core.state import AlignedAsk, AlignedDue, Connector, Session
from agent.core.turn import Turn
from agent.core.values import NO_TRANSACTION, ConnectorMeasured, MeterSample, Reading

INTERVAL, MEASURANDS = "ClockAlignedDataInterval", "MeterValuesAlignedData"
JUMP_S = 1.0  # both clocks may drift apart by this much until a boundary
LATE_S = 10.0  # a boundary missed by more is not made up: the register would not be that of then


def update(turn: Turn) -> None:
    """Keep the deadline of the next boundary; when it has come, let every meter be read."""
    interval_s = turn.state.configuration.integer(INTERVAL)
    due = turn.state.aligned_due
    if interval_s == 0 or not turn.now.is_trusted or not turn.state.is_begun:
        if due is not None:
            turn.state = replace(turn.state, aligned_due=None)
        return
    if due is None or due.interval_s != interval_s or _has_jumped(turn, due):
        _wait(turn, interval_s, turn.now.utc)
        return
    late_s = turn.now.monotonic_s - due.due_s
    if late_s < 0:
        return
    if late_s <= LATE_S:
        for connector in turn.state.connectors:
            _ask(turn, connector, due.boundary)
    _wait(turn, interval_s, max(turn.now.utc, due.boundary))


def _has_jumped(turn: Turn, due: AlignedDue) -> bool:
    left_s = (due.boundary - turn.now.utc).total_seconds()
    return abs(left_s - (due.due_s - turn.now.monotonic_s)) > JUMP_S


def _wait(turn: Turn, interval_s: int, after: datetime) -> None:
    boundary = meter_values.next_boundary(after, interval_s)
    left: timedelta = boundary - turn.now.utc
    due_s = turn.now.monotonic_s + left.total_seconds()
    turn.state = replace(turn.state, aligned_due=AlignedDue(due_s, boundary, interval_s))


def _ask(turn: Turn, connector: Connector, boundary: datetime) -> None:
    """Errata 3.16: the values belong to the session that runs at the boundary, or to none."""
    is_found = connector.stop is not None and connector.stop.is_found  # was over before
    if not connector.traits.has_meter or is_found:
        return
    ref = NO_TRANSACTION if connector.transaction is None else connector.transaction.ref
    turn.put(
        replace(turn.connector(connector.connector_id), aligned_asked=AlignedAsk(boundary, ref))
    )
    turn.emit(ReadMeter(connector.connector_id))


def meter_read(turn: Turn, connector_id: int, reading: Reading) -> None:
    """The reading that a boundary asked for has come; its register is that of the boundary."""
    ask = turn.connector(connector_id).aligned_asked
    if ask is None:
        return
    connector = turn.put(replace(turn.connector(connector_id), aligned_asked=None))
    keys = turn.state.configuration
    values = meter_values.values_of(reading, keys.measurands(MEASURANDS), meter_values.CLOCK)
    if ask.ref == NO_TRANSACTION:
        if values:
            message = ConnectorMeasured(connector_id, ask.boundary, values)
            outbox.queue(turn, NO_TRANSACTION, message)
        return
    session = connector.phase
    if isinstance(session, Session) and session.transaction.ref == ask.ref:
        for_stop = meter_values.values_of(
            reading, keys.measurands(meter_values_stop.ALIGNED), meter_values.CLOCK
        )
        sample = MeterSample(ask.boundary, values)
        transaction.keep_values(turn, connector_id, session, reading, sample, for_stop)
