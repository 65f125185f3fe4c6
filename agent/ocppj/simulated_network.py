"""A switch in the cable to the central system, for boxes that are simulated anyway."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import Mapping
from weakref import WeakSet

from agent.ocppj.websocket import OpenWebSocket, WebSocket
from agent.platform.errors import LinkError

CUT = "the network is cut (simulated)"


class NetworkSwitch:
    """Connects as the given connector does, until it is cut."""

    def __init__(self, connect: OpenWebSocket) -> None:
        self._connect = connect
        self._websockets: WeakSet[WebSocket] = WeakSet()
        self._closing: set[asyncio.Task[None]] = set()
        self.is_cut = False

    async def __call__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        ssl: ssl_module.SSLContext | None,
        open_timeout_s: float,
    ) -> WebSocket:
        """Open a connection. Raises LinkError while the network is cut."""
        if self.is_cut:
            raise LinkError(CUT)
        websocket = await self._connect(
            url, headers=headers, ssl=ssl, open_timeout_s=open_timeout_s
        )
        self._websockets.add(websocket)
        return websocket

    def cut(self) -> None:
        """The present connection ends, and no new one comes about."""
        self.is_cut = True
        for websocket in list(self._websockets):
            task = asyncio.get_running_loop().create_task(websocket.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def mend(self) -> None:
        """The next attempt gets through."""
        self.is_cut = False
