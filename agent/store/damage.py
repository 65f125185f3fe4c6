"""Values of the database that cannot be read: where each stands, and what is wrong with it.

SQLite's own check sees pages, keys and types. Storage may change single letters of a text all the
same, and another version may have written a word that this one does not know. Here stands what each
text must be; a test asks for every column. It is searched when reading has failed, and by
``doctor``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from enum import Enum

from agent.core.certificates import RootUse
from agent.core.id_tag import mask
from agent.core.security_event_values import SecurityEventType
from agent.core.values import AuthorizationStatus, StopReason, Verdict
from agent.core.visible import visible
from agent.store.instants import instant_of
from agent.store.messages import decode_message

ROWS_MAX = 10_000  # of a table that are searched while an agent runs
WHAT_HELPS = 'see "A damaged value" in docs/troubleshooting.md'
_SHOWN_MAX = 40

WORDS: Mapping[str, type[Enum]] = {
    "authorization_cache.status": AuthorizationStatus,
    "boots.ending": StopReason,
    "certificates.certificate_type": RootUse,
    "decisions.verdict": Verdict,
    "local_list.status": AuthorizationStatus,
    "security_queue.type": SecurityEventType,
}
JSON_COLUMNS = ("payload", "profile", "state")
# Of a session that is over, only numbers are read.
_READ = {"transactions": "WHERE ended_at IS NULL"}

_Row = Mapping[str, bytes | None]


def damaged_values(
    reader: sqlite3.Connection, tables: tuple[str, ...] = (), rows_max: int = -1
) -> Iterator[str]:
    """Where values stand that cannot be read, and what is wrong with each; a sentence part each.

    Of these tables, or of all; of each at most ``rows_max`` rows, -1: all. No secret and no whole
    idTag is in it. Raises sqlite3.Error.
    """
    for table in tables or tables_of(reader):
        columns = reader.execute(f"PRAGMA table_info({table})").fetchall()
        keys = [name for _, name, _, _, _, place in columns if place]
        texts = [name for _, name, kind, *_ in columns if kind == "TEXT"]
        wanted = ", ".join(f"CAST({name} AS BLOB)" for name in keys + texts)
        rows = reader.execute(
            f"SELECT {wanted} FROM {table} {_READ.get(table, '')} LIMIT ?", (rows_max,)
        )
        for values in rows:
            row = dict(zip(keys + texts, values, strict=True))
            for column in texts:
                if problem := _problem(table, column, row):
                    yield f"table {table}, row {_key(keys, row)}, column {column}: {problem}"


def tables_of(reader: sqlite3.Connection) -> list[str]:
    """Our tables, without those of the libraries."""
    found = reader.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    return [name for (name,) in found if "sqlite_" not in name]


def is_instant(column: str) -> bool:
    """Tell whether a column holds times, by its name."""
    return column.endswith("_at") or column in ("at", "not_after", "not_before")


def _problem(table: str, column: str, row: _Row) -> str:
    raw, place = row[column], f"{table}.{column}"
    is_parked = row.get("parked_at") is not None and column == "payload"
    if raw is None or is_parked:  # what is parked waits for a person, as it is
        return ""
    try:
        text = raw.decode()
        if column in JSON_COLUMNS:
            _check_json(table, text, row)
    except UnicodeDecodeError as problem:
        return f"byte {problem.start + 1} is 0x{raw[problem.start]:02X}, which is no letter"
    except ValueError as problem:  # what it holds may be secret
        return visible(f"no JSON of ours: {problem}")
    if is_instant(column):
        return _wrong(text, instant_of, "no time")
    return _wrong(text, WORDS[place], "no word that this version knows") if place in WORDS else ""


def _check_json(table: str, text: str, row: _Row) -> None:
    if table == "outbox":
        decode_message(_shown(row["action"]), text)
    else:
        json.loads(text)


def _wrong(text: str, read: Callable[[str], object], words: str) -> str:
    try:
        if text or read is not StopReason:  # a process that is killed has given no reason
            read(text)
    except ValueError:
        return f"{text[:_SHOWN_MAX]!r} is {words}"
    return ""


def _key(keys: list[str], row: _Row) -> str:
    shown = ((name, _shown(row[name])) for name in keys)
    return ", ".join(f"{name} = {mask(key) if 'tag' in name else key}" for name, key in shown)


def _shown(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "backslashreplace")
