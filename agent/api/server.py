"""The API's own thread: it imports the framework, listens, and ends when it is closed.

Nothing in this module needs the framework before the thread runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

from agent.api.agent_bridge import AgentBridge
from agent.api.errors import ApiError
from agent.api.limits import RequestLimits
from agent.api.tokens import KnownTokens
from agent.config.section_rules import listen_address
from agent.platform.garbage_collector import resting_while_importing

if TYPE_CHECKING:
    from uvicorn import Server

logger = logging.getLogger(__name__)

RETRY_S = 10.0
CLOSE_S = 2.0


class ApiServer:
    """Serves the control API from ``start`` to ``close``, in a thread of its own."""

    def __init__(self, agent: AgentBridge, limits: RequestLimits | None = None) -> None:
        self._agent = agent
        self._limits = limits or RequestLimits()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control-api", daemon=True)
        self._server: Server | None = None
        self.address: tuple[str, int] | None = None  # while it listens

    def start(self) -> None:
        """Begin; a problem is logged, and the start is tried again."""
        self._thread.start()

    async def close(self) -> None:
        """Stop listening and end the thread, within two seconds. Safe to repeat."""
        self._ended.set()
        server = self._server
        if server is not None:
            server.should_exit = True
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, CLOSE_S)

    # --- in the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        message = ""
        while not self._ended.is_set():
            try:
                known_tokens, listener = self._prepare()
            except ApiError as problem:
                if str(problem) != message:
                    message = str(problem)
                    logger.error("the control API is not served: %s", message)
                self._ended.wait(RETRY_S)
                continue
            with contextlib.closing(listener):
                asyncio.run(self._serve(known_tokens, listener))
            return

    def _prepare(self) -> tuple[KnownTokens, socket.socket]:
        settings = self._agent.settings
        known_tokens = KnownTokens(settings.api, settings.storage_path.parent)
        return known_tokens, open_listener(settings.api.listen)

    async def _serve(self, known_tokens: KnownTokens, listener: socket.socket) -> None:
        with resting_while_importing("agent.api.serving"):
            from agent.api.serving import make_server

            server, close = make_server(self._agent, known_tokens, self._limits)
        self._server = server
        if self._ended.is_set():
            return
        host, port, *_ = listener.getsockname()
        self.address = (host, port)
        logger.info("the control API listens on http://%s:%d", _shown(host), port)
        try:
            await server.serve(sockets=[listener])
        finally:
            self.address = None
            await close()


def open_listener(listen: str) -> socket.socket:
    """A listening socket. Raises ApiError with a sentence when the port is in use, or not ours."""
    address = listen_address(listen)
    if address is None:
        raise ApiError(f"{listen!r} is no address to listen on")
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        listener = socket.create_server(address, family=family, backlog=128)
    except OSError as problem:
        message = problem.strerror or problem
        raise ApiError(f"cannot listen on {listen}: {message}") from None
    # Inherited by every connection. Else an answer's body waits 40 ms for the client's system to
    # confirm its headers (asyncio sets it itself only on sockets that name their protocol).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _shown(host: Any) -> str:
    return f"[{host}]" if ":" in str(host) else str(host)
