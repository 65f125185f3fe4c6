"""Simulated safety contacts, grid operator's contact and indicator."""

from __future__ import annotations

from collections.abc import Callable

from hw.ports import Signal
from hw.simulated.part import SimulatedFault, SimulatedPart


class SimulatedInput(SimulatedPart):
    """A safety contact that trips while its own fault stands."""

    def __init__(self, clock: Callable[[], float], fault: SimulatedFault) -> None:
        super().__init__(clock)
        self.can_fail = frozenset({fault})

    @property
    def is_tripped(self) -> bool:
        """True while the contact asks to open."""
        return bool(self.faults)

    def shut_down(self) -> None:
        """Nothing to release."""
        self.note("shut down")


class SimulatedGridContact(SimulatedPart):
    """The grid operator's contact; it is no fault that it limits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.is_tripped = False

    def limit(self, is_limited: bool) -> None:
        """Let the grid operator limit the box, or no longer."""
        if is_limited is not self.is_tripped:
            self.is_tripped = is_limited
            self.note("limits" if is_limited else "limits no more")

    def shut_down(self) -> None:
        """Nothing to release."""
        self.note("shut down")


class SimulatedIndicator(SimulatedPart):
    """Remembers what it shows."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.signal: Signal | None = None  # None: dark
        self.flashes = 0

    def show(self, signal: Signal, flashes: int = 0) -> None:
        """Show this signal from now on."""
        self.signal, self.flashes = signal, flashes
        self.note(signal.value)

    def shut_down(self) -> None:
        """Dark. Safe to repeat."""
        self.signal = None
        self.note("dark")
