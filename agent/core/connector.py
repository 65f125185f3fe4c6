"""The connector state machine: one table, phase by phase.

An event only changes what is known (plugged, pilot, lock, contactor ...). ``settle`` then compares
what is known with what is wanted and orders the difference, until nothing changes any more. So
there is no way into a state that depends on which of two events came first.
"""

from __future__ import annotations

from agent.core import (
    availability,
    connector_energy,
    connector_ev_presence,
    faults,
    meter_values,
    recovery,
    replies,
    transaction,
)
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import LockConnector, ReadMeter, UnlockConnector
from agent.core.faults import Fault
from agent.core.replace import replace
from agent.core.state import (
    Asked,
    ChargePoint,
    Charging,
    Connector,
    Finished,
    GrantedAuthorization,
    Idle,
    Purpose,
    Starting,
    Stopping,
)
from agent.core.turn import Turn
from agent.core.values import LockState, StopReason

_ENDED_ON_PURPOSE = (StopReason.LOCAL, StopReason.REMOTE)
_STEPS_MAX = 12  # steps in a row in one turn; more would be a circle


def settle(turn: Turn, connector_id: int) -> None:
    """Bring one connector to rest: take every step that is possible now."""
    steps = 0
    while True:
        before = turn.connector(connector_id)
        _step(turn, before)
        after = turn.connector(connector_id)
        if after is before or after == before:
            break
        steps += 1
        assert steps < _STEPS_MAX, f"connector {connector_id} does not come to rest"
    connector_energy.renew(turn, turn.connector(connector_id))


def may_start(state: ChargePoint, connector: Connector) -> bool:
    """True if a new session could begin here now, were there a card and a plug."""
    return isinstance(connector.phase, Idle | Finished) and _is_in_order(state, connector)


def may_follow(state: ChargePoint, connector: Connector) -> bool:
    """True if a new session could begin here now, or when the one that is being ended is over.

    That one is reported as Finishing already. One that a person or the central system ends leaves
    nothing behind that would be in the way of the next.
    """
    stop = connector.stop
    is_ending = stop is not None and not stop.is_found and stop.reason in _ENDED_ON_PURPOSE
    return may_start(state, connector) or (is_ending and _is_in_order(state, connector))


def _is_in_order(state: ChargePoint, connector: Connector) -> bool:
    is_in_service = state.is_begun and availability.lets_begin(state, connector)
    return is_in_service and not has_forbidding_fault(state, connector)


def has_forbidding_fault(state: ChargePoint, connector: Connector) -> bool:
    """True while a fault stands here that lets no session begin."""
    return any(faults.RULES[f].forbids_start for f in state.faults_of(connector))


# --- the phases ----------------------------------------------------------------------------------


def _step(turn: Turn, connector: Connector) -> None:
    match connector.phase:
        case Idle():
            _rest(turn, connector)
        case Starting() as starting:
            _starting(turn, connector, starting)
        case Charging() as charging:
            _charging(turn, connector, charging)
        case Stopping() as ending:
            _stopping(turn, connector, ending)
        case Finished() as finished:
            _finished(turn, connector, finished)


def _rest(turn: Turn, connector: Connector) -> None:
    if not _take_grant(turn, connector):
        connector_energy.open_and_withdraw(turn, connector)
        _release(turn, turn.connector(connector.connector_id))


def _starting(turn: Turn, connector: Connector, starting: Starting) -> None:
    forbidden = has_forbidding_fault(turn.state, connector) or turn.state.restart is not None
    too_late = turn.now.monotonic_s >= starting.give_up_s
    if not connector.is_plugged or forbidden or too_late:
        give_back(turn, starting.grant, replies.because(Rule.GIVEN_UP))
        turn.put_phase(connector.connector_id, Idle())
        return
    if not connector.is_locked:
        _order_lock(turn, connector)
    wants_meter = connector.traits.has_meter and connector.reading is None
    if wants_meter and not starting.meter_asked:  # while the bolt moves
        turn.put_phase(connector.connector_id, replace(starting, meter_asked=True))
        turn.emit(ReadMeter(connector.connector_id))
    if turn.connector(connector.connector_id).is_locked and not wants_meter:
        transaction.begin(turn, connector, starting.grant)


def _charging(turn: Turn, connector: Connector, charging: Charging) -> None:
    charging = connector_ev_presence.watch(turn, connector, charging)
    connector = turn.connector(connector.connector_id)
    stop_reason = _reason_to_stop(turn, connector)
    if stop_reason is not None:
        transaction.order_stop(turn, connector.connector_id, stop_reason, at_once=True)
        return
    wanted_end = transaction.reason_to_end(turn, connector, charging)
    if wanted_end is not None:
        transaction.order_stop(turn, connector.connector_id, wanted_end)
        return
    if not connector.is_locked:
        _order_lock(turn, connector)
    connector_energy.drive(turn, turn.connector(connector.connector_id), charging)
    _ask_for_sample(turn, connector.connector_id)


def _stopping(turn: Turn, connector: Connector, ending: Stopping) -> None:
    stop, now_s = ending.stop, turn.now.monotonic_s
    connector = connector_energy.withdraw(turn, connector)
    if now_s < stop.open_by_s and connector_energy.may_still_draw(turn.state, connector):
        return  # the vehicle is given time to stop drawing: no switching under load
    connector = connector_energy.open_contactor(turn, connector)
    is_welded = Fault.CONTACTOR_WELDED in connector.faults  # waiting opens no weld
    if connector.contactor_closed and not is_welded and now_s < stop.give_up_s:
        return
    wants_meter = connector.traits.has_meter and not stop.meter_done
    if wants_meter and not stop.meter_asked:
        asked = replace(ending, stop=replace(stop, meter_asked=True))
        turn.put_phase(connector.connector_id, asked)
        turn.emit(ReadMeter(connector.connector_id))
        return
    if wants_meter and now_s < stop.give_up_s:
        return
    if stop.is_found and recovery.resumes(turn, connector, ending):
        recovery.resume(turn, connector, ending.transaction)
        return
    transaction.end(turn, connector, ending, recovery.register_wh(turn, connector, ending))


