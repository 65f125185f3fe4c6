"""Answers to what other services ask about this station. Pure: from the state and the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.config.settings import Settings
from agent.core.state import ChargePoint, Connector
from agent.core.values import LockState
from agent.mqtt import vocabulary
from agent.mqtt.evses import Evses
from agent.ocpp16.requests import package_version

Data = dict[str, Any]

API_VERSION = "1"
_NO_EVSE = "there is no such EVSE"


class StationInfo:
    """What can be asked on ``josev/cs`` and ``cs/josev``; the names are those of the messages."""

    def __init__(self, settings: Settings, evses: Evses, state: Callable[[], ChargePoint]) -> None:
        self._settings = settings
        self._evses = evses
        self._state = state
        self.of_station = {
            "cs_status_and_limits": lambda _: self.status_and_limits(self._state()),
            "cs_parameters": self._parameters,
            "device_model": self._device_model,
            "meter_values": self._meter_values,
            "cs_connector": self._connector,
            "cs_contactor_status": self._contactor,
        }

    def service_status(self, status: str = "ready") -> Data:
        """How this service is: ready, starting, stopping."""
        return {
            "service": "ocpp",
            "software_version": package_version(),
            "api_version": API_VERSION,
            "status": status,
        }

    def status_and_limits(self, state: ChargePoint) -> Data:
        """What each EVSE can give, or why it gives nothing."""
        return {"evses": [self._evse(state, connector) for connector in state.connectors]}

    def _evse(self, state: ChargePoint, connector: Connector) -> Data:
        phases = self._settings.charge_point.phases
        return {
            "evse_id": self._evses.evse_id(connector.connector_id),
            "status_code": vocabulary.evse_status(state, connector),
            "ac": {
                "max_current": _phases(tuple(connector.current_a * (n < phases) for n in range(3))),
                "nominal_voltage": self._settings.charge_point.nominal_voltage_v,
                "rcd_error": vocabulary.has_ground_fault(state, connector),
            },
        }

    def _parameters(self, data: Data) -> Data:
        box = self._settings.charge_point
        return {
            "sw_version": box.firmware_version or package_version(),
            "hw_version": box.model,
            "number_of_evses": len(self._settings.connectors),
            "parameters": [
                {
                    "evse_id": connector.evse_id,
                    "supports_eim": True,
                    "network_interface": "",
                    "connectors": [{"id": connector.id, "services": {"ac": True}}],
                }
                for connector in self._settings.connectors
            ],
        }

    def _device_model(self, data: Data) -> Data:
        """Names only: never a password, and no address of the central system."""
        box = self._settings.charge_point
        power_kw = box.max_current_a * box.nominal_voltage_v * box.phases / 1000
        return {
            "model": box.model,
            "vendor": box.vendor,
            "identity": box.identity,
            "serial_number": box.serial_number,
            "firmware_version": box.firmware_version or package_version(),
            "evses": [
                {
                    "ocpp_id": connector.id,
                    "iso15118_id": connector.evse_id,
                    "power_kw": round(power_kw, 1),
                    "supply_phases": box.phases,
                    "connectors": [{"id": connector.id}],
                }
                for connector in self._settings.connectors
            ],
            "components": [],
        }

    def _meter_values(self, data: Data) -> Data:
        connector = self._named(data)
        reading = None if connector is None else connector.reading
        if reading is None:
            return {}
        found: Data = {"total_active_energy_imported": reading.import_wh}
        if reading.voltage_v:
            found["voltage"] = _phases(reading.voltage_v)
        if reading.current_a:
            found["current"] = _phases(reading.current_a)
        for name in ("power_factor", "frequency_hz"):
            value = getattr(reading, name)
            if value is not None:
                found[name.removesuffix("_hz")] = value
        return found

    def contactor_status(self, connector: Connector) -> Data:
        """Whether it is closed."""
        evse_id = self._evses.evse_id(connector.connector_id)
        return {"evse_id": evse_id, "status": vocabulary.contactor(connector)}

    def _contactor(self, data: Data) -> Data:
        connector = self._named(data)
        if connector is None:
            return {"evse_id": str(data["evse_id"])[:100], "status": "error", "info": _NO_EVSE}
        return self.contactor_status(connector)

    def _connector(self, data: Data) -> Data:
        """Read only: the bolt follows the session, no other service drives it."""
        connector = self._named(data)
        if connector is None or not connector.traits.has_lock:
            return {"status": "error", "info": "there is no such lock"}
        words = {LockState.LOCKED: "locked", LockState.UNLOCKED: "unlocked"}
        found: Data = {"status": words.get(connector.lock, "unknown")}
        if data.get("action") in ("lock", "unlock"):
            found["info"] = "the lock follows the session; it was not moved"
        return found

    def _named(self, data: Data) -> Connector | None:
        evse_id = data.get("evse_id")
        connector_id = 1 if evse_id is None else self._evses.connector_id(evse_id)
        state = self._state()
        is_there = connector_id is not None and state.has_connector(connector_id)
        return state.connector(connector_id) if is_there and connector_id is not None else None


def _phases(values: tuple[float, ...]) -> Data:
    return {f"l{number + 1}": value for number, value in enumerate(values[:3])}
