"""Someone who watches every turn of the core and objects when a promise is broken.

The promises are written down here a second time, from the outside: from events, commands and what
the parts say, not with the functions of the core that are being watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.core import events as ev
from agent.core.commands import (
    CloseContactor,
    Command,
    DeliverNext,
    EndTransaction,
    NotifyStatus,
    QueueMessage,
    Reply,
    SaveTransaction,
    UnlockConnector,
)
from agent.core.events import Event
from agent.core.faults import RULES
from agent.core.interlock import ENERGY_STATES, Readings, reason_to_open
from agent.core.presenting import CHECKS_MAX, RANDOM_TAGS_MAX
from agent.core.state import ChargePoint, Connector, Phase
from agent.core.values import MeterValues, StartTransaction, Status, StopTransaction
from tests.core.transitions import is_legal

ANSWERED_REQUESTS = (
    ev.RemoteStartRequested,
    ev.RemoteStopRequested,
    ev.UnlockRequested,
    ev.ResetRequested,
    ev.ConfigurationChangeRequested,
    ev.CacheClearRequested,
)


@dataclass
class Witness:
    """What has been ordered so far, as far as the promises need it."""

    journalled: set[int] = field(default_factory=set)  # transactions with a record
    started: dict[int, StartTransaction | None] = field(default_factory=dict)
    stopped: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    last_sequence: int = 0
    told: dict[int, Status] = field(default_factory=dict)
    requests: set[str] = field(default_factory=set)
    replied: set[str] = field(default_factory=set)
    is_delivering: bool = False

    def watch(self, event: Event, after: ChargePoint, commands: Sequence[Command]) -> None:
        """Look at one turn; AssertionError names the promise that it breaks."""
        self._note(event)
        for command in commands:
            match command:
                case SaveTransaction(transaction):
                    self.journalled.add(transaction.ref)
                case CloseContactor():
                    self._may_close(after, command)
                case UnlockConnector(connector_id):
                    assert not after.connector(connector_id).contactor_closed, "unlocked under load"
                case QueueMessage():
                    self._is_in_order(command)
                case EndTransaction(ref):
                    assert ref not in self.ended, "a session ended twice"
                    self.ended.add(ref)
                case NotifyStatus(report):
                    assert after.online, "a status told while offline"
                    self._is_legal_change(report.connector_id, report.status)
                case Reply(request_id):
                    assert request_id in self.requests - self.replied, "an answer nobody waits for"
                    self.replied.add(request_id)
                case DeliverNext(up_to):
                    assert up_to == self.last_sequence, "rows that the delivery does not know of"
                    assert after.online, "a delivery while offline"
                    assert not self.is_delivering, "two messages in flight"
                    self.is_delivering = True
                case _:
                    pass
        for connector in after.connectors:
            self._is_safe(after, connector)
        self._is_bounded(after)

    def is_content(self, after: ChargePoint) -> None:
        """Look at the end, when everything had time to settle."""
        assert self.replied == self.requests, "a request without an answer"
        assert self.ended == self.stopped, "record and message of the end do not go together"
        for connector in after.connectors:
            assert connector.phase in (Phase.IDLE, Phase.CHARGING, Phase.FINISHED), connector.phase

    def _note(self, event: Event) -> None:
        if isinstance(event, ANSWERED_REQUESTS):
            self.requests.add(event.request_id)
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

    def _may_close(self, state: ChargePoint, order: CloseContactor) -> None:
        connector = state.connector(order.connector_id)
        transaction = connector.transaction
        assert transaction is not None, "closed without a session"
        assert transaction.ref == order.transaction_ref
        assert transaction.ref in self.journalled, "closed before the journal knows of the session"
        assert self.started.get(transaction.ref) is not None, "closed before the start is queued"
        assert not transaction.deauthorized, "closed for a refused card"
        assert connector.phase is Phase.CHARGING
        assert connector.trips_seen == order.trips_seen
        assert connector.offered, "closed without an offer"

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
        if connector.phase is Phase.CHARGING:
            assert not connector.transaction.deauthorized
        else:
            assert connector.phase is Phase.STOPPING
            assert connector.contactor_closed
            assert connector.pilot in ENERGY_STATES

    def _is_in_order(self, row: QueueMessage) -> None:
        """One start, samples, at most one stop; sequences without a gap."""
        assert row.sequence == self.last_sequence + 1
        self.last_sequence = row.sequence
        ref = row.transaction_ref
        assert ref in self.journalled, "a message of a session the journal does not know"
        match row.message:
            case StartTransaction():
                assert ref not in self.started, "started twice"
                self.started[ref] = row.message
            case MeterValues():
                assert ref in self.started.keys() - self.stopped, "a sample outside its session"
            case StopTransaction(meter_stop_wh, ended_at):
                assert ref in self.started.keys() - self.stopped, "stopped twice, or never started"
                start = self.started[ref]
                assert start is None or meter_stop_wh >= start.meter_start_wh
                assert start is None or ended_at >= start.begun_at
                self.stopped.add(ref)

    def _is_legal_change(self, connector_id: int, status: Status) -> None:
        before = self.told.get(connector_id)
        self.told[connector_id] = status
        if connector_id == 0:
            assert status in (Status.AVAILABLE, Status.UNAVAILABLE, Status.FAULTED)
        elif before is not None:
            assert is_legal(before, status), f"{before.value} -> {status.value}"

    def _is_bounded(self, state: ChargePoint) -> None:
        assert len(state.waiting) <= len(state.connectors), "more promises than connectors"
        assert len(state.checking) <= CHECKS_MAX
        assert len(state.random_tags) <= RANDOM_TAGS_MAX
        assert state.outbox.waiting >= 0
