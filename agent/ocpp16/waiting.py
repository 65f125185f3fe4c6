"""Which of our calls goes next: priorities, limits, and no starvation."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from agent.core.commands import Authorize
from agent.core.values import StatusReport

AUTHORIZES_MAX = 8
_OTHERS_BEFORE_A_ROW = 10


@dataclass(frozen=True, slots=True, eq=False)
class WaitingAuthorize:
    """An Authorize that is not sent yet; ``deadline_s`` on the loop's clock."""

    command: Authorize
    deadline_s: float


@dataclass(frozen=True, slots=True)
class WaitingStatus:
    """A status that is not sent yet."""

    report: StatusReport
    changed_at: datetime


class Due(Enum):
    """What is due without further words."""

    DELIVERY = "the oldest row of the outbox"
    HEARTBEAT = "a heartbeat"


class WaitingCalls:
    """Cards before statuses before the transaction queue, which still goes after ten others."""

    def __init__(self) -> None:
        self._authorizes: deque[WaitingAuthorize] = deque()
        self._statuses: dict[int, WaitingStatus] = {}  # one per connector, oldest first
        self._delivery_wanted = False
        self._others_sent = 0  # since a delivery is wanted

    def __len__(self) -> int:
        return len(self._authorizes) + len(self._statuses) + self._delivery_wanted

    def add_authorize(self, waiting: WaitingAuthorize) -> bool:
        """Let a card wait for its turn; False when too many wait already."""
        if len(self._authorizes) >= AUTHORIZES_MAX:
            return False
        self._authorizes.append(waiting)
        return True

    def drop_authorize(self, waiting: WaitingAuthorize) -> bool:
        """Take back a card that has waited too long; False when its turn has come already."""
        if waiting not in self._authorizes:
            return False
        self._authorizes.remove(waiting)
        return True

    def add_status(self, waiting: WaitingStatus) -> None:
        """Let a status wait; it replaces an older one of its connector."""
        self._statuses.pop(waiting.report.connector_id, None)
        self._statuses[waiting.report.connector_id] = waiting

    def want_delivery(self) -> None:
        """Let the oldest row of the outbox have its turn."""
        self._delivery_wanted = True

    def next(self) -> WaitingAuthorize | WaitingStatus | Due | None:
        """Take out what goes next; None when nothing waits."""
        if self._delivery_wanted and self._others_sent >= _OTHERS_BEFORE_A_ROW:
            return self._delivery()
        if self._authorizes:
            self._count_other()
            return self._authorizes.popleft()
        if self._statuses:
            self._count_other()
            return self._statuses.pop(next(iter(self._statuses)))
        return self._delivery() if self._delivery_wanted else None

    def clear(self) -> list[WaitingAuthorize]:
        """Forget everything; return the cards that waited, because somebody stands there."""
        authorizes = list(self._authorizes)
        self._authorizes.clear()
        self._statuses.clear()
        self._delivery_wanted = False
        self._others_sent = 0
        return authorizes

    def _delivery(self) -> Due:
        self._delivery_wanted = False
        self._others_sent = 0
        return Due.DELIVERY

    def _count_other(self) -> None:
        if self._delivery_wanted:
            self._others_sent += 1


async def wait_at_most(event: asyncio.Event, wait_s: float) -> bool:
    """True when the event came, False when the time was over."""
    try:
        async with asyncio.timeout(wait_s):
            return await event.wait()
    except TimeoutError:
        return False
