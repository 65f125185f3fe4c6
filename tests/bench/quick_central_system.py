"""A central system in a process of its own that answers every call at once, and checks nothing.

    python -m tests.bench.quick_central_system [ACTION ...]

Prints its URL, then each named action that it answered, with the time on the monotonic clock of
the machine. Ends when its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

_NOW = "2026-03-01T12:00:00.000Z"
ANSWERS: dict[str, dict[str, Any]] = {
    "BootNotification": {"status": "Accepted", "currentTime": _NOW, "interval": 3600},
    "Authorize": {"idTagInfo": {"status": "Accepted"}},
    "StartTransaction": {"transactionId": 7, "idTagInfo": {"status": "Accepted"}},
    "Heartbeat": {"currentTime": _NOW},
}


class Quick:
    """The process from outside."""

    def __init__(self, url: str, lines: asyncio.StreamReader) -> None:
        self.url = url
        self._lines = lines

    async def answered(self, action: str) -> float:
        """When the next call of this action was answered (monotonic clock); others are skipped.

        Only for an action that was named when the process was started.
        """
        while line := (await self._lines.readline()).decode().split():
            if line[0] == action:
                return float(line[1])
        raise RuntimeError("the central system has ended")


@contextlib.asynccontextmanager
async def watched_central_system(*actions: str) -> AsyncIterator[Quick]:
    """Start the process; it tells when it answered these actions."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        *actions,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Quick((await process.stdout.readline()).decode().strip(), process.stdout)
    finally:
        process.stdin.close()
        await process.wait()


@contextlib.asynccontextmanager
async def quick_central_system() -> AsyncIterator[str]:
    """Start the process; gives the URL of the central system in it."""
    async with watched_central_system() as system:
        yield system.url


async def _answer(connection: ServerConnection) -> None:
    told = sys.argv[1:]
    async for text in connection:
        kind, unique_id, action, _ = json.loads(text)
        if kind == 2:
            await connection.send(json.dumps([3, unique_id, ANSWERS.get(action, {})]))
            if action in told:
                print(action, time.monotonic(), flush=True)


async def _main() -> None:
    async with serve(
        _answer, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None
    ) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main())
