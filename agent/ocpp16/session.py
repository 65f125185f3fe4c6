"""One connection from its first message to its last: it reads, pings, and ends as a whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.ocpp16.dispatch import Dispatch
from agent.ocpp16.send_queue import wait_at_most
from agent.ocpp16.sender import Sender
from agent.ocpp16.session_context import SessionContext
from agent.ocpp16.version import parse
from agent.ocppj.frames import (
    LARGE_FRAME,
    BadCall,
    BadFrame,
    Call,
    CallError,
    CallResult,
    log_frame,
)
from agent.ocppj.incoming_calls import IncomingCalls
from agent.ocppj.websocket import WebSocket
from agent.platform.errors import LinkError

_DAY_S = 86_400.0
_SEND_TIMEOUT_S = 10.0
_PONG_TIMEOUT_S = 10.0
_GOODBYE_S = 0.5
_BAD_IN_A_ROW_MAX = 100
_POLICY_VIOLATION = 1008

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pong:
    """A ping was answered."""

    at: datetime
    took_s: float


class Session:
    """The conversation over one connection. Opening and closing the WebSocket is the caller's."""

    def __init__(self, websocket: WebSocket, context: SessionContext) -> None:
        self._websocket = websocket
        self._context = context
        self.sender = Sender(context, self._write)
        dispatch = Dispatch(
            context.handlers,
            context.registration,
            context.off_loop,
            lambda: context.configuration().profiles,
        )
        self._incoming = IncomingCalls(dispatch.respond, dispatch.may_answer, self.sender.send)
        self._keys_changed = asyncio.Event()
        self._bad_in_a_row = 0
        self._leaving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.has_left = False
        self.last_pong: Pong | None = None

    async def run(self) -> None:
        """Talk until the connection ends; raises LinkError with the reason."""
        problem = "the agent ends the connection"
        grace_s = _GOODBYE_S  # a Reset that was accepted must be seen to be accepted
        try:
            await _until_one_fails(self._read(), self.sender.run(), self._ping(), self._leave())
        except LinkError as reason:
            problem, grace_s = str(reason), 0.0
            raise
        finally:
            self.sender.end(problem)
            await self._incoming.finish(grace_s)

    def configuration_changed(self) -> None:
        """Let the timers follow the configuration keys at once."""
        self._keys_changed.set()
        self.sender.configuration_changed()

    def leave(self, reason: str) -> None:
        """End it in a moment: answers that are nearly ready go out first. Safe to repeat."""
        self.has_left = True
        self.drop(reason)

    def drop(self, reason: str) -> None:
        """End it as a failure. Safe to repeat."""
        if not self._leaving.done():
            self._leaving.set_result(reason)

    async def _leave(self) -> None:
        reason = await self._leaving
        if self.has_left:
            await self._incoming.finish(_GOODBYE_S)
        raise LinkError(reason)

    async def _read(self) -> None:
        while True:
            data = await self._websocket.receive()
            self._log("received", data)
            self.sender.pending_call.heard()
            is_large = len(data) > LARGE_FRAME
            frame = await self._context.off_loop(parse, data) if is_large else parse(data)
            match frame:
                case CallResult() | CallError():
                    self.sender.pending_call.resolve(frame)
                case Call() | BadCall():
                    self._incoming.take(frame)
                case BadFrame():
                    pass
            await self._count_bad(frame)

    async def _count_bad(self, frame: object) -> None:
        if not isinstance(frame, BadFrame | BadCall):
            self._bad_in_a_row = 0
            return
        self._bad_in_a_row += 1
        if self._bad_in_a_row in (1, 10):
            problem = frame.problem if isinstance(frame, BadFrame) else frame.description
            logger.warning("A bad message came (%d in a row): %s", self._bad_in_a_row, problem)
        if self._bad_in_a_row > _BAD_IN_A_ROW_MAX:
            await self._websocket.close(_POLICY_VIOLATION, "too many bad messages")
            raise LinkError(f"the central system sent {self._bad_in_a_row} bad messages in a row")

    async def _write(self, text: str) -> None:
        self._log("sent", text)
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await self._websocket.send(text)
        except TimeoutError:
            raise LinkError(f"nothing could be sent for {_SEND_TIMEOUT_S:.0f} s") from None

    def _log(self, direction: str, data: str | bytes) -> None:
        log_frame(direction, data)
        if self._context.frame_log is not None:
            self._context.frame_log.note(direction, data)

    async def _ping(self) -> None:
        while True:
            timeout_s = min(float(await self._ping_is_due()), _PONG_TIMEOUT_S)
            begun_s = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._websocket.ping()
            except TimeoutError:
                raise LinkError(f"no answer to a ping within {timeout_s:.0f} s") from None
            took_s = asyncio.get_running_loop().time() - begun_s
            self.last_pong = Pong(self._context.clock.now().utc, took_s)

    async def _ping_is_due(self) -> int:
        """Wait for an interval and return it; a change of its own key begins it anew, no other."""
        now_s = asyncio.get_running_loop().time
        interval_s, begun_s = 0, 0.0
        while True:
            wanted_s = self._context.configuration().integer("WebSocketPingInterval")
            if wanted_s != interval_s:
                interval_s, begun_s = wanted_s, now_s()
            self._keys_changed.clear()
            left_s = begun_s + interval_s - now_s() if interval_s else _DAY_S
            if not await wait_at_most(self._keys_changed, left_s) and interval_s:
                return interval_s


async def _until_one_fails(*works: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        failed = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in failed:
        task.result()
