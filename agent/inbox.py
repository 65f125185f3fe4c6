"""The queue of what has happened, in front of the runtime. Bounded, usable from any thread.

When it is full, what may be repeated is dropped: meter readings first, then cards (the person taps
again). What devices and the central system say about safety and money is never dropped: it comes in
at a rate that the hardware and the one call in flight limit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque

from agent.core.events import CardPresented, Event, MeterRead

logger = logging.getLogger(__name__)

EVENTS_MAX = 1000
_DROPPABLE = (MeterRead, CardPresented)


class EventQueue:
    """First in, first out; a newer meter reading takes the place of an older one that waits."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._mutex = threading.Lock()
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def put(self, event: Event) -> None:
        """Add an event; never blocks."""
        with self._mutex:
            if isinstance(event, MeterRead) and self._replace(event):
                return
            if len(self._events) >= EVENTS_MAX and isinstance(event, _DROPPABLE):
                logger.warning("too much is happening at once: %s is dropped", type(event).__name__)
                return
            self._events.append(event)
        if threading.get_ident() == self._thread:
            self._arrived.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    def _replace(self, event: MeterRead) -> bool:
        for position, waiting in enumerate(self._events):
            if isinstance(waiting, MeterRead) and waiting.connector_id == event.connector_id:
                self._events[position] = event
                return True
        return False

    async def get(self, timeout_s: float | None) -> Event | None:
        """The oldest event; None when nothing came within ``timeout_s`` seconds."""
        while True:
            with self._mutex:
                if self._events:
                    return self._events.popleft()
                self._arrived.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._arrived.wait()
            except TimeoutError:
                return None

    def __len__(self) -> int:
        return len(self._events)
