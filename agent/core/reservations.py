"""Who a connector is kept for, until when, and when that is over (OCPP 1.6 section 5.13).

A reservation names its end as a time of day. It is compared with the clock that the core is handed,
which runs as the monotonic one: when the true time becomes known, the end moves with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.core.commands import SaveReservations
from agent.core.id_tag import same_tag
from agent.core.replace import replace
from agent.core.state import ChargePoint
from agent.core.turn import Turn
from agent.core.values import Reservation

ANY_CONNECTOR = 0  # connectorId of a reservation that keeps one connector free, whichever it is


def at(state: ChargePoint, connector_id: int) -> Reservation | None:
    """The reservation of this very connector."""
    for reservation in state.reservations:
        if reservation.connector_id == connector_id:
            return reservation
    return None


def is_for(reservation: Reservation, id_tag: str, parent_id_tag: str | None) -> bool:
    """True for the tag it was made for, and for its group where one was named."""
    return same_tag(id_tag, reservation.id_tag) or same_tag(
        parent_id_tag, reservation.parent_id_tag
    )


def lets_in(
    state: ChargePoint,
    connector_id: int,
    id_tag: str,
    parent_id_tag: str | None,
    hoping: bool = False,
) -> bool:
    """True if no reservation of this very connector speaks against the tag.

    ``hoping``: the group of the tag is not known yet, and may turn out to be the right one.
    """
    found = at(state, connector_id)
    if found is None or is_for(found, id_tag, parent_id_tag):
        return True
    return hoping and found.parent_id_tag is not None


def kept_anywhere(
    state: ChargePoint, id_tag: str, parent_id_tag: str | None, hoping: bool = False
) -> int:
    """How many connectors must stay free for others, whichever they are."""
    return sum(
        reservation.connector_id == ANY_CONNECTOR
        and not is_for(reservation, id_tag, parent_id_tag)
        and not (hoping and reservation.parent_id_tag is not None)
        for reservation in state.reservations
    )


def use(turn: Turn, connector_id: int, id_tag: str, parent_id_tag: str | None) -> int | None:
    """A session of this tag begins here: its reservation is over. Its id; None if it has none."""
    mine = [
        reservation
        for reservation in turn.state.reservations
        if reservation.connector_id in (connector_id, ANY_CONNECTOR)
        and is_for(reservation, id_tag, parent_id_tag)
    ]
    if not mine:
        return None
    # That of this connector before one for any; his own before one of his group.
    used = min(
        mine, key=lambda r: (r.connector_id == ANY_CONNECTOR, not same_tag(id_tag, r.id_tag))
    )
    end(turn, [used])
    return used.reservation_id


def end(turn: Turn, ended: Iterable[Reservation]) -> None:
    """These reservations are over."""
    gone = list(ended)
    keep(turn, (r for r in turn.state.reservations if r not in gone))


def keep(turn: Turn, kept: Iterable[Reservation]) -> None:
    """These reservations hold from now on, and nothing else; stored when that is news."""
    reservations = tuple(kept)
    if reservations != turn.state.reservations:
        turn.state = replace(turn.state, reservations=reservations)
        turn.emit(SaveReservations(reservations))
