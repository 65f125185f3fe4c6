"""Is the vehicle still at the end of the cable? (OCPP 1.6 sections 4.9 and 4.10.)

A cable has two ends. In a socket with a lock the plug contact sees our end, which is locked in,
and only the pilot sees the vehicle's. Without a lock the cable counts as a fixed one, and its
contact as one that sees the vehicle; so does one that is read from the pilot controller.
"""

from __future__ import annotations

from agent.core.replace import replace
from agent.core.state import Charging, Connector, Finished
from agent.core.turn import Turn
from agent.core.values import PilotState

_PRESENT = (PilotState.B, PilotState.C, PilotState.D)
STOPS = "StopTransactionOnEVSideDisconnect"


def is_connected(connector: Connector) -> bool:
    """True while a cable is in, as far as any part can tell; not one that the car has left."""
    if isinstance(connector.phase, Charging) and connector.phase.is_disconnected:
        return False
    if connector.traits.has_plug or not connector.traits.has_pilot:
        return connector.is_plugged
    return connector.pilot in _PRESENT


def watch(turn: Turn, connector: Connector, charging: Charging) -> Charging:
    """Note in a session whether the vehicle has been seen, and whether it was pulled off."""
    has_shown = connector.traits.has_pilot and connector.pilot in _PRESENT
    seen = charging.vehicle_seen or has_shown
    is_disconnected = _is_gone(connector, charging.vehicle_seen)
    if seen != charging.vehicle_seen or is_disconnected != charging.is_disconnected:
        charging = replace(charging, vehicle_seen=seen, is_disconnected=is_disconnected)
        turn.put_phase(connector.connector_id, charging)
    return charging


def is_back(connector: Connector, finished: Finished) -> bool:
    """True when a vehicle that was pulled off is at the cable again, after its session."""
    return finished.is_disconnected and not _is_gone(connector, finished.vehicle_seen)


def ends_session(turn: Turn, connector: Connector) -> bool:
    """True if the session ends because a cable was pulled: at our end always."""
    is_out_of_socket = not _sees_vehicle(connector) and not connector.is_plugged
    must_end = connector.is_disconnected and turn.state.configuration.boolean(STOPS)
    return is_out_of_socket or must_end


def _is_gone(connector: Connector, vehicle_seen: bool) -> bool:
    """A vehicle that the pilot has never shown in this session may still come."""
    if _sees_vehicle(connector) and not connector.is_plugged:
        return True
    is_off = connector.traits.has_pilot and connector.pilot is PilotState.A
    return is_off and vehicle_seen


def _sees_vehicle(connector: Connector) -> bool:
    """True if the plug contact tells about the vehicle's end of the cable."""
    return connector.traits.plug_sees_vehicle or not connector.traits.has_lock
