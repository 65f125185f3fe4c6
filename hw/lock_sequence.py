"""The sequence every lock goes through: drive, settle, read the feedback, try again, give up.

The kinds of lock stand in ``hw.lock``; they differ only in how they are driven.
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from threading import RLock

from hw.ports import LockChanged, LockEvent, LockJammed, LockState
from hw.settings import LockSettings

logger = logging.getLogger(__name__)

SetOutput = Callable[[bool], None]

PULSE_LIMIT_S = 1.0  # no pulse is longer, even when a thread is late
RELIEVE_S = 0.15  # short move the other way before a lock is tried again: frees a jammed bolt
GAP_S = 0.1  # between two moves in opposite directions (relays need at least 20 ms)
SLOW_RETRY_S = 30.0  # after a jam on unlock
READ_LIMIT_S = 0.5  # a feedback that does not come to rest in this time counts as wrong
RETRY_OFF_S = 0.05
COMPLAIN_EVERY_S = 60.0
_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class LockTiming:
    """How long the moves of a lock take, and how often it tries."""

    pulse_s: float = 0.0  # how long an output is driven; 0: it stays driven (solenoid)
    settle_s: float = 0.0  # wait after a move before the feedback counts
    rest_factor: float = 0.0  # pause after a move, in multiples of the time it was driven
    tries: int = 3
    retry_s: float = 5.0
    samples: int = 3  # equal samples of the feedback that count as one reading
    sample_s: float = 0.01

    @classmethod
    def of(cls, settings: LockSettings) -> LockTiming:
        """The timing of a lock with these settings."""
        is_motor = settings.driver == "motor"
        return cls(
            pulse_s=settings.pulse_ms / 1000 if is_motor else 0.0,
            settle_s=settings.settle_ms / 1000,
            rest_factor=8.0 if is_motor else 0.0,  # motors burn: pause >= 8 x the time driven
            tries=settings.tries,
            retry_s=settings.retry_s,
        )


class _LockPhase(Enum):
    IDLE = "idle"
    WAITING = "waiting"  # for the motor's rest, or for the next try
    RELIEVING = "relieving"
    GAP = "gap"
    DRIVING = "driving"
    SETTLING = "settling"
    READING = "reading"


class FeedbackLock(ABC):
    """Drive, settle, read the feedback, try again, give up: what both kinds of lock share.

    Unlocking wins: it replaces a lock order at once, while a lock order waits for the end of an
    unlock. An unreadable feedback counts as "not where it was wanted".
    """

    def __init__(
        self,
        name: str,
        timing: LockTiming,
        clock: Callable[[], float],
        read_locked: Callable[[], bool],
        release: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self._timing = timing
        self._clock = clock
        self._read_locked = read_locked
        self._release = release
        self._guard = RLock()
        self._is_shut_down = False
        self._phase = _LockPhase.IDLE
        self._until = -math.inf
        self._wanted: LockState | None = None
        self._is_lock_queued = False
        self._tries = 0
        self._has_jammed = False
        self._driven_from: float | None = None
        self._driven_s = 0.0
        self._rest_until = -math.inf
        self._events: list[LockEvent] = []
        self._look_at: float | None = None
        self._stuck: list[SetOutput] = []  # outputs that did not go off
        self._retry_off_at = -math.inf
        self._complain_at = -math.inf
        self._feedback = Debouncer(self._says_locked(), timing.samples, timing.sample_s)
        self._reported = self._settled_state()

    def lock(self) -> None:
        """Begin to lock; waits for an unlock that is under way."""
        with self._guard:
            is_unlocking = self._wanted is LockState.UNLOCKED and self._phase is not _LockPhase.IDLE
            if is_unlocking and not self._has_jammed:
                self._is_lock_queued = True
            else:
                self._order(LockState.LOCKED)

    def unlock(self) -> None:
        """Begin to unlock; replaces a lock order."""
        with self._guard:
            self._is_lock_queued = False
            self._order(LockState.UNLOCKED)

    def step(self, now_s: float) -> list[LockEvent]:
        """End pulses, look at the feedback, try again; say what happened since."""
        with self._guard:
            if self._is_shut_down:
                return []
            self._look_at = None
            if self._stuck:
                self._switch_off(self._stuck, now_s)
            self._feedback.sample(self._says_locked(), now_s)
            self._run(now_s)
            self._report_own_change()
            events, self._events = self._events, []
            return events

    def due_at(self) -> float | None:
        """Monotonic time at which ``step`` has something to do by itself; None: nothing planned."""
        with self._guard:
            if self._is_shut_down:
                return None
            times = [self._look_at, self._feedback.due_at()]
            if self._phase is not _LockPhase.IDLE:
                times.append(self._until)
            if self._stuck:
                times.append(self._retry_off_at)
            return min((at_s for at_s in times if at_s is not None), default=None)

    @property
    def state(self) -> LockState:
        """What the debounced feedback says; MOVING from the start of a move until it was read."""
        with self._guard:
            at_rest = (
                self._phase in (_LockPhase.IDLE, _LockPhase.WAITING) and self._feedback.is_settled
            )
            return self._settled_state() if at_rest else LockState.MOVING

    def shut_down(self) -> None:
        """De-energise the actuator and release the pins. Safe to repeat."""
        with self._guard:
            if self._is_shut_down:
                return
            self._let_go(self._clock())
            self._is_shut_down = True
            self._phase, self._wanted = _LockPhase.IDLE, None
            if self._release is not None:
                self._release()

    @abstractmethod
    def _drive(self, towards: LockState, now_s: float) -> None:
        """Energise so that the bolt moves. May raise whatever the outputs raise."""

    @abstractmethod
    def _end_drive(self, now_s: float) -> None:
        """End a pulse. Never raises."""

    @abstractmethod
    def _let_go(self, now_s: float) -> None:
        """Energise nothing any more. Never raises."""

    def _order(self, wanted: LockState) -> None:
        if self._is_shut_down:
            return
        now_s = self._clock()
        self._look_at = now_s
        if wanted is self._wanted and not self._has_jammed:
            if self._phase is _LockPhase.IDLE:
                self._report(LockChanged(wanted))
            return
        self._stop_drive(now_s)
        self._begin(wanted, now_s)
        self._run(now_s)

    def _begin(self, wanted: LockState, now_s: float) -> None:
        self._wanted, self._tries, self._has_jammed = wanted, 0, False
        self._wait(max(now_s, self._rest_until))

    def _run(self, now_s: float) -> None:
        for _ in range(2 * len(_LockPhase)):
            phase = self._phase
            if phase is _LockPhase.IDLE:
                return
            if phase is _LockPhase.READING:
                self._read(now_s)
            elif phase is _LockPhase.WAITING and self._tries and self._is_where_wanted():
                self._confirm(now_s)
            elif now_s >= self._until - _EPSILON_S:
                self._next_phase(now_s)
            if self._phase is phase:
                return

    def _next_phase(self, now_s: float) -> None:
        assert self._wanted is not None
        match self._phase:
            case _LockPhase.WAITING:
                self._driven_s = 0.0
                if self._tries and self._wanted is LockState.LOCKED:
                    self._start_drive(_LockPhase.RELIEVING, LockState.UNLOCKED, RELIEVE_S, now_s)
                else:
                    self._start_drive(_LockPhase.DRIVING, self._wanted, self._timing.pulse_s, now_s)
            case _LockPhase.RELIEVING:
                self._stop_drive(now_s)
                self._phase, self._until = _LockPhase.GAP, now_s + GAP_S
            case _LockPhase.GAP:
                self._start_drive(_LockPhase.DRIVING, self._wanted, self._timing.pulse_s, now_s)
            case _LockPhase.DRIVING:
                self._stop_drive(now_s)
                self._phase, self._until = _LockPhase.SETTLING, now_s + self._timing.settle_s
            case _LockPhase.SETTLING:
                self._feedback.restart()
                self._phase, self._until = _LockPhase.READING, now_s + READ_LIMIT_S

    def _start_drive(
        self, phase: _LockPhase, towards: LockState, for_s: float, now_s: float
    ) -> None:
        self._phase, self._until = phase, now_s + min(for_s, PULSE_LIMIT_S)
        self._driven_from = now_s
        try:
            self._drive(towards, now_s)
        except Exception:  # noqa: BLE001 - a failed output is a failed try: the feedback tells
            self._complain("its output cannot be driven", now_s)

    def _stop_drive(self, now_s: float) -> None:
        if self._driven_from is None:
            return
        self._driven_s += min(now_s - self._driven_from, PULSE_LIMIT_S)
        self._driven_from = None
        self._end_drive(now_s)
        self._rest_until = now_s + self._timing.rest_factor * self._driven_s

    def _read(self, now_s: float) -> None:
        self._feedback.sample(self._says_locked(), now_s)
        if self._is_where_wanted():
            self._confirm(now_s)
        elif self._feedback.is_settled or now_s >= self._until:
            self._fail(now_s)

    def _confirm(self, now_s: float) -> None:
        assert self._wanted is not None
        self._phase, self._has_jammed = _LockPhase.IDLE, False
        self._report(LockChanged(self._wanted))
        self._reported = self._wanted
        self._begin_queued_lock(now_s)

    def _fail(self, now_s: float) -> None:
        assert self._wanted is not None
        self._tries += 1
        if self._tries < self._timing.tries:
            self._wait(max(self._rest_until, now_s + self._timing.retry_s))
            return
        if not self._has_jammed:
            logger.error("%s: jammed: it did not get %s", self.name, self._wanted.value)
            self._report(LockJammed(self._wanted))
        if self._wanted is LockState.UNLOCKED:
            self._has_jammed = True
            self._wait(max(self._rest_until, now_s + SLOW_RETRY_S))
            self._begin_queued_lock(now_s)
        else:
            self._let_go(now_s)
            self._phase, self._wanted = _LockPhase.IDLE, None

    def _begin_queued_lock(self, now_s: float) -> None:
        if self._is_lock_queued:
            self._is_lock_queued = False
            self._begin(LockState.LOCKED, now_s)

    def _wait(self, until_s: float) -> None:
        self._phase, self._until = _LockPhase.WAITING, until_s

    def _report_own_change(self) -> None:
        state = self._settled_state()
        if self._phase not in (_LockPhase.IDLE, _LockPhase.WAITING) or state is self._reported:
            return
        if self._phase is _LockPhase.WAITING and self._wanted is LockState.UNLOCKED:
            return  # a lock move was broken off: this must not be taken for a confirmed lock
        if self._phase is _LockPhase.IDLE:
            self._wanted = None  # moved by hand: the next order drives again
        self._reported = state
        self._report(LockChanged(state))

    def _report(self, event: LockEvent) -> None:
        if event not in self._events:  # bounded, however often an order is repeated
            self._events.append(event)

    def _settled_state(self) -> LockState:
        return LockState.LOCKED if self._feedback.value else LockState.UNLOCKED

    def _is_where_wanted(self) -> bool:
        return self._feedback.is_settled and self._settled_state() is self._wanted

    def _says_locked(self) -> bool:
        try:
            return self._read_locked()
        except Exception:  # noqa: BLE001 - step never raises
            self._complain("its feedback cannot be read", self._clock())
            return self._wanted is LockState.UNLOCKED

    def _switch_off(self, outputs: list[SetOutput], now_s: float) -> None:
        stuck: list[SetOutput] = []
        for set_output in outputs:
            try:
                set_output(False)
            except Exception:  # noqa: BLE001 - the other output must go off all the same
                self._complain("an output cannot be switched off; trying on", now_s)
                stuck.append(set_output)
        self._stuck, self._retry_off_at = stuck, now_s + RETRY_OFF_S

    def _complain(self, problem: str, now_s: float) -> None:
        if now_s >= self._complain_at:
            self._complain_at = now_s + COMPLAIN_EVERY_S
            logger.exception("%s: %s", self.name, problem)


class Debouncer:
    """Believes a level only after several equal samples that lie some time apart."""

    def __init__(self, value: bool, samples: int, sample_s: float) -> None:
        self.value = value
        self.is_settled = True
        self._samples = samples
        self._sample_s = sample_s
        self._candidate = value
        self._count = 0
        self._next_at = -math.inf

    def restart(self) -> None:
        """Believe nothing until there are enough new samples."""
        self.is_settled = False
        self._count = 0

    def sample(self, level: bool, now_s: float) -> None:
        """Take note of the level; a sample that comes too soon after the last one is ignored."""
        if self.is_settled and level == self.value:
            self._count = 0
            return
        if self._count and now_s < self._next_at - _EPSILON_S:
            return
        self._count = self._count + 1 if self._count and level == self._candidate else 1
        self._candidate = level
        self._next_at = now_s + self._sample_s
        if self._count >= self._samples:
            self.value, self.is_settled, self._count = level, True, 0

    def due_at(self) -> float | None:
        """When the next sample counts; None while nothing is in doubt."""
        return self._next_at if self._count else None
