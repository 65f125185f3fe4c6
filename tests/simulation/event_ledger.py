"""A second account of the security log and of the events that wait, kept from what was committed.

The database must agree after each commit, and after each crash with some moment between the last
commit that is certain and the one that was being written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent.core.commands import Row
from agent.core.security_event_values import (
    ClearSecurityLog,
    RecordSecurityEvent,
    RemoveSecurityEvents,
)
from agent.store import security_log

STARTUP = "StartupOfTheDevice"
_LAST = "SELECT last_number FROM security_log_ends"
_QUEUE = "SELECT number, type, tech_info, unique_id FROM security_queue ORDER BY number"
_Rows = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many lines the log keeps, and how many events wait."""

    lines: int
    queued: int


USUAL_BOUNDS = Bounds(security_log.LINES_MAX, security_log.QUEUED_MAX)


@dataclass(frozen=True, slots=True)
class Queued:
    """An event that waits or has waited, and the line of the log that it stands in."""

    number: int
    type: str
    tech_info: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands in the tables. ``queue``: number and type of each event that waits."""

    last: int = 0
    pruned: int = 0
    queue: tuple[tuple[int, str], ...] = ()
    not_owed: frozenset[int] = frozenset()  # gone at the bound, or because nobody wants any

    def after(self, rows: _Rows, bounds: Bounds) -> Kept:
        """What stands there when these are written."""
        kept = self
        for row in rows:
            match row:
                case RecordSecurityEvent():
                    kept = kept._recorded(row, bounds)
                case RemoveSecurityEvents(None):
                    gone = {number for number, _ in kept.queue}
                    kept = replace(kept, queue=(), not_owed=kept.not_owed | gone)
                case RemoveSecurityEvents(int(up_to)):
                    left = tuple(each for each in kept.queue if each[0] > up_to)
                    kept = replace(kept, queue=left)
                case ClearSecurityLog():
                    kept = replace(kept, pruned=kept.last)
        return kept

    def _recorded(self, row: RecordSecurityEvent, bounds: Bounds) -> Kept:
        number = self.last + 1
        kept = replace(self, last=number, pruned=max(self.pruned, number - bounds.lines))
        if not row.is_queued:
            return kept
        queue = (*self.queue, (number, row.event.type.value))
        if len(queue) > bounds.queued:  # the newest stays
            gone = min(queue[:-1], key=lambda each: (each[1] != STARTUP, each[0]))
            queue = tuple(each for each in queue if each != gone)
            kept = replace(kept, not_owed=kept.not_owed | {gone[0]})
        return replace(kept, queue=queue)

    def stands_in(self, reader: sqlite3.Connection) -> bool:
        """True when the database says the same of what was written and of what waits."""
        (last,) = reader.execute(_LAST).fetchone()
        queue = tuple((number, kind) for number, kind, *_ in reader.execute(_QUEUE))
        return bool(last == self.last) and queue == self.queue


class EventLedger:
    """``complain`` is called when the database does not agree."""

    def __init__(self, bounds: Bounds, complain: Callable[[str], None]) -> None:
        self.kept = self.found = Kept()  # for certain; and as the last process has found it
        self.rows: dict[int, RecordSecurityEvent] = {}  # by the number of the line, for certain
        self.queued: dict[str, Queued] = {}  # all that ever were, by unique id
        self._ids: dict[int, str] = {}  # by number, which is given anew after a power cut
        self._doubtful: list[_Rows] = []  # commits that may be there since then
        self._writing: _Rows | None = None
        self._bounds = bounds
        self._complain = complain

    def begins(self, rows: Sequence[Row]) -> None:
        """These are being written: until it is said that they are, they may be there or not."""
        self._writing = tuple(rows)

    def committed(self, reader: sqlite3.Connection) -> None:
        """They are written, and with them all that was before."""
        commits = [*self._doubtful, self._writing or ()]
        self._doubtful, self._writing = [], None
        if not any(_is_ours(row) for rows in commits for row in rows):
            return
        for rows in commits:
            self._take(rows)
        self._read_ids(reader)
        if not self.kept.stands_in(reader):
            self._complain(f"a commit was not written as {self.kept}")

    def opened(self, reader: sqlite3.Connection) -> None:
        """A new process has opened the database: compare."""
        commits = [*self._doubtful, *([] if self._writing is None else [self._writing])]
        self._doubtful, self._writing = [], None
        self._read_ids(reader)
        self.found = self.kept
        if self.found.stands_in(reader):
            return
        for rows in commits:
            self._doubtful.append(rows)
            self.found = self.found.after(rows, self._bounds)
            if self.found.stands_in(reader):
                return
        self._complain(f"after a crash there is neither {self.kept} nor what was being written")

    def _take(self, rows: _Rows) -> None:
        records = [row for row in rows if isinstance(row, RecordSecurityEvent)]
        for number, row in enumerate(records, start=self.kept.last + 1):
            self.rows[number] = row
            if not row.is_queued:
                self._ids.pop(number, None)
        self.kept = self.kept.after(rows, self._bounds)

    def _read_ids(self, reader: sqlite3.Connection) -> None:
        for number, kind, tech_info, unique_id in reader.execute(_QUEUE):
            self._ids[number] = unique_id
            self.queued[unique_id] = Queued(number, kind, tech_info)

    def owed(self) -> dict[int, str]:
        """What the central system must get, sooner or later: unique ids by the lines of the log."""
        return {
            number: unique_id
            for number, unique_id in self._ids.items()
            if number <= self.kept.last and number not in self.kept.not_owed
        }


def _is_ours(row: Row) -> bool:
    return isinstance(row, RecordSecurityEvent | RemoveSecurityEvents | ClearSecurityLog)
