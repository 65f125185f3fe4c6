"""A charge point whose parts, link and people do anything at all, while a witness watches."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from agent.core import charge_point, followers
from agent.core import events as ev
from agent.core.commands import (
    Authorize,
    CloseContactor,
    Command,
    DeliverNext,
    DiscardMessage,
    LockConnector,
    OfferCurrent,
    OpenContactor,
    ParkMessage,
    QueueMessage,
    ReadMeter,
    RecordAttempt,
    RequeueMessage,
    UnlockConnector,
)
from agent.core.events import Event
from agent.core.external_limits import ExternalSource
from agent.core.security_event_values import (
    SecurityEventNotTold,
    SecurityEventTold,
    SecurityQueueWasEmpty,
    TellSecurityEvent,
)
from agent.core.security_events import DISABLED
from agent.core.state import ChargePoint, Charging
from agent.core.values import (
    ConnectorMeasured,
    IdTagInfo,
    LockState,
    TransactionBegan,
    TransactionMessage,
)
from tests.core.security_witness import SecurityWitness
from tests.core.story import ACCEPTED, BOOT_S, at, reading, ready
from tests.core.witness import Witness


class Anything:
    """A charge point with its parts and its link, which obey one order when they are asked to."""

    def __init__(self, state: ChargePoint) -> None:
        self.state = state
        self.seconds = 0.0
        self.witness = Witness()
        self.security = SecurityWitness()
        self.orders: deque[Command] = deque(maxlen=50)
        self.outbox: dict[int, tuple[int, TransactionMessage]] = {}
        self.parked: dict[int, tuple[int, TransactionMessage]] = {}
        self.attempts: dict[int, int] = {}
        self.asked_up_to = 0
        self.register_wh = 1000
        self.requests = 0
        self.last_told: SecurityEventTold | None = None
        self.external: dict[tuple[ExternalSource, int], tuple[float, float]] = {}
        self.limited_since_s: dict[int, float] = {}

    def tell(self, event: Event | ev.LookedUp) -> None:
        if isinstance(event, ev.CablePluggedIn | ev.CableUnplugged) and not self._senses(event):
            return
        self.state, commands = charge_point.handle(self.state, ready(event), at(self.seconds))
        plain = event.event if isinstance(event, ev.LookedUp) else event
        self.witness.watch(plain, self.state, commands)
        self.security.watch(plain, self.state, commands, self.seconds)
        self._is_in_time()
        self._pauses_in_time()
        self._keeps_external_limits(plain)
        self.orders.extend(commands)
        for command in commands:
            self._write(command)
            if isinstance(command, DeliverNext):
                self.asked_up_to = command.up_to

    def _write(self, command: Command) -> None:
        """What the store would do."""
        match command:
            case QueueMessage(sequence, ref, message):
                self.outbox[sequence] = (ref, message)
            case RecordAttempt(sequence, attempts):
                self.attempts[sequence] = attempts
            case ParkMessage(sequence):
                self.parked[sequence] = self.outbox.pop(sequence)
            case RequeueMessage(sequence) if sequence in self.parked:
                self.outbox[sequence] = self.parked.pop(sequence)
                self.attempts.pop(sequence, None)
            case DiscardMessage(sequence):
                self.parked.pop(sequence, None)

    def retry(self) -> None:
        """A person wants the oldest message that was parked sent again, with its session."""
        if self.parked:
            ref = self.parked[min(self.parked)][0]
            found = tuple(sorted(s for s, (other, _) in self.parked.items() if other == ref))
            self.ask(lambda rid: ev.RetryRequested(rid, found))

    def _is_in_time(self) -> None:
        for connector in self.state.connectors:
            session = connector.phase
            if isinstance(session, Charging) and session.limits.duration_s is not None:
                age_s = BOOT_S + self.seconds - connector.transaction.begun_monotonic_s
                assert age_s < session.limits.duration_s, "longer than was asked for"

    def _pauses_in_time(self) -> None:
        """A limit that says pause is kept within the time that the vehicle has for it."""
        now_s = BOOT_S + self.seconds
        for connector in self.state.connectors:
            is_over = isinstance(connector.phase, Charging) and connector.current_a < 6
            if not (is_over and connector.close_ordered):
                self.limited_since_s.pop(connector.connector_id, None)
                continue
            since_s = self.limited_since_s.setdefault(connector.connector_id, now_s)
            assert now_s - since_s < self.state.rules.graceful_open_s, "closed below its limit"

    def _keeps_external_limits(self, event: Event) -> None:
        now_s = BOOT_S + self.seconds
        if isinstance(event, ev.ExternalLimitSet):
            limit_a = math.inf if event.limit is None else event.limit
            valid_for_s = math.inf if event.valid_for_s is None else event.valid_for_s
            self.external[event.source, event.connector_id] = (limit_a, now_s + valid_for_s)
        if isinstance(event, ev.GridContactChanged):
            limit_a = 4200 / 690 if event.is_limited else math.inf
            self.external[ExternalSource.GRID_OPERATOR, 0] = (limit_a, math.inf)
        offered = self.witness.offered
        for (_, place), (limit_a, until_s) in self.external.items():
            offered_a = offered.get(place, 0.0) if place else sum(offered.values())
            is_kept = now_s >= until_s or offered_a <= limit_a + 1e-6
            assert is_kept, "more offered than a limit from outside allows"

    def _senses(self, event: ev.CablePluggedIn | ev.CableUnplugged) -> bool:
        connectors = self.state.connectors
        return all(c.traits.has_plug or c.connector_id != event.connector_id for c in connectors)

    def ask(self, make: Callable[[str], Event | ev.LookedUp]) -> None:
        self.requests += 1
        self.tell(make(f"r{self.requests}"))

    def wait(self, seconds: float) -> None:
        """Time passes; each deadline that was handled must be gone."""
        until_s = BOOT_S + self.seconds + seconds
        while True:
            deadline_s = followers.next_deadline_s(self.state, at(self.seconds))
            if deadline_s is None or deadline_s > until_s:
                self.seconds = until_s - BOOT_S
                return
            assert deadline_s >= BOOT_S + self.seconds, "a deadline in the past"
            self.seconds = deadline_s - BOOT_S
            self.tell(ev.TimePassed())
            later_s = followers.next_deadline_s(self.state, at(self.seconds))
            assert later_s is None or later_s > deadline_s, "a deadline that does not go away"

    def obey(self, info: IdTagInfo) -> None:
        """The oldest order that a part or the link can carry out is carried out."""
        while self.orders:
            event = self._outcome(self.orders.popleft(), info)
            if event is not None:
                self.tell(event)
                return

    def _outcome(self, order: Command, info: IdTagInfo) -> Event | None:
        match order:
            case LockConnector(connector_id):
                return ev.LockChanged(connector_id, LockState.LOCKED)
            case UnlockConnector(connector_id):
                return ev.LockChanged(connector_id, LockState.UNLOCKED)
            case ReadMeter(connector_id):
                self.register_wh += 10
                return ev.MeterRead(connector_id, reading(self.register_wh))
            case CloseContactor(connector_id):
                is_wanted = charge_point.still_wanted(self.state, order)
                return ev.ContactorClosed(connector_id) if is_wanted else None
            case OfferCurrent(connector_id, current_a):
                is_wanted = charge_point.still_wanted(self.state, order)
                return ev.OfferConfirmed(connector_id, current_a) if is_wanted else None
            case OpenContactor(connector_id):
                return ev.ContactorOpened(connector_id)
            case Authorize(id_tag):
                return ev.AuthorizeAnswered(id_tag, info)
            case DeliverNext():
                return self.answer(info)
            case TellSecurityEvent():
                return self.security_answer(order)
        return None

    def security_answer(self, order: TellSecurityEvent) -> Event:
        """The central system takes the oldest one; what came after the order is not written yet."""
        written = set(self.security.queued[: order.up_to])
        number = min(self.security.queue.keys() & written, default=None)
        if number is None:
            return SecurityQueueWasEmpty(order.order, order.up_to)
        self.last_told = SecurityEventTold(number, order.order)
        return self.last_told

    def tell_often(self, event: Event, count: int) -> None:
        """The same again and again."""
        for _ in range(count):
            self.tell(event)

    def tell_late(self) -> None:
        """What the central system has said of a security event is heard once more."""
        if self.last_told is not None:
            self.tell(self.last_told)

    def refuse_security_event(self, is_unwanted: bool) -> None:
        """The central system refuses the security event in flight, or one of long ago."""
        order = self.security.last_order
        if order is not None:
            is_unwanted &= self.security.is_in_flight
            self.tell(SecurityEventNotTold(order.order, is_unwanted))

    def answer(self, info: IdTagInfo) -> Event | None:
        """The central system answers the oldest message, if one is in flight and there is one."""
        if not self.state.outbox.in_flight:
            return None
        sequence = min(self.outbox, default=self.asked_up_to + 1)
        if sequence > self.asked_up_to:
            return ev.OutboxWasEmpty(self.asked_up_to)
        ref, message = self.outbox.pop(sequence)
        if isinstance(message, TransactionBegan):
            return ev.MessageAnswered(sequence, ref, ref + 100, info, message.id_tag)
        return ev.MessageAnswered(sequence, ref, is_sample=True)

    def fail(self, interrupted: bool) -> None:
        """The oldest message fails, if one is in flight."""
        if not self.state.outbox.in_flight or not self.outbox:
            return
        sequence = min(self.outbox)
        if interrupted:
            self.tell(ev.DeliveryInterrupted(sequence))
            return
        self.tell(ev.MessageFailed(sequence, "no answer", self.attempts.get(sequence, 0)))

    def drop_samples(self) -> None:
        """A full disk: the journal drops samples, and the core is not told."""
        for sequence, (_, message) in list(self.outbox.items()):
            if isinstance(message, ConnectorMeasured):
                del self.outbox[sequence]

    def deliver_everything(self) -> None:
        """In the end the link is there, and the central system answers whatever it gets."""
        self.tell(ev.LinkAccepted())
        while (event := self.answer(ACCEPTED)) is not None:
            self.tell(event)
        while self.security.is_in_flight:
            assert self.security.last_order is not None
            self.tell(self.security_answer(self.security.last_order))
        is_disabled = self.state.configuration.boolean(DISABLED)
        assert is_disabled or not self.security.queue, "security events that nobody delivers"
        assert self.outbox == {}, "messages that nobody delivers"
        assert self.state.outbox.waiting == 0

    def settle_down(self) -> None:
        """Everything gets its time, then the link, then the end of the process."""
        self.wait(120)
        self.witness.is_content(self.state)
        self.deliver_everything()
        self.witness.is_content(self.state)
        self.tell(ev.ShutdownRequested())
        self.wait(120)
        self.deliver_everything()
        self.witness.has_answered_everybody()
