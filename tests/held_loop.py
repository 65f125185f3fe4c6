"""How long the event loop was held at once, whatever else the machine does meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_TICK_S = 0.002


class Holds:
    """``worst_s``: processor seconds of the thread of the loop between two looks of it.

    Not seconds of a clock, nor of the whole process: while another process has the processor, or
    another thread of this one works, nobody holds the loop. What keeps it from the interpreter is
    measured by ``python -m tests.bench --only holds``.
    """

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def watch(self) -> None:
        """Look, for ever."""
        before_s = time.thread_time()
        while True:
            await asyncio.sleep(_TICK_S)
            now_s = time.thread_time()
            self.worst_s = max(self.worst_s, now_s - before_s)
            before_s = now_s


@asynccontextmanager
async def holds_of_the_loop() -> AsyncIterator[Holds]:
    """Watch the loop that runs here."""
    holds = Holds()
    task = asyncio.create_task(holds.watch())
    try:
        yield holds
    finally:
        task.cancel()
