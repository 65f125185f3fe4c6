"""The charge log in the database: one row for each session that is over.

A row is inserted in the commit that ends its session. Whether the central system has been told is
not stored but read from the outbox. Names of tags come from ``agent.store.tag_names``.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.core.commands import LogSession
from agent.core.id_tag import SoughtTag
from agent.core.key_enum import KeyEnum
from agent.store.instants import instant_of, instant_text

_REMOVED_AT_ONCE_MAX = 20
_AGREEING = 3  # sessions that must agree about the time before one is forgotten for its age


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How much the charge log keeps; ``sessions`` 0: nothing."""

    sessions: int
    months: int  # whole ones, besides the present one


USUAL_LIMITS = LogLimits(sessions=10_000, months=12)


class Delivery(KeyEnum):
    """Whether the central system knows of a session."""

    DELIVERED = "delivered"  # it has answered its start and its end
    WAITING = "waiting"
    PARKED = "parked"  # waits for a person
    DISCARDED = "discarded"  # a person gave it up


@dataclass(frozen=True, slots=True)
class LoggedSession:
    """A session that is over, as the charge log has it."""

    ref: int  # our own number; grows
    connector_id: int
    id_tag: str
    name: str  # that people gave to the tag; empty: none
    begun_at: datetime
    ended_at: datetime
    is_time_known: bool  # False: one of the two was given by a clock that nobody has set
    meter_start_wh: int  # registers of the connector's meter
    meter_stop_wh: int
    highest_w: int | None  # None: the meter has told no power
    longest_pause_s: int  # that the contactor was open in one piece
    reason: str  # of the end, as in OCPP 1.6 section 7.36
    rule: str  # name of the core.reasons.Rule that accepted the tag; empty: not known
    source: str  # who said so
    transaction_id: int | None  # given by the central system; -1: it never gave one
    delivery: Delivery

    @property
    def energy_wh(self) -> int:
        """What was charged."""
        return self.meter_stop_wh - self.meter_start_wh


@dataclass(frozen=True, slots=True)
class SessionSum:
    """What one tag has charged in one month."""

    month: str  # 2026-11, in the time zone of this machine; by the end of the session
    id_tag: str
    name: str
    sessions: int
    energy_wh: int
    rule: str = ""  # name of the core.reasons.Rule of them all; empty: several, or not known


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions are wanted: of those that ended from ``since`` on and before ``until``."""

    since: datetime | None = None
    until: datetime | None = None
    tag: SoughtTag | None = None


ALL_SESSIONS = SessionFilter()

# --- writing -------------------------------------------------------------------------------------

# A session that is logged stays as it is. Nothing here may keep a session from being ended.
_INSERT = """
INSERT INTO charge_log (
    ref, connector_id, id_tag, begun_at, ended_at, begun_boot, ended_boot,
    meter_start_wh, meter_stop_wh, highest_w, longest_pause_s, reason, rule, source,
    transaction_id, is_discarded
) VALUES (?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    (SELECT transaction_id FROM transactions WHERE ref = ?1),
    coalesce((SELECT is_discarded FROM transactions WHERE ref = ?1), 0))
