"""Bounds on what other services can make this program do, with warnings. No clock of its own."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:  # it brings the schemas of the station bus along
    from agent.mqtt.envelope import Message

SAY_EVERY_S = 60.0

logger = logging.getLogger("agent.mqtt")


class LimitedWarnings:
    """Warnings about what comes from others: one of a kind a minute, the others are counted."""

    def __init__(self, now_s: Callable[[], float], where: str) -> None:
        """``where``: for the log, as "on the station bus"."""
        self._now_s = now_s
        self._where = where
        self._not_before_s: dict[str, float] = {}
        self._unsaid: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    def warn(self, kind: str, problem: str) -> None:
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
        self.warn(self._where, f"{what} are dropped")


Waiting = TypeVar("Waiting")


class FairQueue(Generic[Waiting]):
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


SEEN_S = 60.0  # so long a request that comes twice is recognised
SEEN_MAX = 3000


@dataclass(slots=True)
class _Request:
    until_s: float
    answer: tuple[str, Message] | None = None


class RecentRequests:
    """By id, whatever its case; the oldest is forgotten."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._requests: OrderedDict[str, _Request] = OrderedDict()

    def is_new(self, id: str) -> bool:
        """True the first time; from then on it is known."""
        self._forget_old()
        if id.lower() in self._requests:
            return False
        self._requests[id.lower()] = _Request(self._now_s() + SEEN_S)
        return True

    def answered(self, topic: str, answer: Message) -> None:
        """Keep what a request was answered; it is known for a minute from now."""
        request = self._requests.get(answer.id.lower())
        if request is None:
            return
        request.answer = (topic, answer)
        request.until_s = self._now_s() + SEEN_S
        self._requests.move_to_end(answer.id.lower())

    def answer_to(self, id: str) -> tuple[str, Message] | None:
        """Topic and answer; None while it is not decided yet."""
        request = self._requests.get(id.lower())
        return None if request is None else request.answer

    def _forget_old(self) -> None:
        now_s = self._now_s()
        while self._requests:
            oldest = next(iter(self._requests.values()))
            if oldest.until_s > now_s and len(self._requests) < SEEN_MAX:
                return
            self._requests.popitem(last=False)
