"""What a board offers to the agent: small protocols and value types.

Nothing here knows OCPP, idTags or money. Times are monotonic seconds, handed in by the caller,
so that a simulation can own the clock. Two kinds of caller exist:

* the runtime (event loop thread) gives orders: ``arm``, ``close``, ``lock``, ``offer`` ...
* the supervising thread calls ``step(now_s)`` of every part many times a second (production) or
  when a timer says so (simulation) and collects what happened.

So every part that has ``step`` must be safe to use from both threads at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from hw.ports_pilot import NO_OFFER as NO_OFFER
from hw.ports_pilot import ConfirmedOffer as ConfirmedOffer
from hw.ports_pilot import PilotController as PilotController
from hw.ports_pilot import PilotFault as PilotFault
from hw.ports_pilot import PilotState as PilotState
from hw.ports_reader import CardReader as CardReader
from hw.simulated.part import FAULT_NAMES as FAULT_NAMES
from hw.simulated.part import InjectedFault as InjectedFault

if TYPE_CHECKING:
    from hw.simulated.controls import SimulationControls as SimulationControls

# --- errors ----------------------------------------------------------------------------------


class HardwareError(Exception):
    """Base class of everything a driver raises on purpose."""


class BoardError(HardwareError):
    """A part named in the settings cannot be opened: missing device, wrong rights, pin in use."""


class ContactorRefused(HardwareError):
    """``close`` was called on a contactor that is not armed, or ``arm`` over an unseen trip."""


class MeterError(HardwareError):
    """The meter did not answer, or answered nonsense."""


class PilotError(HardwareError):
    """The pilot controller did not answer, answered nonsense, or refused."""


# --- contactor -------------------------------------------------------------------------------


class Trip(Enum):
    """Why a contactor opened by itself, or refuses to close."""

    LEASE_EXPIRED = "lease expired"
    DID_NOT_CLOSE = "did not close"
    OPENED_BY_ITSELF = "opened by itself"
    WELDED = "welded"
    REFLEX = "reflex"  # the supervising thread saw a reason to open


@dataclass(frozen=True, slots=True)
class ContactorClosed:
    """The feedback says closed, after ``close`` was ordered."""


@dataclass(frozen=True, slots=True)
class ContactorOpened:
    """The feedback says open, after it was closed."""


@dataclass(frozen=True, slots=True)
class ContactorTripped:
    """The contactor was opened, or is refused, for ``reason``; ``trip_count`` acknowledges it."""

    reason: Trip
    trip_count: int


ContactorEvent = ContactorClosed | ContactorOpened | ContactorTripped


class Contactor(Protocol):
    """Connects the vehicle to the mains, only while someone keeps saying so.

    ``close(for_s)`` works only from the armed state; ``renew(for_s)`` never closes. When the lease
    runs out, ``step`` opens. Every trip and every ``open`` disarms.
    """

    def arm(self, trips_seen: int) -> None:
        """Make ready to close.

        ``trips_seen`` is the ``trip_count`` of the last ContactorTripped the caller knows of
        (0: none). Raises ContactorRefused after a later trip, and while the contactor is welded.
        """

    def close(self, for_s: float) -> None:
        """Close for at most ``for_s`` seconds, unless renewed; ContactorRefused if not armed."""

    def renew(self, for_s: float) -> None:
        """Stay closed for at most ``for_s`` seconds from now. Never closes; no effect when open."""

    def open(self) -> None:
        """Open now and disarm. Always allowed, never raises, safe to repeat."""

    def trip(self, reason: Trip) -> None:
        """Open now, disarm and latch. Counts one trip, reported by the next ``step``."""

    def step(self, now_s: float) -> list[ContactorEvent]:
        """Check the lease and the feedback against the deadlines; say what happened since."""

    def due_at(self) -> float | None:
        """Monotonic time at which ``step`` has something to do by itself; None: nothing planned."""

    @property
    def is_closed(self) -> bool:
        """What the feedback says (what was ordered, where there is no feedback)."""

    @property
    def is_ordered_closed(self) -> bool:
        """True from the order to close until it is opened or trips, wherever the contacts are."""

    @property
    def trip_count(self) -> int:
        """How often it tripped since it was opened as a device."""

    def shut_down(self) -> None:
        """Open and release the pins. Safe to repeat."""


# --- connector lock --------------------------------------------------------------------------


class LockState(Enum):
    """Where the bolt is, by its feedback."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    MOVING = "moving"


@dataclass(frozen=True, slots=True)
class LockChanged:
    """The lock reached a state and its feedback confirms it (also when moved by hand)."""

    state: LockState


@dataclass(frozen=True, slots=True)
class LockJammed:
    """The lock did not reach ``wanted`` after all its tries."""

    wanted: LockState


LockEvent = LockChanged | LockJammed


