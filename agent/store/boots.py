"""Boots of the machine, and times that an untrusted clock has given.

A row with such times carries the number of its boot. When it becomes known when a boot began, its
rows move with it, in one commit. The clock of an earlier boot that is over will never be known: its
rows keep their times, which begin at the last moment known before, so that they are the earliest
possible. If they cannot be (from before this program was written, or after this boot began), they
move as one piece to just before this boot: the latest possible. A time that storage has damaged
stays as it is, and holds up no other.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta

from agent.core.commands import CorrectTimes, NoteBoot, NoteEnding
from agent.core.values import Boot, Instant, StopReason
from agent.store.instants import instant_of, instant_text, readable_instant
from agent.store.messages import shifted, time_of

logger = logging.getLogger(__name__)

POSSIBLE_FROM_YEAR = 2024

# Times besides those of the outbox: table, column, and the column of the boot that gave it.
_TIMES = (
    ("charge_log", "begun_at", "begun_boot"),
    ("charge_log", "ended_at", "ended_boot"),
    ("grid_limits", "begun_at", "begun_boot"),
    ("grid_limits", "ended_at", "ended_boot"),
    ("security_queue", "at", "boot"),
)

# The last moment that is known for sure.
_LAST_KNOWN = """
SELECT max(known) FROM (
    SELECT max(last_at) AS known FROM transactions WHERE boot = 0
    UNION ALL SELECT max(queued_at) FROM outbox WHERE boot = 0
    UNION ALL SELECT max(booted_at) FROM boots WHERE is_time_known = 1
)
"""

# Kept: this boot, those that rows still wait of, and the last one whose time was known.
_FORGET_BOOTS = """
DELETE FROM boots WHERE number < :number
    AND number NOT IN (SELECT boot FROM outbox)
    AND number NOT IN (SELECT boot FROM security_queue)
    AND number NOT IN (SELECT boot FROM transactions WHERE ended_at IS NULL)
    AND number <> (SELECT coalesce(max(number), 0) FROM boots WHERE is_time_known = 1)
