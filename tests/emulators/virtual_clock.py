"""The two clocks of a box whose time is that of the event loop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from agent.core.values import Instant

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class VirtualClock:
    """Virtual time as both clocks; it is noon when the loop begins. Remembers what it was told."""

    def __init__(self, start: datetime = NOON) -> None:
        self.start = start
        self.learned: list[datetime] = []
        self.is_trusted = True
        self._loop = asyncio.get_running_loop()

    def monotonic_s(self) -> float:
        return self._loop.time()

    def now(self) -> Instant:
        elapsed_s = self.monotonic_s()
        return Instant(elapsed_s, self.start + timedelta(seconds=elapsed_s), self.is_trusted)

    def believe(self, booted_at: datetime, is_known: bool) -> None:
        """It is trusted from the beginning: nobody asks it to believe anything."""
        raise AssertionError("a trusted clock was told what to believe")

    def learn(self, utc: datetime) -> None:
        self.learned.append(utc)
        self.is_trusted = True
