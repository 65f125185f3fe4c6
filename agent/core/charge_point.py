"""The charge point: one function of (state, event, now). It only routes.

``handle`` never fails on an event that names an unknown connector: such an event changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.core import (
    authorization_request,
    charging_profiles_applied,
    charging_profiles_installed,
    clock_trust,
    firmware_update,
    followers,
    from_central_system,
    from_devices,
    from_operator,
    from_process,
    local_list,
    own_certificate_requests,
    remote_start,
    reservation_requests,
    security_events,
    tag_presented,
)
from agent.core import (
    events as ev,
)
from agent.core.commands import CloseContactor, Command, OfferCurrent, Restart
from agent.core.events import Heard, LookedUp, Presented, Ready
from agent.core.state import ChargePoint
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
    **charging_profiles_installed.ROUTES,
    **own_certificate_requests.ROUTES,
    **security_events.ROUTES,
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
    ev.ExternalLimitSet,
    ev.SetProfileRequested,
)


def handle(state: ChargePoint, event: Ready, now: Instant) -> tuple[ChargePoint, list[Command]]:
    """Return the charge point after the event, and what the world must do about it."""
    turn = Turn(state, now)
    clock_trust.take_over(turn)
    _route(turn, event)
    followers.follow(turn)
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
