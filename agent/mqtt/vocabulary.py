"""States and faults of the core in the words of the bus. Pure."""

from __future__ import annotations

from typing import Any

from agent.core import connector as connectors
from agent.core import faults
from agent.core.faults import Fault
from agent.core.state import ChargePoint, Connector
from agent.core.values import PilotState, Status

_CONNECTOR_WORDS = {
    Status.AVAILABLE: "available",
    Status.UNAVAILABLE: "unavailable",
    Status.RESERVED: "reserved",
    Status.FAULTED: "faulted",
}
_CHARGING_WORDS = {
    Status.CHARGING: "charging",
    Status.SUSPENDED_EV: "suspended_ev",
    Status.SUSPENDED_EVSE: "suspended_evse",
}
_FAULT_NAMES = {
    "OverCurrentFailure": "overcurrent_fault",
    "GroundFailure": "ground_fault",
}


def pilot(connector: Connector) -> str:
    """The states of IEC 61851-1: 2 while current is offered, 1 while not."""
    if connector.pilot in (PilotState.E, PilotState.F):
        return str(connector.pilot.value)
    return f"{connector.pilot.value}{1 if connector.offered_a is None else 2}"


def charging(status: Status, is_plugged: bool) -> dict[str, Any]:
    """The data of connector_and_charging."""
    at_rest = "ev_connected" if is_plugged else "idle"
    return {
        "connector_status": _CONNECTOR_WORDS.get(status, "occupied"),
        "charging_status": _CHARGING_WORDS.get(status, at_rest),
    }


def faulted(state: ChargePoint, connector: Connector) -> frozenset[Fault]:
    """The faults of this connector and of the whole box that are more than warnings."""
    every = state.faults_of(connector)
    return frozenset(fault for fault in every if faults.RULES[fault].shows_faulted)


def fault_name(fault: Fault) -> str:
    """One of the eight names of hardware_fault."""
    if fault is Fault.EMERGENCY_STOP:
        return "emergency_stop"
    return _FAULT_NAMES.get(faults.RULES[fault].error_code, "other")


def evse_status(state: ChargePoint, connector: Connector) -> str:
    """status_code of cs_status_and_limits."""
    if Fault.EMERGENCY_STOP in state.faults_of(connector):
        return "evse_emergency_shutdown"
    if connectors.has_forbidding_fault(state, connector):
        return "evse_malfunction"
    if state.restart is not None:
        return "evse_shutdown"
    return "evse_not_ready" if connector.out_of_service else "evse_ready"


def has_ground_fault(state: ChargePoint, connector: Connector) -> bool:
    """rcd_error of cs_status_and_limits."""
    every = state.faults_of(connector)
    return any(faults.RULES[fault].error_code == "GroundFailure" for fault in every)


def contactor(connector: Connector) -> str:
    """The status of cs_contactor_status."""
    if {Fault.CONTACTOR_WELDED, Fault.CONTACTOR_FAILED, Fault.CONTACTOR_DROPPED} & connector.faults:
        return "error"
    return "closed" if connector.contactor_closed else "opened"
