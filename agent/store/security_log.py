"""The security log, chained, and the critical events that the central system has not taken yet.

Each line carries a SHA-256 over the line before and itself: a line that was changed or taken out
shows, also at either end, because the ends are kept beside the table. Lines keep the time that was
recorded, whatever is learnt of the clock later; what is queued is corrected as transactions are.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from agent.core.security_event_values import (
    ClearSecurityLog,
    QueuedSecurityEvent,
    RecordSecurityEvent,
    RemoveSecurityEvents,
    SecurityEvent,
    SecurityEventType,
    SecurityRow,
)
from agent.store.instants import instant_of, instant_text

LINES_MAX = 2000
QUEUED_MAX = 500
_STARTUP = SecurityEventType.STARTUP_OF_THE_DEVICE.value

_LINES = "SELECT number, at, type, tech_info, boot, chain FROM security_log"
_ENDS = "SELECT pruned_number, pruned_chain, last_number, last_chain"


@dataclass(frozen=True, slots=True)
class SecurityLogLine:
    """A line as it is stored. ``boot``: whose untrusted clock gave the time; 0: it is true."""

    number: int
    at: str
    type: str
    tech_info: str
    boot: int
    chain: str

    @property
    def fields(self) -> tuple[int, str, str, str, int]:
        """What the chain is made of, beside the line before."""
        return (self.number, self.at, self.type, self.tech_info, self.boot)

    @property
    def as_data(self) -> dict[str, object]:
        """The line for a JSON text: whoever has these fields can compute the chain."""
        return {
            "number": self.number,
            "timestamp": self.at,
            "type": self.type,
            "techInfo": self.tech_info,
            "boot": self.boot,
            "chain": self.chain,
        }


@dataclass(frozen=True, slots=True)
class _Ends:
    """The last line that was pruned, and the last one that was written."""

    pruned_number: int
    pruned_chain: str
    last_number: int
    last_chain: str


@dataclass(frozen=True, slots=True)
class SecurityChain:
    """All lines of the log, oldest first, with the ends that are kept beside them."""

    ends: _Ends
    lines: tuple[SecurityLogLine, ...]

    def problem(self) -> str:
        """Where the log was changed, in words; "" when it is whole. A hash for each line."""
        number, chain = self.ends.pruned_number, self.ends.pruned_chain
        for line in self.lines:
            if line.number != number + 1:
                return f"lines {number + 1} to {line.number - 1} are missing"
            number, chain = line.number, _chained(chain, *line.fields)
            if line.chain != chain:
                return f"line {number} is not as it was written, or the one before it"
        if number < self.ends.last_number:
            return f"lines {number + 1} to {self.ends.last_number} are missing at the end"
        if (number, chain) != (self.ends.last_number, self.ends.last_chain):
            return f"line {number} is not the last one that was written"
        return ""


@dataclass(frozen=True, slots=True)
class SecurityQueue:
    """What waits for the central system, at a glance."""

    waiting_count: int
    dropped_count: int  # since the start, because too many waited


def write(
    connection: sqlite3.Connection, row: SecurityRow, make_id: Callable[[], str]
) -> list[str]:
    """Write one row; a sentence for the log about each event that waited and had to go."""
    match row:
        case RecordSecurityEvent():
            return _record(connection, row, make_id)
        case RemoveSecurityEvents():
            connection.execute(
                "DELETE FROM security_queue WHERE :up_to IS NULL OR number <= :up_to",
                {"up_to": row.up_to},
            )
        case ClearSecurityLog():  # what is queued stays
            _prune(connection, _read_ends(connection).last_number)
    return []


def _record(
    connection: sqlite3.Connection, row: RecordSecurityEvent, make_id: Callable[[], str]
) -> list[str]:
    event = row.event
    ends = _read_ends(connection)
    number, at = ends.last_number + 1, instant_text(event.at)
    fields = (number, at, event.type.value, event.tech_info, event.boot)
    chain = _chained(ends.last_chain, *fields)
    connection.execute(
        "INSERT INTO security_log (number, at, type, tech_info, boot, chain)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (*fields, chain),
    )
    connection.execute(
        "UPDATE security_log_ends SET last_number = ?, last_chain = ?", (number, chain)
    )
    _prune(connection, number - LINES_MAX)
    if row.is_queued:
        _queue(connection, number, at, event, make_id())
        return _drop_queued_beyond_limit(connection, number)
    return []


def _prune(connection: sqlite3.Connection, up_to: int) -> None:
    newest = connection.execute(
        "SELECT number, chain FROM security_log WHERE number <= ? ORDER BY number DESC LIMIT 1",
        (up_to,),
    ).fetchone()
    if newest is not None:
        connection.execute("DELETE FROM security_log WHERE number <= ?", (up_to,))
        connection.execute(
            "UPDATE security_log_ends SET pruned_number = ?, pruned_chain = ?", newest
        )


def _queue(
    connection: sqlite3.Connection, number: int, at: str, event: SecurityEvent, unique_id: str
) -> None:
    connection.execute(
        "INSERT INTO security_queue (number, unique_id, type, at, tech_info, boot)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (number, unique_id, event.type.value, at, event.tech_info, event.boot),
    )


def _drop_queued_beyond_limit(connection: sqlite3.Connection, newest: int) -> list[str]:
    (waiting,) = connection.execute("SELECT count(*) FROM security_queue").fetchone()
    if waiting <= QUEUED_MAX:
        return []
    # That it has started says least, and a box that starts again and again says it most often.
    gone, kind = connection.execute(
        "DELETE FROM security_queue WHERE number = (SELECT number FROM security_queue"
        " WHERE number < ? ORDER BY type <> ?, number LIMIT 1) RETURNING number, type",
        (newest, _STARTUP),
    ).fetchone()
    return [
        f"More than {QUEUED_MAX} security events wait for the central system: "
        f"{kind} (line {gone} of the security log) is not sent"
    ]


# --- reading -------------------------------------------------------------------------------------


def read_queued(reader: sqlite3.Connection) -> QueuedSecurityEvent | None:
    """The oldest event that waits; None: there is none."""
    found = reader.execute(
        "SELECT number, unique_id, type, at, tech_info, boot FROM security_queue"
        " ORDER BY number LIMIT 1"
    ).fetchone()
    if found is None:
        return None
    number, unique_id, kind, at, tech_info, boot = found
    event = None
    with suppress(ValueError):
        event = SecurityEvent(SecurityEventType(kind), instant_of(at), tech_info, boot)
    return QueuedSecurityEvent(number, unique_id, event)


def read_security_log(
    reader: sqlite3.Connection,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = LINES_MAX,
    before: int | None = None,
) -> list[SecurityLogLine]:
    """Lines from ``since`` to ``until``, the newest first; ``before`` goes on behind that one."""
    rows = reader.execute(
        f"{_LINES} WHERE at >= ? AND at <= ? AND (?3 IS NULL OR number < ?3)"
        " ORDER BY number DESC LIMIT ?4",
        (
            "" if since is None else instant_text(since),
            "~" if until is None else instant_text(until),  # behind every time
            before,
            max(0, limit),
        ),
    )
    return [SecurityLogLine(*row) for row in rows]


def read_queued_count(reader: sqlite3.Connection) -> int:
    """Count the events that wait for the central system."""
    (count,) = reader.execute("SELECT count(*) FROM security_queue").fetchone()
    return int(count)


def read_chain(reader: sqlite3.Connection) -> SecurityChain:
    """All lines with both ends. In one statement: what is written meanwhile is no change."""
    rows = reader.execute(
        f"{_ENDS}, number, at, type, tech_info, boot, chain"
        " FROM security_log_ends LEFT JOIN security_log ORDER BY number"
    ).fetchall()
    lines = tuple(SecurityLogLine(*row[4:]) for row in rows if row[4] is not None)
    return SecurityChain(_Ends(*rows[0][:4]), lines)


def _read_ends(connection: sqlite3.Connection) -> _Ends:
    return _Ends(*connection.execute(f"{_ENDS} FROM security_log_ends").fetchone())


def _chained(before: str, *fields: str | int) -> str:
    text = json.dumps([before, *fields], separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
