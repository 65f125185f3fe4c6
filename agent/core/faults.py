"""Every fault the core knows: what it is called, what it forbids, what it ends.

One table, so that reflex, OCPP error code, status and words never disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from agent.core.values import PartFault, StopReason


class Fault(Enum):
    """Something is wrong with a connector or with the whole box."""

    EMERGENCY_STOP = "emergency_stop"
    RESIDUAL_CURRENT = "residual_current"
    DOOR = "door"
    UNREADABLE_INPUT = "unreadable_input"
    PART = "part"
    CONTACTOR_WELDED = "contactor_welded"
    CONTACTOR_FAILED = "contactor_failed"
    LOCK_FAILED = "lock_failed"
    METER = "meter"
    READER = "reader"
    JOURNAL = "journal"
    QUARANTINED = "quarantined"
    QUEUE_FULL = "queue_full"


@dataclass(frozen=True, slots=True)
class FaultRule:
    """What a fault means."""

    error_code: str  # OCPP 1.6 section 7.6
    words: str  # for StatusNotification.info: at most 50 characters
    forbids_start: bool = True
    stop_reason: StopReason | None = None  # None: a running session goes on
    shows_faulted: bool = True  # False: a warning, the status stays
    vendor_error_code: str = ""


RULES: dict[Fault, FaultRule] = {
    Fault.EMERGENCY_STOP: FaultRule(
        "OtherError", "emergency stop pressed", stop_reason=StopReason.EMERGENCY_STOP
    ),
    Fault.RESIDUAL_CURRENT: FaultRule(
        "GroundFailure", "residual current device tripped", stop_reason=StopReason.OTHER
    ),
    Fault.UNREADABLE_INPUT: FaultRule(
        "InternalError", "an input cannot be read", stop_reason=StopReason.OTHER
    ),
    Fault.DOOR: FaultRule("OtherError", "cabinet door open", stop_reason=StopReason.OTHER),
    # Its error code, words and stop reason are those that the part reports: see rule_of.
    Fault.PART: FaultRule("OtherError", "a part reports a fault", stop_reason=StopReason.OTHER),
    Fault.CONTACTOR_WELDED: FaultRule(
        "PowerSwitchFailure", "contactor does not open (welded)", stop_reason=StopReason.OTHER
    ),
    Fault.CONTACTOR_FAILED: FaultRule(
        "PowerSwitchFailure", "contactor does not stay closed", stop_reason=StopReason.OTHER
    ),
    Fault.LOCK_FAILED: FaultRule(
        "ConnectorLockFailure", "connector lock does not move", stop_reason=StopReason.OTHER
    ),
    # A running session goes on, and closes on the last good value.
    Fault.METER: FaultRule("PowerMeterFailure", "energy meter does not answer"),
    Fault.READER: FaultRule(
        "ReaderFailure", "card reader does not work", forbids_start=False, shows_faulted=False
    ),
    Fault.JOURNAL: FaultRule("InternalError", "the journal cannot be written"),
    Fault.QUARANTINED: FaultRule(
        "InternalError",
        "database was corrupt, set aside, begun anew",
        forbids_start=False,
        shows_faulted=False,
    ),
    Fault.QUEUE_FULL: FaultRule(
        "InternalError",
        "too much waits: meter values are thinned",
        forbids_start=False,
        shows_faulted=False,
    ),
}

SAFETY_INPUTS: dict[str, Fault] = {
    "emergency_stop": Fault.EMERGENCY_STOP,
    "residual_current": Fault.RESIDUAL_CURRENT,
    "door": Fault.DOOR,
    "unreadable_input": Fault.UNREADABLE_INPUT,
}


def rule_of(fault: Fault, part_fault: PartFault | None) -> FaultRule:
    """What a fault of a connector means; ``part_fault`` is what its parts report by themselves."""
    rule = RULES[fault]
    if fault is not Fault.PART or part_fault is None:
        return rule
    stops = StopReason.EMERGENCY_STOP if part_fault.is_emergency_stop else StopReason.OTHER
    return replace(
        rule,
        error_code=part_fault.error_code,
        stop_reason=stops,
        vendor_error_code=part_fault.text,
    )


def worst(faults: frozenset[Fault]) -> Fault | None:
    """The fault to report when there are several: the first in the order of the table."""
    return next((fault for fault in RULES if fault in faults), None)
