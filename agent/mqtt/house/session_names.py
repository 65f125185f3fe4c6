"""The names of the cards of running sessions: they stand in the database, not in the state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from agent.core.state import ChargePoint
from agent.platform.errors import StoreError

logger = logging.getLogger(__name__)

ReadNames = Callable[[Sequence[str]], Awaitable[dict[str, str]]]


class SessionNames:
    """Looked up once for each session. On the agent's loop."""

    def __init__(self, read: ReadNames, has_news: Callable[[], None]) -> None:
        """``has_news`` is called when names have been read."""
        self._read = read
        self._has_news = has_news
        self._known: dict[str, str] = {}  # by tag in capitals; "": it has none
        self._reading: asyncio.Task[None] | None = None

    def of(self, state: ChargePoint) -> Mapping[str, str]:
        """The names that are known so far, by tag in capitals; others are looked up."""
        running = (connector.transaction for connector in state.connectors)
        tags = {transaction.id_tag.upper() for transaction in running if transaction is not None}
        self._known = {tag: name for tag, name in self._known.items() if tag in tags}
        if self._reading is None and (unknown := sorted(tags - self._known.keys())):
            self._reading = asyncio.create_task(self._look_up(unknown))
        return self._known

    async def stop(self) -> None:
        """Look up nothing more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _look_up(self, tags: Sequence[str]) -> None:
        found: dict[str, str] = {}
        try:
            found = await self._read(tags)
        except StoreError as problem:
            logger.warning("the house is told no name: %s", problem)
        self._known.update({tag: found.get(tag, "") for tag in tags})
        self._reading = None
        self._has_news()
