"""Someone who watches every turn of the core and objects when a promise is broken.

The promises are written down here a second time, from the outside: from events, commands and what
the parts say, not with the functions of the core that are being watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.core import events as ev
from agent.core.authorization_outcome import CHECKS_MAX
from agent.core.authorization_request import PREAUTHORIZED_MAX
from agent.core.commands import (
    CacheTag,
    CloseContactor,
    Command,
    DeliverNext,
    EndTransaction,
    LogSession,
    LowerOffer,
    NotifyStatus,
    OfferCurrent,
    QueueMessage,
    RecordDecision,
    Reply,
    SaveReservations,
    SaveTransaction,
    TagReply,
    UnlockConnector,
    WithdrawOffer,
)
from agent.core.events import Event
from agent.core.faults import RULES, Fault
from agent.core.interlock import ENERGY_STATES, Readings, reason_to_open
from agent.core.own_certificates import ChainSigned, SigningTriggered
from agent.core.security_event_values import ClearSecurityLogRequested
from agent.core.state import ChargePoint, Charging, Connector, Finished, Idle, Stopping
from agent.core.tag_presented import RANDOM_TAGS_MAX
from agent.core.values import (
    NO_TRANSACTION,
    ConnectorMeasured,
    DecisionRecord,
    Reservation,
    Status,
    Transaction,
    TransactionBegan,
    TransactionEnded,
    Verdict,
)
from tests.core.transitions import is_legal

ANSWERS: dict[type[Event], set[str]] = {
    ev.RemoteStartRequested: {"Accepted", "Rejected"},
    ev.RemoteStopRequested: {"Accepted", "Rejected"},
    ev.UnlockRequested: {"Unlocked", "UnlockFailed", "NotSupported"},
    ev.ResetRequested: {"Accepted"},
    ev.AvailabilityChangeRequested: {"Accepted", "Scheduled", "Rejected"},
    ev.ReservationRequested: {"Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"},
    ev.ReservationCancelRequested: {"Accepted", "Rejected"},
    ev.ConfigurationChangeRequested: {"Accepted", "Rejected", "RebootRequired", "NotSupported"},
    ev.InstallRootRequested: {"Accepted", "Rejected", "Failed"},
    ev.DeleteRootRequested: {"Accepted", "NotFound", "Failed"},
    ClearSecurityLogRequested: {"applied"},
    SigningTriggered: {"Accepted", "Rejected"},
    ChainSigned: {"Accepted", "Rejected"},
    ev.CacheClearRequested: {"Accepted", "Rejected"},
    ev.SetProfileRequested: {"Accepted", "Rejected", "UnknownConnector"},
    ev.ClearProfilesRequested: {"Accepted", "Unknown"},
    ev.StartRequested: {
        *("applied", "rejected", "expired"),
        *("not_plugged", "transaction_active", "connector_faulted", "unknown_connector"),
        *("connector_reserved", "connector_unavailable"),
    },
    ev.StopRequested: {"applied", "no_transaction"},
    ev.AuthorizeRequested: {"applied", "rejected", "not_connected", "failed"},
    ev.LimitRequested: {"applied", "no_transaction"},
    ev.RetryRequested: {"applied"},
    ev.DiscardRequested: {"applied"},
}
PRESENTED = (ev.TagPresented, ev.CardNotTaken)  # each is answered with a TagReply
STARTS = ("start", "remote start", "operator start")
ABOUT_CHARGING = (
    ev.RemoteStartRequested,
    ev.RemoteStopRequested,
    ev.UnlockRequested,
    ev.AvailabilityChangeRequested,
    ev.ReservationRequested,
    ev.ReservationCancelRequested,
    ev.SetProfileRequested,
    ev.StartRequested,
    ev.StopRequested,
    ev.AuthorizeRequested,
    ev.LimitRequested,
)
YES = ("Accepted", "Scheduled", "Unlocked", "applied")


@dataclass
class Witness:
    """What has been ordered so far, as far as the promises need it."""

    journalled: set[int] = field(default_factory=set)  # transactions with a record
    started: dict[int, TransactionBegan | None] = field(default_factory=dict)
    stopped: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    logged: set[int] = field(default_factory=set)
    last_sequence: int = 0
    told: dict[int, Status] = field(default_factory=dict)
    requests: dict[str, Event] = field(default_factory=dict)
    replied: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)  # tags, folded, that something said yes to
    random_tags: set[str] = field(default_factory=set)  # folded
    grace: dict[int, int | None] = field(default_factory=dict)  # refused session: up to this Wh
    offered: dict[int, float] = field(default_factory=dict)
    confirmed: dict[int, float] = field(default_factory=dict)  # by the pilot controller
    is_delivering: bool = False
    reservations: tuple[Reservation, ...] = ()
    skips_statuses: bool = False

    def watch(self, event: Event, after: ChargePoint, commands: Sequence[Command]) -> None:
        """Look at one turn; AssertionError names the promise that it breaks."""
        self._note(event, after)
        self._leaves_its_reasons(commands)
        for command in commands:
            match command:
                case RecordDecision(record):
                    self._note_decision(record)
                    is_refused_tag = _is_random_card(event) and not after.rules.allow_random_uid
                    assert not is_refused_tag or record.verdict is Verdict.REFUSED
                case SaveTransaction(transaction):
                    if transaction.ref not in self.journalled:
                        self._is_reserved_for_nobody_else(transaction)
                        assert transaction.id_tag.casefold() in self.accepted, "nobody said yes"
                    self.journalled.add(transaction.ref)
                case SaveReservations(kept):
                    self._may_keep(kept)
                case CacheTag(id_tag):
                    assert id_tag.casefold() not in self.random_tags, "remembered for nobody"
                case OfferCurrent(connector_id, current_a):
                    most_a = after.connector(connector_id).traits.max_current_a
                    assert 6 <= current_a <= most_a, "an offer that no vehicle may get"
                    assert self.offered.get(connector_id) != current_a, "offered twice"
                    self.offered[connector_id] = current_a
                case LowerOffer(connector_id, current_a):
                    assert self.offered[connector_id] > current_a >= 6, "raised by lowering"
                case WithdrawOffer(connector_id):
                    del self.offered[connector_id]
                    self.confirmed[connector_id] = 0.0
                case CloseContactor():
                    self._may_close(after, command)
                case UnlockConnector(connector_id):
                    assert not after.connector(connector_id).contactor_closed, "unlocked under load"
                case QueueMessage():
                    self._is_in_order(command)
                case EndTransaction(ref):
                    assert ref not in self.ended, "a session ended twice"
                    self.ended.add(ref)
                    assert ref in self.logged, "a session ended without a record"
                case LogSession(session, ended):
                    assert session.ref not in self.logged, "a session logged twice"
                    assert ended.meter_stop_wh >= session.meter_start_wh, "logged below its start"
                    self.logged.add(session.ref)
                case NotifyStatus(report):
                    assert after.online, "a status told while offline"
                    self._is_legal_change(report.connector_id, report.status)
                case Reply():
                    self._is_expected(command)
                    request = self.requests[command.request_id]
                    assert command.status in ANSWERS[type(request)], f"{command} to {request}"
                case TagReply():
                    self._is_expected(command)
                    self._is_about_its_tag(command)
                case DeliverNext(up_to):
                    assert up_to == self.last_sequence, "rows that the delivery does not know of"
                    assert after.online, "a delivery while offline"
                    assert not self.is_delivering, "two messages in flight"
                    self.is_delivering = True
                case _:
                    pass
        for connector in after.connectors:
            self._is_safe(after, connector)
            self._keeps_limits(connector)
        self._is_bounded(after)

    def is_content(self, after: ChargePoint) -> None:
        """Look at the end, when everything had time to settle."""
        still_open = {grant.request_id for grant in after.waiting if grant.until_s is None}
        sessions = [connector.phase for connector in after.connectors]
        still_open |= {one.request_id for one in sessions if isinstance(one, Charging | Stopping)}
        left = self.requests.keys() - self.replied
        assert left <= still_open, "a request without an answer"
        assert self.ended == self.stopped, "record and message of the end do not go together"
        for connector in after.connectors:
            assert isinstance(connector.phase, Idle | Charging | Finished), connector.phase

    def has_answered_everybody(self) -> None:
        """Look after the very end: the central system has answered, and the process may go."""
        assert self.replied == self.requests.keys(), "a request without an answer"

    def _note(self, event: Event, after: ChargePoint) -> None:
        # Short ones are left out then, and what is left may look like a jump.
        self.skips_statuses |= after.configuration.integer("MinimumStatusDuration") > 0
        is_request = type(event) in ANSWERS or isinstance(event, PRESENTED)
        if is_request and event.request_id is not None:
            self.requests[event.request_id] = event
        if isinstance(event, ev.OfferConfirmed):
            self.confirmed[event.connector_id] = event.current_a
        if _is_random_card(event):
            self.random_tags.add(event.id_tag.casefold())
        if isinstance(event, ev.MessageAnswered) and event.transaction_id is not None:
            self._note_grace(event, after)
        if isinstance(event, ev.LinkAccepted):
            self.told.clear()  # what came before is history: not told, and no predecessor
        ends_delivery = (
            ev.LinkAccepted
            | ev.LinkPending
            | ev.LinkLost
            | ev.OutboxWasEmpty
            | ev.MessageAnswered
            | ev.MessageFailed
            | ev.DeliveryInterrupted
        )
        if isinstance(event, ends_delivery):
            self.is_delivering = False
        if isinstance(event, ev.Started):
            for found in event.open_transactions:
                self.journalled.add(found.ref)
                self.started[found.ref] = None

    def _leaves_its_reasons(self, commands: Sequence[Command]) -> None:
        """Whoever is refused something about charging finds the rule of it in the store."""
        refused = [
            reply
            for reply in commands
            if isinstance(reply, Reply)
            and reply.status not in YES
            and isinstance(self.requests[reply.request_id], ABOUT_CHARGING)
        ]
        kept = [
            command
            for command in commands
            if isinstance(command, RecordDecision) and command.record.verdict is Verdict.REFUSED
        ]
        assert len(kept) >= len(refused), "a refusal without its reason"

    def _note_decision(self, record: DecisionRecord) -> None:
        if record.verdict is Verdict.ACCEPTED and record.purpose in STARTS:
            self.accepted.add(record.id_tag.casefold())

    def _note_grace(self, event: ev.MessageAnswered, after: ChargePoint) -> None:
        most_wh = after.configuration.integer("MaxEnergyOnInvalidId")
        for connector in after.connectors:
            transaction, reading = connector.transaction, connector.reading
            if transaction is not None and transaction.ref == event.transaction_ref:
                is_counted = most_wh > 0 and reading is not None
                until_wh = reading.import_wh + most_wh if is_counted else None
                self.grace.setdefault(transaction.ref, until_wh)

    def _may_keep(self, kept: tuple[Reservation, ...]) -> None:
        numbers = [reservation.reservation_id for reservation in kept]
        assert len(numbers) == len(set(numbers)), "two reservations with one id"
        places = [r.connector_id for r in kept if r.connector_id]
        assert len(places) == len(set(places)), "a connector reserved twice"
        self.reservations = kept

    def _is_reserved_for_nobody_else(self, begun: Transaction) -> None:
        """Whoever had it reserved and begins has used his reservation up."""
        for kept in self.reservations:
            assert kept.connector_id != begun.connector_id, "begun on a reserved connector"

    def _is_refused(self, connector: Connector) -> bool:
        """True when the central system refused the session, and no grace is left."""
        assert connector.transaction is not None
        if not connector.transaction.deauthorized:
            return False
        until_wh = self.grace[connector.transaction.ref]
        is_counted = until_wh is not None and Fault.METER not in connector.faults
        return not is_counted or connector.reading.import_wh >= until_wh

    def _is_expected(self, reply: Reply | TagReply) -> None:
        waiting = self.requests.keys() - self.replied
        assert reply.request_id in waiting, "an answer nobody waits for"
        self.replied.add(reply.request_id)

    def _is_about_its_tag(self, reply: TagReply) -> None:
        request, decision = self.requests[reply.request_id], reply.decision
        assert isinstance(request, PRESENTED)
        if decision is not None:
            assert decision.id_tag.casefold() == request.id_tag.casefold()
            assert reply.is_accepted is (decision.verdict is Verdict.ACCEPTED)

    def _may_close(self, state: ChargePoint, order: CloseContactor) -> None:
        connector = state.connector(order.connector_id)
        transaction = connector.transaction
        assert transaction is not None, "closed without a session"
        assert transaction.ref == order.transaction_ref
        assert transaction.ref in self.journalled, "closed before the journal knows of the session"
        assert transaction.ref in self.started, "closed before the start is queued"
        assert not self._is_refused(connector), "closed for a refused card"
        assert isinstance(connector.phase, Charging)
        assert connector.trips_seen == order.trips_seen
        assert connector.offered_a == self.offered[connector.connector_id], "without an offer"
        if connector.traits.has_pilot:
            confirmed_a = self.confirmed.get(connector.connector_id, 0.0)
            assert 0 < confirmed_a <= connector.offered_a, "an offer that is not confirmed"

    def _is_safe(self, state: ChargePoint, connector: Connector) -> None:
        """After any reason to open, nothing is ordered closed any more."""
        if not connector.close_ordered:
            return
        traits = connector.traits
        readings = Readings(
            plugged=connector.plugged if traits.has_plug else None,
            pilot=connector.pilot if traits.has_pilot else None,
            lock=connector.lock if traits.has_lock else None,
        )
        assert reason_to_open(readings) is None, reason_to_open(readings)
        assert connector.lock_ordered is None, "closed while the lock moves"
        for fault in connector.faults | state.faults:
            assert RULES[fault].stop_reason is None, f"closed in spite of {fault}"
        assert connector.transaction is not None
        if isinstance(connector.phase, Charging):
            assert not self._is_refused(connector)
            for limit_a in (connector.limit_a, connector.allowed_a):
                is_usable = limit_a is None or limit_a >= 6
                assert is_usable or self._is_pausing(connector), "below what can be offered"
        else:
            assert isinstance(connector.phase, Stopping)
            assert connector.contactor_closed
            assert connector.pilot in ENERGY_STATES

    def _is_pausing(self, connector: Connector) -> bool:
        """True while a vehicle that was told to stop drawing still has time to do so."""
        is_drawing = connector.contactor_closed and connector.pilot in ENERGY_STATES
        return connector.traits.has_pilot and is_drawing and connector.offered_a is None

    def _keeps_limits(self, connector: Connector) -> None:
        session = connector.phase
        if isinstance(session, Charging) and session.limits.energy_wh is not None:
            used_wh = 0
            if connector.reading is not None:
                used_wh = connector.reading.import_wh - connector.transaction.meter_start_wh
            assert used_wh < session.limits.energy_wh, "more energy than was asked for"

    def _is_in_order(self, row: QueueMessage) -> None:
        """One start, samples, at most one stop; sequences without a gap."""
        assert row.sequence == self.last_sequence + 1
        self.last_sequence = row.sequence
        ref = row.transaction_ref
        if ref == NO_TRANSACTION:
            assert isinstance(row.message, ConnectorMeasured), "belongs to a session"
            return
        assert ref in self.journalled, "a message of a session the journal does not know"
        match row.message:
            case TransactionBegan():
                assert ref not in self.started, "started twice"
                assert _can_be_told(row.message.id_tag), "a start that nobody can be told of"
                self.started[ref] = row.message
            case ConnectorMeasured():
                assert ref in self.started.keys() - self.stopped, "a sample outside its session"
            case TransactionEnded(meter_stop_wh, ended_at, id_tag=id_tag):
                assert id_tag is None or _can_be_told(id_tag), "a stop that nobody can be told of"
                assert ref in self.started.keys() - self.stopped, "stopped twice, or never started"
                start = self.started[ref]
                assert start is None or meter_stop_wh >= start.meter_start_wh
                assert start is None or ended_at >= start.begun_at
                self.stopped.add(ref)

    def _is_legal_change(self, connector_id: int, status: Status) -> None:
        before = self.told.get(connector_id)
        self.told[connector_id] = status
        if self.skips_statuses:
            return
        if connector_id == 0:
            assert status in (Status.AVAILABLE, Status.UNAVAILABLE, Status.FAULTED)
        elif before is not None:
            assert is_legal(before, status), f"{before.value} -> {status.value}"

    def _is_bounded(self, state: ChargePoint) -> None:
        assert len(state.waiting) <= len(state.connectors), "more promises than connectors"
        assert len(state.checking) <= CHECKS_MAX
        assert len(state.random_tags) <= RANDOM_TAGS_MAX
        most = state.configuration.integer("MaxChargingProfilesInstalled")
        assert len(state.charging_profiles) <= most + len(state.connectors)
        ids = [one.profile.profile_id for one in state.charging_profiles]
        assert len(ids) == len(set(ids)), "two profiles with one id"
        assert len(state.preauthorized) <= PREAUTHORIZED_MAX
        assert len(state.reservations) <= len(state.connectors)
        assert state.outbox.waiting >= 0


def _can_be_told(id_tag: str) -> bool:
    """As an idToken of OCPP 1.6 (section 7.28): 1 to 20 printable characters of ASCII."""
    return 0 < len(id_tag) <= 20 and all(" " <= character <= "~" for character in id_tag)


def _is_random_card(event: Event) -> bool:
    return isinstance(event, ev.TagPresented) and event.is_random