"""


def read_this_boot(reader: sqlite3.Connection, boot_id: str, now: Instant) -> Boot:
    """What is known about this boot: from an earlier process in it, or begun now.

    An untrusted clock begins no earlier than at the last moment that is known for sure.
    """
    found = reader.execute(
        "SELECT number, booted_at, is_time_known FROM boots WHERE boot_id = ?", (boot_id,)
    ).fetchone()
    if found is not None and (booted_at := readable_instant(found[1])) is not None:
        return Boot(found[0], boot_id, booted_at, bool(found[2]))
    begun_at = now.utc
    if not now.is_trusted:
        (last_known,) = reader.execute(_LAST_KNOWN).fetchone()
        begun_at = max(begun_at, readable_instant(last_known) or begun_at)
    booted_at = begun_at - timedelta(seconds=now.monotonic_s)
    if found is not None:
        logger.error("when boot %d began is unreadable: now it counts from %s", found[0], booted_at)
        return Boot(found[0], boot_id, booted_at, now.is_trusted)
    (newest,) = reader.execute("SELECT coalesce(max(number), 0) FROM boots").fetchone()
    return Boot(newest + 1, boot_id, booted_at, now.is_trusted)


def read_ending(reader: sqlite3.Connection, boot_id: str) -> StopReason | None:
    """Why the last process ended: as it said itself; else killed in this boot, or a power cut.

    None: this database knows of no process.
    """
    newest = reader.execute(
        "SELECT boot_id, ending FROM boots ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if newest is None:
        return None
    last_boot_id, ending = newest
    try:
        if ending:
            return StopReason(ending)
    except ValueError as problem:
        logger.error("why the last process ended is unreadable: %s", problem)
    return StopReason.REBOOT if last_boot_id == boot_id else StopReason.POWER_LOSS


def write(connection: sqlite3.Connection, row: NoteBoot | NoteEnding | CorrectTimes) -> None:
    """Write one row: this boot, why this process ends, or what the true time changes."""
    match row:
        case NoteBoot():
            _note_boot(connection, row)
        case NoteEnding():
            connection.execute(
                "UPDATE boots SET ending = ? WHERE number = (SELECT max(number) FROM boots)",
                (row.reason.value,),
            )
        case CorrectTimes():
            _correct_times(connection, row)


def _note_boot(connection: sqlite3.Connection, row: NoteBoot) -> None:
    boot = row.boot
    connection.execute(
        "INSERT INTO boots (number, boot_id, booted_at, is_time_known) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (boot_id) DO UPDATE SET ending = ''",
        (boot.number, boot.boot_id, instant_text(boot.booted_at), int(boot.is_time_known)),
    )
    connection.execute(_FORGET_BOOTS, {"number": boot.number})


def _correct_times(connection: sqlite3.Connection, row: CorrectTimes) -> None:
    """Correct the rows of this boot and of earlier ones; none has believed times afterwards."""
    found = connection.execute(
        "SELECT booted_at FROM boots WHERE number = ?", (row.boot,)
    ).fetchone()
    believed_at = row.booted_at if found is None else readable_instant(found[0]) or row.booted_at
    connection.execute(
        "UPDATE boots SET booted_at = ?, is_time_known = 1 WHERE number = ?",
        (instant_text(row.booted_at), row.boot),
    )
    bound = row.booted_at
    for mark in sorted(_marks(connection), reverse=True):
        first, last = _span(connection, mark)
        shift = row.booted_at - believed_at if mark == row.boot else _shift_before(bound, last)
        _move(connection, mark, shift)
        if mark != row.boot and first is not None:
            bound = min(bound, first + shift)


def _marks(connection: sqlite3.Connection) -> set[int]:
    """The boots whose untrusted clocks gave times that still stand somewhere."""
    found = {
        mark
        for table, _, boot in _TIMES
        for (mark,) in connection.execute(f"SELECT {boot} FROM {table} WHERE {boot} > 0")
    }
    waiting = connection.execute("SELECT DISTINCT boot FROM outbox WHERE boot > 0")
    return found | {mark for (mark,) in waiting}


def _shift_before(bound: datetime, last: datetime | None) -> timedelta:
    if last is None or (last.year >= POSSIBLE_FROM_YEAR and last <= bound):
        return timedelta()
    return bound - last


def _span(connection: sqlite3.Connection, mark: int) -> tuple[datetime | None, datetime | None]:
    rows = connection.execute("SELECT payload FROM outbox WHERE boot = ?", (mark,))
    times = [time_of(payload) for (payload,) in rows]
    for table, time, boot in _TIMES:
        texts = connection.execute(f"SELECT {time} FROM {table} WHERE {boot} = ?", (mark,))
        times += [readable_instant(text) for (text,) in texts]
    known = [at for at in times if at is not None]
    return min(known, default=None), max(known, default=None)


def _move(connection: sqlite3.Connection, mark: int, shift: timedelta) -> None:
    def moved_message(payload: bytes) -> str | None:
        with suppress(UnicodeDecodeError):
            return shifted(payload.decode(), shift)
        return None

    def moved_instant(text: bytes | None) -> str | None:
        with suppress(ValueError, OverflowError):
            return None if text is None else instant_text(instant_of(text.decode()) + shift)
        return None

    connection.create_function("moved_message", 1, moved_message)
    connection.create_function("moved_instant", 1, moved_instant)
    payload, queued_at = _moved("message", "payload"), _moved("instant", "queued_at")
    connection.execute(
        f"UPDATE outbox SET payload = {payload}, queued_at = {queued_at}, boot = 0 WHERE boot = ?",
        (mark,),
    )
    for table, time, boot in _TIMES:
        connection.execute(
            f"UPDATE {table} SET {time} = {_moved('instant', time)}, {boot} = 0 WHERE {boot} = ?",
            (mark,),
        )


def _moved(what: str, column: str) -> str:
    """SQL: what the function makes of a column, as bytes; the column where it makes nothing."""
    return f"coalesce(moved_{what}(CAST({column} AS BLOB)), {column})"
