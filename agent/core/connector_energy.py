"""Energy at a connector: when it may flow, what the vehicle is offered, what the contactor does."""

from __future__ import annotations

from agent.core import faults
from agent.core.charging_limits import CURRENT_MIN_A
from agent.core.commands import (
    CloseContactor,
    LowerOffer,
    OfferCurrent,
    OpenContactor,
    RenewContactor,
    WithdrawOffer,
)
from agent.core.replace import replace
from agent.core.state import ChargePoint, Charging, Connector
from agent.core.turn import Turn
from agent.core.values import PilotState


def is_allowed(state: ChargePoint, connector: Connector) -> bool:
    """True while energy may flow: an authorized open transaction, lock confirmed, nothing wrong."""
    return connector.is_plugged and is_granted(state, connector)


def is_granted(state: ChargePoint, connector: Connector) -> bool:
    """True while only the vehicle may be missing."""
    return (
        isinstance(connector.phase, Charging)
        and not connector.is_deauthorized
        and connector.current_a >= CURRENT_MIN_A
        and connector.is_locked
        and connector.pilot not in (PilotState.E, PilotState.F)
        and not _forbids_energy(state, connector)
    )


def may_still_draw(state: ChargePoint, connector: Connector) -> bool:
    """True while the vehicle draws and nothing speaks against a moment more."""
    return (
        connector.contactor_closed
        and connector.traits.has_pilot
        and connector.asks_for_energy
        and connector.is_plugged
        and connector.is_locked
        and not _forbids_energy(state, connector)
    )


def _forbids_energy(state: ChargePoint, connector: Connector) -> bool:
    rules = [faults.RULES[fault] for fault in state.faults_of(connector)]
    return any(rule.stop_reason or rule.pauses for rule in rules)


def drive(turn: Turn, connector: Connector, charging: Charging) -> None:
    """Offer and close, or open and withdraw, as the moment demands."""
    connector_id = connector.connector_id
    if not is_allowed(turn.state, connector):
        is_paused = charging.is_disconnected and is_granted(turn.state, connector)
        charging = _note_pause(turn, connector_id, charging, is_paused)
        if not _lets_draw_on(turn, turn.connector(connector_id), charging):
            open_and_withdraw(turn, turn.connector(connector_id))
        return
    if connector.offered_a != connector.current_a:
        if connector.offered_a is not None and connector.current_a < connector.offered_a:
            turn.emit(LowerOffer(connector_id, connector.current_a))  # waits for no disk
        turn.emit(OfferCurrent(connector_id, connector.current_a))
        connector = turn.put(replace(connector, offered_a=connector.current_a))
    if not connector.asks_for_energy:
        _note_pause(turn, connector_id, charging, is_paused=True)
        open_contactor(turn, turn.connector(connector_id))
    elif not connector.close_ordered and connector.has_confirmed_offer:
        ref, lease_s = charging.transaction.ref, turn.state.rules.lease_s
        turn.emit(CloseContactor(connector_id, ref, connector.trips_seen, lease_s))
        turn.put(replace(connector, close_ordered=True))


def _note_pause(turn: Turn, connector_id: int, charging: Charging, is_paused: bool) -> Charging:
    if charging.vehicle_paused != is_paused:
        charging = replace(charging, vehicle_paused=is_paused)
        turn.put_phase(connector_id, charging)
    return charging


def _lets_draw_on(turn: Turn, connector: Connector, charging: Charging) -> bool:
    """A limit is no emergency: the vehicle is given time to stop drawing before it is cut off."""
    is_limited = connector.close_ordered and connector.current_a < CURRENT_MIN_A
    is_refused = connector.is_deauthorized
    if not is_limited or is_refused or not may_still_draw(turn.state, connector):
        return False
    if connector.offered_a is not None:
        pause_by_s = turn.now.monotonic_s + turn.state.rules.graceful_open_s
        charging = replace(charging, pause_by_s=pause_by_s)
        withdraw(turn, turn.put_phase(connector.connector_id, charging))
    return turn.now.monotonic_s < charging.pause_by_s


def open_contactor(turn: Turn, connector: Connector) -> Connector:
    """Open it if it was ordered to close; returns the connector as it is after that."""
    if not connector.close_ordered:
        return connector
    turn.emit(OpenContactor(connector.connector_id))
    return turn.put(replace(connector, close_ordered=False))


def open_and_withdraw(turn: Turn, connector: Connector) -> None:
    """No energy, and no current offered."""
    withdraw(turn, open_contactor(turn, connector))


def withdraw(turn: Turn, connector: Connector) -> Connector:
    """Offer no current any more; returns the connector as it is after that."""
    if connector.offered_a is None:
        return connector
    turn.emit(WithdrawOffer(connector.connector_id))
    return turn.put(replace(connector, offered_a=None, confirmed_a=0.0))


def renew(turn: Turn, connector: Connector) -> None:
    """Every turn says once more that the contactor may stay closed. Renewing never closes."""
    if connector.close_ordered:
        turn.emit(RenewContactor(connector.connector_id, turn.state.rules.lease_s))
