"""The line between the box and its central system: late, broken, half open, or refused."""

from __future__ import annotations

import asyncio
import json
import ssl as ssl_module
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from random import Random
from typing import Any, Protocol

from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from agent.core.certificates import Certificate
from agent.platform.errors import LinkError

HEALTHY_LATENCY_S = 0.05


class Reach(Enum):
    """What becomes of an attempt to connect."""

    UP = "it connects"
    REFUSED = "the connection is refused"
    SILENT = "nobody answers"
    UNAUTHORIZED = "HTTP 401"
    NOT_FOUND = "HTTP 404"
    UNAVAILABLE = "HTTP 503"
    BAD_TLS = "the certificate is not trusted"
    NO_SUBPROTOCOL = "the server does not speak OCPP"
    CLOSES_AT_ONCE = "the server accepts and closes"


class Server(Protocol):
    """Who is at the other end."""

    def connected(self, connection: Connection) -> None:
        """A box has connected."""

    def heard(self, connection: Connection, frame: Any) -> None:
        """A frame came, parsed."""

    def closed(self, connection: Connection) -> None:
        """The connection is gone, and the server knows."""


class Roots(Protocol):
    """Whose certificate the other end shows."""

    def shake_hands(self, client: ssl_module.SSLContext) -> tuple[Certificate, ...]:
        """What a connection is verified by. Raises ssl.SSLError as the box sees it."""

    def interrupted(self) -> None:
        """The line has kept an attempt from shaking hands."""


class Listener(Protocol):
    """Who watches the line at the box's end."""

    def attempted(self) -> None:
        """The box tries to connect."""

    def shook_hands(self) -> None:
        """A TLS handshake is over, well or not."""

    def written(self, text: str) -> None:
        """The box writes this to the line."""

    def sent(self, connection: Connection, frame: Any) -> None:
        """The box sends a frame."""

    def delivered(self, connection: Connection, text: str) -> None:
        """A frame reaches the box."""


class Network:
    """Levers first."""

    def __init__(
        self,
        random: Random,
        server: Server,
        roots: Roots,
        listener: Listener,
        step: Callable[[str], None],
        count: Callable[[str], None],
    ) -> None:
        self.reach = Reach.UP
        self.latency_s = HEALTHY_LATENCY_S
        self._random = random
        self.server = server
        self.roots = roots
        self.listener = listener
        self._step = step
        self._count = count
        self._connections: list[Connection] = []
        self._tried: set[ssl_module.SSLContext | None] = set()  # by the attempt that goes on

    def cut(self) -> None:
        """Every connection ends, and both sides know."""
        for connection in self._take():
            self._count("line: breaks")
            connection.hang_up()

    def half_open(self) -> None:
        """Nothing passes any more on what is connected now, and nobody is told."""
        for connection in self._take():
            self._count("line: half open")
            connection.is_jammed = True

    def box_is_gone(self, politely: bool) -> None:
        """The process has ended. ``politely``: its system tells the other side."""
        self._tried.clear()
        for connection in self._take():
            connection.belongs_to_ghost = True
            if politely:
                connection.tell_server()

    def _take(self) -> list[Connection]:
        taken, self._connections = self._connections, []
        return taken

    def delay_s(self) -> float:
        """How long a frame is under way."""
        if self.latency_s > HEALTHY_LATENCY_S:
            self._count("line: slow")
        return self.latency_s * self._random.uniform(0.5, 1.5)

    def step(self, where: str) -> None:
        """The world may end the process here."""
        self._step(where)

    async def connect(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        ssl: ssl_module.SSLContext | None,
        open_timeout_s: float,
    ) -> Connection:
        """The agent's way to its central system."""
        self._note_attempt(ssl)
        if self.reach is not Reach.UP:
            self._count(f"line: {self.reach.value}")
        try:
            await self._arrive(open_timeout_s)
        except BaseException:
            self.roots.interrupted()
            raise
        connection = Connection(self)
        connection.verified_by = self._verified_by(ssl)
        self._tried.clear()
        if self.reach is Reach.NO_SUBPROTOCOL:
            connection.subprotocol = None
        elif self.reach is Reach.CLOSES_AT_ONCE:
            connection.hang_up()
        else:
            self._connections.append(connection)
            self.server.connected(connection)
        return connection

    def _note_attempt(self, trust: ssl_module.SSLContext | None) -> None:
        """One attempt tries each of what the box trusts once: ``contexts_kept`` knows it again."""
        if not self._tried or trust in self._tried:
            self._tried.clear()
            self.listener.attempted()
        self._tried.add(trust)

    async def _arrive(self, open_timeout_s: float) -> None:
        if self.reach is Reach.SILENT:
            await asyncio.sleep(open_timeout_s)
            raise TimeoutError
        await asyncio.sleep(2 * self.delay_s())
        problem = _problem(self.reach)
        if problem is not None:
            raise problem

    def _verified_by(self, ssl: ssl_module.SSLContext | None) -> tuple[Certificate, ...]:
        if ssl is None:
            return ()
        try:
            return self.roots.shake_hands(ssl)
        finally:
            self.listener.shook_hands()


