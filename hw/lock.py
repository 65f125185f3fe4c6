"""Connector locks: a motor with one pulse per direction, and a solenoid.

Outputs and feedback are plain callables, so that the real driver and the simulated one use the
same logic; what both kinds share stands in ``hw.lock_sequence``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from hw.lock_sequence import PULSE_LIMIT_S, FeedbackLock, LockTiming, SetOutput
from hw.ports import LockState

logger = logging.getLogger(__name__)

# call_later(delay_s, function) -> cancel; from a thread that does not depend on ``step``.
CallLater = Callable[[float, Callable[[], None]], Callable[[], None]]


class PulsedLock(FeedbackLock):
    """A motor lock: one pulse per direction, both outputs off at rest (braked).

    ``step`` ends a pulse; ``call_later`` ends it after one second when ``step`` comes too late.
    """

    def __init__(
        self,
        name: str,
        timing: LockTiming,
        clock: Callable[[], float],
        set_locking: SetOutput,
        set_unlocking: SetOutput,
        read_locked: Callable[[], bool],
        call_later: CallLater,
        release: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(name, timing, clock, read_locked, release)
        self._set_locking = set_locking
        self._set_unlocking = set_unlocking
        self._call_later = call_later
        self._cancel_limit: Callable[[], None] | None = None
        self._pulse_number = 0

    def _drive(self, towards: LockState, now_s: float) -> None:
        self._switch_off([self._set_locking, self._set_unlocking], now_s)
        if self._stuck:
            return  # never both on: the try fails
        self._pulse_number += 1
        number = self._pulse_number
        # First the limit, then the pulse: no pulse without its end.
        self._cancel_limit = self._call_later(PULSE_LIMIT_S, lambda: self._end_late_pulse(number))
        set_output = self._set_locking if towards is LockState.LOCKED else self._set_unlocking
        set_output(True)

    def _end_drive(self, now_s: float) -> None:
        self._let_go(now_s)

    def _let_go(self, now_s: float) -> None:
        self._pulse_number += 1
        if self._cancel_limit is not None:
            self._cancel_limit()
            self._cancel_limit = None
        self._switch_off([self._set_locking, self._set_unlocking], now_s)

    def _end_late_pulse(self, number: int) -> None:
        with self._guard:
            if number == self._pulse_number and not self._is_shut_down:
                logger.info("%s: the pulse was ended by its limit of 1 s", self.name)
                self._let_go(self._clock())


class SolenoidLock(FeedbackLock):
    """A solenoid: energised as long as it shall be locked; falls open without current."""

    def __init__(
        self,
        name: str,
        timing: LockTiming,
        clock: Callable[[], float],
        set_output: SetOutput,
        read_locked: Callable[[], bool],
        release: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(name, timing, clock, read_locked, release)
        self._set_output = set_output

    def _drive(self, towards: LockState, now_s: float) -> None:
        if towards is LockState.LOCKED:
            self._set_output(True)
            self._stuck = []
        else:
            self._let_go(now_s)

    def _end_drive(self, now_s: float) -> None:
        """Nothing: the output stays as it is until the other direction is driven."""

    def _let_go(self, now_s: float) -> None:
        self._switch_off([self._set_output], now_s)
