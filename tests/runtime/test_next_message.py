"""Which message is sent next, and what must be on the disk before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.core.commands import QueueMessage, RemoveMessage, SaveTransaction, SetTransactionId
from agent.core.outbox_row import QueuedMessage
from agent.platform.errors import StoreError, StoreFull
from agent.runtime.journal import Journal
from agent.runtime.next_message import next_message
from agent.store import Store
from tests.emulators.inline_executor import InlineExecutor
from tests.store.builders import NOON, STOP, meter_values, numbered_ids, transaction


class Bench:
    """Two samples and a stop wait."""

    def __init__(self, directory: Path) -> None:
        self.store = Store.open(directory / "agent.db", now=NOON, make_id=numbered_ids())
        messages = (meter_values(1), meter_values(2), STOP)
        rows = [QueueMessage(number, 1, message) for number, message in enumerate(messages, 1)]
        self.store.commit(rows, NOON)
        self.executor = InlineExecutor("journal")
        self.journal = Journal(
            lambda rows: self.store.commit(rows, NOON), self.executor, print, print
        )

    async def next(self, passed_over: Collection[int] = ()) -> QueuedMessage | None:
        return await next_message(self.journal, self._head, passed_over)

    async def _head(self, passed_over: Collection[int]) -> QueuedMessage | None:
        return self.store.head(passed_over)

    def stored(self) -> int:
        return self.store.outbox_summary().queued_count


@asynccontextmanager
async def a_bench(directory: Path) -> AsyncIterator[Bench]:
    bench = Bench(directory)
    run = asyncio.create_task(bench.journal.run())
    try:
        yield bench
    finally:
        run.cancel()
        await asyncio.wait([run])
        bench.store.close()


async def test_a_sample_goes_before_the_removal_of_the_one_before_is_written(tmp_path):
    async with a_bench(tmp_path) as bench:
        row = await bench.next(passed_over=(1,))
        assert row is not None
        assert (row.sequence, bench.stored()) == (2, 3)


async def test_what_was_decided_before_is_written_before_the_next_message_is_looked_for(tmp_path):
    async with a_bench(tmp_path) as bench:
        bench.executor.problem = StoreFull("no room")
        bench.journal.submit([RemoveMessage(1), RemoveMessage(2)], [])
        with pytest.raises(StoreError, match="not written yet"):
            await bench.next()
        bench.executor.problem = None
        row = await bench.next()
        assert row is not None
        assert (row.sequence, bench.stored()) == (3, 1)


async def test_when_nothing_waits_there_is_nothing_to_send_and_nothing_to_wait_for(tmp_path):
    async with a_bench(tmp_path) as bench:
        bench.store.commit([RemoveMessage(2), RemoveMessage(3)], NOON)
        assert await bench.next(passed_over=(1,)) is None
        assert bench.stored() == 1


@pytest.mark.parametrize("after", [meter_values(9), STOP], ids=["a sample", "a stop"])
async def test_the_number_of_a_session_that_has_just_been_learned_is_sent_along(tmp_path, after):
    async with a_bench(tmp_path) as bench:
        bench.store.commit([RemoveMessage(number) for number in (1, 2, 3)], NOON)
        bench.store.commit([SaveTransaction(transaction(2)), QueueMessage(4, 2, after)], NOON)
        bench.executor.is_stuck = True
        bench.journal.submit([RemoveMessage(3), SetTransactionId(2, 4711)], [])
        next_one = asyncio.ensure_future(bench.next())
        await asyncio.sleep(1)
        bench.executor.release()  # the disk was slow
        row = await next_one
        assert row is not None
        assert (row.sequence, row.transaction_id) == (4, 4711)
