"""Writing before acting: rows are committed in order, and patient orders wait for them.

What piles up while one commit runs goes into the next one together. A commit that fails is kept and
tried again; until it succeeds, no order behind it is performed: nothing closes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from agent.core.commands import AfterCommit, QueueMessage, RecordDecision, Row
from agent.core.commands_rows import may_wait_s
from agent.core.events import Event, JournalFailed, JournalRecovered
from agent.core.security_event_values import RecordSecurityEvent
from agent.core.values import ConnectorMeasured
from agent.platform.errors import StoreError

logger = logging.getLogger(__name__)

# Rows that may wait for a disk that does not write; then what may be lost is dropped: what
# is refused meanwhile may be asked for again and again.
ROWS_MAX = 5000
RETRY_S = 2.0
FRESH_S = 0.3  # who reads the journal lets it be written up to now, if that takes no longer


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: tuple[Row, ...]
    orders: tuple[AfterCommit, ...]


class Journal:
    """Commits the rows of each turn, then performs what waited for them."""

    def __init__(
        self,
        commit: Callable[[Sequence[Row]], None],
        executor: Executor,
        perform: Callable[[AfterCommit], None],
        post: Callable[[Event], None],
        written: Callable[[Sequence[Row]], None] = lambda rows: None,
    ) -> None:
        self._commit = commit
        self._executor = executor
        self._perform = perform
        self._post = post
        self._written = written
        self._waiting: deque[_Batch] = deque()
        self._is_committing = False
        self._has_failed = False
        self._is_due = asyncio.Event()
        self._commits = 0  # that have succeeded
        self._has_committed = asyncio.Event()

    def submit(self, rows: Sequence[Row], orders: Sequence[AfterCommit]) -> None:
        """Hand in what one turn decided. With no rows and nothing waiting, it acts at once."""
        if not rows and not self._waiting and not self._is_committing:
            for order in orders:
                self._perform(order)
        elif rows or orders:
            self._waiting.append(_Batch(tuple(rows), tuple(orders)))
            self._make_room()  # the commit before may hang, not only fail
            wait_s = 0.0 if orders else min(may_wait_s(row) for row in rows)
            if wait_s:
                asyncio.get_running_loop().call_later(wait_s, self._is_due.set)
            else:
                self._is_due.set()

    async def run(self) -> None:
        """Commit for ever."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            while self._waiting:
                if not await self._commit_waiting():
                    await asyncio.sleep(RETRY_S)

    async def wait_until_written(self, timeout_s: float) -> bool:
        """Wait until everything handed in so far is committed; False when that took too long."""
        self._is_due.set()
        last = self._commits + self._is_committing + bool(self._waiting)
        try:
            async with asyncio.timeout(timeout_s):
                # One that fails goes together with the next: then the last one does not come.
                while self._commits < last and (self._is_committing or self._waiting):
                    self._has_committed.clear()
                    await self._has_committed.wait()
        except TimeoutError:
            return False
        return True

    async def _commit_waiting(self) -> bool:
        batches = list(self._waiting)
        self._waiting.clear()
        rows = [row for batch in batches for row in batch.rows]
        self._is_committing = True
        try:
            if rows:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._executor, self._commit, rows)
        except StoreError as error:
            self._keep(batches, error)
            return False
        except BaseException:
            self._waiting.extendleft(reversed(batches))
            raise
        finally:
            self._is_committing = False
        self._recovered()
        self._written(rows)
        for batch in batches:
            for order in batch.orders:
                self._perform(order)
        self._commits += 1
        self._has_committed.set()
        return True

    def _keep(self, batches: list[_Batch], error: StoreError) -> None:
        self._waiting.extendleft(reversed(batches))
        if not self._has_failed:
            self._has_failed = True
            logger.error("the journal cannot be written: %s", error)
            self._post(JournalFailed(str(error)))
        self._make_room()

    def _recovered(self) -> None:
        if self._has_failed:
            self._has_failed = False
            logger.info("the journal is written again")
            self._post(JournalRecovered())

    def _make_room(self) -> None:
        if _count(self._waiting) <= ROWS_MAX:
            return
        kept = deque(
            _Batch(tuple(row for row in batch.rows if not _may_be_lost(row)), batch.orders)
            for batch in self._waiting
        )
        if _count(kept) < _count(self._waiting):
            logger.warning(
                "the disk does not write: meter values, reasons and what was only for the security"
                " log, waiting for it, are dropped"
            )
        self._waiting = deque(batch for batch in kept if batch.rows or batch.orders)


def _count(batches: Iterable[_Batch]) -> int:
    return sum(len(batch.rows) for batch in batches)


def _may_be_lost(row: Row) -> bool:
    """No money depends on it: a sample, the reason of a decision, an event that is only logged."""
    is_sample = isinstance(row, QueueMessage) and isinstance(row.message, ConnectorMeasured)
    is_only_logged = isinstance(row, RecordSecurityEvent) and not row.is_queued
    return is_sample or is_only_logged or isinstance(row, RecordDecision)
