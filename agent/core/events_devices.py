"""What the parts of a connector say: plug, pilot, lock, contactor, contacts, meter."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.values import LockState, PartFault, PilotState, Reading


@dataclass(frozen=True, slots=True)
class CablePluggedIn:
    """A plug is in the socket."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class CableUnplugged:
    """No plug is in the socket any more."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class PilotChanged:
    """The vehicle shows another pilot state."""

    connector_id: int
    state: PilotState


@dataclass(frozen=True, slots=True)
class PilotComplained:
    """What the pilot controller says is wrong now: names of ``faults.PILOT``; empty: nothing."""

    connector_id: int
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CableMeasured:
    """What the plugged cable can carry, by its PP resistor; None: not known."""

    connector_id: int
    rated_a: float | None


@dataclass(frozen=True, slots=True)
class OfferConfirmed:
    """What the pilot controller has said that it offers, as it was ordered; 0: nothing."""

    connector_id: int
    current_a: float


@dataclass(frozen=True, slots=True)
class GridContactChanged:
    """The grid operator's contact limits the box, or no longer; said once at the start, too."""

    is_limited: bool


@dataclass(frozen=True, slots=True)
class LockChanged:
    """The lock reached a state, confirmed by its feedback."""

    connector_id: int
    state: LockState


@dataclass(frozen=True, slots=True)
class LockJammed:
    """The lock did not reach ``wanted`` after all its tries."""

    connector_id: int
    wanted: LockState


@dataclass(frozen=True, slots=True)
class ContactorClosed:
    """The feedback of the contactor says closed."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class ContactorOpened:
    """The feedback of the contactor says open."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class ContactorTripped:
    """The contactor opened by itself or refuses to close; ``reason`` names a hw.ports.Trip."""

    connector_id: int
    reason: str
    trip_count: int


@dataclass(frozen=True, slots=True)
class ContactorMended:
    """A person says that the contactor is in order again, and may want to hear what came of it."""

    connector_id: int
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class SelfTestBegan:
    """The self-test wants to move parts; it does so only when this is accepted."""

    request_id: str


@dataclass(frozen=True, slots=True)
class SelfTestEnded:
    """The self-test has put the part back."""


@dataclass(frozen=True, slots=True)
class SafetyInputTripped:
    """A contact that means "open now" tripped: emergency_stop, residual_current, door."""

    name: str


@dataclass(frozen=True, slots=True)
class SafetyInputCleared:
    """That contact is in order again."""

    name: str


@dataclass(frozen=True, slots=True)
class PartFaultChanged:
    """A part of the connector reports another fault by itself; None: that is mended."""

    connector_id: int
    fault: PartFault | None


@dataclass(frozen=True, slots=True)
class MeterRead:
    """The meter of a connector was read."""

    connector_id: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class MeterFailed:
    """The meter of a connector could not be read, several times in a row or when asked."""

    connector_id: int
    problem: str
