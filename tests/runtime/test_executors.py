"""The end of the threads: nobody closes a database while somebody works with it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from agent.platform.errors import StoreError
from agent.runtime.executors import Threads
from tests.emulators.inline_executor import InlineExecutor


class Rig:
    """Threads that do their work when the test says so."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.made: dict[str, InlineExecutor] = {}
        self.done: list[str] = []
        self.threads = Threads(self._make, stack)

    def _make(self, name: str) -> InlineExecutor:
        self.made[name] = InlineExecutor(name)
        return self.made[name]

    def close(self) -> None:
        self.done.append("closed")


async def test_the_store_is_closed_after_what_is_being_read_and_written():
    async with AsyncExitStack() as stack:
        rig = Rig(stack)
        for name in ("journal", "store-reader", "reports"):
            rig.made[name].is_stuck = True
        work = [
            asyncio.ensure_future(rig.threads.write(rig.done.append, "written")),
            asyncio.ensure_future(rig.threads.read(rig.done.append, "read")),
            asyncio.ensure_future(rig.threads.report(rig.done.append, "reported")),
        ]
        await asyncio.sleep(0)
        end = asyncio.ensure_future(rig.threads.close_store(rig.close))
        for name in ("journal", "store-reader", "reports"):
            await asyncio.sleep(0.1)
            rig.made[name].release()
        await asyncio.gather(*work, end)
        assert rig.done == ["written", "read", "reported", "closed"]


async def test_a_thread_that_hangs_is_not_waited_for_and_nothing_is_closed_behind_its_back(caplog):
    async with AsyncExitStack() as stack:
        rig = Rig(stack)
        rig.made["journal"].is_stuck = True
        await rig.threads.close_store(rig.close)
        assert "the disk hangs" in caplog.text
        rig.made["journal"].release()
        assert rig.done == []


async def test_a_disk_that_fails_at_the_end_is_told(caplog):
    async with AsyncExitStack() as stack:
        rig = Rig(stack)
        rig.made["journal"].problem = StoreError("disk I/O error")
        await rig.threads.close_store(rig.close)
        assert "disk I/O error" in caplog.text
