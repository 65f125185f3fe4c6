"""What the devices say: an event changes what is known, ``connector.settle`` does the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.core import (
    authorization_outcome,
    charge_log,
    charging_profiles_applied,
    contactors,
    meter_values_aligned,
    replies,
    security_events,
    tag_presented,
    transaction,
)
from agent.core import connector as connectors
from agent.core import events as ev
from agent.core.charging_profiles import CHARGE_POINT
from agent.core.commands import (
    BeginGridLimit,
    EndGridLimit,
    Reply,
    SaveRegister,
    ShowSignal,
    Signal,
)
from agent.core.events import Event, SelfTestBegan, SelfTestEnded
from agent.core.external_limits import ExternalSource
from agent.core.faults import PILOT, SAFETY_INPUTS, Fault
from agent.core.replace import replace
from agent.core.security_event_values import SecurityEventType
from agent.core.state import ChargePoint, Charging, Connector, Finished, Idle, Stopping
from agent.core.turn import Turn
from agent.core.values import LockState, PilotState, Reading

_GRID = ExternalSource.GRID_OPERATOR


def _card_not_taken(turn: Turn, event: ev.CardNotTaken) -> None:
    turn.emit(ShowSignal(Signal.REFUSED))
    replies.changed_nothing(turn, event.request_id)


def _reader_failed(turn: Turn, event: ev.ReaderFailed) -> None:
    turn.state = replace(turn.state, faults=turn.state.faults | {Fault.READER})


def _reader_recovered(turn: Turn, event: ev.ReaderRecovered) -> None:
    turn.state = replace(turn.state, faults=turn.state.faults - {Fault.READER})


def _plugged_in(turn: Turn, event: ev.CablePluggedIn) -> None:
    was_plugged = turn.connector(event.connector_id).plugged
    turn.put(
        replace(turn.connector(event.connector_id), plugged=True, plugged_at_s=turn.now.monotonic_s)
    )
    if not was_plugged:
        tag_presented.charge_freely(turn, event.connector_id)


def _unplugged(turn: Turn, event: ev.CableUnplugged) -> None:
    connector = turn.connector(event.connector_id)
    # A fault that belonged to this use of the connector goes with the plug; a bolt that still
    # stands in the empty socket lets nobody plug in.
    is_free = connector.lock is LockState.UNLOCKED
    gone = {Fault.CONTACTOR_DROPPED, *((Fault.LOCK_FAILED,) if is_free else ())}
    turn.put(
        replace(
            turn.connector(event.connector_id),
            plugged=False,
            faults=connector.faults - gone,
            used_by=None,
            ended_by=None,
        )
    )


def _pilot_changed(turn: Turn, event: ev.PilotChanged) -> None:
    turn.put(replace(turn.connector(event.connector_id), pilot=event.state))


def _pilot_complained(turn: Turn, event: ev.PilotComplained) -> None:
    others = turn.connector(event.connector_id).faults - frozenset(PILOT.values())
    now = frozenset(PILOT[name] for name in event.complaints)
    # Whatever it says about the vehicle does not count while it complains.
    pilot = PilotState.F if now else turn.connector(event.connector_id).pilot
    turn.put(replace(turn.connector(event.connector_id), faults=others | now, pilot=pilot))


def _cable_measured(turn: Turn, event: ev.CableMeasured) -> None:
    turn.put(replace(turn.connector(event.connector_id), cable_a=event.rated_a))


def _offer_confirmed(turn: Turn, event: ev.OfferConfirmed) -> None:
    """Of what is not offered any more nothing is confirmed: it may have been on its way here."""
    is_offered = turn.connector(event.connector_id).offered_a is not None
    turn.put(
        replace(
            turn.connector(event.connector_id), confirmed_a=event.current_a if is_offered else 0.0
        )
    )


def _lock_changed(turn: Turn, event: ev.LockChanged) -> None:
    connector = turn.connector(event.connector_id)
    ordered = connector.lock_ordered
    turn.put(
        replace(
            turn.connector(event.connector_id),
            lock=event.state,
            lock_ordered=None if event.state is not LockState.MOVING else ordered,
            faults=connector.faults - {Fault.LOCK_FAILED},
        )
    )
    if event.state is LockState.UNLOCKED:
        connectors.answer_unlock(turn, event.connector_id, is_unlocked=True)


def _lock_jammed(turn: Turn, event: ev.LockJammed) -> None:
    connector = turn.connector(event.connector_id)
    still_ordered = connector.lock_ordered if event.wanted is LockState.UNLOCKED else None
    turn.put(
        replace(
            turn.connector(event.connector_id),
            lock_ordered=still_ordered,
            faults=connector.faults | {Fault.LOCK_FAILED},
        )
    )
    if event.wanted is LockState.UNLOCKED:
        connectors.answer_unlock(turn, event.connector_id, is_unlocked=False)


def _contactor_closed(turn: Turn, event: ev.ContactorClosed) -> None:
    connector = turn.connector(event.connector_id)
    phase = connector.phase
    if isinstance(phase, Charging):
        phase = replace(phase, settling_until_s=turn.now.monotonic_s, vehicle_paused=False)
    turn.put(
        replace(connector, contactor_closed=True, operations=connector.operations + 1, phase=phase)
    )


def _contactor_opened(turn: Turn, event: ev.ContactorOpened) -> None:
    turn.put(replace(turn.connector(event.connector_id), contactor_closed=False))


def _contactor_tripped(turn: Turn, event: ev.ContactorTripped) -> None:
    """It opened by itself. What the reflex saw comes as an event of its own, and decides."""
    connector = turn.connector(event.connector_id)
    faults = connector.faults
    if event.reason == "welded":
        faults = faults | {Fault.CONTACTOR_WELDED}
    elif event.reason == "did not close":
        faults = faults | {Fault.CONTACTOR_FAILED}
    elif event.reason == "opened by itself":
        faults = faults | {Fault.CONTACTOR_DROPPED}
    phase = connector.phase
    if isinstance(phase, Charging):
        phase = replace(phase, vehicle_paused=False)  # we opened: ``settle`` asks the vehicle
    turn.put(
        replace(
            connector,
            close_ordered=False,
            phase=phase,
            trips_seen=event.trip_count,
            faults=faults,
        )
    )


def _safety_input_tripped(turn: Turn, event: ev.SafetyInputTripped) -> None:
    fault = SAFETY_INPUTS[event.name]
    if fault is Fault.DOOR and fault not in turn.state.faults:
        kind = SecurityEventType.TAMPER_DETECTION_ACTIVATED
        security_events.record(turn, kind, "the door of the cabinet was opened")
    turn.state = replace(turn.state, faults=turn.state.faults | {fault})


def _safety_input_cleared(turn: Turn, event: ev.SafetyInputCleared) -> None:
    turn.state = replace(turn.state, faults=turn.state.faults - {SAFETY_INPUTS[event.name]})


def _grid_contact_changed(turn: Turn, event: ev.GridContactChanged) -> None:
    """It limits all connectors together, and each begin and end is kept (§ 14a EnWG)."""
    now, rules = turn.now, turn.state.rules
    was_limited = any(limit.source is _GRID for limit in turn.state.external_limits)
    left_open = turn.state.has_open_grid_limit
    turn.state = replace(turn.state, has_open_grid_limit=False)
    limit = rules.grid_limit if event.is_limited else None
    charging_profiles_applied.external_limit_set(
        turn, ev.ExternalLimitSet(_GRID, CHARGE_POINT, limit, rules.grid_limit_unit)
    )
    if event.is_limited and not was_limited:
        turn.emit(BeginGridLimit(now.utc, rules.grid_limit, rules.grid_limit_unit, turn.time_mark))
    elif not event.is_limited and (was_limited or left_open):
        turn.emit(EndGridLimit(now.utc, turn.time_mark, is_found=left_open))


def _part_fault_changed(turn: Turn, event: ev.PartFaultChanged) -> None:
    faults = turn.connector(event.connector_id).faults - {Fault.PART}
    if event.fault is not None:
        faults = faults | {Fault.PART}
    turn.put(replace(turn.connector(event.connector_id), faults=faults, part_fault=event.fault))


def _meter_read(turn: Turn, event: ev.MeterRead) -> None:
    connector = turn.connector(event.connector_id)
    reading = _with_offer(connector, event.reading)
    turn.put(
        replace(
            connector,
            reading=reading,
            faults=connector.faults - {Fault.METER},
            offset_kept_wh=reading.offset_wh,
        )
    )
    if reading.offset_wh != connector.offset_kept_wh:
        turn.emit(SaveRegister(event.connector_id, reading.import_wh, reading.offset_wh))
    contactors.meter_read(turn, event.connector_id, reading)
    charge_log.metered(turn, event.connector_id, reading)
    meter_values_aligned.meter_read(turn, event.connector_id, reading)
    transaction.sample(turn, event.connector_id, reading)
    _meter_answered(turn, event.connector_id)


def _with_offer(connector: Connector, reading: Reading) -> Reading:
    """The reading, and beside it what the vehicle may draw at that moment.

    Without a pilot nobody tells the vehicle: it may draw what counts while the contactor is closed.
    """
    traits = connector.traits
    unspoken_a = connector.current_a if connector.contactor_closed else 0.0
    offered_a = (connector.offered_a or 0.0) if traits.has_pilot else unspoken_a
    offered_w = offered_a * traits.nominal_voltage_v * traits.phases
    return replace(reading, offered_a=offered_a, offered_w=offered_w)


def _meter_failed(turn: Turn, event: ev.MeterFailed) -> None:
    connector = turn.connector(event.connector_id)
    phase = connector.phase
    if isinstance(phase, Charging):
        phase = replace(phase, sample_asked=False)
    turn.put(
        replace(
            connector,
            phase=phase,
            aligned_asked=None,
            faults=connector.faults | {Fault.METER},
        )
    )
    _meter_answered(turn, event.connector_id)


def _meter_answered(turn: Turn, connector_id: int) -> None:
    ending = turn.connector(connector_id).phase
    if isinstance(ending, Stopping) and ending.stop.meter_asked:
        turn.put_phase(connector_id, replace(ending, stop=replace(ending.stop, meter_done=True)))


def _self_test_began(turn: Turn, event: SelfTestBegan) -> None:
    """Keep everybody out, or say why parts may not be moved now."""
    obstacle = _obstacle(turn.state)
    if obstacle is not None:
        turn.emit(Reply(event.request_id, "Rejected", obstacle))
        return
    turn.state = replace(turn.state, faults=turn.state.faults | {Fault.SELF_TEST})
    turn.emit(Reply(event.request_id, "Accepted"))


def _self_test_ended(turn: Turn, event: SelfTestEnded) -> None:
    """Cards are welcome again."""
    turn.state = replace(turn.state, faults=turn.state.faults - {Fault.SELF_TEST})


def _obstacle(state: ChargePoint) -> str | None:
    if Fault.SELF_TEST in state.faults:
        return "another self-test is at work"
    if state.restart is not None:
        return "the agent is about to end"
    if state.waiting or state.checking:
        return "a card has just been presented"
    for connector in state.connectors:
        name = f"connector {connector.connector_id}"
        if not isinstance(connector.phase, Idle | Finished):
            return f"{name}: a session runs"
        if connector.plugged:
            return f"{name}: a plug is in"
        if connector.pilot in (PilotState.B, PilotState.C, PilotState.D):
            return f"{name}: the pilot shows a car"
    return None


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {
    ev.RequestNotTaken: tag_presented.request_not_taken,
    ev.StationAnswered: authorization_outcome.station_answered,
    ev.CardNotTaken: _card_not_taken,
    ev.ReaderFailed: _reader_failed,
    ev.ReaderRecovered: _reader_recovered,
    ev.CablePluggedIn: _plugged_in,
    ev.CableUnplugged: _unplugged,
    ev.PilotChanged: _pilot_changed,
    ev.PilotComplained: _pilot_complained,
    ev.CableMeasured: _cable_measured,
    ev.OfferConfirmed: _offer_confirmed,
    ev.LockChanged: _lock_changed,
    ev.LockJammed: _lock_jammed,
    ev.ContactorClosed: _contactor_closed,
    ev.ContactorOpened: _contactor_opened,
    ev.ContactorTripped: _contactor_tripped,
    ev.ContactorMended: contactors.mended,
    ev.SelfTestBegan: _self_test_began,
    ev.SelfTestEnded: _self_test_ended,
    ev.SafetyInputTripped: _safety_input_tripped,
    ev.SafetyInputCleared: _safety_input_cleared,
    ev.GridContactChanged: _grid_contact_changed,
    ev.PartFaultChanged: _part_fault_changed,
    ev.MeterRead: _meter_read,
    ev.MeterFailed: _meter_failed,
}
