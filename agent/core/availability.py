"""Which connectors are in service: ChangeAvailability (OCPP 1.6 sections 4.9 and 5.2).

What the central system wants is stored, and outlives every restart. What is in force follows from
it: a connector stays in service until its session is over, or the accepted tag was not followed
by a plug. A plug alone keeps nothing in service. So a change that is scheduled needs no memory of
its own.
"""

from __future__ import annotations

from agent.core import replies
from agent.core.authorization_reasons import Rule
from agent.core.commands import SaveAvailability
from agent.core.events_requests import AvailabilityChangeRequested
from agent.core.replace import replace
from agent.core.state import Asked, ChargePoint, Connector, Finished, Idle, Purpose, Stopping
from agent.core.turn import Turn

CHARGE_POINT = 0  # connectorId of the charge point and all its connectors


def change_requested(turn: Turn, event: AvailabilityChangeRequested) -> None:
    """Answer Accepted, Scheduled while a session runs or begins, Rejected without such one."""
    if event.connector_id != CHARGE_POINT and not turn.state.has_connector(event.connector_id):
        asked = Asked(Purpose.AVAILABILITY, request_id=event.request_id)
        replies.refuse(turn, asked, replies.because(Rule.UNKNOWN_CONNECTOR))
        return
    wanted = _wanted_after(turn.state, event)
    if wanted != turn.state.inoperative:
        turn.state = replace(turn.state, inoperative=wanted)
        turn.emit(SaveAvailability(wanted))
    update(turn)
    is_done = event.operative or all(
        connector.out_of_service
        for connector in turn.state.connectors
        if event.connector_id in (CHARGE_POINT, connector.connector_id)
    )
    replies.agree(turn, event.request_id, "Accepted" if is_done else "Scheduled")


def update(turn: Turn) -> None:
    """Take out of service what is wanted so and unused, and put back what is wanted again."""
    for connector in turn.state.connectors:
        is_held = turn.state.firmware.holds_connectors
        is_wanted_out = is_held or connector.connector_id in turn.state.inoperative
        is_out = is_wanted_out and (connector.out_of_service or _is_unused(turn.state, connector))
        if is_out is not connector.out_of_service:
            turn.put(replace(turn.connector(connector.connector_id), out_of_service=is_out))


def lets_begin(state: ChargePoint, connector: Connector) -> bool:
    """True if nobody has taken this connector out of service, now or from its session's end on."""
    is_leaving = (
        isinstance(connector.phase, Stopping) and connector.connector_id in state.inoperative
    )
    return not connector.out_of_service and not is_leaving


def is_charge_point_out(state: ChargePoint) -> bool:
    """True while the charge point as a whole is out of service."""
    return CHARGE_POINT in state.inoperative and all(c.out_of_service for c in state.connectors)


def _wanted_after(state: ChargePoint, event: AvailabilityChangeRequested) -> frozenset[int]:
    everything = frozenset({CHARGE_POINT, *(c.connector_id for c in state.connectors)})
    if event.connector_id == CHARGE_POINT:
        return frozenset() if event.operative else everything
    if event.operative:  # with one connector in service the charge point is too
        return state.inoperative - {CHARGE_POINT, event.connector_id}
    return state.inoperative | {event.connector_id}


def _is_unused(state: ChargePoint, connector: Connector) -> bool:
    """No session runs, begins or may begin by a promise; a plug may be in."""
    only_here = (connector.connector_id,)
    is_promised = any(grant.connectors == only_here for grant in state.waiting) or any(
        check.attempt.connectors == only_here for check in state.checking
    )
    return isinstance(connector.phase, Idle | Finished) and not is_promised
