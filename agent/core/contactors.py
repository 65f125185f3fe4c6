"""What is remembered of a contactor: how often it closed, and that a person must look at it.

One that welded, or did not close, starts no session any more until a person has mended it: neither
a pulled plug nor a restart is a mending.
"""

from __future__ import annotations

from agent.core import meter_values, outbox
from agent.core.commands import Reply, SaveContactor
from agent.core.events import ContactorMended
from agent.core.faults import RULES, Fault
from agent.core.replace import replace
from agent.core.state import Connector
from agent.core.turn import Turn
from agent.core.values import NO_TRANSACTION, ConnectorMeasured, Reading

RHYTHM_S = 60  # where sessions have no samples
LOCKS_OUT = frozenset({Fault.CONTACTOR_WELDED, Fault.CONTACTOR_FAILED})
_OF_CONTACTOR = LOCKS_OUT | {Fault.CONTACTOR_DROPPED}


def mended(turn: Turn, event: ContactorMended) -> None:
    """A person says that it is in order again; not believed while its contacts are closed."""
    connector = turn.connector(event.connector_id)
    has_welded = is_stuck(connector)
    left = connector.faults if has_welded else connector.faults - _OF_CONTACTOR
    if not has_welded:
        turn.put(replace(connector, faults=left))
    if event.request_id is None:
        return
    if has_welded:
        turn.emit(Reply(event.request_id, "Rejected", "its contacts are still closed"))
    else:
        detail = _what_it_means(left != connector.faults, left | turn.state.faults)
        turn.emit(Reply(event.request_id, "Accepted", detail))


def is_stuck(connector: Connector) -> bool:
    """True while its contactor is welded, and its contacts are closed: its plug may be live."""
    return Fault.CONTACTOR_WELDED in connector.faults and connector.contactor_closed


def _what_it_means(was_needed: bool, left: frozenset[Fault]) -> str:
    """For the person who said it: whether that was needed, and what else is in the way."""
    others = [rule.words for fault, rule in RULES.items() if fault in left and rule.forbids_start]
    done = "" if was_needed else "there was nothing to acknowledge"
    if not others:
        return done
    return f"{done or 'acknowledged'}; what keeps sessions from beginning: {', '.join(others)}"


def welded_wh(connector: Connector) -> int:
    """Energy that a welded contactor has let through since the last session."""
    is_welded = Fault.CONTACTOR_WELDED in connector.faults and connector.transaction is None
    if not is_welded or connector.reading is None or connector.ended_wh is None:
        return 0
    return max(0, connector.reading.import_wh - connector.ended_wh)


def meter_read(turn: Turn, connector_id: int, reading: Reading) -> None:
    """Tell the central system what flows through a weld: meter values of no session.

    In the rhythm of the samples of a session, and only while the register moves.
    """
    connector, now_s = turn.connector(connector_id), turn.now.monotonic_s
    keys = turn.state.configuration
    if connector.ended_wh is None:  # there was no session yet: counted from here
        connector = turn.put(replace(connector, ended_wh=reading.import_wh))
    drawn_wh = welded_wh(connector)
    rhythm_s = keys.integer("MeterValueSampleInterval") or RHYTHM_S
    is_due = connector.weld_told_wh == 0 or now_s >= connector.weld_told_s + rhythm_s
    if not is_due or drawn_wh == connector.weld_told_wh:
        return
    turn.put(replace(connector, weld_told_wh=drawn_wh, weld_told_s=now_s))
    values = meter_values.sampled_values(reading, keys.measurands("MeterValuesSampledData"))
    outbox.queue(turn, NO_TRANSACTION, ConnectorMeasured(connector_id, reading.read_at, values))


def update(turn: Turn) -> None:
    """Keep what has changed: a lock-out at once, the count with the end of a session."""
    if turn.state is turn.before:
        return
    for was in turn.before.connectors:
        connector = turn.connector(was.connector_id)
        has_counted = (
            connector.transaction is None and connector.operations != connector.operations_kept
        )
        if has_counted or is_locked_out(connector) != is_locked_out(was):
            is_out, operations = is_locked_out(connector), connector.operations
            turn.emit(SaveContactor(connector.connector_id, operations, is_out))
            turn.put(replace(connector, operations_kept=operations))


def is_locked_out(connector: Connector) -> bool:
    """True while a person must look at it first."""
    return bool(connector.faults & LOCKS_OUT)
