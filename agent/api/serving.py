"""The web server's settings. Imported only when the API is switched on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.api.agent_bridge import AgentBridge
from agent.api.app import build_app
from agent.api.limits import Message, Receive, RequestLimits, one_to_give_up
from agent.api.middleware import AccessMiddleware, App, Send
from agent.api.service import ControlService
from agent.api.tokens import Authenticator, KnownTokens

HEADERS_MAX = 16 * 1024
LINGER_S = 2.0  # after the last answer, for a client that is still sending


def make_server(
    agent: AgentBridge, known_tokens: KnownTokens, limits: RequestLimits
) -> tuple[uvicorn.Server, Callable[[], Awaitable[None]]]:
    """A server for the running loop, and what to await when it has ended."""
    for name in ("uvicorn", "uvicorn.error"):  # its sentences are not for the person at the box
        logging.getLogger(name).setLevel(logging.ERROR)
    service = ControlService(agent)
    authenticator = Authenticator(
        known_tokens, limits, asyncio.get_running_loop().time, agent.note_failed_login
    )
    middleware = AccessMiddleware(build_app(service), authenticator, limits)
    app: App = middleware
    closers: list[Callable[[], Awaitable[None]]] = [service.queue.close]
    if agent.settings.api.page:
        from agent.api.page.site import open_page  # jinja2 is not needed when it is off

        app, close_page = open_page(middleware, service, known_tokens, authenticator, limits)
        closers.insert(0, close_page)

    async def close() -> None:
        for closer in closers:
            await closer()

    config = uvicorn.Config(
        _closing_after_two_lengths(app),
        http=_impatient(limits),
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=2 * limits.connections,  # a backstop: see _impatient
        timeout_keep_alive=int(limits.idle_s),
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=HEADERS_MAX,
    )
    return uvicorn.Server(config), close


def _closing_after_two_lengths(app: App) -> App:
    """After a request that tells its length in two ways the connection ends with the answer.

    A proxy in between may have taken the other one, and what follows for another request
    (RFC 9112, 6.1). The answer itself goes by ``Transfer-Encoding``, as h11 has read it.
    """

    async def closing(scope: Any, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}

        async def last(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)

        tells_two = {b"content-length", b"transfer-encoding"} <= names
        await app(scope, receive, last if tells_two else send)

    return closing


def _impatient(limits: RequestLimits) -> type[H11Protocol]:
    """HTTP for clients that send slowly, or not at all: their connection is closed.

    So is one of those who have most, when there are too many.
    """
    open_ones: dict[ImpatientProtocol, str] = {}  # and from where

    class ImpatientProtocol(H11Protocol):
        _check: asyncio.TimerHandle | None = None
        _looked_at: object = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(cast(Any, LingeringTransport(transport, self.loop)))
            open_ones[self] = self.client[0] if self.client else ""
            if len(open_ones) > limits.connections:
                given_up = one_to_give_up(open_ones.items())
                del open_ones[given_up]
                given_up.transport.abort()
            self._check = self.loop.call_later(limits.silence_s, self._look)

        def data_received(self, data: bytes) -> None:
            if not self.transport.is_closing():
                super().data_received(data)

        def connection_lost(self, exc: Exception | None) -> None:
            open_ones.pop(self, None)
            if self._check is not None:
                self._check.cancel()
            super().connection_lost(exc)

        def _look(self) -> None:
            """A request must have begun since the last look; it may be in work for a while."""
            cycle = self.cycle
            if cycle is self._looked_at:  # none yet: None
                self.transport.abort()
                return
            self._looked_at = cycle
            is_at_work = not cycle.response_complete
            wait_s = limits.answer_s + limits.body_s if is_at_work else limits.silence_s
            self._check = self.loop.call_later(wait_s, self._look)

    return ImpatientProtocol


class LingeringTransport:
    """A transport whose ``close`` waits until the other side has ended too, for LINGER_S at most.

    What arrives meanwhile is for the protocol to drop. A socket that is closed with unread bytes in
    it resets the connection, and a client that was still sending would lose the answer that says
    why it is not read (RFC 9112, 9.6).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._end: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._end is not None or self._transport.is_closing()

    def close(self) -> None:
        if self._end is not None or self._transport.is_closing():
            return
        self._end = self._loop.call_later(LINGER_S, self._transport.close)
        self._transport.write_eof()
        self._transport.resume_reading()
