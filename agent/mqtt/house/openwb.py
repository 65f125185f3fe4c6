"""What openWB 2 reads of a charge point that it reaches over MQTT: one topic for each fact. Pure.

Its module "MQTT" subscribes below ``openWB/mqtt/chargepoint/NUMBER/get`` anew each time, for one
second, so everything is retained; values are JSON. It publishes the current that it wants on
``set/current``.
"""

from __future__ import annotations

from typing import Any

from agent.core.state import ChargePoint, Connector
from agent.core.status_notification import status_of
from agent.core.values import Instant, Status
from agent.mqtt.house.state import Report

_FLOWS_A = 1.0  # below this a phase is not charging: meters show some noise
_PHASES = 3  # openWB wants three numbers, however many are wired


def root(number: int) -> str:
    """Below which openWB expects the charge point that it gave this number."""
    return f"openWB/mqtt/chargepoint/{number}/"


def reports_to_openwb(state: ChargePoint, now: Instant, numbers: tuple[int, ...]) -> list[Report]:
    """Every topic of every connector; ``numbers`` in the order of the connectors."""
    found = []
    for number, connector in zip(numbers, state.connectors, strict=False):
        for name, value in _measured(connector).items():
            found.append(Report(f"{root(number)}get/{name}", value, None))
        for name, value in _facts(state, connector, now).items():
            found.append(Report(f"{root(number)}get/{name}", value, value))
    return found


def _measured(connector: Connector) -> dict[str, Any]:
    reading = connector.reading
    return {
        "power": 0.0 if reading is None else reading.power_w or 0.0,
        "currents": _currents_a(connector),
        "imported": 0 if reading is None else reading.import_wh,
    }


def _facts(state: ChargePoint, connector: Connector, now: Instant) -> dict[str, Any]:
    return {
        "plug_state": connector.is_plugged,
        "charge_state": status_of(state, connector, now) is Status.CHARGING,
        "phases_in_use": sum(current_a >= _FLOWS_A for current_a in _currents_a(connector)),
        "evse_current": connector.offered_a or 0.0,
    }


def _currents_a(connector: Connector) -> list[float]:
    measured = () if connector.reading is None else connector.reading.current_a
    return [*measured, *[0.0] * _PHASES][:_PHASES]
