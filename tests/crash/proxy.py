"""A network between agent and central system that can be cut so that nobody is told.

What is swallowed is neither refused nor closed: no FIN, no RST, as when a router dies.
"""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum

_CHUNK = 65_536


class Way(Enum):
    """What becomes of a new connection."""

    PASS = "passed on to the central system"
    SWALLOW = "accepted, and never answered"


class SwallowingProxy:
    """Listens on a port of its own; ``attempts`` holds the loop's time of each new connection."""

    def __init__(self, target_port: int) -> None:
        self.attempts: list[float] = []
        self.swallowed_bytes = 0
        self.way = Way.PASS
        self.port = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._cut = asyncio.Event()  # of the connections that are open now
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        """Where the agent finds it."""
        return f"ws://127.0.0.1:{self.port}"

    async def __aenter__(self) -> SwallowingProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()

    def cut(self) -> None:
        """From now on nothing passes on the connections that are open, in either direction."""
        self._cut.set()
        self._cut = asyncio.Event()

    async def attempted(self, count: int, limit_s: float) -> None:
        """Wait until so many connections have been tried; TimeoutError."""
        async with asyncio.timeout(limit_s), self._changed:
            await self._changed.wait_for(lambda: len(self.attempts) >= count)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._changed:
            self.attempts.append(asyncio.get_running_loop().time())
            self._changed.notify_all()
        try:
            with contextlib.suppress(ConnectionError, OSError):
                if self.way is Way.SWALLOW:
                    await self._swallow(reader)
                else:
                    await self._pass_on(reader, writer)
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_cut = self._cut
        there = await asyncio.open_connection("127.0.0.1", self._target_port)
        up = asyncio.create_task(self._carry(reader, there[1], is_cut))
        down = asyncio.create_task(self._carry(there[0], writer, is_cut))
        try:
            # The agent's end decides: the central system's end stays open behind a cut.
            await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            if is_cut.is_set():
                await up
        finally:
            up.cancel()
            down.cancel()
            there[1].close()

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_cut: asyncio.Event
    ) -> None:
        """Until the source ends. Behind a cut everything disappears, the end of it too."""
        while data := await source.read(_CHUNK):
            if is_cut.is_set():
                self.swallowed_bytes += len(data)
                continue
            sink.write(data)
            await sink.drain()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            self.swallowed_bytes += len(data)
