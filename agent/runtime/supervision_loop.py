"""What keeps a supervisor looking; and how that is done without a thread, for a simulated board.

Simulated parts say when they have changed, and ``due_at`` says what they will do by themselves: so
nothing is polled, and days in which nothing happens cost nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from agent.runtime.supervision import Supervisor

SOONEST_S = 0.001  # a rounding error ahead is not ahead: a loop may not move on for that


class Supervision(Protocol):
    """Lets a supervisor look at the board again and again."""

    def start(self) -> None:
        """Begin to look."""

    def look_now(self) -> None:
        """Something was ordered or has changed: do not wait for the next round."""

    @property
    def is_looking(self) -> bool:
        """False when it should have looked and has not: then nothing may be kept closed."""

    def shut_down(self) -> None:
        """Look no more. Safe to repeat."""


class SupervisionTimer:
    """Steps a supervisor on the event loop: soon after every change, and when something is due."""

    def __init__(self, supervisor: Supervisor, monotonic: Callable[[], float]) -> None:
        self._supervisor = supervisor
        self._monotonic = monotonic
        self._loop = asyncio.get_running_loop()
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._has_ended = False

    def start(self) -> None:
        """Take the first look."""
        self.look_now()

    def look_now(self) -> None:
        """Something has changed or was ordered: look as soon as the loop is free."""
        if self._soon is None and not self._has_ended:
            self._soon = self._loop.call_soon(self._step)

    @property
    def is_looking(self) -> bool:
        """It runs on the loop that asks, and cannot hang without it."""
        return True

    def shut_down(self) -> None:
        """Look no more. Safe to repeat."""
        self._has_ended = True
        for handle in (self._soon, self._later):
            if handle is not None:
                handle.cancel()

    def _step(self) -> None:
        self._soon = None
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._supervisor.step(self._monotonic())
        due_s = self._supervisor.due_at()
        if due_s is not None:
            wait_s = max(SOONEST_S, due_s - self._monotonic())
            self._later = self._loop.call_later(wait_s, self._step)
