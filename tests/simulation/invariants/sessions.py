"""No session is lost, doubled, reordered or billed to another (invariants 5 to 7, promise 3)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from agent.core.commands import Row
from agent.store import Store
from tests.simulation.account import Receipt
from tests.simulation.central_system import TRANSACTION_MESSAGES
from tests.simulation.invariants.base import Invariant
from tests.simulation.ledger import Message, Session
from tests.simulation.site import LYING_METER

_ROUNDING_WH = 2.0
_NOBODYS = -1  # the transactionId of a session whose start was given up (errata 3.18)
_CALL = 2


class NothingCommittedGetsLost(Invariant):
    """Each process that starts finds what was committed before, all of it, and nothing else."""

    promise = "What was committed is there after a crash, and the database is sound"

    def opened(self, reader: sqlite3.Connection, store: Store) -> None:
        if self.world.machine.starts > 1:
            self.look()
        if store.quarantined:
            self.broken(store.quarantined)
        self.world.ledger.opened(reader)

    def complain(self, detail: str) -> None:
        """The ledger has found something."""
        self.broken(detail)


class StoppedExactlyOnce(Invariant):
    """By the journal: one start, at most one stop, and in the end exactly one."""

    promise = "Every session begun is started once and stopped exactly once in the journal"

    def committed(self, rows: Sequence[Row]) -> None:
        for row in rows:
            ref = getattr(row, "transaction_ref", None)
            if ref is not None:
                self._check(self.world.ledger.sessions[ref])

    def _check(self, session: Session) -> None:
        self.look()
        if len(session.starts) != 1:
            self.broken(f"session {session.ref} has {len(session.starts)} starts")
        if len(session.stops) > 1:
            self.broken(f"session {session.ref} has {len(session.stops)} stops")
        if session.stops and session.messages[-1] is not session.stops[0]:
            self.broken(f"session {session.ref} goes on after its stop")
        if session.is_ended != bool(session.stops):
            self.broken(f"session {session.ref}: record and messages end apart")

    def settled(self) -> None:
        for session in self.world.ledger.sessions.values():
            self._check(session)
            if len(session.stops) != 1:
                self.broken(f"session {session.ref} was never stopped")


class CentralSystemSeesEachSessionWhole(Invariant):
    """Its account, counting each unique id once, against the journal."""

    promise = (
        "The central system sees for every session one start, samples that never fall, and one "
        "stop, in order, under the number that it gave to this session"
    )

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._last_sequence = 0
        self._seen: dict[int, list[Message]] = {}

    def received(self, receipt: Receipt) -> None:
        if receipt.action not in TRANSACTION_MESSAGES:
            return
        self.look()
        message = self.world.ledger.by_unique_id.get(receipt.unique_id)
        if message is None:
            self.broken(f"{receipt.action} {receipt.unique_id} came and was never journalled")
            return
        if message.action != receipt.action:
            self.broken(f"message {message.sequence} came as {receipt.action}")
        self._check_number(message, receipt)
        self._check_register(message, receipt)
        if receipt.is_first:
            self._check_order(message)
            self._seen.setdefault(message.ref, []).append(message)

    def sent(self, connection: Any, frame: Any) -> None:
        message = self.world.ledger.by_unique_id.get(frame[1])
        if frame[0] != _CALL or message is None:
            return
        delivered = self.world.ledger.delivered
        if message.sequence in delivered:
            self.broken(f"{frame[2]} {message.sequence} is sent though it was answered")
        start = self.world.ledger.sessions[message.ref].starts[0]
        if frame[3].get("transactionId") == _NOBODYS and start.sequence in delivered:
            self.broken(f"message {message.sequence} carries -1, its start was answered")

    def _check_number(self, message: Message, receipt: Receipt) -> None:
        number = receipt.payload.get("transactionId")
        if receipt.action == "StartTransaction":
            return
        start = self.world.ledger.sessions[message.ref].starts[0]
        given = self.world.central.account.given.get(start.unique_id, [])
        if number != _NOBODYS and number not in given:
            self.broken(f"message {message.sequence} carries {number}, its session has {given}")

    def _check_register(self, message: Message, receipt: Receipt) -> None:
        for field in ("meterStart", "meterStop"):
            if receipt.payload.get(field, message.register_wh) != message.register_wh:
                self.broken(f"message {message.sequence} came with another register")

    def _check_order(self, message: Message) -> None:
        if message.sequence > self._last_sequence:
            self._last_sequence = message.sequence
        elif not message.was_parked:
            self.broken(f"message {message.sequence} came after {self._last_sequence}")

    def settled(self) -> None:
        for session in self.world.ledger.sessions.values():
            self._check_whole(session, self._seen.get(session.ref, []))

    def _check_whole(self, session: Session, seen: list[Message]) -> None:
        missing = [m.sequence for m in session.messages if m not in seen]
        if missing:
            self.broken(f"session {session.ref}: messages {missing} never came")
        in_order = sorted(seen, key=lambda message: message.sequence)
        registers = [m.register_wh for m in in_order if m.register_wh is not None]
        if registers != sorted(registers):
            self.broken(f"session {session.ref}: registers fall: {registers}")


class EnergyIsRight(Invariant):
    """Against the true meter, while the contacts were closed."""

    promise = "Energy reported equals energy that flowed while closed, to one sample"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._closed: dict[int, tuple[int, float]] = {}  # connector: session and register

    def moved(self, connector_id: int, part: str, what: str) -> None:
        if part == "contactor" and what == "contacts closed":
            self._begin(connector_id)
        elif part == "contactor" and what == "contacts open":
            self._end(connector_id)
        elif part == "contactor" and what.startswith("fault"):
            self._disturb(connector_id)
        elif part == "meter" and what != "shut down":  # it breaks or is mended: its register jumps
            self._disturb(connector_id, is_lying=what != "fault meter_silent")

    def _begin(self, connector_id: int) -> None:
        state = self.world.state()
        if state is not None:
            transaction = state.connector(connector_id).transaction
            if transaction is not None:
                register_wh = self.world.register_wh(connector_id)
                self._closed[connector_id] = (transaction.ref, register_wh)
                if self.world.site.places[connector_id].faults & LYING_METER:
                    self._disturb(connector_id, is_lying=True)

    def _end(self, connector_id: int) -> None:
        begun = self._closed.pop(connector_id, None)
        if begun is not None:
            ref, register_wh = begun
            flowed_wh = self.world.register_wh(connector_id) - register_wh
            self.world.ledger.sessions[ref].flowed_wh += flowed_wh

    def _disturb(self, connector_id: int, is_lying: bool = False) -> None:
        for session in self._open_sessions():
            if session.connector_id == connector_id:
                session.is_disturbed = True
                session.is_uncountable |= is_lying

    def _open_sessions(self) -> list[Session]:
        return [s for s in self.world.ledger.sessions.values() if not s.is_ended]

    def ended(self) -> None:
        for connector_id in list(self._closed):  # stuck: it flows on, and belongs to nobody
            self._end(connector_id)
        for session in self._open_sessions():
            session.is_disturbed = True

    def committed(self, rows: Sequence[Row]) -> None:
        for row in rows:
            ref = getattr(row, "transaction_ref", None)
            session = None if ref is None else self.world.ledger.sessions[ref]
            if session is None or not session.stops:
                continue
            if session.connector_id not in self._closed:
                self._check(session)

    def _check(self, session: Session) -> None:
        start_wh, stop_wh = session.starts[0].register_wh, session.stops[0].register_wh
        if session.is_uncountable or start_wh is None or stop_wh is None:
            return
        self.look()
        allowed_wh = _ROUNDING_WH + (self.world.sample_wh if session.is_disturbed else 0.0)
        reported_wh = stop_wh - start_wh
        if abs(reported_wh - session.flowed_wh) > allowed_wh:
            self.broken(
                f"session {session.ref} reports {reported_wh} Wh, "
                f"{session.flowed_wh:.1f} Wh have flowed"
            )
