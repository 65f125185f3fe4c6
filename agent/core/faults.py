"""Every fault the core knows: what it is called, what it forbids, what it ends.

One table, so that reflex, OCPP error code, status, light and words never disagree;
``agent.cli.manual.fault_table`` makes docs/faults.md from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.key_enum import KeyEnum
from agent.core.replace import replace
from agent.core.values import PartFault, StopReason


class Fault(KeyEnum):
    """Something is wrong with a connector or with the whole box."""

    EMERGENCY_STOP = "emergency_stop"
    RESIDUAL_CURRENT = "residual_current"
    DOOR = "door"
    UNREADABLE_INPUT = "unreadable_input"
    TEMPERATURE = "temperature"
    PART = "part"
    PILOT_SILENT = "pilot_silent"
    PILOT_RESIDUAL_CURRENT = "pilot_residual_current"
    PILOT_GROUND = "pilot_ground"
    PILOT_SELF_TEST = "pilot_self_test"
    PILOT_RELAY_STUCK = "pilot_relay_stuck"
    PILOT_RELAY_OPEN = "pilot_relay_open"
    PILOT_OVER_CURRENT = "pilot_over_current"
    PILOT_HEAT = "pilot_heat"
    PILOT_DIODE = "pilot_diode"
    PILOT_VENTILATION = "pilot_ventilation"
    PILOT_OTHER = "pilot_other"
    CONTACTOR_WELDED = "contactor_welded"
    CONTACTOR_FAILED = "contactor_failed"
    CONTACTOR_DROPPED = "contactor_dropped"
    LOCK_FAILED = "lock_failed"
    METER = "meter"
    READER = "reader"
    JOURNAL = "journal"
    QUARANTINED = "quarantined"
    QUEUE_FULL = "queue_full"
    CERTIFICATE = "certificate"
    RESET_FAILED = "reset_failed"
    SELF_TEST = "self_test"


class Reflex(KeyEnum):
    """What happens in the first moment, before anybody has decided anything."""

    OPENS = "opens at once"
    OPENS_BY_ITSELF = "is open already, and stays open"
    CANNOT_OPEN = "cannot open: the wiring or the breaker must"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class FaultRule:
    """What a fault means, for the machine and for people; docs/faults.md is made from it."""

    error_code: str  # OCPP 1.6 section 7.6
    words: str  # for StatusNotification.info: at most 50 characters
    reflex: Reflex
    flashes: int  # of the light, between two pauses; one number for one place to look
    check: str  # what a technician looks at next
    clears: str  # how it goes away
    forbids_start: bool = True
    stop_reason: StopReason | None = None  # None: a running session goes on
    shows_faulted: bool = True  # False: a warning, the status stays
    vendor_error_code: str = ""
    pauses: bool = False  # a running session goes on, without energy meanwhile


_STOPS = StopReason.OTHER
_BY_CONTROLLER = "when the controller reports it no more"
_BY_PERSON = "by a person: chargepoint-agent acknowledge"

RULES: dict[Fault, FaultRule] = {
    # First: energy flows whatever else is wrong, and only a person can switch it off.
    Fault.CONTACTOR_WELDED: FaultRule(
        "PowerSwitchFailure",
        "contactor does not open (welded)",
        Reflex.CANNOT_OPEN,
        4,
        check="switch the breaker off; replace the contactor; check its auxiliary contact",
        clears=f"{_BY_PERSON}, once the contacts are open",
        stop_reason=_STOPS,
    ),
    Fault.EMERGENCY_STOP: FaultRule(
        "OtherError",
        "emergency stop pressed",
        Reflex.OPENS,
        2,
        check="the button, then its wire: a broken one reads as pressed",
        clears="when the button is released",
        stop_reason=StopReason.EMERGENCY_STOP,
    ),
    Fault.RESIDUAL_CURRENT: FaultRule(
        "GroundFailure",
        "residual current device tripped",
        Reflex.OPENS,
        3,
        check="vehicle and cable for damage and water, then reset the device",
        clears="when the device is reset",
        stop_reason=_STOPS,
    ),
    Fault.UNREADABLE_INPUT: FaultRule(
        "InternalError",
        "an input cannot be read",
        Reflex.OPENS,
        9,
        check="the log names the pin; group gpio, gpiochip, other programs on that pin",
        clears="when every input can be read",
        stop_reason=_STOPS,
    ),
    Fault.DOOR: FaultRule(
        "OtherError",
        "cabinet door open",
        Reflex.OPENS,
        2,
        check="the door, then its contact and wire",
        clears="when the door is closed",
        stop_reason=_STOPS,
    ),
    # Its error code, words and stop reason are those that the part reports: see rule_of.
    Fault.PART: FaultRule(
        "OtherError",
        "a part reports a fault",
        Reflex.OPENS,
        9,
        check="what the part says, in vendorErrorCode and in the status",
        clears="when the part reports it no more",
        stop_reason=_STOPS,
    ),
    Fault.PILOT_RESIDUAL_CURRENT: FaultRule(
        "GroundFailure",
        "pilot: residual current",
        Reflex.OPENS,
        3,
        check="vehicle and cable for damage and water; try another vehicle",
        clears=_BY_CONTROLLER,
        stop_reason=_STOPS,
    ),
    Fault.PILOT_GROUND: FaultRule(
        "GroundFailure",
        "pilot: no protective earth",
        Reflex.OPENS,
        3,
        check="measure the protective earth of the supply",
        clears=_BY_CONTROLLER,
        stop_reason=_STOPS,
    ),
    Fault.PILOT_SELF_TEST: FaultRule(
        "GroundFailure",
        "pilot: residual current self-test",
        Reflex.OPENS,
        3,
        check="the controller's current sensor and its test wire; power it off and on",
        clears=_BY_CONTROLLER,
        stop_reason=_STOPS,
    ),
    Fault.PILOT_RELAY_STUCK: FaultRule(
        "PowerSwitchFailure",
        "pilot: its relay is stuck",
        Reflex.OPENS,
        4,
        check="the controller's relay or contactor K2: replace it",
        clears=_BY_CONTROLLER,
        stop_reason=_STOPS,
    ),
    Fault.PILOT_RELAY_OPEN: FaultRule(
        "PowerSwitchFailure",
        "pilot: its relay does not close",
        Reflex.OPENS,
        4,
        check="the controller's relay or K2, and that K1 sits behind it",
        clears=_BY_CONTROLLER,
        stop_reason=_STOPS,
    ),
    Fault.PILOT_OVER_CURRENT: FaultRule(
        "OverCurrentFailure",
        "pilot: too much current",
        Reflex.OPENS,
        8,
        check="the vehicle: it draws more than it is offered",
        clears=_BY_CONTROLLER,
        stop_reason=_STOPS,
    ),
    Fault.PILOT_DIODE: FaultRule(
        "EVCommunicationError",
        "pilot: no diode, wet plug?",
        Reflex.OPENS,
        7,
        check="the plug for water and dirt; try another cable and vehicle",
        clears=_BY_CONTROLLER,
        stop_reason=_STOPS,
    ),
    Fault.PILOT_VENTILATION: FaultRule(
        "EVCommunicationError",
        "pilot: vehicle needs ventilation",
        Reflex.OPENS,
        7,
        check="where there is ventilation: connectors.pilot.ventilation = true",
        clears="when the vehicle does not ask for it",
        stop_reason=_STOPS,
    ),
    Fault.PILOT_OTHER: FaultRule(
        "OtherError",
        "pilot: other fault",
        Reflex.OPENS,
        7,
        check="the controller's own display or log; its smallest current must be 6 A",
        clears=_BY_CONTROLLER,
        stop_reason=_STOPS,
    ),
    # No energy flows meanwhile (the pilot counts as F), and the session waits for its return.
    Fault.PILOT_SILENT: FaultRule(
        "InternalError",
        "pilot controller is silent",
        Reflex.OPENS,
        7,
        check="its supply, its serial line, its port: chargepoint-agent self-test",
        clears="when it answers",
    ),
    Fault.PILOT_HEAT: FaultRule(
        "HighTemperature",
        "pilot: too hot",
        Reflex.OPENS,
        8,
        check="sun, ventilation, loose terminals",
        clears="when it has cooled down",
    ),
    Fault.TEMPERATURE: FaultRule(
        "HighTemperature",
        "too hot, or its sensor is silent",
        Reflex.OPENS,
        8,
        check="sun, ventilation, loose terminals; then the sensor and its wire",
        clears="when it is 10 K cooler, and can be read",
        pauses=True,
    ),
    Fault.CONTACTOR_FAILED: FaultRule(
        "PowerSwitchFailure",
        "contactor does not close",
        Reflex.OPENS_BY_ITSELF,
        4,
        check="the coil, its supply and its driver; the auxiliary contact and its wire",
        clears=_BY_PERSON,
        stop_reason=_STOPS,
    ),
    # A dip of the mains does this: no reason to send a technician. The next closing will show.
    Fault.CONTACTOR_DROPPED: FaultRule(
        "PowerSwitchFailure",
        "contactor has opened by itself",
        Reflex.OPENS_BY_ITSELF,
        4,
        check="the supply of the coil and what lies in series with it: emergency stop, RCD, fuse",
        clears="when the plug is pulled; without plug contact with the end of the session",
        stop_reason=_STOPS,
    ),
    Fault.LOCK_FAILED: FaultRule(
        "ConnectorLockFailure",
        "connector lock does not move",
        Reflex.OPENS,
        5,
        check="push the plug home and try again; then the bolt, its supply, its switch",
        clears="when the lock moves, or the plug is pulled from an open lock",
        stop_reason=_STOPS,
    ),
    # A running session goes on, and closes on the last good value.
    Fault.METER: FaultRule(
        "PowerMeterFailure",
        "energy meter does not answer",
        Reflex.NONE,
        6,
        check="A and B, supply, unit id, baud rate: chargepoint-agent self-test",
        clears="with the next good reading",
    ),
    Fault.READER: FaultRule(
        "ReaderFailure",
        "card reader does not work",
        Reflex.NONE,
        0,
        check="its wires and its 3.3 V; the log says what it answers",
        clears="when it works again; it is tried all the time",
        forbids_start=False,
        shows_faulted=False,
    ),
    Fault.JOURNAL: FaultRule(
        "InternalError",
        "the journal cannot be written",
        Reflex.NONE,
        9,
        check="room on the disk, the memory card, the rights of the state directory",
        clears="when everything that waited is written",
    ),
    Fault.QUARANTINED: FaultRule(
        "InternalError",
        "database was corrupt: moved aside, a new one begun",
        Reflex.NONE,
        0,
        check="the memory card; keep the file that was moved aside for support",
        clears="at the next start",
        forbids_start=False,
        shows_faulted=False,
    ),
    Fault.QUEUE_FULL: FaultRule(
        "InternalError",
        "too much waits: meter values are thinned",
        Reflex.NONE,
        0,
        check="the link: chargepoint-agent status",
        clears="when everything is delivered",
        forbids_start=False,
        shows_faulted=False,
    ),
    Fault.CERTIFICATE: FaultRule(
        "OtherError",
        "a certificate ends soon, or has ended",
        Reflex.NONE,
        0,
        check="which one: chargepoint-agent status",
        clears="when it is replaced",
        forbids_start=False,
        shows_faulted=False,
    ),
    # No fault, but it keeps cards out like one.
    Fault.SELF_TEST: FaultRule(
        "OtherError",
        "self-test at work",
        Reflex.NONE,
        0,
        check="nothing: wait a few seconds",
        clears="when the part is put back",
        shows_faulted=False,
    ),
    Fault.RESET_FAILED: FaultRule(
        "ResetFailure",
        "a reset was asked for and has not come about",
        Reflex.NONE,
        0,
        check="restart the service; the log says what held it up",
        clears="at the next start",
        forbids_start=False,
        shows_faulted=False,
    ),
}

SAFETY_INPUTS: dict[str, Fault] = {
    "emergency_stop": Fault.EMERGENCY_STOP,
    "residual_current": Fault.RESIDUAL_CURRENT,
    "door": Fault.DOOR,
    "temperature": Fault.TEMPERATURE,
    "unreadable_input": Fault.UNREADABLE_INPUT,
}


PILOT: dict[str, Fault] = {
    "silent": Fault.PILOT_SILENT,
    "diode": Fault.PILOT_DIODE,
    "ventilation": Fault.PILOT_VENTILATION,
    "residual_current": Fault.PILOT_RESIDUAL_CURRENT,
    "ground": Fault.PILOT_GROUND,
    "self_test": Fault.PILOT_SELF_TEST,
    "relay_stuck": Fault.PILOT_RELAY_STUCK,
    "relay_open": Fault.PILOT_RELAY_OPEN,
    "heat": Fault.PILOT_HEAT,
    "over_current": Fault.PILOT_OVER_CURRENT,
    "other": Fault.PILOT_OTHER,
}
"""What a pilot controller complains about, by the names of hw.ports.PilotFault."""


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
    return next((fault for fault in RULES if fault in faults), None) if faults else None