ON CONFLICT (ref) DO NOTHING
"""


def log_session(connection: sqlite3.Connection, row: LogSession, limits: LogLimits) -> None:
    """Write one session down, and forget some of those that are too many or too old."""
    transaction, ended = row.transaction, row.ended
    figures = transaction.figures
    if limits.sessions > 0:
        connection.execute(
            _INSERT,
            (
                transaction.ref,
                transaction.connector_id,
                transaction.id_tag,
                instant_text(transaction.begun_at),
                instant_text(ended.ended_at),
                transaction.begun_boot,
                row.boot,
                transaction.meter_start_wh,
                ended.meter_stop_wh,
                figures.highest_w,
                figures.longest_pause_s,
                ended.reason.value,
                figures.rule,
                figures.source,
            ),
        )
    _forget_beyond_number(connection, limits.sessions)
    _forget_beyond_age(connection, limits.months)


def _forget_beyond_number(connection: sqlite3.Connection, sessions: int) -> None:
    connection.execute(
        "DELETE FROM charge_log WHERE ref IN (SELECT ref FROM charge_log WHERE ref <= ("
        " SELECT ref FROM charge_log ORDER BY ref DESC LIMIT 1 OFFSET ?) ORDER BY ref LIMIT ?)",
        (sessions, _REMOVED_AT_ONCE_MAX),
    )


def _forget_beyond_age(connection: sqlite3.Connection, months: int) -> None:
    """Whole months go. What time it is the last sessions must agree about: a clock may jump.

    Only times that are known count. A clock that is wrong for one session forgets nothing.
    """
    (now,) = connection.execute(
        "SELECT min(ended_at) FROM (SELECT ended_at FROM charge_log WHERE ended_boot = 0"
        " ORDER BY ref DESC LIMIT ?)",
        (_AGREEING,),
    ).fetchone()
    if now is None:
        return
    try:
        first = _months_before(instant_of(now), months)
    except ValueError:  # damaged: once it is not among the last, they agree again
        return
    connection.execute(
        "DELETE FROM charge_log WHERE ref IN (SELECT ref FROM charge_log"
        " WHERE ended_boot = 0 AND ended_at < ? ORDER BY ref LIMIT ?)",
        (instant_text(first), _REMOVED_AT_ONCE_MAX),
    )


def _months_before(now: datetime, months: int) -> datetime:
    """The beginning of the month so many months ago, in whatever time zone it is read."""
    count = max(now.year * 12 + now.month - 1 - months, 12 + 1)  # no earlier than in year 1
    first = now.replace(
        year=count // 12, month=count % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return first - timedelta(days=1)


# --- reading -------------------------------------------------------------------------------------

_WANTED = """
(:since IS NULL OR ended_at >= :since) AND (:until IS NULL OR ended_at < :until)
AND (:written IS NULL OR l.id_tag IN (:written, :told))
"""
_PAGE = f"""
SELECT ref, connector_id, l.id_tag, coalesce(name, ''), begun_at, ended_at,
    begun_boot + ended_boot = 0, meter_start_wh, meter_stop_wh, highest_w, longest_pause_s,
    reason, rule, source, transaction_id, CASE
        WHEN is_discarded THEN 'discarded'
        WHEN ref IN (SELECT transaction_ref FROM outbox
            WHERE parked_at IS NOT NULL AND action <> 'MeterValues') THEN 'parked'
        WHEN ref IN (SELECT transaction_ref FROM outbox WHERE action <> 'MeterValues')
            THEN 'waiting'
        ELSE 'delivered' END
FROM charge_log l LEFT JOIN tag_names n ON n.id_tag = l.id_tag
WHERE (:before IS NULL OR ref < :before) AND {_WANTED}
ORDER BY ref DESC LIMIT :limit
"""
_SUMS = f"""
SELECT strftime('%Y-%m', ended_at, 'localtime') AS month, min(l.id_tag), coalesce(name, ''),
    count(*), sum(meter_stop_wh - meter_start_wh),
    CASE min(rule) WHEN max(rule) THEN min(rule) ELSE '' END
FROM charge_log l LEFT JOIN tag_names n ON n.id_tag = l.id_tag
WHERE {_WANTED}
GROUP BY month, l.id_tag ORDER BY month DESC, 5 DESC, l.id_tag
"""


def read_sessions(
    reader: sqlite3.Connection,
    limit: int,
    before: int | None = None,
    wanted: SessionFilter = ALL_SESSIONS,
) -> list[LoggedSession]:
    """Read sessions, the one that began last first; ``before`` goes on behind that one."""
    rows = reader.execute(
        _PAGE, {**_parameters(wanted), "before": before, "limit": max(0, limit)}
    ).fetchall()
    return [_session(row) for row in rows]


def read_session_sums(
    reader: sqlite3.Connection, wanted: SessionFilter = ALL_SESSIONS
) -> list[SessionSum]:
    """Read what each tag has charged in each month, the last month first, the largest first."""
    rows = reader.execute(_SUMS, _parameters(wanted)).fetchall()
    return [SessionSum(*columns) for columns in rows]


def _session(row: tuple[Any, ...]) -> LoggedSession:
    ref, connector_id, id_tag, name, begun_at, ended_at, is_time_known, *rest = row
    start_wh, stop_wh, highest_w, longest_pause_s, reason, rule, source, number, delivery = rest
    return LoggedSession(
        ref=ref,
        connector_id=connector_id,
        id_tag=id_tag,
        name=name,
        begun_at=instant_of(begun_at),
        ended_at=instant_of(ended_at),
        is_time_known=bool(is_time_known),
        meter_start_wh=start_wh,
        meter_stop_wh=stop_wh,
        highest_w=highest_w,
        longest_pause_s=longest_pause_s,
        reason=reason,
        rule=rule,
        source=source,
        transaction_id=number,
        delivery=Delivery(delivery),
    )


def _parameters(wanted: SessionFilter) -> dict[str, str | None]:
    return {
        "since": None if wanted.since is None else instant_text(wanted.since),
        "until": None if wanted.until is None else instant_text(wanted.until),
        "written": None if wanted.tag is None else wanted.tag.written,
        "told": None if wanted.tag is None else wanted.tag.told,
    }
