"""Brings queued security events to the central system, as the core orders (white paper, A04)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from agent.core.events import Event
from agent.core.security_event_values import (
    QueuedSecurityEvent,
    SecurityEventNotTold,
    SecurityEventTold,
    SecurityQueueWasEmpty,
    TellSecurityEvent,
)
from agent.ocpp16.requests import security_event_notification
from agent.ocppj.frames import Payload
from agent.ocppj.pending_call import WANTS_NONE, CallErrorReceived
from agent.platform.errors import AgentError, CallFailed

ACTION = "SecurityEventNotification"

logger = logging.getLogger(__name__)


class Caller(Protocol):
    """The link, as far as it is needed here."""

    async def call(self, action: str, payload: Payload, unique_id: str = "") -> Any:
        """Send a call now, under this id if one is given. Raises CallFailed."""


class SecurityNotifications:
    """Sends one event at a time; the last order counts. ``run`` is a task for ever."""

    def __init__(
        self,
        link: Caller,
        oldest: Callable[[], Awaitable[QueuedSecurityEvent | None]],
        post: Callable[[Event], None],
    ) -> None:
        """``oldest`` reads the event that has waited longest; it raises AgentError."""
        self._link = link
        self._oldest = oldest
        self._post = post
        self._order: TellSecurityEvent | None = None
        self._ordered = asyncio.Event()

    def perform(self, order: TellSecurityEvent) -> None:
        """Send the oldest event soon."""
        self._order = order
        self._ordered.set()

    async def run(self) -> None:
        """Send what is ordered, for ever."""
        while True:
            await self._ordered.wait()
            self._ordered.clear()
            assert self._order is not None
            self._post(await self._sent(self._order))

    async def _sent(self, order: TellSecurityEvent) -> Event:
        try:
            queued = await self._oldest()
            if queued is None:
                return SecurityQueueWasEmpty(order.order, order.up_to)
            if queued.event is None:  # it must not hold up those behind it
                logger.error("Storage has damaged security event %d: it is not sent", queued.number)
                return SecurityEventTold(queued.number, order.order)
            # The id stays: sent twice, it is the same message to the central system.
            payload = security_event_notification(queued.event)
            await self._link.call(ACTION, payload, queued.unique_id)
        except CallFailed as problem:
            is_unwanted = isinstance(problem, CallErrorReceived) and problem.code in WANTS_NONE
            ending = "; it wants none" if is_unwanted else ", it is tried again"
            logger.warning("A security event has not arrived yet: %s%s", problem, ending)
            return SecurityEventNotTold(order.order, is_unwanted)
        except AgentError as problem:
            logger.warning("The security events cannot be read, it is tried again: %s", problem)
            return SecurityEventNotTold(order.order)
        return SecurityEventTold(queued.number, order.order)
