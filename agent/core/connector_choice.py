"""Which connector a presented tag, or a remote start, can mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.core import availability, reservations, transaction
from agent.core import connector as connectors
from agent.core.authorization_reasons import Rule
from agent.core.faults import Fault
from agent.core.id_tag import same_tag
from agent.core.state import ChargePoint, Connector, Finished, Idle, PendingAuthorization, Purpose


def meant_by(served: Sequence[Connector], id_tag: str) -> Sequence[Connector]:
    """The connectors that a card can mean at a reader that serves these.

    While the plug of its own last session is in, that one alone, whether a session can begin there
    or not; unless another plug has come since.
    """
    own = [c for c in served if isinstance(c.phase, Finished) and _waits_for(c, id_tag)]
    if not own:
        return served
    since_s = max(c.ended_at_s for c in own)
    has_come = any(
        isinstance(c.phase, Idle) and c.plugged and c.plugged_at_s > since_s for c in served
    )
    return served if has_come else own


def candidates(
    state: ChargePoint,
    served: Sequence[Connector],
    id_tag: str,
    parent_id_tag: str | None,
    hoping: bool = False,
) -> tuple[int, ...]:
    """Where a session of this tag can begin: at one connector, or at the first that gets a plug.

    That is the connector at which something has happened last for this tag: a plug came, or the
    tag's own session ended and its plug is still in. Else every one that a plug may still come to.
    A plug whose session is over, or for which no tag came in time, counts only when there is no
    other: it may belong to another driver (errata 3.20).
    A tag with a reservation gets the reserved connector, unless a plug waits elsewhere.
    ``hoping``: the group of the tag is not known yet, and may turn out to be the right one.
    """
    targets = _candidates(state, served, id_tag, parent_id_tag, hoping)
    return targets if leaves_room(state, targets, id_tag, parent_id_tag, hoping) else ()


def _candidates(
    state: ChargePoint,
    served: Sequence[Connector],
    id_tag: str,
    parent_id_tag: str | None,
    hoping: bool,
) -> tuple[int, ...]:
    taken = _taken(state)
    free = [
        connector
        for connector in served
        if _is_usable(state, connector, id_tag, parent_id_tag)
        and connector.connector_id not in taken
        and reservations.lets_in(state, connector.connector_id, id_tag, parent_id_tag, hoping)
    ]
    # A plug says more than anything else where its driver is: first a plug that waits, or that is
    # left of this tag's session; but the reserved connector, if no plug waits elsewhere.
    waiting = [c for c in free if _waits_for(c, id_tag)]
    reserved = _reserved_for_tag(state, free, id_tag, parent_id_tag)
    if reserved and all(c in reserved for c in waiting):
        return (max(reserved, key=lambda c: (c.is_plugged, c.plugged_at_s)).connector_id,)
    empty = [c for c in free if not c.is_plugged]
    if waiting or not empty:
        plugged = waiting or free
        last = max(plugged, key=lambda c: _last_moment_s(c, id_tag), default=None)
        return () if last is None else (last.connector_id,)
    # No plug says where: any empty connector will do, as long as one is left for each tag before.
    meant = {c.connector_id for c in empty}
    granted = sum(not meant.isdisjoint(grant.connectors) for grant in state.waiting)
    granted += max(0, _asking_for_several(state) - _empty_elsewhere(state, served))
    return tuple(c.connector_id for c in empty) if len(empty) > granted else ()


def _asking_for_several(state: ChargePoint) -> int:
    """How many tags are being asked about that may go to one connector or another."""
    return sum(len(check.attempt.connectors) > 1 for check in _starts(state))


def _empty_elsewhere(state: ChargePoint, served: Sequence[Connector]) -> int:
    """How many unclaimed connectors elsewhere are left for those."""
    ids = {connector.connector_id for connector in served}
    return len(free_for_all(state) - ids)


def the_first(state: ChargePoint, targets: tuple[int, ...]) -> tuple[int, ...]:
    """The one of these that a remote start without connector gets: none that others wait for."""
    if len(targets) < 2:
        return targets
    meant = {connector_id for grant in state.waiting for connector_id in grant.connectors}
    return tuple(connector_id for connector_id in targets if connector_id not in meant)[:1]


def _is_usable(
    state: ChargePoint, connector: Connector, id_tag: str, parent_id_tag: str | None
) -> bool:
    """True if a session may begin here, and the cable is not locked in for another tag."""
    held = connector.held_for
    is_held = held is not None and not transaction.belongs_to(held, id_tag, parent_id_tag)
    return connectors.may_follow(state, connector) and not is_held


def _waits_for(connector: Connector, id_tag: str) -> bool:
    """A plug is in that came for a session, or that is left of this tag's own session."""
    return connector.is_plugged and (
        isinstance(connector.phase, Idle) or was_used_by(connector, id_tag)
    )


