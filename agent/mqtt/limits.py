"""What others can make this program do: bounded, and said. No clock of its own."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from typing import Generic, TypeVar

SAY_EVERY_S = 60.0

logger = logging.getLogger("agent.mqtt")


class Complaints:
    """Warnings about what comes from others: one of a kind a minute, the others are counted."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._not_before_s: dict[str, float] = {}
        self._unsaid: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    def tell(self, kind: str, problem: str) -> None:
        """Warn. ``kind`` is one of a few words of ours; ``problem`` repeats nothing of theirs."""
        now_s = self._now_s()
        if now_s < self._not_before_s.get(kind, now_s):
            self._unsaid[kind] += 1
            return
        unsaid = self._unsaid.pop(kind, 0)
        self._not_before_s[kind] = now_s + SAY_EVERY_S
        more = f" (and {unsaid} more since the last such line)" if unsaid else ""
        logger.warning("%s: %s%s", kind, problem, more)

    def drop(self, what: str) -> None:
        """Count something that there was no room or no time for, or no sense in; and say so."""
        self.dropped[what] += 1
        self.tell("on the station bus", f"{what} are dropped")


class Allowance:
    """How many requests may be decided on: many at once, few for ever.

    Every decision is written down and may be asked about over a slow link; nobody taps thousands
    of cards an hour, but a broken service may.
    """

    def __init__(self, now_s: Callable[[], float], at_once: int, per_s: float) -> None:
        self._now_s = now_s
        self._at_once = float(at_once)
        self._per_s = per_s
        self._left = self._at_once
        self._counted_s = now_s()

    def take(self) -> bool:
        """Use one up; False when there is none left."""
        now_s = self._now_s()
        self._left = min(self._at_once, self._left + (now_s - self._counted_s) * self._per_s)
        self._counted_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


Waiting = TypeVar("Waiting")


class Turns(Generic[Waiting]):
    """What waits for its turn: each source has its own places, and they take turns."""

    def __init__(self, places: int) -> None:
        """``places`` of each source."""
        self._places = places
        self._queues: dict[str, deque[Waiting]] = {}  # whose turn is next stands first
        self._has_some = asyncio.Event()

    def is_full(self, source: str) -> bool:
        """True when nothing more of this source may wait."""
        return len(self._queues.get(source, ())) >= self._places

    def put(self, source: str, waiting: Waiting) -> None:
        """Let it wait, behind what this source has brought before."""
        self._queues.setdefault(source, deque()).append(waiting)
        self._has_some.set()

    async def get(self) -> Waiting:
        """The oldest of the source whose turn it is."""
        while not self._queues:
            self._has_some.clear()
            await self._has_some.wait()
        source = next(iter(self._queues))
        queue = self._queues.pop(source)
        waiting = queue.popleft()
        if queue:
            self._queues[source] = queue
        return waiting
