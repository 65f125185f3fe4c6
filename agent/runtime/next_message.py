"""The message that is sent next: the oldest one in the store that has not been answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from agent.core.outbox_row import OutboxRow
from agent.platform.errors import StoreError
from agent.runtime.journal import Journal

WRITTEN_WITHIN_S = 5.0


async def next_message(
    journal: Journal,
    head: Callable[[Collection[int]], Awaitable[OutboxRow | None]],
    passed_over: Collection[int],
) -> OutboxRow | None:
    """Read it when all that was decided is written: the number of its session is sent along.

    Raises StoreError when the journal is not written in time.
    """
    if not await journal.wait_until_written(WRITTEN_WITHIN_S):
        raise StoreError("what was decided before is not written yet")
    return await head(passed_over)
