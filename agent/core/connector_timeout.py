"""A plug without a card: B6 of OCPP 1.6 section 4.9 (errata 3.20).

It is waited for no longer than ConnectionTimeOut, counted from the beginning of Preparing (section
9.1.6). After that the connector is Finishing, as after a session: the plug may have been forgotten,
and the next card at a shared reader may be meant for another connector.
"""

from __future__ import annotations

import math

from agent.core import connector_choice, faults
from agent.core.state import ChargePoint, Connector, Finished, Idle, Purpose
from agent.core.turn import Turn
from agent.core.values import Instant

KEY = "ConnectionTimeOut"  # 0: for ever


def update(turn: Turn) -> None:
    """Begin to wait, go on waiting, or give the plug of an idle connector up."""
    for connector in turn.state.connectors:
        if isinstance(connector.phase, Idle):
            _update(turn, connector, connector.phase.card_by_s)


def _update(turn: Turn, connector: Connector, by_s: float | None) -> None:
    connector_id = connector.connector_id
    if not _shows_preparing(turn.state, connector):
        if by_s is not None:
            turn.put_phase(connector_id, Idle())
    elif by_s is None:
        timeout_s = turn.state.configuration.integer(KEY) or math.inf
        turn.put_phase(connector_id, Idle(turn.now.monotonic_s + timeout_s))
    elif turn.now.monotonic_s >= by_s and not _is_meant(turn.state, connector):
        turn.put_phase(connector_id, Finished(is_unclaimed=True))


def deadline_s(connector: Connector, now: Instant) -> float | None:
    """Monotonic time at which the plug is given up; None: it waits for nothing, or for ever."""
    by_s = connector.phase.card_by_s if isinstance(connector.phase, Idle) else None
    return by_s if by_s is not None and now.monotonic_s < by_s < math.inf else None


def _shows_preparing(state: ChargePoint, connector: Connector) -> bool:
    """True while an idle connector is reported as Preparing because of its plug."""
    present = connector.faults | state.faults
    is_faulted = any(faults.RULES[fault].shows_faulted for fault in present)
    is_kept = connector_choice.is_kept(state, connector)
    is_free = state.is_begun and not connector.out_of_service
    return connector.plugged and is_free and not is_faulted and not is_kept


def _is_meant(state: ChargePoint, connector: Connector) -> bool:
    """True while a tag is here whose session is not decided yet or cannot begin yet."""
    asked = [c.attempt.connectors for c in state.checking if c.attempt.purpose is not Purpose.STOP]
    places = asked + [grant.connectors for grant in state.waiting]
    return any(connector.connector_id in there for there in places)
