"""What every simulated part has: faults that can be pulled, and a memory of what happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

HISTORY_LENGTH = 200


class SimulatedFault(Enum):
    """What can be broken in the simulated world; the values are the names people type."""

    WELDED = "welded"
    DOES_NOT_CLOSE = "does_not_close"
    OPENS_BY_ITSELF = "opens_by_itself"
    LOCK_JAM = "lock_jam"
    METER_SILENT = "meter_silent"
    METER_NAN = "meter_nan"
    METER_BACKWARDS = "meter_backwards"
    PILOT_SHORT = "pilot_short"
    PILOT_SILENT = "pilot_silent"
    READER_HANG = "reader_hang"
    EMERGENCY_STOP = "emergency_stop"
    RESIDUAL_CURRENT = "residual_current"
    DOOR = "door"


FAULT_NAMES = tuple(fault.value for fault in SimulatedFault)


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault that a simulated connector reports by itself; ``code`` and ``text`` are passed on."""

    code: str
    text: str = ""
    is_emergency_stop: bool = False


class SimulatedPart:
    """Base of the simulated parts. ``history`` holds the last happenings as (seconds, what)."""

    can_fail: frozenset[SimulatedFault] = frozenset()

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.faults: set[SimulatedFault] = set()
        self.history: deque[tuple[float, str]] = deque(maxlen=HISTORY_LENGTH)

    def fail(self, fault: SimulatedFault) -> None:
        """Break it; ValueError for a fault that this part cannot have."""
        if fault not in self.can_fail:
            raise ValueError(f"{type(self).__name__} cannot have the fault {fault.value}")
        if fault not in self.faults:
            self._before_change()
            self.faults.add(fault)
            self.note(f"fault {fault.value}")
            self._follow()

    def mend(self) -> None:
        """Take every fault away."""
        if self.faults:
            self._before_change()
            self.faults.clear()
            self.note("mended")
            self._follow()

    def note(self, what: str) -> None:
        """Remember that this happened now; the oldest memory fades."""
        self.history.append((self._clock(), what))

    def _before_change(self) -> None:
        """Called before faults change."""

    def _follow(self) -> None:
        """Do what orders and faults now say; called after faults have changed."""


class DelayedPosition:
    """Something that is on or off, and takes its time to get from one to the other.

    ``before_change(at_s)`` is called with the time of each change, before it counts.
    """

    def __init__(
        self, clock: Callable[[], float], before_change: Callable[[float], None] | None = None
    ) -> None:
        self._clock = clock
        self._before_change = before_change
        self._is_on = False
        self._change_at: float | None = None
        self._unseen_at: float | None = None

    @property
    def is_on(self) -> bool:
        """Where it is now."""
        self._settle()
        return self._is_on

    def move(self, to: bool, delay_s: float = 0.0) -> None:
        """Be at ``to`` after the delay, whatever was planned before."""
        self._settle()
        self._change_at = None if to == self._is_on else self._clock() + delay_s
        self._settle()

    def due_at(self) -> float | None:
        """When it changes, or changed since ``seen``."""
        return self._change_at if self._unseen_at is None else self._unseen_at

    def seen(self) -> None:
        """Its subscriber has looked at it."""
        self._unseen_at = None

    def _settle(self) -> None:
        change_at = self._change_at
        if change_at is None or self._clock() < change_at:
            return
        self._change_at = None  # first: before_change may look where it is
        if self._before_change is not None:
            self._before_change(change_at)
        self._unseen_at = change_at
        self._is_on = not self._is_on


def earliest(*times: float | None) -> float | None:
    """The earliest of these times; None if there is none."""
    return min((at_s for at_s in times if at_s is not None), default=None)
