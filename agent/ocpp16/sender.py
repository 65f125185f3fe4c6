"""What goes out over one connection: registration first, then one call at a time by priority."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from agent.core.commands import Authorize, DeliverNext, NotifyStatus
from agent.core.events import (
    AuthorizeFailed,
    DeliveryHeldBack,
    Event,
    LinkAccepted,
    LinkLost,
    LinkPending,
    MessageFailed,
    OutboxWasEmpty,
)
from agent.core.outbox_row import UnreadableMessage
from agent.core.tag_sources import Source
from agent.core.values import ConnectorMeasured
from agent.ocpp16 import confirmations, plug_and_charge, requests
from agent.ocpp16.registration import Registration
from agent.ocpp16.session_context import SessionContext
from agent.ocppj.frames import Payload
from agent.ocppj.pending_call import CallErrorReceived, OutgoingCall, PendingCall
from agent.ocppj.send_queue import (
    Due,
    Waiting,
    WaitingAuthorize,
    WaitingCalls,
    WaitingOperatorCall,
    WaitingStatus,
    WaitingTriggered,
    wait_at_most,
)
from agent.platform.errors import AgentError, CallFailed

_DAY_S = 86_400.0
_OUTBOX_RETRY_S = 5.0
# OCPP-J 1.6 errata 3.10: the answer to a charge point that is not accepted.
_FORGOTTEN = "SecurityError"

logger = logging.getLogger(__name__)


class Sender:
    """Sends our own calls and lets the core know what came of each."""

    def __init__(
        self,
        context: SessionContext,
        registration: Registration,
        send: Callable[[str], Awaitable[None]],
    ) -> None:
        """``send`` writes one frame, or raises LinkError."""
        self._context = context
        self._registration = registration
        self._write = send
        self._loop = asyncio.get_running_loop()
        self._waiting = WaitingCalls()
        self._wake = asyncio.Event()
        self._under_way: object = None  # subject of the call that is being sent or in flight
        self._is_delivering = False
        self._delivery = DeliverNext(0)
        self._last_sent_s = self._loop.time()
        self._last_asked_time_s = self._loop.time()
        self.pending_call = PendingCall(
            self.send, context.sent, self._take_late_answer, confirmations.tag_of
        )
        self.accepted_at_s: float | None = None
        self._answered_before = 0  # the link was accepted
        self.stood_accepted_s = 0.0  # how long the link was accepted, once it is over
        self.has_worked = False  # it was accepted, and one of our calls was answered after that

    # --- from the runtime, on the loop's thread -------------------------------------------------

    def authorize(self, command: Authorize) -> None:
        """Ask about a card; its time-out runs from now, not from its turn.

        A card at the charger's own reader gets the time that a token of the station bus took of it.
        """
        if self.accepted_at_s is None:
            self._post(AuthorizeFailed(command.id_tag, "the link is not accepted yet"))
            return
        is_own = command.source is Source.READER
        most_s = command.timeout_s * (2 if is_own and self._is_station_asked_about() else 1)
        waiting = WaitingAuthorize(command, self._loop.time() + most_s)
        if not self._waiting.add_authorize(waiting):
            self._post(AuthorizeFailed(command.id_tag, "too many cards are being asked about"))
            return
        self._loop.call_at(waiting.deadline_s, self._give_up, waiting)
        self._wake.set()

    def _is_station_asked_about(self) -> bool:
        subject = self._under_way
        return isinstance(subject, Authorize) and subject.source is Source.STATION

    def notify(self, command: NotifyStatus) -> None:
        """Report a status; it is dropped while the link is not accepted."""
        if self.accepted_at_s is not None:
            changed_at = command.changed_at or self._context.clock.now().utc
            self._waiting.add_status(WaitingStatus(command.report, changed_at))
            self._wake.set()

    def deliver(self, order: DeliverNext) -> None:
        """Send the oldest outbox row. While one is under way its outcome tells the core instead."""
        self._delivery = order
        self._want_delivery()

    def _want_delivery(self) -> None:
        if self.accepted_at_s is not None and not self._is_delivering:
            self._waiting.want_delivery()
            self._wake.set()

    def proxy(self, action: str, payload: Payload, unique_id: str) -> asyncio.Future[Any]:
        """Send a call that is not stored here; its answer, or CallFailed, comes later."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        waiting = WaitingOperatorCall(action, payload, answer, unique_id)
        if self.accepted_at_s is None:
            waiting.fail(CallFailed("the link is not accepted yet"))
        elif not self._waiting.add_operator_call(waiting):
            waiting.fail(CallFailed("too many messages wait already"))
        self._wake.set()
        return answer

    def tell(self, action: str, payload: Payload, subject: object = None) -> None:
        """Send what the central system asked for, also while it keeps us pending.

        ``subject``: what the call is about, where the core waits for its answer.
        """
        if not self._waiting.add_triggered(WaitingTriggered(action, payload, subject)):
            logger.warning("%s was asked for too often; it is not sent", action)
            self._post(confirmations.interrupted(subject, "too many messages wait already"))
        self._wake.set()

    def register_now(self) -> None:
        """Send BootNotification before the interval is over, unless we are accepted."""
        self._registration.ask_now()
        self._wake.set()

    def configuration_changed(self) -> None:
        """Let the timers follow the configuration keys at once."""
        self._wake.set()

    @property
    def in_flight(self) -> str | None:
        """The action of the call that waits for its answer."""
        return self.pending_call.in_flight.action if self.pending_call.in_flight else None

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._waiting)

    # --- begin and end of the connection ---------------------------------------------------------

    async def run(self) -> None:
        """Send what is due, for ever; raises LinkError when the connection is lost."""
        if self._registration.is_accepted:
            # OCPP-J 1.6, 5.4: no BootNotification after a mere reconnect.
            self._accepted(None)
        while True:
            if self._registration.is_accepted:
                await self._send_next()
            elif (triggered := self._waiting.next_triggered()) is not None:
                await self._send_triggered(triggered)
            else:
                await self._register()

    def end(self, problem: str) -> None:
        """Let the core know what the end of the connection interrupts."""
        self._post(confirmations.interrupted(self._under_way, problem))
        self._under_way = None
        self._not_accepted(problem)

    def _accepted(self, heartbeat_interval_s: int | None) -> None:
        self.accepted_at_s = self._loop.time()
        self._answered_before = self.pending_call.answered
        self._post(LinkAccepted(heartbeat_interval_s))
        self._wake.set()

    def _not_accepted(self, problem: str) -> None:
        if self.accepted_at_s is not None:
            self.stood_accepted_s = self._loop.time() - self.accepted_at_s
            self.has_worked = self.pending_call.answered > self._answered_before
            self.accepted_at_s = None
        for waiting in self._waiting.clear():
            self._post(AuthorizeFailed(waiting.command.id_tag, problem))

    # --- what goes out ---------------------------------------------------------------------------

    async def _send_next(self) -> None:
        match await self._next_due():
            case WaitingAuthorize() as waiting:
                await self._send_authorize(waiting)
            case WaitingStatus() as waiting:
                await self._send_status(waiting)
            case WaitingTriggered() as waiting:
                await self._send_triggered(waiting)
            case WaitingOperatorCall() as waiting:
                await self._send_operator_call(waiting)
            case Due.DELIVERY:
                await self._deliver()
            case Due.HEARTBEAT:
                await self._send_heartbeat()

    async def _next_due(self) -> Waiting:
        while True:
            self._wake.clear()
            due = self._waiting.next()
            if due is not None:
                return due
            wait_s = self._heartbeat_due_s() - self._loop.time()
            if wait_s <= 0:
                return Due.HEARTBEAT
            await wait_at_most(self._wake, wait_s)

    def _heartbeat_due_s(self) -> float:
        # OCPP 1.6, 4.6: after an interval of our own silence; and once a day for the time anyway.
        interval_s = self._integer("HeartbeatInterval") or _DAY_S
        return min(self._last_sent_s + interval_s, self._last_asked_time_s + _DAY_S)

    async def _register(self) -> None:
        wait_s = self._registration.ask_not_before_s - self._loop.time()
        if wait_s > 0:
            self._wake.clear()
            await wait_at_most(self._wake, wait_s)
            return
        self._registration.asked(self._loop.time())
        payload = requests.boot_notification(self._context.charge_point)
        call = self._call("BootNotification", payload)
        try:
            answer = confirmations.read_boot(await self.pending_call.perform(call))
        except CallFailed as problem:
            logger.warning("BootNotification was not answered as it should be: %s", problem)
            self._registration.not_answered(self._loop.time())
            return
        self._registration.learn_time(answer.current_time, answer.status)
        self._boot_answered(answer)

    def _boot_answered(self, answer: confirmations.BootAnswer) -> None:
        if self._registration.is_accepted:
            return  # a late answer to an earlier request
        self._registration.answered(answer, self._loop.time())
        if answer.status == "Accepted":
            interval_s = answer.interval_s or 0
            self._accepted(interval_s if interval_s > 0 else None)
        else:
            logger.warning("The central system answers BootNotification with %s", answer.status)
            self._post(LinkPending(answer.status))

    async def _send_authorize(self, waiting: WaitingAuthorize) -> None:
        command = waiting.command
        try:
            action, payload = plug_and_charge.question(command)
        except ValueError as problem:
            self._post(AuthorizeFailed(command.id_tag, f"Authorize cannot be sent: {problem}"))
            return
        left_s = min(command.timeout_s, max(waiting.deadline_s - self._loop.time(), 0.001))
        await self._perform(
            OutgoingCall(self._new_id(), action, payload, left_s, command, is_urgent=True)
        )

    async def _send_status(self, waiting: WaitingStatus) -> None:
        payload = requests.status_notification(waiting.report, waiting.changed_at)
        await self._perform(self._call("StatusNotification", payload))

    async def _send_triggered(self, waiting: WaitingTriggered) -> None:
        if waiting.action == "Heartbeat":
            await self._send_heartbeat()
            return
        call = self._call(waiting.action, dict(waiting.payload), subject=waiting.subject)
        await self._perform(call)

    async def _send_operator_call(self, waiting: WaitingOperatorCall) -> None:
        try:
            call = self._call(waiting.action, waiting.payload, waiting.unique_id)
            payload = await self.pending_call.perform(call)
            if not waiting.answer.done():
                waiting.answer.set_result(payload)
        except CallFailed as problem:
            waiting.fail(problem)
        finally:
            waiting.fail(CallFailed("the link was lost before it was answered"))

    async def _deliver(self) -> None:
        self._is_delivering = True
        try:
            await self._send_row()
        finally:
            self._is_delivering = False

    async def _send_row(self) -> None:
        order = self._delivery
        try:
            row = await self._context.next_message(order.passed_over)
        except AgentError as problem:
            logger.warning("The outbox cannot be read, it is tried again soon: %s", problem)
            self._loop.call_later(_OUTBOX_RETRY_S, self._want_delivery)
            return
        if row is None:
            self._post(OutboxWasEmpty(order.up_to))
            return
        if isinstance(row, UnreadableMessage):
            sentence = f"storage has damaged it: {row.problem}"
            self._post(MessageFailed(row.sequence, sentence, row.attempts))
            return
        if order.passed_over and not isinstance(row.message, ConnectorMeasured):
            self._post(DeliveryHeldBack())
            return
        try:
            action, payload = requests.transaction_call(row)
        except (ValueError, TypeError, AttributeError, OverflowError) as problem:
            # A row that cannot be sent must not hold up the queue: it counts its attempts.
            sentence = f"the row cannot be sent: {problem}"
            self._post(MessageFailed(row.sequence, sentence, row.attempts))
            return
        await self._perform(
            OutgoingCall(row.unique_id, action, payload, self._message_timeout_s(), row)
        )

    async def _send_heartbeat(self) -> None:
        self._last_asked_time_s = self._loop.time()
        payload = await self._perform(self._call("Heartbeat", {}))
        self._registration.learn_time(confirmations.read_current_time(payload))

    async def _perform(self, call: OutgoingCall) -> Any:
        """Send the call, post what came of it, and return the answer; None if there is none."""
        self._under_way = call.subject
        payload, is_forgotten = None, False
        try:
            payload = await self.pending_call.perform(call)
            event = confirmations.answered(call.subject, payload)
        except CallFailed as problem:
            logger.warning("%s", problem)
            event = confirmations.failed(call.subject, problem)
            is_forgotten = isinstance(problem, CallErrorReceived) and problem.code == _FORGOTTEN
        self._under_way = None
        self._post(event)
        if is_forgotten:
            self._register_anew()
        return payload

    def _register_anew(self) -> None:
        sentence = "the central system does not know this charge point any more"
        logger.warning("%s; it is registered again", sentence)
        self._registration.forgotten()
        self._not_accepted(sentence)
        self._post(LinkLost(sentence))

    def _give_up(self, waiting: WaitingAuthorize) -> None:
        if self._waiting.drop_authorize(waiting):
            problem = "another message was not answered in time, so this was not even asked"
            self._post(AuthorizeFailed(waiting.command.id_tag, problem))

    def _take_late_answer(self, call: OutgoingCall, payload: Any) -> None:
        if call.action in ("BootNotification", "Heartbeat"):
            status = payload.get("status") if isinstance(payload, dict) else None
            time = confirmations.read_current_time(payload)
            self._registration.learn_time(time, status or "", is_late=True)
        try:
            if call.action == "BootNotification":
                self._boot_answered(confirmations.read_boot(payload))
            else:
                self._post(confirmations.answered(call.subject, payload))
        except CallFailed as problem:
            logger.warning("A late answer cannot be used: %s", problem)

    async def send(self, text: str) -> None:
        """Write a frame, an answer too: whatever we say puts the heartbeat off."""
        await self._write(text)
        self._last_sent_s = self._loop.time()

    # --- small things ----------------------------------------------------------------------------

    def _post(self, event: Event | None) -> None:
        if event is not None:
            self._context.inbox.post(event)

    def _integer(self, key: str) -> int:
        return self._context.configuration().integer(key)

    def _message_timeout_s(self) -> float:
        return float(self._integer("MessageTimeout"))

    def _call(
        self, action: str, payload: Payload, unique_id: str = "", subject: object = None
    ) -> OutgoingCall:
        unique_id = unique_id or self._new_id()
        return OutgoingCall(unique_id, action, payload, self._message_timeout_s(), subject)

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._context.random.getrandbits(128), version=4))
