"""Which connector a presented tag, or a remote start, can mean."""

from __future__ import annotations

from collections.abc import Sequence

from agent.core import availability, reservations
from agent.core import connector as connectors
from agent.core.faults import Fault
from agent.core.reasons import Rule
from agent.core.state import ChargePoint, Check, Connector, Phase, Purpose


def for_card(state: ChargePoint, served: Sequence[Connector], id_tag: str) -> tuple[int, ...]:
    """The connector plugged in last, else every one that a plug may still come to.

    A plug whose session is over, or to which nobody came in time, counts only when there is no
    other way: it may be somebody else's (errata 3.20).
    Who has a reservation gets its connector, unless a plug waits elsewhere.
    """
    targets = _for_card(state, served, id_tag)
    return targets if leaves_room(state, targets, id_tag, None, hoping=True) else ()


def _for_card(state: ChargePoint, served: Sequence[Connector], id_tag: str) -> tuple[int, ...]:
    taken = _taken(state)
    free = [
        connector
        for connector in served
        if connectors.may_start(state, connector)
        and connector.connector_id not in taken
        and connector.held_for is None
        and reservations.lets_in(state, connector.connector_id, id_tag, None, hoping=True)
    ]
    arrived = [c for c in free if c.is_plugged and c.phase is Phase.IDLE]
    his = _kept_for(state, free, id_tag, None)
    if his and all(c in his for c in arrived):
        return (max(his, key=lambda c: (c.is_plugged, c.plugged_at_s)).connector_id,)
    empty = [c for c in free if not c.is_plugged]
    if arrived or not empty:
        plugged = arrived or free
        return (max(plugged, key=lambda c: c.plugged_at_s).connector_id,) if plugged else ()
    places = {c.connector_id for c in empty}
    promised = sum(not places.isdisjoint(grant.connectors) for grant in state.waiting)
    promised += sum(len(check.attempt.connectors) > 1 for check in _starts(state))
    return tuple(c.connector_id for c in empty) if len(empty) > promised else ()


def for_remote_start(
    state: ChargePoint, connector_id: int | None, id_tag: str, parent_id_tag: str | None
) -> tuple[int, ...]:
    """The connector asked for, or the first suitable one: a reserved, a plugged one before others.

    A plug to which nobody came in time may have been forgotten: it is the last to be chosen.
    Of a group only what is known already counts: nobody is asked (section 5.11).
    """
    if connector_id is None and not state.rules.remote_start_takes_first:
        return ()
    busy = _taken(state).union(*(grant.connectors for grant in state.waiting))
    usable = [
        connector
        for connector in state.connectors
        if connector_id in (None, connector.connector_id)
        and (connector.phase is Phase.IDLE or connector.is_unclaimed)
        and connectors.may_start(state, connector)
        and connector.connector_id not in busy
        and is_open_to(state, connector.connector_id, id_tag, parent_id_tag)
    ]
    his = [c.connector_id for c in _kept_for(state, usable, id_tag, parent_id_tag)]
    usable.sort(
        key=lambda c: (c.connector_id not in his, c.is_unclaimed, not c.is_plugged, c.connector_id)
    )
    return (usable[0].connector_id,) if usable else ()


def why_nowhere(state: ChargePoint, served: Sequence[Connector], id_tag: str) -> Rule:
    """The reason why no session of this tag can begin at any of these connectors."""
    if Fault.JOURNAL in state.faults:
        return Rule.JOURNAL_FAILED
    if served and all(connectors.has_forbidding_fault(state, c) for c in served):
        return Rule.FAULTED
    if served and not any(availability.lets_begin(state, connector) for connector in served):
        return Rule.UPDATING if state.firmware.holds_connectors else Rule.OUT_OF_SERVICE
    usable = [c.connector_id for c in served if connectors.may_start(state, c)]
    if any(not is_open_to(state, connector_id, id_tag, None) for connector_id in usable):
        return Rule.RESERVED
    return Rule.NO_CONNECTOR


