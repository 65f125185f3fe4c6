"""A central system for tests: it records, obeys scripts, and misbehaves on demand.

It answers with the ``ocpp`` package's own ChargePoint (and so its schema checks) wherever no script
says otherwise. It is reached through two queues (``connect``, no port, virtual time) or through a
real WebSocket on the loopback address (``serve``).
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import ssl as ssl_module
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ocpp.messages  # type: ignore[import-untyped]
from ocpp.routing import on  # type: ignore[import-untyped]
from ocpp.v16 import ChargePoint, call_result  # type: ignore[import-untyped]
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from agent.core.certificates import Certificate
from agent.ocppj.websocket import WebSocket
from agent.platform.errors import LinkError

# Validation in a thread would outlive every time-out of a loop in virtual time.
ocpp.messages.ASYNC_VALIDATION = False

OCPP16 = Subprotocol("ocpp1.6")

NOW = "2026-03-01T12:00:00.000Z"
_SECONDS_TO_WAIT = 200_000.0  # of virtual time; a real-time test brings its own limit


# --- what a script can say -----------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """A CALLRESULT with this payload, whatever the schema says."""

    payload: Any
    delay_s: float = 0.0


@dataclass(frozen=True)
class Error:
    """A CALLERROR."""

    code: str = "InternalError"
    description: str = ""
    delay_s: float = 0.0


@dataclass(frozen=True)
class Raw:
    """Any text; ``{id}`` becomes the unique id of the call."""

    text: str
    delay_s: float = 0.0


@dataclass(frozen=True)
class Late:
    """The ordinary answer, after a while."""

    delay_s: float


@dataclass(frozen=True)
class Silence:
    """No answer at all."""


@dataclass(frozen=True)
class HangUp:
    """The connection ends instead of an answer."""


Reaction = Answer | Error | Raw | Late | Silence | HangUp


# --- what it remembers ---------------------------------------------------------------------------


@dataclass(frozen=True)
class ReceivedCall:
    """A CALL of the charge point; ``at_s`` on the loop's clock."""

    action: str
    payload: Mapping[str, Any]
    unique_id: str
    at_s: float


@dataclass(frozen=True)
class Attempt:
    """A try to connect."""

    url: str
    headers: Mapping[str, str]
    ssl: ssl_module.SSLContext | None
    at_s: float


# --- two queues in the place of a WebSocket ------------------------------------------------------


