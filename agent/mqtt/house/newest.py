"""What waits for the broker of the house: of each topic only the newest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.mqtt.broker import Publication
from agent.mqtt.kept_connection import Publish

TOPICS_MAX = 500  # more than a box has; old ones that are to be emptied count too


class NewestOfTopic:
    """A topic keeps its place; what is said anew there takes the place of what waited."""

    def __init__(self, dropped: Callable[[str], None]) -> None:
        """``dropped`` is called with what there was no room for."""
        self._dropped = dropped
        self._waiting: dict[str, Publication] = {}
        self._wake = asyncio.Event()

    def put(self, message: Publication) -> None:
        """Let it wait."""
        if message.topic not in self._waiting and len(self._waiting) >= TOPICS_MAX:
            self._dropped("messages that wait for the broker")
            return
        self._waiting[message.topic] = message
        self._wake.set()

    def clear(self) -> None:
        """Forget all: the connection is gone, and over the next one everything is told anew."""
        self._waiting.clear()

    async def drain(self, publish: Publish) -> None:
        """Send what waits."""
        while self._waiting:
            await publish(self._waiting.pop(next(iter(self._waiting))))

    async def send(self, publish: Publish) -> None:
        """Send what waits and what comes, for ever."""
        while True:
            await self.drain(publish)
            self._wake.clear()
            await self._wake.wait()