class Lock(Protocol):
    """Holds the plug in the socket. Orders return at once; ``step`` times pulses and retries."""

    def lock(self) -> None:
        """Begin to lock. Confirmed by LockChanged(LOCKED) from ``step``, or LockJammed."""

    def unlock(self) -> None:
        """Begin to unlock; wins over a lock order. Confirmed by LockChanged(UNLOCKED)."""

    def step(self, now_s: float) -> list[LockEvent]:
        """End pulses, look at the feedback, retry; say what happened since."""

    def due_at(self) -> float | None:
        """Monotonic time at which ``step`` has something to do by itself; None: nothing planned."""

    @property
    def state(self) -> LockState:
        """What the feedback says now."""

    def shut_down(self) -> None:
        """De-energise the actuator and release the pins. Safe to repeat."""


# --- plug, pilot, inputs -----------------------------------------------------------------------


class PlugSensor(Protocol):
    """Tells whether a plug is in the socket."""

    @property
    def is_present(self) -> bool:
        """True while a plug is in."""

    def shut_down(self) -> None:
        """Release the pin. Safe to repeat."""


class SafetyInput(Protocol):
    """One contact that means "open now" while it is tripped (a broken wire trips it too).

    That of the grid operator is read in the same way, and means "draw less".
    """

    @property
    def is_tripped(self) -> bool:
        """True while the contact asks for it, or cannot be read."""

    def shut_down(self) -> None:
        """Release the pin. Safe to repeat."""


# --- meter -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MeterReading:
    """One consistent set of values of a meter. Tuples are per phase, L1 first; may be empty."""

    import_wh: float  # running total of active energy grid -> vehicle, Wh, never decreases
    power_w: float | None = None  # total active power now
    voltage_v: tuple[float, ...] = ()
    current_a: tuple[float, ...] = ()
    power_phase_w: tuple[float, ...] = ()
    frequency_hz: float | None = None
    power_factor: float | None = None
    offset_wh: float = 0.0  # of import_wh: what was added to the meter's own register


class EnergyMeter(Protocol):
    """Counts the energy that went to the vehicle."""

    def read(self) -> MeterReading:
        """Read now. Blocks as long as the bus takes (call it in a thread); raises MeterError."""

    def resume(self, reported_wh: float, offset_wh: float) -> None:
        """Go on from what an earlier process reported last, before the first ``read``."""

    def shut_down(self) -> None:
        """Close the port. Safe to repeat."""


# --- what people see ---------------------------------------------------------------------------


class Signal(Enum):
    """What the indicator tells a person at the box."""

    FREE = "free"
    FREE_OFFLINE = "free, offline"  # usable; the central system cannot be reached
    RESERVED = "reserved"
    CARD_READ = "card read"
    CHECKING = "checking"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    REFUSED_UNANSWERED = "refused, nobody to ask"
    WAITING_FOR_PLUG = "waiting for plug"
    CHARGING = "charging"
    PAUSED = "paused"
    READER_FAULT = "reader out of order"
    NOT_ACCEPTED = "not accepted yet"  # by the central system, at boot
    UNAVAILABLE = "unavailable"
    FAULT = "fault"
    TEST = "test"


class Indicator(Protocol):
    """Shows signals. Never blocks, never raises."""

    def show(self, signal: Signal, flashes: int = 0) -> None:
        """Show this signal from now on (short ones fall back by themselves).

        ``flashes``: how often FAULT flashes before its pause; says which fault it is.
        """

    def shut_down(self) -> None:
        """Dark, and release the pins. Safe to repeat."""


# --- the bundle --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConnectorParts:
    """The parts of one connector. ``None`` = this box has no such part."""

    connector_id: int
    contactor: Contactor
    lock: Lock | None = None
    plug: PlugSensor | None = None
    pilot: PilotController | None = None
    meter: EnergyMeter | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """Every part of the box, opened in its safe state. Made by ``hw.board.open_board``."""

    connectors: tuple[ConnectorParts, ...]
    reader: CardReader | None
    safety_inputs: dict[str, SafetyInput]  # by name: emergency_stop, residual_current, door
    indicator: Indicator
    grid_contact: SafetyInput | None = None  # the grid operator's
    simulation: SimulationControls | None = None  # of the simulated parts, if there are any
    is_polled: bool = True  # False: all parts are simulated, and call back when they change

    def make_safe(self) -> None:
        """Open every contactor, withdraw every offer. Never raises."""
        for parts in self.connectors:
            parts.contactor.open()
        for parts in self.connectors:
            if parts.pilot is not None:
                parts.pilot.withdraw()

    def shut_down(self) -> None:
        """Contactors first, then everything else, then release the devices."""
        self.make_safe()
        if self.reader is not None:
            self.reader.shut_down()
        for parts in self.connectors:
            parts.contactor.shut_down()
            for part in (parts.pilot, parts.lock, parts.plug, parts.meter):
                if part is not None:
                    part.shut_down()
        for safety_input in self.safety_inputs.values():
            safety_input.shut_down()
        if self.grid_contact is not None:
            self.grid_contact.shut_down()
        self.indicator.shut_down()
