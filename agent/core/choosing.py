"""Which connector a presented tag, or a remote start, can mean."""

from __future__ import annotations

from collections.abc import Sequence

from agent.core import availability
from agent.core import connector as connectors
from agent.core.faults import Fault
from agent.core.reasons import Rule
from agent.core.state import ChargePoint, Check, Connector, Phase, Purpose


def for_card(state: ChargePoint, served: Sequence[Connector]) -> tuple[int, ...]:
    """The connector plugged in last, else every one that a plug may still come to.

    A plug whose session is over counts only when there is no other way: it may be somebody else's.
    """
    taken = _taken(state)
    free = [
        connector
        for connector in served
        if connectors.may_start(state, connector)
        and connector.connector_id not in taken
        and connector.held_for is None
    ]
    arrived = [c for c in free if c.is_plugged and c.phase is Phase.IDLE]
    empty = [c for c in free if not c.is_plugged]
    if arrived or not empty:
        plugged = arrived or free
        return (max(plugged, key=lambda c: c.plugged_at_s).connector_id,) if plugged else ()
    places = {c.connector_id for c in empty}
    promised = sum(not places.isdisjoint(grant.connectors) for grant in state.waiting)
    promised += sum(len(check.attempt.connectors) > 1 for check in _starts(state))
    return tuple(c.connector_id for c in empty) if len(empty) > promised else ()


def for_remote_start(state: ChargePoint, connector_id: int | None) -> tuple[int, ...]:
    """The connector asked for, or the first suitable one, a plugged one before others."""
    if connector_id is None and not state.rules.remote_start_takes_first:
        return ()
    busy = _taken(state).union(*(grant.connectors for grant in state.waiting))
    usable = [
        connector
        for connector in state.connectors
        if connector_id in (None, connector.connector_id)
        and connector.phase is Phase.IDLE
        and connectors.may_start(state, connector)
        and connector.connector_id not in busy
    ]
    usable.sort(key=lambda c: (not c.is_plugged, c.connector_id))
    return (usable[0].connector_id,) if usable else ()


def why_nowhere(state: ChargePoint, served: Sequence[Connector]) -> Rule:
    """The reason why no session can begin at any of these connectors."""
    if Fault.JOURNAL in state.faults:
        return Rule.JOURNAL_FAILED
    if served and all(connectors.has_forbidding_fault(state, c) for c in served):
        return Rule.FAULTED
    if served and not any(availability.lets_begin(state, connector) for connector in served):
        return Rule.OUT_OF_SERVICE
    return Rule.NO_CONNECTOR


def is_promised_away(state: ChargePoint) -> bool:
    """True if there is no more room than for those who wait for a plug already."""
    free = {c.connector_id for c in state.connectors if connectors.may_start(state, c)}
    return sum(not free.isdisjoint(grant.connectors) for grant in state.waiting) >= len(free)


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
