"""Calls of the central system: each is a bounded task, so that a slow one holds up no other."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from agent.ocppj.frames import BadCall, Call, CallRefused, Payload, error_text, result_text
from agent.platform.bounds import BoundedMap
from agent.platform.errors import LinkError
from agent.platform.redaction import one_line


@dataclass(frozen=True, slots=True)
class AnswerFirst:
    """An answer, and what follows once it has been sent (OCPP 1.6, 5.17)."""

    payload: Payload
    then: Callable[[], None]


AT_ONCE_MAX = 64  # a third of a second of a central system that asks 200 times a second
LARGE_AT_ONCE_MAX = 4  # of those that may take 2 MiB each
_TASKS_MAX = 2 * AT_ONCE_MAX  # those beyond AT_ONCE_MAX only say that there are too many
_ANSWERS_KEPT_MAX = 50
_ACTION_MAX = 50  # characters of an action that are shown

logger = logging.getLogger(__name__)


class IncomingCalls:
    """Answers the calls that come in over one connection."""

    def __init__(
        self,
        respond: Callable[[Call], Awaitable[Payload | AnswerFirst]],
        may_answer: Callable[[], bool],
        send: Callable[[str], Awaitable[None]],
        repeated: Callable[[str], None] = lambda action: None,
    ) -> None:
        """``respond`` raises CallRefused for what is answered with a CALLERROR.

        ``may_answer`` is False while a call gets no answer at all. ``repeated`` hears of each call
        that came before under its id.
        """
        self._respond = respond
        self._may_answer = may_answer
        self._send = send
        self._repeated = repeated
        self._tasks: set[asyncio.Task[Any]] = set()
        self._in_work: dict[str, bool] = {}  # by id, whether it is a large one
        self._answers = BoundedMap[str, tuple[int, str]](_ANSWERS_KEPT_MAX)

    def take(self, call: Call | BadCall) -> None:
        """Begin to answer the call. Never raises, returns at once."""
        if len(self._tasks) >= _TASKS_MAX:
            logger.warning("The central system sends calls faster than they go; one is dropped")
            return
        # A task begins after what came before the call has been acted on: the acceptance of this
        # charge point may have come in the same packet.
        task = asyncio.create_task(self._handle(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, within_s: float) -> None:
        """Let answers that are nearly ready go out, then give up the others."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _handle(self, call: Call | BadCall) -> None:
        if not self._may_answer():
            logger.info("A call came before this charge point was accepted; it is not answered")
            return
        if isinstance(call, BadCall):
            await self._reply(error_text(call.unique_id, call.code, call.description))
            return
        known = self._answers.get(call.unique_id)
        if call.unique_id in self._in_work:
            await self._refuse(call, "a call with this id is still in work")
        elif known is not None and known[0] == _fingerprint(call):
            self._repeated(one_line(call.action, _ACTION_MAX))
            await self._reply(known[1])
        elif self._has_enough(call):
            await self._refuse(call, "too many calls at once")
        else:
            await self._serve(call)

    def _has_enough(self, call: Call) -> bool:
        if call.is_large and sum(self._in_work.values()) >= LARGE_AT_ONCE_MAX:
            return True
        return len(self._in_work) >= AT_ONCE_MAX

    async def _refuse(self, call: Call, description: str) -> None:
        await self._reply(error_text(call.unique_id, "GenericError", description))

    async def _serve(self, call: Call) -> None:
        self._in_work[call.unique_id] = call.is_large
        try:
            text, then = await self._answer(call)
            self._answers[call.unique_id] = (_fingerprint(call), text)
        finally:
            del self._in_work[call.unique_id]
        if await self._reply(text) and then is not None:
            then()

    async def _reply(self, text: str) -> bool:
        try:
            await self._send(text)
        except LinkError:
            logger.info("The link was lost before a call could be answered")
            return False
        return True

    async def _answer(self, call: Call) -> tuple[str, Callable[[], None] | None]:
        try:
            result = await self._respond(call)
        except CallRefused as refusal:
            return error_text(call.unique_id, refusal.code, refusal.description), None
        except TimeoutError:
            logger.warning("%s was not decided in time", call.action)
            return error_text(call.unique_id, "InternalError", "not decided in time"), None
        except Exception:
            logger.exception("%s could not be answered", call.action)
            problem = "the charge point has a problem"
            return error_text(call.unique_id, "InternalError", problem), None
        if isinstance(result, AnswerFirst):
            return result_text(call.unique_id, result.payload), result.then
        return result_text(call.unique_id, result), None


def _fingerprint(call: Call) -> int:
    # A central system that counts its ids anew must not get the answer to another question.
    if call.text_hash is not None:
        return call.text_hash
    return hash((call.action, json.dumps(call.payload)))
