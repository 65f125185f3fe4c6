"""ReserveNow and CancelReservation, and what ends a reservation (OCPP 1.6, 5.1 and 5.13)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agent.core import availability, connector_choice, faults, replies, reservations, tag_presented
from agent.core import connector as connectors
from agent.core.authorization_reasons import Rule
from agent.core.configuration import RESERVATION
from agent.core.events import Event, ReservationCancelRequested, ReservationRequested
from agent.core.faults import Fault
from agent.core.id_tag import is_valid_id_tag
from agent.core.replace import replace
from agent.core.reservations import ANY_CONNECTOR
from agent.core.state import Asked, ChargePoint, Connector, Purpose
from agent.core.turn import Turn
from agent.core.values import Reservation


def reservation_requested(turn: Turn, event: ReservationRequested) -> None:
    """Answer Accepted, Faulted, Occupied, Rejected or Unavailable."""
    wanted = event.reservation
    others = tuple(r for r in turn.state.reservations if r.reservation_id != wanted.reservation_id)
    # One that is known already is replaced, if its new place is free but for itself.
    refusal = _why_not(turn, replace(turn.state, reservations=others), wanted)
    if refusal is None:
        reservations.keep(turn, (*others, wanted))
        _send_elsewhere(turn, wanted)
        replies.agree(turn, event.request_id)
        return
    status, rule, detail = refusal
    asked = Asked(Purpose.RESERVATION, wanted.id_tag, (wanted.connector_id,), event.request_id)
    replies.refuse(turn, asked, replies.because(rule, detail), status)


def cancel_requested(turn: Turn, event: ReservationCancelRequested) -> None:
    """Answer Accepted, or Rejected when there is no such reservation."""
    named = [r for r in turn.state.reservations if r.reservation_id == event.reservation_id]
    if not named:
        asked = Asked(Purpose.RESERVATION, request_id=event.request_id)
        detail = f"reservationId {event.reservation_id}"
        replies.refuse(turn, asked, replies.because(Rule.NO_RESERVATION, detail))
        return
    reservations.end(turn, named)
    replies.agree(turn, event.request_id)
    _let_others_in(turn, named)


def update(turn: Turn) -> None:
    """End what has expired, and what a fault or ChangeAvailability has made impossible."""
    if not turn.state.is_begun:
        return
    ended = [r for r in turn.state.reservations if _is_over(turn, r)]
    reservations.end(turn, ended)
    _let_others_in(turn, ended)


def _is_over(turn: Turn, reservation: Reservation) -> bool:
    state = turn.state
    if turn.now.utc >= reservation.expires_at or RESERVATION not in state.configuration.profiles:
        return True
    if reservation.connector_id == ANY_CONNECTOR:
        return _is_faulted(state.faults) or availability.is_charge_point_out(state)
    if not state.has_connector(reservation.connector_id):
        return True  # the box has fewer connectors than it had
    kept = state.connector(reservation.connector_id)
    return _is_unusable(state, kept)


def _is_unusable(state: ChargePoint, connector: Connector) -> bool:
    return connector.out_of_service or _is_faulted(state.faults_of(connector))


def _is_faulted(present: frozenset[Fault]) -> bool:
    return any(faults.RULES[fault].shows_faulted for fault in present)


# --- may it be made? -----------------------------------------------------------------------------


def _why_not(turn: Turn, state: ChargePoint, wanted: Reservation) -> tuple[str, Rule, str] | None:
    """The status that refuses it and why; None: it may be made.

    What the place is comes before what is wrong with the time: a central system that asks too late
    learns of a fault all the same.
    """
    if not is_valid_id_tag(wanted.id_tag):
        return "Rejected", Rule.UNTELLABLE, ""
    if state.restart is not None:
        return "Rejected", Rule.SHUTTING_DOWN, ""
    if wanted.connector_id == ANY_CONNECTOR:
        if not state.configuration.boolean("ReserveConnectorZeroSupported"):
            return "Rejected", Rule.BAD_RESERVATION, "ReserveConnectorZeroSupported is false"
        places: Sequence[Connector] = state.connectors
        is_free = connector_choice.free_slots(state) > 0
    elif not state.has_connector(wanted.connector_id):
        return "Rejected", Rule.UNKNOWN_CONNECTOR, ""
    else:
        places = (state.connector(wanted.connector_id),)
        is_one_of_them = wanted.connector_id in connector_choice.free_for_all(state)
        is_free = is_one_of_them and connector_choice.free_slots(state) > 0
    if all(_is_faulted(state.faults_of(place)) for place in places):
        return "Faulted", Rule.FAULTED, ""
    if all(_is_unusable(state, place) for place in places):
        return "Unavailable", Rule.OUT_OF_SERVICE, ""
    if not is_free:
        return "Occupied", Rule.NO_CONNECTOR, ""
    if wanted.expires_at <= turn.now.utc:
        return "Rejected", Rule.BAD_RESERVATION, "its expiryDate is over"
    return None


def _send_elsewhere(turn: Turn, made: Reservation) -> None:
    """A tag that may plug in at several connectors, this one among them, keeps the others."""
    kept = []
    for grant in turn.state.waiting:
        is_his = reservations.is_for(made, grant.id_tag, grant.parent_id_tag)
        if made.connector_id in grant.connectors and not is_his:
            others = tuple(c for c in grant.connectors if c != made.connector_id)
            grant = replace(grant, connectors=others)
        kept.append(grant)
    turn.state = replace(turn.state, waiting=tuple(kept))


def _let_others_in(turn: Turn, ended: Sequence[Reservation]) -> None:
    """A plug that has waited at a reserved connector may begin now, where charging is free."""
    if not ended:
        return
    for connector in turn.state.connectors:
        if connector.plugged and connectors.may_start(turn.state, connector):
            tag_presented.charge_freely(turn, connector.connector_id)


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {
    ReservationRequested: reservation_requested,
    ReservationCancelRequested: cancel_requested,
}