def _finished(turn: Turn, connector: Connector, finished: Finished) -> None:
    # Nobody sees our end where the contact sees the vehicle's: it is still locked in.
    is_held = connector.traits.plug_sees_vehicle and finished.held_for is not None
    unplugged = connector.traits.has_plug and not connector.plugged and not is_held
    nothing_left = not connector.traits.has_plug and finished.held_for is None
    if unplugged or nothing_left:  # nothing_left: nobody will tell when the plug goes
        turn.put(
            replace(
                connector,
                phase=Idle(),
                faults=connector.faults - {Fault.CONTACTOR_DROPPED},
                used_by=None if unplugged else connector.used_by,
                ended_by=None if unplugged else connector.ended_by,
            )
        )
        return
    if connector_ev_presence.is_back(connector, finished):
        finished = replace(finished, is_disconnected=False)
        connector = turn.put_phase(connector.connector_id, finished)
    _rest(turn, connector)


# --- steps ---------------------------------------------------------------------------------------


def _take_grant(turn: Turn, connector: Connector) -> bool:
    """An accepted card meets a plugged connector: the start begins."""
    if not connector.is_plugged or not may_start(turn.state, connector):
        return False
    for grant in turn.state.waiting:
        if connector.connector_id in grant.connectors:
            _take_from_others(turn, grant, connector.connector_id)
            starting = Starting(grant, turn.now.monotonic_s + turn.state.rules.start_s)
            # The session begins on a fresh reading.
            turn.put(replace(connector, phase=starting, reading=None))
            return True
    return False


def _take_from_others(turn: Turn, taken: GrantedAuthorization, connector_id: int) -> None:
    """The others wait on for other connectors: no second card begins on this plug."""
    kept = []
    for grant in turn.state.waiting:
        elsewhere = tuple(c for c in grant.connectors if c != connector_id)
        if grant is not taken and elsewhere:
            kept.append(replace(grant, connectors=elsewhere))
        elif grant is not taken:
            give_back(turn, grant, replies.because(Rule.OTHER_FIRST))
    turn.state = replace(turn.state, waiting=tuple(kept))


def _reason_to_stop(turn: Turn, connector: Connector) -> StopReason | None:
    present = turn.state.faults_of(connector)
    fault = faults.worst(frozenset(f for f in present if faults.RULES[f].stop_reason))
    if fault is not None:
        return faults.rule_of(fault, connector.part_fault).stop_reason
    is_pulled = connector_ev_presence.ends_session(turn, connector)
    return StopReason.EV_DISCONNECTED if is_pulled else None


def _order_lock(turn: Turn, connector: Connector) -> None:
    if connector.lock_ordered is not LockState.LOCKED:
        turn.emit(LockConnector(connector.connector_id))
        turn.put(replace(connector, lock_ordered=LockState.LOCKED))


def _release(turn: Turn, connector: Connector) -> None:
    """Unlock when no session holds the plug; never while the contactor is closed.

    Not before it is known whether a session was open: it may go on with its cable locked.
    """
    if not connector.traits.has_lock or connector.held_for is not None or not turn.state.is_begun:
        return
    is_moving_to_locked = connector.lock_ordered is LockState.LOCKED
    is_asked_for = connector.unlock_request is not None
    if connector.lock is LockState.UNLOCKED and not is_moving_to_locked and not is_asked_for:
        return
    if connector.contactor_closed or connector.lock_ordered is LockState.UNLOCKED:
        return
    turn.emit(UnlockConnector(connector.connector_id))
    turn.put(replace(connector, lock_ordered=LockState.UNLOCKED))


def _ask_for_sample(turn: Turn, connector_id: int) -> None:
    charging = turn.connector(connector_id).phase
    if not isinstance(charging, Charging):
        return
    due_s = charging.next_sample_s
    if due_s is None or turn.now.monotonic_s < due_s:
        return
    interval_s = turn.state.configuration.integer("MeterValueSampleInterval")
    next_s = meter_values.sample_after(due_s, turn.now.monotonic_s, interval_s)
    turn.put_phase(connector_id, replace(charging, next_sample_s=next_s, sample_asked=True))
    turn.emit(ReadMeter(connector_id))


def give_back(
    turn: Turn,
    grant: GrantedAuthorization,
    why: Decision,
    status: str = "rejected",
    tag_requests: tuple[str, ...] = (),
) -> None:
    """A grant comes to nothing: the reason is kept, and who waits for the outcome gets it."""
    asked = Asked(grant.purpose, grant.id_tag, grant.connectors, grant.request_id, tag_requests)
    replies.refuse(turn, asked, why, status, why.rule.says)


def answer_unlock(turn: Turn, connector_id: int, is_unlocked: bool) -> None:
    """Answer a waiting UnlockConnector.req."""
    request = turn.connector(connector_id).unlock_request
    if request is None:
        return
    turn.put(replace(turn.connector(connector_id), unlock_request=None))
    if is_unlocked:
        replies.agree(turn, request.request_id, "Unlocked")
    else:
        asked = Asked(Purpose.UNLOCK, "", (connector_id,), request.request_id)
        replies.refuse(turn, asked, replies.because(Rule.LOCK_STUCK), "UnlockFailed")
