"""One WebSocket, and no more of it than we need, so that two queues can take its place."""

from __future__ import annotations

import ssl as ssl_module
from collections.abc import Mapping
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.frames import Close, CloseCode
from websockets.typing import Subprotocol

from agent.core.certificates import Certificate
from agent.platform.errors import LinkError
from agent.platform.redaction import one_line
from agent.platform.tls import verified_by

# A local list of 10,000 entries is about 1.3 MB in one frame.
_FRAME_BYTES_MAX = 2 * 1024 * 1024
_CLOSE_TIMEOUT_S = 2.0


class WebSocket(Protocol):
    """A message connection. When it is gone, ``send``, ``receive`` and ``ping`` raise LinkError."""

    @property
    def subprotocol(self) -> str | None:
        """What the server chose; None when it chose nothing."""

    @property
    def verified_by(self) -> tuple[Certificate, ...]:
        """The certificates that TLS was verified by, the server's own first; none without TLS."""

    async def send(self, text: str) -> None:
        """Send one message; may wait while the line is jammed."""

    async def receive(self) -> str | bytes:
        """The next message."""

    async def ping(self) -> None:
        """Send a ping and wait for its pong, for ever if none comes."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close within a few seconds. Never raises, safe to repeat."""


class OpenWebSocket(Protocol):
    """Opens a WebSocket; raises LinkError, OSError or what the WebSocket library raises."""

    async def __call__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        ssl: ssl_module.SSLContext | None,
        open_timeout_s: float,
    ) -> WebSocket:
        """Open a connection that offers the subprotocol of our version of OCPP."""


async def open_websocket(
    subprotocol: str,
    url: str,
    *,
    headers: Mapping[str, str],
    ssl: ssl_module.SSLContext | None,
    open_timeout_s: float,
) -> WebSocket:
    """Open a real WebSocket. No redirects, no proxy from the environment, no compression."""
    connection = await _DirectConnect(
        url,
        subprotocols=[Subprotocol(subprotocol)],
        additional_headers=dict(headers),
        ssl=ssl,
        compression=None,
        max_size=_FRAME_BYTES_MAX,
        ping_interval=None,  # our own task pings, so that WebSocketPingInterval acts at once
        proxy=None,
        open_timeout=open_timeout_s,
        close_timeout=_CLOSE_TIMEOUT_S,
        create_connection=_Connection,
    )
    return _LibraryWebSocket(connection)


class _Connection(ClientConnection):
    """Tells why the line broke before the answer, which the library keeps to itself.

    With TLS 1.3 a server that demands a client certificate says so only after the handshake.
    """

    _lost: Exception | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = exc
        super().connection_lost(exc)

    async def handshake(self, *arguments: Any, **more: Any) -> None:
        try:
            await super().handshake(*arguments, **more)
        except InvalidMessage as problem:
            raise self._lost or problem from problem.__cause__


class _DirectConnect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        # The password goes to the configured address and nowhere else.
        return exc


class _LibraryWebSocket:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    @property
    def verified_by(self) -> tuple[Certificate, ...]:
        return verified_by(self._connection.transport.get_extra_info("ssl_object"))

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ConnectionClosed as problem:
            raise LinkError(_why_closed(problem)) from None

    async def receive(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except ConnectionClosed as problem:
            raise LinkError(_why_closed(problem)) from None

    async def ping(self) -> None:
        try:
            pong = await self._connection.ping()
            await pong
        except ConnectionClosed as problem:
            raise LinkError(_why_closed(problem)) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        try:
            await self._connection.close(code, reason)
        finally:
            self._connection.transport.abort()  # nothing is left of a line that does not answer


def _why_closed(problem: ConnectionClosed) -> str:
    received, sent = problem.rcvd, problem.sent
    # A close frame is answered with the same code: the first of the two frames is the reason.
    if sent is not None and not problem.rcvd_then_sent:
        return f"{_complaint(sent)}the agent closed the connection{_code(sent)}"
    if received is None:
        return "the connection broke off"
    return f"the central system closed the connection{_code(received)}"


def _complaint(sent: Close) -> str:
    """What the WebSocket library has found wrong with what came; empty: nothing."""
    match sent.code:
        case CloseCode.MESSAGE_TOO_BIG:
            return f"a message of more than {_FRAME_BYTES_MAX} bytes came; "
        case CloseCode.INVALID_DATA:
            return "a text came that is not UTF-8; "
        case CloseCode.PROTOCOL_ERROR:
            return "the central system broke the rules of WebSocket; "
        case _:
            return ""


def _code(frame: Close) -> str:
    reason = f": {one_line(frame.reason, 123)}" if frame.reason else ""
    return f" (code {frame.code}{reason})"
