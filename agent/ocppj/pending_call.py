"""Our own calls: one in flight, its answer found by unique id, late answers found too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from agent.ocppj.frames import CallError, CallResult, Payload, call_text
from agent.platform.bounds import BoundedMap
from agent.platform.errors import CallFailed, LinkError
from agent.platform.redaction import one_line, without_tag

_REMEMBERED_MAX = 50
_SILENT_TIMEOUTS_MAX = 3
_PROBLEM_MAX = 200
WANTS_NONE = ("NotImplemented", "NotSupported")  # CALLERRORs: such calls are not for this one

logger = logging.getLogger(__name__)


class CallErrorReceived(CallFailed):
    """The central system answered one of our calls with a CALLERROR."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class OutgoingCall:
    """A call of ours. ``subject`` is what it is about: a command, an outbox row, a report."""

    unique_id: str
    action: str
    payload: Payload
    timeout_s: float
    subject: object = None
    is_urgent: bool = False  # has a short time-out of its own, which says little about the link


class SentCalls:
    """The last calls that were sent and not answered; outlives a connection."""

    def __init__(self) -> None:
        self._calls = BoundedMap[str, OutgoingCall](_REMEMBERED_MAX)

    def remember(self, call: OutgoingCall) -> None:
        """Keep the call until it is answered, or 50 younger ones are kept."""
        self._calls[call.unique_id] = call

    def take(self, unique_id: str) -> OutgoingCall | None:
        """The unanswered call of that id; it is forgotten with that."""
        return self._calls.pop(unique_id, None)


class PendingCall:
    """Sends calls of ours over one connection, one at a time (OCPP-J 1.6, 4.1.1)."""

    def __init__(
        self,
        send: Callable[[str], Awaitable[None]],
        sent: SentCalls,
        late: Callable[[OutgoingCall, Any], None],
        tag_of: Callable[[object], str | None],
    ) -> None:
        """``late`` takes an answer that came after the time-out of its call.

        ``tag_of`` gives the idTag that the subject of a call is about: no text shows it whole.
        """
        self._send = send
        self._sent = sent
        self._late = late
        self._tag_of = tag_of
        self._answer: asyncio.Future[Any] | None = None
        self._silent_timeouts = 0
        self.answered = 0  # calls over this connection, in time
        self.in_flight: OutgoingCall | None = None

    def heard(self) -> None:
        """The other side has said something, whatever it was."""
        self._silent_timeouts = 0

    async def perform(self, call: OutgoingCall) -> Any:
        """Send the call and return the payload of its answer.

        Raises CallFailed on a CALLERROR or when no answer comes in time, LinkError when the
        connection is gone or has been silent through several calls.
        """
        assert self.in_flight is None, "one call at a time"
        self._answer = asyncio.get_running_loop().create_future()
        self.in_flight = call
        self._sent.remember(call)
        try:
            async with asyncio.timeout(call.timeout_s):
                await self._send(call_text(call.unique_id, call.action, call.payload))
                return await self._answer
        except TimeoutError:
            self._count_silence(call)
            raise CallFailed(f"no answer to {call.action} within {call.timeout_s:.0f} s") from None
        finally:
            self.in_flight = None

    def resolve(self, frame: CallResult | CallError) -> None:
        """Give the answer to the call that waits for it, or to one that waited too long."""
        call = self._sent.take(frame.unique_id)
        if call is None:
            logger.info("An answer came to no call of ours, or a second time; it is ignored")
            return
        answer = self._answer
        is_awaited = self.in_flight is not None and self.in_flight.unique_id == frame.unique_id
        if is_awaited and answer is not None and not answer.done():
            self._settle(answer, call, frame)
        elif isinstance(frame, CallResult):
            logger.info("The answer to %s came after its time-out", call.action)
            self._late(call, frame.payload)
        else:
            logger.info("A refusal of %s came after its time-out", call.action)

    def _settle(
        self, answer: asyncio.Future[Any], call: OutgoingCall, frame: CallResult | CallError
    ) -> None:
        if isinstance(frame, CallResult):
            self.answered += 1
            answer.set_result(frame.payload)
            return
        description = without_tag(frame.description, self._tag_of(call.subject))
        message = one_line(f"{call.action} was refused: {frame.code} {description}", _PROBLEM_MAX)
        answer.set_exception(CallErrorReceived(frame.code, message.strip()))

    def _count_silence(self, call: OutgoingCall) -> None:
        if call.is_urgent:
            return
        self._silent_timeouts += 1
        if self._silent_timeouts >= _SILENT_TIMEOUTS_MAX:
            raise LinkError(
                f"the central system left {self._silent_timeouts} calls in a row without an answer"
            )
