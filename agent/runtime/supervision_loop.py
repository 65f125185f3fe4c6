"""What keeps a supervisor looking: a thread; on a simulated board the event loop, without one.

Simulated parts say when they have changed, and ``due_at`` says what they will do by themselves: so
nothing is polled, and days in which nothing happens cost nothing.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from typing import Protocol

from agent.runtime.supervision import Supervisor

PERIOD_BUSY_S = 0.02  # while a contactor is closed
PERIOD_IDLE_S = 0.1
BLIND_S = 2.0  # not looked for so long: the thread hangs, nothing may rely on it
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


class SupervisionThread:
    """Steps a supervisor in a thread of its own: 50 times a second while energy flows, else 10."""

    def __init__(self, supervisor: Supervisor, monotonic: Callable[[], float]) -> None:
        self._supervisor = supervisor
        self._monotonic = monotonic
        self._look_now = threading.Event()
        self._must_end = False
        self._looked_at_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="supervision", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._looked_at_s = self._monotonic()
        self._thread.start()

    def look_now(self) -> None:
        """Something was ordered: do not wait for the next round."""
        self._look_now.set()

    @property
    def is_looking(self) -> bool:
        """False when it should have looked and has not: then nothing may be kept closed."""
        looked_at_s = self._looked_at_s
        return looked_at_s is None or self._monotonic() - looked_at_s < BLIND_S

    def shut_down(self) -> None:
        """End the thread, within a second. Safe to repeat."""
        self._must_end = True
        self._look_now.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        try:
            while not self._must_end:
                now_s = self._monotonic()
                self._supervisor.step(now_s)
                self._looked_at_s = now_s
                if self._look_now.wait(self._rest_s()):
                    self._look_now.clear()
        finally:
            if not self._must_end:  # no more looks: nothing closes, systemd starts anew
                self._looked_at_s = -math.inf
                self._supervisor.open_unseen(self._monotonic())

    def _rest_s(self) -> float:
        try:
            period_s = PERIOD_BUSY_S if self._supervisor.is_busy else PERIOD_IDLE_S
            due_s = self._supervisor.due_at()
        except BaseException:  # noqa: BLE001 - the look has told of it; the next one must come
            return PERIOD_IDLE_S
        if due_s is None:
            return period_s
        return min(period_s, max(0.001, due_s - self._monotonic()))


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