def is_promised_away(state: ChargePoint, id_tag: str, parent_id_tag: str | None) -> bool:
    """True if there is no more room for this tag than for those who wait for a plug already."""
    free = {
        c.connector_id
        for c in state.connectors
        if connectors.may_start(state, c)
        and reservations.lets_in(state, c.connector_id, id_tag, parent_id_tag)
    }
    return sum(not free.isdisjoint(grant.connectors) for grant in state.waiting) >= len(free)


# --- what is kept for others ---------------------------------------------------------------------


def free_for_all(state: ChargePoint) -> set[int]:
    """Connectors that anybody may plug in at: nobody uses them, was sent there or has them kept."""
    meant = {c for grant in state.waiting if len(grant.connectors) == 1 for c in grant.connectors}
    return {
        connector.connector_id
        for connector in state.connectors
        if connector.phase is Phase.IDLE
        and not connector.plugged
        and connectors.may_start(state, connector)
        and connector.connector_id not in meant | _taken(state)
        and reservations.at(state, connector.connector_id) is None
    }


def room(state: ChargePoint) -> int:
    """How many of those are left when everybody has come who was told to, or has reserved one."""
    return _left(state) - reservations.kept_anywhere(state, "", None)


def open_of(
    state: ChargePoint, usable: Sequence[Connector], id_tag: str, parent_id_tag: str | None
) -> tuple[int, ...]:
    """Those that no reservation keeps from this tag; of these only his own, where he has one."""
    let_in = [
        c for c in usable if reservations.lets_in(state, c.connector_id, id_tag, parent_id_tag)
    ]
    places = _kept_for(state, let_in, id_tag, parent_id_tag) or let_in
    targets = tuple(connector.connector_id for connector in places)
    return targets if leaves_room(state, targets, id_tag, parent_id_tag) else ()


def is_open_to(
    state: ChargePoint,
    connector_id: int,
    id_tag: str,
    parent_id_tag: str | None,
    hoping: bool = False,
) -> bool:
    """True if no reservation keeps this tag from beginning here.

    ``hoping``: the group of the tag is not known yet, and may turn out to be the right one.
    """
    return reservations.lets_in(state, connector_id, id_tag, parent_id_tag, hoping) and leaves_room(
        state, (connector_id,), id_tag, parent_id_tag, hoping
    )


def leaves_room(
    state: ChargePoint,
    targets: Sequence[int],
    id_tag: str,
    parent_id_tag: str | None,
    hoping: bool = False,
) -> bool:
    """True if enough connectors stay free for those who have reserved any one."""
    kept = reservations.kept_anywhere(state, id_tag, parent_id_tag, hoping)
    takes_free_one = bool(targets) and free_for_all(state).issuperset(targets)
    return kept == 0 or _left(state) - takes_free_one >= kept


def _left(state: ChargePoint) -> int:
    free = free_for_all(state)
    several = [grant.connectors for grant in state.waiting if len(grant.connectors) > 1]
    several += [c.attempt.connectors for c in _starts(state) if len(c.attempt.connectors) > 1]
    return len(free) - sum(not free.isdisjoint(places) for places in several)


def _kept_for(
    state: ChargePoint, usable: Sequence[Connector], id_tag: str, parent_id_tag: str | None
) -> list[Connector]:
    found = [(c, reservations.at(state, c.connector_id)) for c in usable]
    return [
        connector
        for connector, kept in found
        if kept is not None and reservations.is_for(kept, id_tag, parent_id_tag)
    ]


def _starts(state: ChargePoint) -> list[Check]:
    return [check for check in state.checking if check.attempt.purpose is not Purpose.STOP]


def _taken(state: ChargePoint) -> set[int]:
    """Connectors that a tag which is still being checked can only mean, or has a plug in."""
    return {
        connector_id
        for check in _starts(state)
        for connector_id in check.attempt.connectors
        if len(check.attempt.connectors) == 1 or state.connector(connector_id).is_plugged
    }
