"""A central system in a process of its own that answers every call at once, and checks nothing.

    python -m tests.bench.quick_central_system

Prints its URL; ends when its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

_NOW = "2026-03-01T12:00:00.000Z"
_ANSWERS: dict[str, dict[str, Any]] = {
    "BootNotification": {"status": "Accepted", "currentTime": _NOW, "interval": 3600},
    "Authorize": {"idTagInfo": {"status": "Accepted"}},
    "StartTransaction": {"transactionId": 7, "idTagInfo": {"status": "Accepted"}},
    "Heartbeat": {"currentTime": _NOW},
}


@contextlib.asynccontextmanager
async def quick_central_system() -> AsyncIterator[str]:
    """Start the process; gives the URL of the central system in it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


async def _answer(connection: ServerConnection) -> None:
    async for text in connection:
        kind, unique_id, action, _ = json.loads(text)
        if kind == 2:
            await connection.send(json.dumps([3, unique_id, _ANSWERS.get(action, {})]))


async def _main() -> None:
    async with serve(
        _answer, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None
    ) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main())
