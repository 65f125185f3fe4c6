"""Statuses of long work that must arrive: sent in order, when the link is accepted, each once.

What ``link.tell`` sends is lost with the link; how an upload or an update ended must not be.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agent.core.commands import Command
from agent.core.events import Event, LinkAccepted
from agent.ocppj.frames import Payload
from agent.ocppj.pending_call import WANTS_NONE, CallErrorReceived
from agent.ocppj.send_queue import wait_at_most
from agent.platform.errors import CallFailed

WAITING_MAX = 50
ATTEMPTS_MAX = 3  # at an accepted link; a central system that refuses a status cannot be forced
AGAIN_S = 30.0

logger = logging.getLogger(__name__)

Call = Callable[[str, Payload], Awaitable[Any]]
Arrived = Callable[[], None]


class Notices:
    """Sends what it is given, one after the other. ``run`` is a task for ever."""

    def __init__(self, call: Call, is_online: Callable[[], bool]) -> None:
        """``call`` sends a call now and raises CallFailed when no usable answer comes."""
        self._call = call
        self._is_online = is_online
        self._waiting: deque[tuple[str, Payload, Arrived | None]] = deque()
        self._something = asyncio.Event()
        self._link_is_back = asyncio.Event()

    def observe(self, event: Event, commands: Sequence[Command]) -> None:
        """Hear of every turn: a link that is accepted is used at once."""
        if isinstance(event, LinkAccepted):
            self._link_is_back.set()

    def send(self, action: str, payload: Payload, arrived: Arrived | None = None) -> None:
        """Let the central system know this status; ``arrived`` is called when it does."""
        if len(self._waiting) >= WAITING_MAX:
            self._drop_one()
        self._waiting.append((action, payload, arrived))
        self._something.set()

    def _drop_one(self) -> None:
        """The oldest one that nobody counts on: retries of an upload push no firmware out."""
        uncounted = (i for i, (_, _, arrived) in enumerate(self._waiting) if arrived is None)
        del self._waiting[next(uncounted, 0)]

    async def run(self) -> None:
        """Send what waits, for ever."""
        while True:
            await self._something.wait()
            while self._waiting:
                await self._send_first()
            self._something.clear()

    async def _send_first(self) -> None:
        notice = self._waiting[0]
        action, payload, arrived = notice
        status = payload["status"]
        attempts = 0
        while attempts < ATTEMPTS_MAX:
            self._link_is_back.clear()
            if not self._is_online():
                await self._link_is_back.wait()
                continue
            try:
                await self._call(action, payload)
            except CallFailed as problem:
                logger.info("%s %s has not arrived yet: %s", action, status, problem)
                if isinstance(problem, CallErrorReceived) and problem.code in WANTS_NONE:
                    break
                attempts += self._is_online()  # that the link was lost does not count
                await wait_at_most(self._link_is_back, AGAIN_S)
            else:
                if arrived is not None:
                    arrived()
                break
        else:
            logger.warning("%s %s could not be delivered; it is given up", action, status)
        if self._waiting and self._waiting[0] is notice:  # else it was pushed out meanwhile
            self._waiting.popleft()