class MemoryWire:
    """One end of a connection. ``jam`` makes it swallow what it is given, and answer no ping."""

    def __init__(self, incoming: asyncio.Queue[Any], outgoing: asyncio.Queue[Any]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._closed = asyncio.Event()
        self.other: MemoryWire | None = None
        self.subprotocol: str | None = "ocpp1.6"
        self.verified_by: tuple[Certificate, ...] = ()
        self.is_jammed = False
        self.blocks_sending = False
        self.close_code: int | None = None
        self.pings: list[float] = []
        self.pong_after_s = 0.0

    async def send(self, text: str) -> None:
        if self.blocks_sending:
            await asyncio.Event().wait()
        if self._closed.is_set():
            raise LinkError("the connection broke off")
        if not self.is_jammed:
            self._outgoing.put_nowait(text)

    async def receive(self) -> str | bytes:
        get = asyncio.ensure_future(self._incoming.get())
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait([get, closed], return_when=asyncio.FIRST_COMPLETED)
            if get.done():
                message: str | bytes = get.result()
                return message
            raise LinkError("the connection broke off")
        finally:
            get.cancel()
            closed.cancel()

    async def ping(self) -> None:
        self.pings.append(asyncio.get_running_loop().time())
        if self.is_jammed:
            await asyncio.Event().wait()
        if self.pong_after_s:
            await asyncio.sleep(self.pong_after_s)
        if self._closed.is_set():
            raise LinkError("the connection broke off")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.close_code = code if self.close_code is None else self.close_code
        self._closed.set()
        if self.other is not None and not self.is_jammed:
            self.other.break_off()

    def break_off(self) -> None:
        """The connection is gone, and this end knows."""
        self._closed.set()

    @property
    def is_closed(self) -> bool:
        return self._closed.is_set()


def memory_wire() -> tuple[MemoryWire, MemoryWire]:
    """Both ends of a connection."""
    upwards: asyncio.Queue[Any] = asyncio.Queue(maxsize=10_000)
    downwards: asyncio.Queue[Any] = asyncio.Queue(maxsize=10_000)
    client, server = MemoryWire(downwards, upwards), MemoryWire(upwards, downwards)
    client.other, server.other = server, client
    return client, server


class _WebSocketEnd:
    """The server's end of a real WebSocket, with the verbs of MemoryWire."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        await self._connection.send(text)

    async def receive(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except ConnectionClosed as problem:
            raise LinkError(str(problem)) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.close(code, reason)


# --- the central system --------------------------------------------------------------------------


@dataclass
class FakeCentralSystem:
    """Levers first, memory after them."""

    boot_status: str = "Accepted"
    boot_interval: int = 300
    accepted_tags: set[str] = field(default_factory=set)
    current_time: Callable[[], str] | None = None  # None: always the same
    # Levers on connecting. Each attempt takes the next refusal, if there is one.
    refusals: deque[BaseException] = field(default_factory=deque)
    refuse_always: BaseException | None = None
    closes_at_once: bool = False
    subprotocol: Subprotocol | None = OCPP16
    http_status: int | None = None  # real WebSocket only
    http_location: str = ""  # where that status points to

    attempts: list[Attempt] = field(default_factory=list)
    calls: list[ReceivedCall] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)  # everything that came in, as it came
    wires: list[MemoryWire] = field(default_factory=list)  # the charge point's ends

    def __post_init__(self) -> None:
        self._once: dict[str, deque[Reaction]] = defaultdict(deque)
        self._always: dict[str, Reaction] = {}
        self._talks: list[_Talk] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard = asyncio.Condition()
        self.transaction_ids: dict[str, int] = {}

    # --- levers ---

    def next(self, action: str, *reactions: Reaction) -> None:
        """React so to the next calls of this action, one each."""
        self._once[action].extend(reactions)

    def always(self, action: str, reaction: Reaction | None) -> None:
        """React so to every call of this action; None: ordinarily again."""
        if reaction is None:
            self._always.pop(action, None)
        else:
            self._always[action] = reaction

    async def drop(self) -> None:
        """End every connection."""
        for talk in self._talks:
            await talk.end.close()
        await asyncio.sleep(0)

    def half_open(self) -> None:
        """From now on nothing passes on the present connections, and nobody is told."""
        for wire in self.wires:
            wire.is_jammed = True
            assert wire.other is not None
            wire.other.is_jammed = True

    async def send_call(
        self,
        action: str,
        payload: Any,
        *,
        unique_id: str | None = None,
        timeout_s: float = 60.0,
    ) -> list[Any]:
        """Send a CALL and return the frame that answers it, parsed. Raises TimeoutError."""
        unique_id = unique_id or f"cs-{len(self.frames)}-{action}"
        return await self._talks[-1].ask([2, unique_id, action, payload], unique_id, timeout_s)

    async def send_raw(self, text: str) -> None:
        """Send anything at all."""
        await self._talks[-1].end.send(text)

    async def answer_to(self, unique_id: str, text: str, timeout_s: float = 60.0) -> list[Any]:
        """Send anything at all and return the frame that comes with this id."""
        return await self._talks[-1].ask(text, unique_id, timeout_s)

    # --- memory ---

    def of(self, action: str) -> list[ReceivedCall]:
        """The calls of this action so far."""
        return [call for call in self.calls if call.action == action]

    async def received(self, action: str, count: int = 1) -> ReceivedCall:
        """Wait for the ``count``-th call of this action."""
        async with asyncio.timeout(_SECONDS_TO_WAIT), self._heard:
            await self._heard.wait_for(lambda: len(self.of(action)) >= count)
        return self.of(action)[count - 1]

    async def note(self, call: ReceivedCall) -> None:
        async with self._heard:
            self.calls.append(call)
            self._heard.notify_all()

    def reaction(self, action: str) -> Reaction | None:
        waiting = self._once[action]
        return waiting.popleft() if waiting else self._always.get(action)

    # --- connections ---

    async def connect(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        ssl: ssl_module.SSLContext | None,
        open_timeout_s: float,
    ) -> WebSocket:
        """The Connector for the link under test: a connection through two queues."""
        self.attempts.append(Attempt(url, headers, ssl, asyncio.get_running_loop().time()))
        if self.refusals:
            raise self.refusals.popleft()
        if self.refuse_always is not None:
            raise self.refuse_always
        client, server = memory_wire()
        client.subprotocol = self.subprotocol
        self.wires.append(client)
        if self.closes_at_once:
            client.break_off()
        else:
            self._keep(self._converse(server))
        return client

    @contextlib.asynccontextmanager
    async def serve(self, tls: ssl_module.SSLContext | None = None) -> AsyncIterator[str]:
        """A real server on a free loopback port; gives its URL."""
        async with serve(
            lambda connection: self._converse(_WebSocketEnd(connection)),
            "127.0.0.1",
            0,
            ssl=tls,
            process_request=self._process_request,
            select_subprotocol=lambda connection, offered: self.subprotocol,
            compression=None,
        ) as server:
            port = server.sockets[0].getsockname()[1]
            yield f"{'wss' if tls else 'ws'}://127.0.0.1:{port}"

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        now_s = asyncio.get_running_loop().time()
        self.attempts.append(Attempt(request.path, dict(request.headers.raw_items()), None, now_s))
        if self.http_status is None:
            return None
        response = connection.respond(http.HTTPStatus(self.http_status), "no\n")
        if self.http_location:
            response.headers["Location"] = self.http_location
        return response

    async def _converse(self, end: Any) -> None:
        talk = _Talk(end, self)
        self._talks.append(talk)
        try:
            await talk.listen()
        except LinkError:
            pass
        finally:
            talk.stop()

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Talk(ChargePoint):
    """One connection, seen from the central system."""

    def __init__(self, end: Any, system: FakeCentralSystem) -> None:
        super().__init__("charge point", end)
        self.end = end
        self._system = system
        self._asked: dict[str, asyncio.Future[list[Any]]] = {}
        self._reactions: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        while True:
            raw = str(await self.end.receive())
            self._system.frames.append(raw)
            frame = json.loads(raw)
            if frame[0] == 2:
                await self._called(raw, frame)
            elif frame[1] in self._asked and not self._asked[frame[1]].done():
                self._asked[frame[1]].set_result(frame)

    def stop(self) -> None:
        for task in self._reactions:
            task.cancel()

    async def ask(self, frame: Any, unique_id: str, timeout_s: float) -> list[Any]:
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._asked[unique_id] = answer
        await self.end.send(frame if isinstance(frame, str) else json.dumps(frame))
        async with asyncio.timeout(timeout_s):
            return await answer

    async def _called(self, raw: str, frame: list[Any]) -> None:
        _, unique_id, action, payload = frame
        now_s = asyncio.get_running_loop().time()
        reaction = self._system.reaction(action)
        task = asyncio.ensure_future(self._react(reaction, raw, unique_id))
        self._reactions.add(task)
        task.add_done_callback(self._reactions.discard)
        await self._system.note(ReceivedCall(action, payload, unique_id, now_s))

    async def _react(self, reaction: Reaction | None, raw: str, unique_id: str) -> None:
        if isinstance(reaction, Answer | Error | Raw | Late):
            await asyncio.sleep(reaction.delay_s)
        match reaction:
            case None | Late():
                await self.route_message(raw)
            case Answer(payload=payload):
                await self.end.send(json.dumps([3, unique_id, payload]))
            case Error(code=code, description=description):
                await self.end.send(json.dumps([4, unique_id, code, description, {}]))
            case Raw(text=text):
                await self.end.send(text.replace("{id}", unique_id))
            case HangUp():
                await self.end.close()
            case Silence():
                pass

    async def _send(self, message: str) -> None:
        with contextlib.suppress(LinkError, ConnectionClosed):
            await self.end.send(message)

    # --- ordinary answers ---

    @on("BootNotification")
    def on_boot(self, **told: Any) -> Any:
        system = self._system
        now = system.current_time() if system.current_time else NOW
        return call_result.BootNotification(now, system.boot_interval, system.boot_status)

    @on("Heartbeat")
    def on_heartbeat(self) -> Any:
        system = self._system
        return call_result.Heartbeat(system.current_time() if system.current_time else NOW)

    @on("StatusNotification")
    def on_status(self, **told: Any) -> Any:
        return call_result.StatusNotification()

    @on("Authorize")
    def on_authorize(self, id_tag: str) -> Any:
        return call_result.Authorize(self._info(id_tag))

    @on("StartTransaction")
    def on_start(self, id_tag: str, call_unique_id: str, **told: Any) -> Any:
        known = self._system.transaction_ids
        number = known.setdefault(call_unique_id, 1000 + len(known))
        return call_result.StartTransaction(number, self._info(id_tag))

    @on("MeterValues")
    def on_meter_values(self, **told: Any) -> Any:
        return call_result.MeterValues()

    @on("StopTransaction")
    def on_stop(self, **told: Any) -> Any:
        return call_result.StopTransaction()

    @on("DiagnosticsStatusNotification")
    def on_diagnostics_status(self, **told: Any) -> Any:
        return call_result.DiagnosticsStatusNotification()

    @on("FirmwareStatusNotification")
    def on_firmware_status(self, **told: Any) -> Any:
        return call_result.FirmwareStatusNotification()

    @on("SecurityEventNotification")
    def on_security_event(self, **told: Any) -> Any:
        return call_result.SecurityEventNotification()

    @on("SignCertificate")
    def on_sign_certificate(self, **told: Any) -> Any:
        return call_result.SignCertificate("Accepted")

    @on("LogStatusNotification")
    def on_log_status(self, **told: Any) -> Any:
        return call_result.LogStatusNotification()

    @on("SignedFirmwareStatusNotification")
    def on_signed_firmware_status(self, **told: Any) -> Any:
        return call_result.SignedFirmwareStatusNotification()

    def _info(self, id_tag: str) -> dict[str, str]:
        accepted = not self._system.accepted_tags or id_tag in self._system.accepted_tags
        return {"status": "Accepted" if accepted else "Invalid"}