def was_used_by(connector: Connector, id_tag: str) -> bool:
    """True if a session of this tag runs here, or was the last and may have left its plug."""
    running, stop = connector.transaction, connector.stop
    tags = (connector.used_by, connector.ended_by)
    if running is not None:
        tags = (running.id_tag, None if stop is None else stop.id_tag)
    return any(same_tag(tag, id_tag) for tag in tags)


def _last_moment_s(connector: Connector, id_tag: str) -> float:
    """When something happened last here that makes this tag mean it."""
    if not was_used_by(connector, id_tag):
        return connector.plugged_at_s
    return math.inf if connector.transaction is not None else connector.ended_at_s


def refusal_reason(state: ChargePoint, served: Sequence[Connector], id_tag: str) -> Rule:
    """The reason why no session of this tag can begin at any of these connectors."""
    if Fault.JOURNAL in state.faults:
        return Rule.JOURNAL_FAILED
    if served and all(connectors.has_forbidding_fault(state, c) for c in served):
        return Rule.FAULTED
    if served and not any(availability.lets_begin(state, connector) for connector in served):
        return Rule.UPDATING if state.firmware.holds_connectors else Rule.OUT_OF_SERVICE
    usable = [c.connector_id for c in served if connectors.may_follow(state, c)]
    if any(not _is_open_to(state, connector_id, id_tag) for connector_id in usable):
        return Rule.RESERVED
    # ONE_AT_A_TIME: only until the tag that is being checked is decided on; soon one may be free.
    return Rule.NO_CONNECTOR if _taken(state).isdisjoint(usable) else Rule.ONE_AT_A_TIME


def are_all_granted(state: ChargePoint, id_tag: str, parent_id_tag: str | None) -> bool:
    """True if the tags that wait for a plug need every connector that is free for this one."""
    free = {
        c.connector_id
        for c in state.connectors
        if connectors.may_follow(state, c)
        and reservations.lets_in(state, c.connector_id, id_tag, parent_id_tag)
    }
    return sum(not free.isdisjoint(grant.connectors) for grant in state.waiting) >= len(free)


# --- what is kept for others ---------------------------------------------------------------------


def free_for_all(state: ChargePoint) -> set[int]:
    """Connectors open to any tag: not in use, granted to no tag alone, and not reserved."""
    meant = {c for grant in state.waiting if len(grant.connectors) == 1 for c in grant.connectors}
    return {
        connector.connector_id
        for connector in state.connectors
        if isinstance(connector.phase, Idle)
        and not connector.plugged
        and connectors.may_start(state, connector)
        and connector.connector_id not in meant | _taken(state)
        and reservations.at(state, connector.connector_id) is None
    }


def is_kept(state: ChargePoint, connector: Connector) -> bool:
    """True if a reservation keeps it: its own, or one for any connector that has no other left."""
    if reservations.at(state, connector.connector_id) is not None:
        return True
    others = free_for_all(state) - {connector.connector_id}
    return len(others) < reservations.kept_anywhere(state, "", None)


def free_slots(state: ChargePoint) -> int:
    """How many of those are left when every accepted tag and every reservation has got one."""
    return _left(state) - reservations.kept_anywhere(state, "", None)


def open_of(
    state: ChargePoint, usable: Sequence[Connector], id_tag: str, parent_id_tag: str | None
) -> tuple[int, ...]:
    """Those that nothing keeps from this tag; of these only those reserved for it, if there are."""
    let_in = [
        c
        for c in usable
        if _is_usable(state, c, id_tag, parent_id_tag)
        and reservations.lets_in(state, c.connector_id, id_tag, parent_id_tag)
    ]
    chosen = _reserved_for_tag(state, let_in, id_tag, parent_id_tag) or let_in
    targets = tuple(connector.connector_id for connector in chosen)
    return targets if leaves_room(state, targets, id_tag, parent_id_tag) else ()


def _is_open_to(state: ChargePoint, connector_id: int, id_tag: str) -> bool:
    """True if no reservation keeps this tag, whose group is not known, from beginning here."""
    is_let_in = reservations.lets_in(state, connector_id, id_tag, None)
    return is_let_in and leaves_room(state, (connector_id,), id_tag, None)


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


def _reserved_for_tag(
    state: ChargePoint, usable: Sequence[Connector], id_tag: str, parent_id_tag: str | None
) -> list[Connector]:
    found = [(c, reservations.at(state, c.connector_id)) for c in usable]
    return [
        connector
        for connector, kept in found
        if kept is not None and reservations.is_for(kept, id_tag, parent_id_tag)
    ]


def _starts(state: ChargePoint) -> list[PendingAuthorization]:
    return [check for check in state.checking if check.attempt.purpose is not Purpose.STOP]


def _taken(state: ChargePoint) -> set[int]:
    """Connectors that a tag which is still being checked can only mean, or has a plug in."""
    return {
        connector_id
        for check in _starts(state)
        for connector_id in check.attempt.connectors
        if len(check.attempt.connectors) == 1 or state.connector(connector_id).is_plugged
    }
