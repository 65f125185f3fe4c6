"""What is recorded of the security of the box stays, and the central system hears what it must."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agent.core.commands import Command, Row
from agent.core.events import Event
from agent.core.security_event_values import (
    ClearSecurityLog,
    RecordSecurityEvent,
    RemoveSecurityEvents,
)
from agent.core.state import ChargePoint
from agent.store import Store
from agent.store.security_log import read_chain
from tests.simulation.account import Receipt
from tests.simulation.central_system import SECURITY_EVENT
from tests.simulation.clocks import true_time
from tests.simulation.event_ledger import STARTUP, EventLedger
from tests.simulation.invariants.base import Invariant

_CRITICAL = {
    "FirmwareUpdated",
    "SettingSystemTime",
    STARTUP,
    "ResetOrReboot",
    "SecurityLogWasCleared",
    "MemoryExhaustion",
    "TamperDetectionActivated",
}
_WANTS_NONE = ("NotImplemented", "NotSupported")
_PRUNED = "SELECT pruned_number FROM security_log_ends"
_LINES = "SELECT number, type, tech_info, chain FROM security_log"
_Line = tuple[str, str, str]


class CriticalEventsArrive(Invariant):
    """By what the disk holds and what has come, each unique id counted once."""

    promise = "No critical security event is lost or doubled"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.ledger = EventLedger(world.scenario.security_bounds, self.broken)
        self._happened: dict[RecordSecurityEvent, tuple[datetime, int]] = {}  # true time and boot
        self._received: set[str] = set()
        self._last = 0  # the line of the newest event that has come
        self._wants_none = False  # the central system has said so to this process
        self._has_told_its_start = False

    def opened(self, reader: sqlite3.Connection, store: Store) -> None:
        self.ledger.opened(reader)

    def ended(self) -> None:
        self._wants_none = self._has_told_its_start = False

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        for command in commands:
            match command:
                case RecordSecurityEvent():
                    self._recorded(command)
                case RemoveSecurityEvents(up_to):
                    self._removed(up_to)

    def _recorded(self, row: RecordSecurityEvent) -> None:
        self._happened[row] = (true_time(), self.world.clocks.boots)
        kind = row.event.type.value
        if kind in _CRITICAL and not row.is_queued and not self._wants_none:
            self.broken(f"{kind} is not queued")
        if kind == STARTUP and self._has_told_its_start:
            self.broken("a process has begun twice")
        self._has_told_its_start |= kind == STARTUP

    def _removed(self, up_to: int | None) -> None:
        if up_to is None and not self._wants_none:
            self.broken("all that waited are removed, and the central system wanted them")
        for number, unique_id in self.ledger.owed().items():
            if up_to is not None and number <= up_to and unique_id not in self._received:
                self.broken(f"event {number} is removed and has not come")

    def committing(self, rows: Sequence[Row]) -> None:
        self.ledger.begins(rows)

    def committed(self, rows: Sequence[Row]) -> None:
        self.ledger.committed(self.world.reader())

    def delivered(self, connection: Any, text: str) -> None:
        if any(code in text for code in _WANTS_NONE):
            frame = json.loads(text)
            self._wants_none |= frame[0] == 4 and frame[1] in self.ledger.queued

    def received(self, receipt: Receipt) -> None:
        if receipt.action != SECURITY_EVENT:
            return
        self.look()
        queued = self.ledger.queued.get(receipt.unique_id)
        if queued is None:
            self.broken(f"{receipt.payload} came as {receipt.unique_id} and was never recorded")
            return
        told = receipt.payload["type"], receipt.payload.get("techInfo", "")
        if told != (queued.type, queued.tech_info):
            self.broken(f"event {queued.number} came as {told}")
        if receipt.is_first and queued.number <= self._last:
            self.broken(f"event {queued.number} came after {self._last}")
        self._received.add(receipt.unique_id)
        self._last = max(self._last, queued.number)

    def when_recorded(self, unique_id: str) -> tuple[datetime, int] | None:
        """The true time of it and the boot of the machine; None: it was not certain yet."""
        queued = self.ledger.queued.get(unique_id)
        row = None if queued is None else self.ledger.rows.get(queued.number)
        return None if row is None else self._happened.get(row)

    def is_at_rest(self) -> bool:
        """True when nothing waits any more."""
        return not self.ledger.kept.queue

    def settled(self) -> None:
        owed = self.ledger.owed().items()
        missing = [number for number, unique_id in owed if unique_id not in self._received]
        if missing:
            self.broken(f"events {missing} never came")


class SecurityLogIsWhole(Invariant):
    """After each start of a process, and at the end."""

    promise = "Each line of the security log stays as it was written, and the chain proves it"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._lines: dict[int, _Line] = {}  # what is on the disk for certain

    def opened(self, reader: sqlite3.Connection, store: Store) -> None:
        if self.world.machine.starts > 1:
            self._compare(reader, self._ledger.found.pruned)

    def committed(self, rows: Sequence[Row]) -> None:
        if not any(isinstance(row, RecordSecurityEvent | ClearSecurityLog) for row in rows):
            return
        (pruned,) = self.world.reader().execute(_PRUNED).fetchone()
        if pruned != self._ledger.kept.pruned:
            self.broken(f"the lines up to {pruned} are gone, not to {self._ledger.kept.pruned}")
        known = max(self._lines, default=0)
        for number, *line in self.world.reader().execute(f"{_LINES} WHERE number > ?", (known,)):
            kind, tech_info, chain = line
            row = self._ledger.rows.get(number)
            if row is None or (row.event.type.value, row.event.tech_info) != (kind, tech_info):
                self.broken(f"line {number} was recorded as {row}, and says {line}")
            self._lines[number] = (kind, tech_info, chain)

    def settled(self) -> None:
        self._compare(self.world.reader(), self._ledger.kept.pruned)

    def _compare(self, reader: sqlite3.Connection, pruned: int) -> None:
        self.look()
        if problem := read_chain(reader).problem():
            self.broken(problem)
        found: dict[int, _Line] = {number: (a, b, c) for number, a, b, c in reader.execute(_LINES)}
        for number, line in self._lines.items():
            if number > pruned and found.get(number) != line:
                self.broken(f"line {number} was {line} and is {found.get(number)}")

    @property
    def _ledger(self) -> EventLedger:
        return self.world.watch.find(CriticalEventsArrive).ledger
