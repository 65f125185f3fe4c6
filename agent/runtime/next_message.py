"""The message that is sent next: the oldest one in the store that has not been answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from agent.core.values import QueuedMessage
from agent.platform.errors import StoreError
from agent.runtime.journal import Journal
from agent.store import Store

WRITTEN_WITHIN_S = 5.0


class OutgoingMessages:
    """Looks for it when everything that the core knows about it is written."""

    def __init__(self, store: Store, journal: Journal, read: Callable[..., Awaitable[Any]]) -> None:
        self._store = store
        self._journal = journal
        self._read = read

    async def next(self, passed_over: Collection[int] = ()) -> QueuedMessage | None:
        """Return it, or None when nothing waits.

        The number of its session may just have been learned, and is sent along. Raises StoreError
        when the journal is not written in time.
        """
        if not await self._journal.wait_until_quiet(WRITTEN_WITHIN_S):
            raise StoreError("what was decided before is not written yet")
        row: QueuedMessage | None = await self._read(self._store.head, passed_over)
        return row
