"""A central system on loopback, in a thread of its own, for tests that wait in real time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from tests.emulators.central_system import FakeCentralSystem

START_S = 10.0
ANSWER_S = 30.0


class CentralSystem(FakeCentralSystem):
    """One that can be told from another thread to send a call."""

    loop: asyncio.AbstractEventLoop

    def ask(self, action: str, payload: Any) -> Any:
        """Send a call and return the payload of its answer."""
        answer = asyncio.run_coroutine_threadsafe(self.send_call(action, payload), self.loop)
        return answer.result(ANSWER_S)[2]


@contextlib.contextmanager
def serving() -> Iterator[tuple[CentralSystem, str]]:
    """Give the central system, whose memory may be read at any time, and its URL."""
    central_system = CentralSystem()
    loop = central_system.loop = asyncio.new_event_loop()
    url: list[str] = []
    is_up = threading.Event()
    end = asyncio.Event()

    async def serve() -> None:
        async with central_system.serve() as where:
            url.append(where)
            is_up.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="central")
    thread.start()
    try:
        if not is_up.wait(START_S):
            raise TimeoutError("the central system does not start")
        yield central_system, url[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()
