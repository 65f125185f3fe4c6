"""The message that is sent next: the oldest one in the store that has not been answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agent.core.values import MeterValues, QueuedMessage
from agent.platform.errors import StoreError
from agent.runtime.journal import Journal
from agent.store import Store

WRITTEN_WITHIN_S = 5.0

Read = Callable[..., Awaitable[Any]]


class OutgoingMessages:
    """Looks for it, passing over samples that were answered a moment ago."""

    def __init__(self, store: Store, journal: Journal, read: Read) -> None:
        self._store = store
        self._journal = journal
        self._read = read

    async def next(self) -> QueuedMessage | None:
        """Return it, or None when nothing waits.

        Before a start or a stop the answered samples are removed for good: after a power cut they
        must not come once more behind it. The number of a session that has just been learned is
        waited for, too. Raises StoreError when that takes too long.
        """
        gone = self._journal.removals()
        row = await self._head(gone)
        is_sample = row is None or isinstance(row.message, MeterValues)
        if self._journal.learns_a_number() or (gone and not is_sample):
            if not await self._journal.wait_until_quiet(WRITTEN_WITHIN_S):
                raise StoreError("the removal of delivered messages is not written yet")
            row = await self._head(self._journal.removals())  # with what has been learned meanwhile
        return row

    async def _head(self, gone: frozenset[int]) -> QueuedMessage | None:
        row: QueuedMessage | None = await self._read(self._store.head, gone)
        return row
