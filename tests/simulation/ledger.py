"""A second account of the journal, kept from what was committed: nothing in it may get lost."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.core.commands import (
    DiscardMessage,
    EndTransaction,
    ParkMessage,
    QueueMessage,
    RemoveMessage,
    RequeueMessage,
    Row,
    SaveTransaction,
)
from agent.core.values import (
    ConnectorMeasured,
    TransactionBegan,
    TransactionEnded,
    TransactionMessage,
)

REGISTER = "Energy.Active.Import.Register"


@dataclass(slots=True)
class Message:
    """A row of the outbox."""

    sequence: int
    unique_id: str
    ref: int
    message: TransactionMessage
    was_parked: bool = False

    @property
    def action(self) -> str:
        """As OCPP names it."""
        match self.message:
            case TransactionBegan():
                return "StartTransaction"
            case ConnectorMeasured():
                return "MeterValues"
            case TransactionEnded():
                return "StopTransaction"

    @property
    def register_wh(self) -> int | None:
        """The register that it reports."""
        match self.message:
            case TransactionBegan(meter_start_wh=register_wh):
                return register_wh
            case TransactionEnded(meter_stop_wh=register_wh):
                return register_wh
            case ConnectorMeasured(values=values):
                found = [v.value for v in values if v.measurand == REGISTER]
                return int(found[0]) if found else None


@dataclass(slots=True)
class Session:
    """A transaction of the agent, from its first row on."""

    ref: int
    id_tag: str
    connector_id: int
    starts: list[Message] = field(default_factory=list)
    stops: list[Message] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    is_ended: bool = False
    flowed_wh: float = 0.0  # through closed contacts, by the true meter
    is_disturbed: bool = False  # its meter failed, or its process died
    is_uncountable: bool = False  # its meter lied


class Ledger:
    """What is committed. ``complain`` is called when the database does not agree."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self.sessions: dict[int, Session] = {}
        self.waiting: dict[int, Message] = {}  # by sequence; parked ones too
        self.by_unique_id: dict[str, Message] = {}
        self.delivered: set[int] = set()  # sequences that were answered, and removed
        self._complain = complain
        self._in_doubt: tuple[Row, ...] = ()
        # Commits that were taken for written at a start, and how to take them back: they are
        # certain only when the new process has committed something, which syncs all before it.
        self._unsure: list[tuple[Row, ...]] = []
        self._undo: list[Callable[[], object]] = []

    def begins(self, rows: Sequence[Row]) -> None:
        """These are being written: until it is said that they are, they may be there or not."""
        self._in_doubt = tuple(rows)

    def committed(self, reader: sqlite3.Connection) -> None:
        """They are written."""
        rows, self._in_doubt = self._in_doubt, ()
        for row in rows:
            self._take(row, reader)
        self._unsure, self._undo = [], []

    def opened(self, reader: sqlite3.Connection) -> None:
        """A new process has opened the database: compare."""
        found = {sequence for (sequence,) in reader.execute("SELECT sequence FROM outbox")}
        for take_back in reversed(self._undo):
            take_back()
        self._undo = []
        self._resolve(found, reader)
        expected = set(self.waiting)
        if found != expected:
            lost, more = sorted(expected - found), sorted(found - expected)
            self._complain(f"outbox after a crash: lost {lost}, unheard of {more}")
        self._compare_sessions(reader)

    def _resolve(self, found: set[int], reader: sqlite3.Connection) -> None:
        """Each commit in doubt is there as a whole, or not at all; one that is, with all before."""
        commits = [*self._unsure, self._in_doubt]
        self._in_doubt = ()
        while commits:
            verdicts = self._verdicts(commits, found)
            if any(verdicts) and not all(verdicts):
                self._complain(f"a commit was written in part: {commits[-1]}")
            if any(verdicts):
                break
            commits.pop()
        self._unsure = commits
        for rows in commits:
            for row in rows:
                self._take(row, reader)

    def _verdicts(self, commits: list[tuple[Row, ...]], found: set[int]) -> list[bool]:
        """What the outbox shows of the last of them; empty: it cannot tell."""
        queued = {row.sequence for rows in commits for row in rows if isinstance(row, QueueMessage)}
        verdicts = []
        for row in commits[-1]:
            match row:
                case QueueMessage(sequence=sequence):
                    verdicts.append(sequence in found)
                case RemoveMessage(sequence=sequence) if sequence in {*self.waiting, *queued}:
                    verdicts.append(sequence not in found)
        return verdicts

    def _compare_sessions(self, reader: sqlite3.Connection) -> None:
        rows = reader.execute("SELECT ref FROM transactions WHERE ended_at IS NULL").fetchall()
        found = {ref for (ref,) in rows}
        expected = {ref for ref, session in self.sessions.items() if not session.is_ended}
        for ref in found - expected:
            if ref in self.sessions:
                self._complain(f"session {ref} had ended and is open again after a crash")
        if expected - found:
            self._complain(f"open sessions lost in a crash: {sorted(expected - found)}")

    def _take(self, row: Row, reader: sqlite3.Connection) -> None:
        match row:
            case SaveTransaction(transaction):
                if transaction.ref not in self.sessions:
                    self.sessions[transaction.ref] = Session(
                        transaction.ref, transaction.id_tag, transaction.connector_id
                    )
                    self._undo.append(lambda: self.sessions.pop(transaction.ref))
            case EndTransaction(ref):
                self.sessions[ref].is_ended = True
                self._undo.append(lambda: setattr(self.sessions[ref], "is_ended", False))
            case QueueMessage():
                self._queued(row, reader)
            case RemoveMessage(sequence) | DiscardMessage(sequence):
                message = self.waiting.pop(sequence, None)
                if message is not None:
                    self.delivered.add(sequence)
                    self._undo.append(lambda: self.delivered.discard(sequence))
                    self._undo.append(lambda: self.waiting.update({sequence: message}))
            case ParkMessage(sequence) | RequeueMessage(sequence):
                if sequence in self.waiting:
                    self.waiting[sequence].was_parked = True

    def _queued(self, row: QueueMessage, reader: sqlite3.Connection) -> None:
        found = reader.execute(
            "SELECT unique_id FROM outbox WHERE sequence = ?", (row.sequence,)
        ).fetchone()
        if found is None:
            self._complain(f"message {row.sequence} was committed and is not there")
            return
        message = Message(row.sequence, found[0], row.transaction_ref, row.message)
        self.waiting[row.sequence] = message
        self.by_unique_id[message.unique_id] = message
        session = self.sessions[row.transaction_ref]
        lists = [session.messages]
        if isinstance(row.message, TransactionBegan):
            lists.append(session.starts)
        elif isinstance(row.message, TransactionEnded):
            lists.append(session.stops)
        for one in lists:
            one.append(message)
        self._undo += [functools.partial(one.remove, message) for one in lists]
        self._undo.append(lambda: self.waiting.pop(row.sequence, None))
        self._undo.append(lambda: self.by_unique_id.pop(message.unique_id))
