"""When the grid operator's contact limited the box: kept for two years, as a proof (§ 14a EnWG)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.core.commands import BeginGridLimit, EndGridLimit
from agent.store.instants import instant_of, instant_text

KEPT = timedelta(days=2 * 366)
GRID_LIMITS_MAX = 10_000
_END_OPEN = """
UPDATE grid_limits SET ended_at = ?, ended_boot = ?, is_end_found = ? WHERE ended_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class GridLimit:
    """One time in which the box was limited. ``ended_at`` None: it still is."""

    number: int  # our own; grows
    begun_at: datetime
    ended_at: datetime | None
    limit: float
    unit: str  # W: all phases together; A: per phase
    is_end_found: bool  # the agent had ended meanwhile: at the latest then; no energy flowed
    is_time_known: bool  # False: one of the two was given by a clock that nobody has set


def write(connection: sqlite3.Connection, row: BeginGridLimit | EndGridLimit) -> None:
    """Write the begin of one, or the end of the one that is open."""
    if isinstance(row, BeginGridLimit):
        _begin(connection, row)
    else:
        _end_open(connection, row.ended_at, row.boot, row.is_found)


def _begin(connection: sqlite3.Connection, row: BeginGridLimit) -> None:
    _end_open(connection, row.begun_at, row.boot, is_found=True)
    cursor = connection.execute(
        "INSERT INTO grid_limits (begun_at, limit_value, unit, begun_boot) VALUES (?, ?, ?, ?)",
        (instant_text(row.begun_at), row.limit, row.unit.value, row.boot),
    )
    assert cursor.lastrowid is not None
    connection.execute(
        "DELETE FROM grid_limits WHERE number <= ?", (cursor.lastrowid - GRID_LIMITS_MAX,)
    )
    if not row.boot:  # a clock that nobody trusts deletes nothing
        connection.execute(
            "DELETE FROM grid_limits WHERE ended_at < ? AND ended_boot = 0",
            (instant_text(row.begun_at - KEPT),),
        )


def _end_open(
    connection: sqlite3.Connection, ended_at: datetime, boot: int, is_found: bool
) -> None:
    connection.execute(_END_OPEN, (instant_text(ended_at), boot, int(is_found)))


def has_open(reader: sqlite3.Connection) -> bool:
    """True if one has not been ended."""
    query = "SELECT EXISTS (SELECT 1 FROM grid_limits WHERE ended_at IS NULL)"
    (found,) = reader.execute(query).fetchone()
    return bool(found)


def read_grid_limits(
    reader: sqlite3.Connection, limit: int, before: int | None = None
) -> list[GridLimit]:
    """Read some of them, newest first; ``before`` goes on behind that one."""
    rows = reader.execute(
        "SELECT number, begun_at, ended_at, limit_value, unit, is_end_found,"
        " begun_boot + ended_boot FROM grid_limits"
        " WHERE :before IS NULL OR number < :before ORDER BY number DESC LIMIT :limit",
        {"before": before, "limit": limit},
    )
    return [
        GridLimit(
            number,
            instant_of(begun_at),
            None if ended_at is None else instant_of(ended_at),
            value,
            unit,
            bool(is_end_found),
            boot == 0,
        )
        for number, begun_at, ended_at, value, unit, is_end_found, boot in rows.fetchall()
    ]
