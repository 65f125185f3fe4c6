"""Checks every request before the framework sees it: token, type, rate, size. Plain ASGI.

Nothing of a request is looked at before its token: not even whether its body is JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.api.errors import Invalid, Refused, unavailable
from agent.api.idempotency import Answer, Idempotency
from agent.api.limits import (
    BODY_MAX,
    LIST_BODY_MAX,
    Message,
    RateLimit,
    Receive,
    RequestLimits,
    read_body,
)
from agent.api.tokens import ApiToken, Authenticator, require_scope
from agent.platform.redaction import one_line

logger = logging.getLogger(__name__)

COMMANDS = "/ocpp/commands/"
EVCHARGER_COMMANDS = "/evcharger/commands/"  # the same for the newer client of the vendor
SCOPE_OF_COMMAND: Mapping[str, str] = {
    "proxy-message": "simulate",
    "configuration": "configure",
    "cache/reset": "configure",
    "local-auth-list": "configure",
    "clear-local-auth-list": "configure",
    "inject-fault": "simulate",
    "clear-fault": "simulate",
    "plug-connector": "simulate",
    "unplug-connector": "simulate",
    "unlock-connector": "operate",
    "skip-delay": "operate",
    "start-transaction": "operate",
    "stop-transaction": "operate",
    "start-session": "operate",
    "stop-session": "operate",
    "authorize-id-tag": "operate",
    "ev-requests-energy": "simulate",
    "ev-stops-energy": "simulate",
    "power-update": "simulate",
    "present-card": "simulate",
    "queue": "operate",
}
_QUEUE = re.compile(r"/ocpp/queue/[^/]{1,40}/(retry|discard)")
LIVENESS = "/health"

Send = Callable[[Message], Awaitable[None]]
Scope = Mapping[str, Any]
App = Callable[[Any, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: Mapping[bytes, bytes]
    command: str | None  # the name of the command that the path names


class AccessMiddleware:
    """Checks token, scope, method, type, rate and size; keeps answers for repeated requests."""

    def __init__(self, app: App, authenticator: Authenticator, limits: RequestLimits) -> None:
        """Made on the API's loop."""
        loop = asyncio.get_running_loop()
        self._app = app
        self._authenticator = authenticator
        self._limits = limits
        self._rate = RateLimit(limits, loop.time)
        self._idempotency = Idempotency(loop.time)
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Whatever happens, it is answered once, as JSON."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._serve(scope, receive)
        except Refused as refusal:
            answer = refused(refusal)
        except Exception:
            logger.exception("control API: a request failed")
            message = "It failed inside the agent; see its log."
            answer = refused(Refused(500, "internal_error", message))
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        )
        is_head = scope["method"] == "HEAD"
        await send({"type": "http.response.body", "body": b"" if is_head else answer.body})

    async def _serve(self, scope: Scope, receive: Receive) -> Answer:
        request = _request(scope)
        if request.path == LIVENESS:
            return await self._pass_on(scope, b"")
        # A client without a token takes no place inside, however long its answer waits.
        token = await self._authenticator.admit(request.headers, client_address(scope))
        if self._inside >= self._limits.clients:
            raise unavailable("too_many_clients", "Too many requests at once.", 1)
        self._inside += 1
        try:
            async with asyncio.timeout(self._limits.answer_s):
                return await self._admit(request, token, scope, receive)
        except TimeoutError:
            raise unavailable("not_decided_in_time", "It took too long.") from None
        finally:
            self._inside -= 1

    async def _admit(
        self, request: _Request, token: ApiToken, scope: Scope, receive: Receive
    ) -> Answer:
        if request.command is not None and request.method != "POST":
            message = f"{request.method[:20]} is not possible here; use POST."
            raise Refused(405, "method_not_allowed", message, {"Allow": "POST"})
        if request.command is None:
            require_scope(token, "read")
            return await self._pass_on(scope, b"")
        require_scope(token, SCOPE_OF_COMMAND[request.command])
        self._rate.take(token.name)
        answer = await self._command(request, token.name, scope, receive)
        logger.info(
            "control API: %s: %s: %d", token.name, one_line(request.command, 40), answer.status
        )
        return answer

    async def _command(
        self, request: _Request, name: str, scope: Scope, receive: Receive
    ) -> Answer:
        declared = request.headers.get(b"content-length")
        has_body = declared not in (None, b"0") or b"transfer-encoding" in request.headers
        kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json" and (has_body or kind):
            message = "The body must be JSON: Content-Type: application/json."
            raise Refused(415, "not_json", message, {"Connection": "close"})
        at_most = LIST_BODY_MAX if request.command == "local-auth-list" else BODY_MAX
        body = await read_body(receive, declared, at_most, self._limits.body_s)

        async def perform() -> Answer:
            return await self._pass_on(scope, body)

        key = request.headers.get(b"idempotency-key")
        if key is None:
            return await perform()
        return await self._idempotency.once(name, request.path, key, body, perform)

    async def call(self, token: ApiToken, method: str, path: str, content: Any) -> Answer:
        """A request from inside, with the rights and the rate of that token. Raises Refused."""
        command = command_of(path)
        assert command is not None, path
        require_scope(token, SCOPE_OF_COMMAND[command])
        self._rate.take(token.name)
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        return await self._pass_on(
            scope, json.dumps(content).encode() if content is not None else b""
        )

    async def _pass_on(self, scope: Scope, body: bytes) -> Answer:
        started: Message = {}
        chunks: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        await self._app(scope, receive, send)
        headers = tuple((bytes(name), bytes(value)) for name, value in started["headers"])
        return Answer(started["status"], headers, b"".join(chunks))


def _request(scope: Scope) -> _Request:
    path: str = scope["path"]
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, value)
    return _Request(scope["method"], path, headers, command_of(path))


def client_address(scope: Scope) -> str:
    """From where a request came: the address of the connection, whatever its headers say."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def command_of(path: str) -> str | None:
    """The command that a path names, as the table of scopes has it; None: it names none."""
    if _QUEUE.fullmatch(path):
        return "queue"
    for prefix in (COMMANDS, EVCHARGER_COMMANDS):
        command = path.removeprefix(prefix)
        if command != path and command in SCOPE_OF_COMMAND and command != "queue":
            return command
    return None


def refused(refusal: Refused) -> Answer:
    """A refusal as an answer."""
    content: dict[str, Any] = {"detail": refusal.detail, "code": refusal.code}
    if isinstance(refusal, Invalid):
        place = {"loc": list(refusal.where), "msg": refusal.detail, "type": refusal.kind}
        content = {"detail": [place]}
    return answer_json(refusal.status, content, refusal.headers)


def answer_json(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """A whole answer from plain data."""
    body = json.dumps(content, separators=(",", ":")).encode()
    fields = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **{name.lower(): value for name, value in (headers or {}).items()},
    }
    pairs = tuple(
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()
    )
    return Answer(status, pairs, body)
