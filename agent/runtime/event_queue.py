"""The queue of what has happened, in front of the runtime. Bounded, usable from any thread.

What a broken part says again and again is kept once. When the queue is full, what may be repeated
is dropped: meter readings, cards (the person taps again), attacks that were seen. The station bus
has a share of it that it cannot exceed: it keeps no card of the charger's own reader out. What
devices and the central system say about safety and money is never dropped: it comes in at a rate
that the hardware and the one call in flight limit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque

from agent.core.authorization_attempt import Purpose
from agent.core.events import (
    CardNotTaken,
    Event,
    MeterFailed,
    MeterRead,
    ReaderFailed,
    ReaderRecovered,
    RequestNotTaken,
    TagPresented,
)
from agent.core.security_event_values import SecurityEventSeen
from agent.core.tag_sources import Source

logger = logging.getLogger(__name__)

EVENTS_MAX = 1000
OF_STATION_MAX = 200  # tokens of the station bus, with those that are refused
_DROPPABLE = (MeterRead, MeterFailed, TagPresented, CardNotTaken, SecurityEventSeen)


class EventQueue:
    """First in, first out; only the newest word of a meter or a reader is kept."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._of_station = 0  # how many of them
        self._is_dropping = False
        self._mutex = threading.Lock()
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def put(self, event: Event) -> bool:
        """Add an event; never blocks. False: it was dropped."""
        with self._mutex:
            self._drop_outdated(event)
            is_of_station = _is_of_station(event)
            is_full = len(self._events) >= EVENTS_MAX and isinstance(event, _DROPPABLE)
            if is_full or (is_of_station and self._of_station >= OF_STATION_MAX):
                self._dropped(event)
                return False
            self._of_station += is_of_station
            self._events.append(event)
        if threading.get_ident() == self._thread:
            self._arrived.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)
        return True

    def _dropped(self, event: Event) -> None:
        """Once, until the queue has been empty: what comes a thousand times is said once."""
        if not self._is_dropping:
            self._is_dropping = True
            logger.warning("too much is happening at once: %s is dropped", type(event).__name__)

    def _drop_outdated(self, event: Event) -> None:
        """A newer word of the same meter or reader takes the place of those that wait.

        A failure does not take the place of a reading, which a session may be waiting for.
        """
        outdated: tuple[type[Event], ...]
        match event:
            case MeterRead():
                outdated = (MeterRead, MeterFailed)
            case MeterFailed():
                outdated = (MeterFailed,)
            case ReaderFailed() | ReaderRecovered():
                outdated = (ReaderFailed, ReaderRecovered)
            case _:
                return
        connector_id = getattr(event, "connector_id", None)
        if not any(isinstance(waiting, outdated) for waiting in self._events):
            return
        self._events = deque(
            waiting
            for waiting in self._events
            if not isinstance(waiting, outdated)
            or getattr(waiting, "connector_id", None) != connector_id
        )

    async def get(self, timeout_s: float | None) -> Event | None:
        """The oldest event; None when nothing came within ``timeout_s`` seconds."""
        while True:
            with self._mutex:
                if self._events:
                    event = self._events.popleft()
                    self._of_station -= _is_of_station(event)
                    return event
                self._is_dropping = False
                self._arrived.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._arrived.wait()
            except TimeoutError:
                return None

    def __len__(self) -> int:
        return len(self._events)


def _is_of_station(event: Event) -> bool:
    match event:
        case RequestNotTaken(purpose=Purpose.START):
            return True
        case TagPresented(source=source):
            return source is Source.STATION
        case _:
            return False
