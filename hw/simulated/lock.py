"""A simulated lock: the real sequence over a simulated bolt."""

from __future__ import annotations

from collections.abc import Callable

from hw.lock import SolenoidLock
from hw.lock_sequence import LockTiming
from hw.ports import LockEvent
from hw.settings import LockSettings
from hw.simulated.part import DelayedPosition, SimulatedFault, SimulatedPart, earliest


class SimulatedBolt(SimulatedPart):
    """The bolt in the plug; it follows the output at once unless ``travel_s`` or a jam is set."""

    can_fail = frozenset({SimulatedFault.LOCK_JAM})

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.travel_s = 0.0
        self.is_driven = False
        self.position = DelayedPosition(clock)

    @property
    def is_locked(self) -> bool:
        """Where the bolt is."""
        return self.position.is_on

    def set_output(self, is_on: bool) -> None:
        """Energise the actuator or not."""
        if is_on != self.is_driven:
            self.is_driven = is_on
            self.note("driven" if is_on else "let go")
            self._follow()

    def release_by_hand(self) -> None:
        """Someone pulls the emergency release: the bolt is out until it is driven again."""
        self.note("released by hand")
        self.position.move(False)

    def _follow(self) -> None:
        if SimulatedFault.LOCK_JAM in self.faults:
            self.position.move(self.position.is_on)
        else:
            self.position.move(self.is_driven, self.travel_s)


class SimulatedLock(SolenoidLock):
    """A lock without a plug. Its levers and its memory are those of ``bolt``."""

    def __init__(self, name: str, settings: LockSettings, clock: Callable[[], float]) -> None:
        self.bolt = SimulatedBolt(clock)
        at_once = LockTiming(tries=settings.tries, retry_s=settings.retry_s, samples=1)
        super().__init__(name, at_once, clock, self.bolt.set_output, lambda: self.bolt.is_locked)

    def step(self, now_s: float) -> list[LockEvent]:
        """See ``FeedbackLock.step``."""
        events = super().step(now_s)
        self.bolt.position.seen()
        return events

    def due_at(self) -> float | None:
        """See ``FeedbackLock.due_at``; also when the bolt moves by itself."""
        return earliest(super().due_at(), self.bolt.position.due_at())