class Connection:
    """Both ends of one connection; the box's end is a ``Wire``."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._incoming: deque[str] = deque()
        self._arrived = asyncio.Event()
        self._up_at_s = self._down_at_s = 0.0
        self._is_closed = False
        self._server_knows = False
        self.subprotocol: str | None = "ocpp1.6"
        self.verified_by: tuple[Certificate, ...] = ()
        self.is_jammed = False
        self.belongs_to_ghost = False

    # --- the box's end ---

    async def send(self, text: str) -> None:
        """See ``Wire``."""
        if self._is_closed:
            raise LinkError("the connection broke off")
        self._network.step("before a frame")
        if self.belongs_to_ghost:
            return
        self._network.listener.written(text)
        frame = json.loads(text)
        self._network.listener.sent(self, frame)
        if not self.is_jammed:
            self._up_at_s = max(self._up_at_s, self._loop.time() + self._network.delay_s())
            self._loop.call_at(self._up_at_s, self._arrive_above, frame)

    async def receive(self) -> str:
        """See ``Wire``."""
        while True:
            if self._incoming:
                return self._incoming.popleft()
            if self._is_closed:
                raise LinkError("the connection broke off")
            self._arrived.clear()
            await self._arrived.wait()

    async def ping(self) -> None:
        """See ``Wire``."""
        if self.is_jammed or self.belongs_to_ghost:
            await asyncio.Event().wait()
        await asyncio.sleep(2 * self._network.delay_s())
        if self._is_closed:
            raise LinkError("the connection broke off")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See ``Wire``."""
        self._end()
        if not self.is_jammed and not self.belongs_to_ghost:
            self.tell_server()

    # --- the server's end ---

    def say(self, text: str) -> None:
        """Send a frame to the box."""
        if not self.is_jammed and not self._server_knows:
            self._down_at_s = max(self._down_at_s, self._loop.time() + self._network.delay_s())
            self._loop.call_at(self._down_at_s, self._arrive_below, text)

    def hang_up(self) -> None:
        """End the connection; the box hears of it."""
        self._end()
        self.tell_server()

    def tell_server(self) -> None:
        """The server learns that this connection is over."""
        if not self._server_knows:
            self._server_knows = True
            self._network.server.closed(self)

    @property
    def is_open(self) -> bool:
        """True as far as the server knows."""
        return not self._server_knows

    def _arrive_above(self, frame: Any) -> None:
        if not self.is_jammed and not self._server_knows:
            self._network.server.heard(self, frame)

    def _arrive_below(self, text: str) -> None:
        if self.is_jammed or self._is_closed or self.belongs_to_ghost:
            return
        self._network.listener.delivered(self, text)
        self._incoming.append(text)
        self._arrived.set()

    def _end(self) -> None:
        self._is_closed = True
        self._arrived.set()


def _problem(reach: Reach) -> Exception | None:
    statuses = {Reach.UNAUTHORIZED: 401, Reach.NOT_FOUND: 404, Reach.UNAVAILABLE: 503}
    if reach in statuses:
        return InvalidStatus(Response(statuses[reach], "no", Headers()))
    if reach is Reach.REFUSED:
        return ConnectionRefusedError(111, "Connection refused")
    if reach is Reach.BAD_TLS:
        return ssl_module.SSLCertVerificationError("certificate verify failed")
    return None
