"""One connection to the central system, from its opening to its end: four tasks that end together.

One reads, one sends our calls, one pings, and one waits for the order to leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from agent.core.security_event_values import SecurityEventSeen, SecurityEventType
from agent.ocpp16.dispatch import Dispatch, Handler
from agent.ocpp16.registration import Registration
from agent.ocpp16.sender import Sender
from agent.ocpp16.session_context import SessionContext
from agent.ocpp16.version import parse
from agent.ocppj.connection import Connection
from agent.ocppj.frames import BadCall, BadFrame, Call, CallError, CallResult, Frame
from agent.ocppj.incoming_calls import IncomingCalls
from agent.ocppj.websocket import WebSocket
from agent.platform.errors import LinkError

_GOODBYE_S = 0.5


class Session:
    """The conversation over one connection. Opening and closing the WebSocket is the caller's."""

    def __init__(
        self,
        websocket: WebSocket,
        context: SessionContext,
        registration: Registration,
        handlers: Mapping[str, Handler],
    ) -> None:
        self.connection = Connection(
            websocket,
            parse,
            context.off_loop,
            context.frame_log,
            lambda: context.configuration().integer("WebSocketPingInterval"),
            context.clock,
        )
        self.sender = Sender(context, registration, self.connection.send)
        dispatch = Dispatch(
            handlers,
            registration,
            context.off_loop,
            lambda: context.configuration().profiles,
        )
        self._post = context.inbox.post
        self._incoming = IncomingCalls(
            dispatch.respond, dispatch.may_answer, self.sender.send, self._note_repeated
        )
        self._leaving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.has_left = False

    async def run(self) -> None:
        """Talk until the connection ends; raises LinkError with the reason."""
        problem = "the agent ends the connection"
        grace_s = _GOODBYE_S  # a Reset that was accepted must be seen to be accepted
        connection = self.connection
        try:
            await _until_one_fails(
                connection.read(self._take), self.sender.run(), connection.ping(), self._leave()
            )
        except LinkError as reason:
            problem, grace_s = str(reason), 0.0
            raise
        finally:
            self.sender.end(problem)
            await self._incoming.finish(grace_s)

    def configuration_changed(self) -> None:
        """Let the timers follow the configuration keys at once."""
        self.connection.configuration_changed()
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

    def _take(self, frame: Frame) -> None:
        self.sender.pending_call.heard()
        match frame:
            case CallResult() | CallError():
                self.sender.pending_call.resolve(frame)
            case Call():
                self._incoming.take(frame)
            case BadCall():
                self._note(SecurityEventType.INVALID_MESSAGES, frame.description)
                self._incoming.take(frame)
            case BadFrame():
                self._note(SecurityEventType.INVALID_MESSAGES, frame.problem)

    def _note_repeated(self, action: str) -> None:
        self._note(SecurityEventType.ATTEMPTED_REPLAY_ATTACKS, f"{action} came a second time")

    def _note(self, kind: SecurityEventType, what: str) -> None:
        self._post(SecurityEventSeen(kind, f"from the central system: {what}"))


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
