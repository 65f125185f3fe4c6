"""The threads that carry slow work, so that the event loop never waits for a disk or a bus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from typing import Any

from agent.platform.errors import StoreError

CLOSE_S = 0.5  # at the end everything has a limit

OffLoop = Callable[..., Awaitable[Any]]  # calls a function, with its arguments, on another thread

logger = logging.getLogger(__name__)


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
        self._reporter = make("reports")
        self._checker = make("checks")
        self._supporter = make("support")
        self._loop = asyncio.get_running_loop()

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a reader method of the store: cards wait for it."""
        return await self._loop.run_in_executor(self._reader, function, *arguments)

    async def report(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a report of the store: it may read for long, no card waits for it."""
        return await self._loop.run_in_executor(self._reporter, function, *arguments)

    async def write(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a writer method of the store; commits of the journal go through the same thread."""
        return await self._loop.run_in_executor(self.journal, function, *arguments)

    async def close_store(self, close: Callable[[], None]) -> None:
        """Close it when those who read and write it have done their last work.

        A disk that hangs is not waited for: the file stays open then, as after a power cut.
        """
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.read(_nothing)
                await self.report(_nothing)
                await self.write(close)
        except TimeoutError:
            logger.warning("The database was not closed within %g s: the disk hangs", CLOSE_S)
        except StoreError as problem:
            logger.warning("The database was not closed: %s", problem)

    async def support(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call something that collects facts for a help desk: it may take many seconds."""
        return await self._loop.run_in_executor(self._supporter, function, *arguments)

    async def check(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call something pure that takes long."""
        return await self._loop.run_in_executor(self._checker, function, *arguments)


async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the function here and now, on the loop."""
    return function(*arguments)


def _nothing() -> None:
    """What comes after everything that was asked before."""
