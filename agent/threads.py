"""The threads that carry slow work, so that the event loop never waits for a disk or a bus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from typing import Any


class Threads:
    """One thread for each kind of slow work; each does one thing at a time, in order."""

    def __init__(self, make_executor: Callable[[str], Executor], stack: AsyncExitStack) -> None:
        """``make_executor`` gives an executor of one thread; the stack ends them."""

        def make(name: str) -> Executor:
            executor = make_executor(name)
            stack.callback(executor.shutdown, wait=False, cancel_futures=True)
            return executor

        self.journal = make("journal")
        self.meters = make("meters")
        self._reader = make("store-reader")
        self._checker = make("checks")
        self._loop = asyncio.get_running_loop()

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a reader method of the store."""
        return await self._loop.run_in_executor(self._reader, function, *arguments)

    async def write(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a writer method of the store; commits of the journal go through the same thread."""
        return await self._loop.run_in_executor(self.journal, function, *arguments)

    async def check(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call something pure that takes long."""
        return await self._loop.run_in_executor(self._checker, function, *arguments)
