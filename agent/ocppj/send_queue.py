"""Which of our calls goes next: priorities, limits, and no starvation."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from agent.core.commands import Authorize
from agent.core.tag_sources import Source
from agent.core.values import Status, StatusReport
from agent.platform.errors import CallFailed

AUTHORIZES_MAX = 8  # of each source
OPERATOR_CALLS_MAX = 8
TRIGGERED_MAX = 40
_OTHERS_BEFORE_A_ROW = 10
# That energy flows is sent after the start that was ready to go before it.
_OF_A_SESSION = (Status.CHARGING, Status.SUSPENDED_EV, Status.SUSPENDED_EVSE)


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


@dataclass(frozen=True, slots=True, eq=False)
class WaitingOperatorCall:
    """A call that is waited for; ``answer`` gets the payload that answers it, or CallFailed."""

    action: str
    payload: Mapping[str, Any]
    answer: asyncio.Future[Any]
    unique_id: str = ""  # empty: a new one

    def fail(self, problem: CallFailed) -> None:
        """It will not be answered any more. No effect when it has been."""
        if not self.answer.done():
            self.answer.set_exception(problem)


@dataclass(frozen=True, slots=True)
class WaitingTriggered:
    """A call that the central system asked for with TriggerMessage."""

    action: str
    payload: Mapping[str, Any]
    subject: object = None  # as in OutgoingCall


class Due(Enum):
    """What is due without further words."""

    DELIVERY = "the oldest row of the outbox"
    HEARTBEAT = "a heartbeat"


Waiting = WaitingAuthorize | WaitingStatus | WaitingOperatorCall | WaitingTriggered | Due


class WaitingCalls:
    """Cards before statuses before the transaction queue, which still goes after ten others.

    Of the cards those of the charger's own reader go first: a person waits there.
    A status that says that a session charges does not overtake a row that was ready before it.
    """

    def __init__(self) -> None:
        self._authorizes: deque[WaitingAuthorize] = deque()
        # One per connector, oldest first; and the conflicts of the list.
        self._statuses: dict[tuple[int, str], WaitingStatus] = {}
        self._operator_calls: deque[WaitingOperatorCall] = deque()
        self._triggered: deque[WaitingTriggered] = deque()
        self._delivery_wanted = False
        self._others_sent = 0  # since a delivery is wanted
        self._after_row: set[tuple[int, str]] = set()  # statuses of a session that is still to go

    def __len__(self) -> int:
        others = (
            len(self._authorizes)
            + len(self._statuses)
            + len(self._operator_calls)
            + len(self._triggered)
        )
        return others + self._delivery_wanted

    def add_authorize(self, waiting: WaitingAuthorize) -> bool:
        """Let a card wait for its turn; False when too many of its source wait already."""
        source = waiting.command.source
        if sum(other.command.source is source for other in self._authorizes) >= AUTHORIZES_MAX:
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
        report = waiting.report
        # A conflict is an event, no status: it neither hides a status nor is hidden by one.
        conflict = report.info if report.error_code == "LocalListConflict" else ""
        key = (report.connector_id, conflict)
        self._statuses.pop(key, None)
        self._statuses[key] = waiting
        self._after_row.discard(key)
        if self._delivery_wanted and report.status in _OF_A_SESSION:
            self._after_row.add(key)

    def add_operator_call(self, waiting: WaitingOperatorCall) -> bool:
        """Let a call of an operator wait for its turn; False when too many wait already."""
        if len(self._operator_calls) >= OPERATOR_CALLS_MAX:
            return False
        self._operator_calls.append(waiting)
        return True

    def add_triggered(self, waiting: WaitingTriggered) -> bool:
        """Let what was asked for wait for its turn; False when too much waits already."""
        if len(self._triggered) >= TRIGGERED_MAX:
            return False
        self._triggered.append(waiting)
        return True

    def next_triggered(self) -> WaitingTriggered | None:
        """Take out what was asked for first; None when nothing was."""
        return self._triggered.popleft() if self._triggered else None

    def want_delivery(self) -> None:
        """Let the oldest row of the outbox have its turn."""
        self._delivery_wanted = True

    def next(self) -> Waiting | None:
        """Take out what goes next; None when nothing waits."""
        if self._delivery_wanted and self._others_sent >= _OTHERS_BEFORE_A_ROW:
            return self._delivery()
        if self._authorizes:
            self._count_other()
            chosen = min(self._authorizes, key=lambda one: one.command.source is not Source.READER)
            self._authorizes.remove(chosen)
            return chosen
        if self._statuses:
            key = next(iter(self._statuses))
            if self._delivery_wanted and key in self._after_row:
                return self._delivery()
            self._count_other()
            self._after_row.discard(key)
            return self._statuses.pop(key)
        if self._triggered:
            self._count_other()
            return self._triggered.popleft()
        if self._operator_calls:
            self._count_other()
            return self._operator_calls.popleft()
        return self._delivery() if self._delivery_wanted else None

    def clear(self) -> list[WaitingAuthorize]:
        """Forget everything; return the cards that waited, because a person waits."""
        authorizes = list(self._authorizes)
        self._authorizes.clear()
        self._statuses.clear()
        self._after_row.clear()
        self._triggered.clear()
        while self._operator_calls:
            problem = CallFailed("the link was lost before it could be sent")
            self._operator_calls.popleft().fail(problem)
        self._delivery_wanted = False
        return authorizes

    def _delivery(self) -> Due:
        self._delivery_wanted = False
        self._others_sent = 0
        self._after_row.clear()
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
