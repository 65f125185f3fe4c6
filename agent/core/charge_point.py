"""The charge point: one function of (state, event, now). It only routes.

``handle`` never fails on an event that names an unknown connector: such an event changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent.core import (
    authorization_request,
    availability,
    charging_profiles_applied,
    clock_trust,
    connection_profile_change,
    connector_timeout,
    contactors,
    firmware_update,
    from_central_system,
    from_devices,
    from_operator,
    from_process,
    local_list,
    meter_values_aligned,
    outbox,
    remote_start,
    reservation_requests,
    reservations,
    signals,
    status_notification,
    tag_presented,
    transaction,
)
from agent.core import connector as connectors
from agent.core import (
    events as ev,
)
from agent.core.authorization_reasons import Rule
from agent.core.commands import CloseContactor, Command, OfferCurrent, Restart
from agent.core.events import Heard, LookedUp, Presented, Ready
from agent.core.faults import Fault
from agent.core.replies import because
from agent.core.state import ChargePoint, Phase, StopOrder
from agent.core.turn import Turn
from agent.core.values import Instant, TagRecord

_ROUTES = {
    **from_devices.ROUTES,
    **from_process.ROUTES,
    **from_operator.ROUTES,
    **from_central_system.ROUTES,
    **local_list.ROUTES,
    **reservation_requests.ROUTES,
    **firmware_update.ROUTES,
    **charging_profiles_applied.ROUTES,
}
# About a tag: they come looked up, and in no other form.
_PRESENTED: dict[type[Presented], Callable[[Turn, Any, TagRecord], None]] = {
    ev.TagPresented: tag_presented.tag_presented,
    ev.RemoteStartRequested: remote_start.requested,
    ev.StartRequested: from_operator.start_requested,
    ev.AuthorizeRequested: from_operator.authorize_requested,
}
_HEARD: dict[type[Heard], Callable[[Turn, Any, TagRecord | None], None]] = {
    ev.AuthorizeAnswered: authorization_request.authorize_answered,
    ev.MessageAnswered: from_central_system.message_answered,
}
_ANSWERED_FOR_ANY_CONNECTOR = (
    ev.AvailabilityChangeRequested,
    ev.UnlockRequested,
    ev.LimitRequested,
    ev.SetProfileRequested,
)


def handle(state: ChargePoint, event: Ready, now: Instant) -> tuple[ChargePoint, list[Command]]:
    """Return the charge point after the event, and what the world must do about it."""
    turn = Turn(state, now)
    clock_trust.take_over(turn)
    _route(turn, event)
    _expire(turn)
    meter_values_aligned.follow(turn)
    charging_profiles_applied.follow(turn)
    _settle(turn)
    if charging_profiles_applied.follow(
        turn
    ):  # a session began or ended: the others' share has changed
        _settle(turn)
    firmware_update.follow(turn)
    availability.follow(turn)
    reservation_requests.follow(turn)
    connector_timeout.follow(turn)
    _answer_late_unlocks(turn)
    clock_trust.correct_rows(turn)
    _notice_room(turn)
    outbox.deliver_when_possible(turn)
    from_process.follow(turn)
    status_notification.report_changes(turn)
    contactors.keep(turn, state)
    connection_profile_change.follow(turn)
    signals.show_signal(turn, state)
    return turn.state, turn.commands


def _route(turn: Turn, event: Ready) -> None:
    if isinstance(event, LookedUp):
        about = event.event
        if not isinstance(about, Presented):
            _HEARD[type(about)](turn, about, event.facts)
        elif event.facts is None:
            tag_presented.not_looked_up(turn, about, event.problem)
        else:
            _PRESENTED[type(about)](turn, about, event.facts)
        return
    connector_id = getattr(event, "connector_id", None)
    has_answer_for_any = isinstance(event, _ANSWERED_FOR_ANY_CONNECTOR)
    if connector_id is None or has_answer_for_any or turn.state.has_connector(connector_id):
        _ROUTES[type(event)](turn, event)


def still_wanted(state: ChargePoint, command: Command) -> bool:
    """True unless the state has moved on while the command waited for the journal."""
    if isinstance(command, CloseContactor):
        connector = state.connector(command.connector_id)
        same_session = (
            connector.transaction is not None
            and connector.transaction.ref == command.transaction_ref
        )
        return (
            same_session and connector.close_ordered and connector.trips_seen == command.trips_seen
        )
    if isinstance(command, Restart):
        return state.restart is not None
    if isinstance(command, OfferCurrent):
        return state.connector(command.connector_id).offered_a == command.current_a
    return True


def next_deadline_s(state: ChargePoint, now: Instant) -> float | None:
    """Monotonic time at which the core wants a TimePassed; None: it waits for nothing."""
    times: list[float | None] = [grant.until_s for grant in state.waiting]
    times += [check.by_s for check in state.checking]
    if state.is_begun:
        times += [reservations.ends_s(reservation, now) for reservation in state.reservations]
    times.append(status_notification.next_report_s(state, now))
    if state.online and not state.outbox.in_flight and state.outbox.waiting:
        times.append(state.outbox.not_before_s)
    times.append(from_process.deadline_s(state))
    times.append(firmware_update.deadline_s(state, now))
    times.append(state.limits_change_s)
    if state.aligned_due is not None:
        times.append(state.aligned_due.due_s)
    for connector in state.connectors:
        if connector.close_ordered:
            times.append(now.monotonic_s + state.rules.lease_s / 3)
        times.append(connector_timeout.deadline_s(connector, now))
        if connector.phase is Phase.STARTING:
            times.append(connector.give_up_s)
        if connector.phase is Phase.CHARGING:
            times.append(connector.next_sample_s)
            times.append(transaction.limit_s(connector))
            for moment_s in (connector.settling_until_s, connector.pause_by_s):
                if moment_s > now.monotonic_s:
                    times.append(moment_s)
        if connector.stop is not None:
            times += _stop_deadlines(connector.stop, now)
        if connector.unlock_request is not None:
            times.append(connector.unlock_request.by_s)
    return min((time for time in times if time is not None), default=None)


def _stop_deadlines(stop: StopOrder, now: Instant) -> list[float | None]:
    if stop.open_by_s > now.monotonic_s:
        return [stop.open_by_s]
    return [stop.give_up_s]


# --- after every event ----------------------------------------------------------------------------


def _settle(turn: Turn) -> None:
    for connector in turn.state.connectors:
        connectors.settle(turn, connector.connector_id)


def _expire(turn: Turn) -> None:
    """Whatever has waited long enough."""
    authorization_request.give_up_checks(turn)
    for grant in turn.state.waiting:
        if grant.until_s is not None and turn.now.monotonic_s >= grant.until_s:
            # OCPP 1.6 section 9.1.6: authorization is void, Preparing -> Available (B1).
            turn.drop_grant(grant)
            connectors.give_back(turn, grant, because(Rule.NO_PLUG_CAME), "expired")


def _answer_late_unlocks(turn: Turn) -> None:
    for connector in turn.state.connectors:
        request = connector.unlock_request
        if request is not None and turn.now.monotonic_s >= request.by_s:
            connectors.answer_unlock(turn, connector.connector_id, is_unlocked=False)


def _notice_room(turn: Turn) -> None:
    """Everything that waited is delivered: samples need not be dropped any more."""
    if Fault.QUEUE_FULL in turn.state.faults and turn.state.outbox.waiting == 0:
        turn.state = replace(turn.state, faults=turn.state.faults - {Fault.QUEUE_FULL})
