"""What happens to the process: start, journal, shutdown, reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.core import (
    authorization_outcome,
    outbox,
    recovery,
    security_events,
    tag_presented,
    transaction,
)
from agent.core import connector as connectors
from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.commands import NoteBoot, NoteEnding, Reply, Restart
from agent.core.events import Event
from agent.core.faults import Fault
from agent.core.replace import replace
from agent.core.replies import because
from agent.core.security_event_values import SecurityEventType
from agent.core.state import ChargePoint, RestartOrder, Stopping
from agent.core.turn import Turn
from agent.core.values import StopReason


def _started(turn: Turn, event: ev.Started) -> None:
    """Sessions that were open when the process ended are closed, or go on; then others begin."""
    if event.quarantined:
        turn.state = replace(turn.state, faults=turn.state.faults | {Fault.QUARANTINED})
    if turn.state.boot is not None:
        turn.emit(NoteBoot(turn.state.boot))
    _record_start(turn, event)
    turn.state = replace(turn.state, is_begun=True)
    for found in event.open_transactions:
        recovery.recover(turn, found, event.ending or StopReason.POWER_LOSS)
    for connector in turn.state.connectors:
        if connector.plugged:
            tag_presented.charge_freely(turn, connector.connector_id)


def _record_start(turn: Turn, event: ev.Started) -> None:
    if event.quarantined:
        security_events.record(
            turn, SecurityEventType.SECURITY_LOG_WAS_CLEARED, "the database was damaged"
        )
    before = "no earlier start is known"
    if event.ending is not None:
        before = f"the last process ended: {event.ending.value}"
    text = f"version {turn.state.firmware.version}; {before}"
    security_events.record(turn, SecurityEventType.STARTUP_OF_THE_DEVICE, text)


def _time_passed(turn: Turn, event: ev.TimePassed) -> None:
    pass


def _journal_failed(turn: Turn, event: ev.JournalFailed) -> None:
    turn.state = replace(turn.state, faults=turn.state.faults | {Fault.JOURNAL})


def _journal_recovered(turn: Turn, event: ev.JournalRecovered) -> None:
    turn.state = replace(turn.state, faults=turn.state.faults - {Fault.JOURNAL})


def _samples_thinned(turn: Turn, event: ev.SamplesThinned) -> None:
    turn.state = replace(turn.state, faults=turn.state.faults | {Fault.QUEUE_FULL})


def _shutdown_requested(turn: Turn, event: ev.ShutdownRequested) -> None:
    if turn.state.restart is None or turn.state.restart.again:
        _record_end(turn, "the agent was told to end")
    by_s = turn.now.monotonic_s + turn.state.rules.shutdown_s
    order = RestartOrder(again=False, by_s=by_s, drain=True)
    _stop_everything(turn, StopReason.REBOOT, order, at_once=True)


def _reset_requested(turn: Turn, event: ev.ResetRequested) -> None:
    if turn.state.firmware.is_being_installed:  # section 7.12 allows Rejected, this is the reason
        turn.emit(Reply(event.request_id, "Rejected", "firmware is being installed"))
        return
    turn.emit(Reply(event.request_id, "Accepted"))
    if turn.state.restart is not None:
        return  # on the way already; being told to end wins over starting again
    _record_end(turn, f"Reset, {'Hard' if event.hard else 'Soft'}")
    reason = StopReason.HARD_RESET if event.hard else StopReason.SOFT_RESET
    wait_s = turn.state.rules.shutdown_s if event.hard else turn.state.rules.reset_s
    by_s = turn.now.monotonic_s + wait_s
    order = RestartOrder(again=True, by_s=by_s, drain=True)
    _stop_everything(turn, reason, order, at_once=event.hard)


def _record_end(turn: Turn, why: str) -> None:
    security_events.record(turn, SecurityEventType.RESET_OR_REBOOT, why)


def _stop_everything(turn: Turn, reason: StopReason, order: RestartOrder, at_once: bool) -> None:
    for grant in turn.state.waiting:
        connectors.give_back(turn, grant, because(Rule.SHUTTING_DOWN))
    for check in turn.state.checking:
        authorization_outcome.refuse(turn, check.attempt, Rule.SHUTTING_DOWN)
    turn.state = replace(turn.state, restart=order, waiting=(), checking=())
    if turn.state.boot is not None:
        turn.emit(NoteEnding(reason))
    for connector in turn.state.connectors:
        transaction.order_stop(turn, connector.connector_id, reason, at_once=at_once)
        ending = turn.connector(connector.connector_id).phase
        if isinstance(ending, Stopping):  # ended before the process is, whatever does not answer
            stop, by_s = ending.stop, order.by_s
            sooner = replace(
                stop, open_by_s=min(stop.open_by_s, by_s), give_up_s=min(stop.give_up_s, by_s)
            )
            turn.put_phase(connector.connector_id, replace(ending, stop=sooner))


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {
    ev.Started: _started,
    ev.TimePassed: _time_passed,
    ev.JournalFailed: _journal_failed,
    ev.JournalRecovered: _journal_recovered,
    ev.SamplesThinned: _samples_thinned,
    ev.ShutdownRequested: _shutdown_requested,
    ev.ResetRequested: _reset_requested,
}


def update(turn: Turn) -> None:
    """Leave the process as soon as sessions and messages allow it, or nobody waits any more."""
    order = turn.state.restart
    if order is None:
        return
    if order.ordered:
        _try_again(turn, order)
        return
    busy = any(c.transaction is not None for c in turn.state.connectors)
    draining = order.drain and turn.state.online and turn.state.outbox.waiting > 0
    if (busy or draining) and turn.now.monotonic_s < order.by_s:
        return
    _leave(turn, order)


def deadline_s(state: ChargePoint) -> float | None:
    """Monotonic time of the next step; None: there is none."""
    order = state.restart
    if order is None or (order.ordered and not order.again):
        return None
    return order.by_s


def _try_again(turn: Turn, order: RestartOrder) -> None:
    if not order.again or turn.now.monotonic_s < order.by_s:
        return
    if order.retries < turn.state.configuration.integer("ResetRetries"):
        _leave(turn, replace(order, retries=order.retries + 1))
        return
    turn.state = replace(turn.state, restart=None, faults=turn.state.faults | {Fault.RESET_FAILED})


def _leave(turn: Turn, order: RestartOrder) -> None:
    by_s = turn.now.monotonic_s + turn.state.rules.restart_s
    turn.state = replace(turn.state, restart=replace(order, ordered=True, by_s=by_s))
    outbox.remove_answered(turn)
    turn.emit(Restart(order.again))
