"""The box's clocks: one that runs since power-on, and a wall clock that may be anything."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from agent.runtime.clock import SystemClock

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def true_time() -> datetime:
    """What time it really is."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


class BoxClocks:
    """The hardware; every process reads it through the agent's own ``SystemClock``."""

    def __init__(self) -> None:
        self.boots = 1
        self._powered_on_s = 0.0
        self.off = timedelta()  # wall clock minus truth
        self.is_synchronized = True

    def power_on(self, off: timedelta, is_synchronized: bool) -> None:
        """The machine starts; its wall clock is off by so much."""
        self.boots += 1
        self._powered_on_s = asyncio.get_running_loop().time()
        self.off = off
        self.is_synchronized = is_synchronized

    def synchronize(self) -> None:
        """A time server has been reached."""
        self.off = timedelta()
        self.is_synchronized = True

    @property
    def boot_id(self) -> str:
        """What the kernel says."""
        return f"boot-{self.boots}"

    def for_process(self) -> SystemClock:
        """The clock of a process that starts now; its ghost goes on with it."""
        loop, powered_on_s = asyncio.get_running_loop(), self._powered_on_s
        return SystemClock(
            monotonic=lambda: loop.time() - powered_on_s,
            wall=lambda: true_time() + self.off,
            is_synchronized=lambda: self.is_synchronized,
        )
