"""The local authorization list in the database: staged, made to count, tidied.

A row belongs to a base and a generation. ``local_list_version`` says which base and which
generation count; ``steps.create_local_list`` says what that means for a row. So

* a full list is written as a new base, in order, page after page, beside the one in use;
* a differential one is written between the rows in use, as a new generation of the same base;
* nothing of it counts until one row changes (``ActivateList``), and then all of it does;
* what does not count is removed afterwards, piece by piece. ``is_untidy`` stands from before the
  first staged row until there is nothing left to remove, so that a power cut leaves nothing behind.

Every function here runs inside one transaction of the caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from agent.core.values import AuthorizationStatus, IdTagInfo, ListEntry, LocalList
from agent.store.instants import optional_instant_of, optional_instant_text
from agent.store.tag_names import write_names

AT_ONCE_MAX = 500  # entries that are staged in one transaction
REMOVED_AT_ONCE_MAX = 2000


@dataclass(frozen=True, slots=True)
class ListHead:
    """What counts."""

    version: int
    base: int
    generation: int
    entries: int
    is_untidy: bool


@dataclass(slots=True)
class ListStaging:
    """An update on its way into the store; begun by ``Store.begin_list``."""

    base: int
    generation: int
    entries: int  # how many the list would have
    is_full: bool
    added: list[str] = field(default_factory=list)  # of a differential one: idTags not listed yet
    changed: list[str] = field(default_factory=list)  # and idTags that are

    def take(self, staged: Staged) -> None:
        """Count what has been committed."""
        self.entries += staged.growth
        self.added += staged.added
        self.changed += staged.changed


@dataclass(frozen=True, slots=True)
class Staged:
    """What one piece of an update does to the list."""

    growth: int
    added: Sequence[str] = ()
    changed: Sequence[str] = ()


# --- what counts ---------------------------------------------------------------------------------


def listed_status(id_tag: str) -> str:
    """An SQL expression: the status in the list, NULL when not listed. ``id_tag`` is SQL too."""
    return (
        "(SELECT l.status FROM local_list_version v JOIN local_list l ON l.base = v.base"
        f" WHERE v.only_row = 1 AND l.id_tag = {id_tag} AND l.generation <= v.generation"
        " ORDER BY l.generation DESC LIMIT 1)"
    )


_PAGE = """
SELECT l.id_tag, l.status, l.expires_at, l.parent_id_tag
FROM local_list_version v JOIN local_list l
    ON l.base = v.base AND l.id_tag > :after AND l.generation <= v.generation
WHERE v.only_row = 1 AND l.status IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM local_list n
    WHERE n.base = v.base AND n.id_tag = l.id_tag
        AND n.generation > l.generation AND n.generation <= v.generation
)
ORDER BY l.id_tag LIMIT :limit OFFSET :offset
"""


def read_list_head(connection: sqlite3.Connection) -> ListHead:
    """Read what counts."""
    version, base, generation, entries, is_untidy = connection.execute(
        "SELECT version, base, generation, entries, is_untidy FROM local_list_version"
    ).fetchone()
    return ListHead(version, base, generation, entries, bool(is_untidy))


def read_local_list(connection: sqlite3.Connection) -> LocalList:
    """Read what the core knows of the list."""
    head = read_list_head(connection)
    return LocalList(head.version, head.entries, head.generation)


def read_list_page(
    connection: sqlite3.Connection, after: str, offset: int, limit: int
) -> list[tuple[str, IdTagInfo]]:
    """Read entries in the order of their idTags, beginning behind ``after``."""
    rows = connection.execute(_PAGE, {"after": after, "offset": offset, "limit": limit})
    return [(id_tag, info_of(*columns)) for id_tag, *columns in rows]


def info_of(status: str, expires_at: str | None, parent_id_tag: str | None) -> IdTagInfo:
    """What three columns say about an idTag."""
    return IdTagInfo(AuthorizationStatus(status), optional_instant_of(expires_at), parent_id_tag)


def info_columns(info: IdTagInfo) -> tuple[str, str | None, str | None]:
    """What is said about an idTag, as three columns."""
    return info.status.value, optional_instant_text(info.expires_at), info.parent_id_tag


# --- staging -------------------------------------------------------------------------------------


def begin(connection: sqlite3.Connection, *, is_full: bool) -> ListStaging:
    """Begin an update. The list must be tidy, so that nothing of an earlier one comes along."""
    head = read_list_head(connection)
    assert not head.is_untidy, "an earlier update has not been tidied up"
    connection.execute("UPDATE local_list_version SET is_untidy = 1")
    generation = head.generation + 1
    if is_full:
        return ListStaging(generation, generation, 0, is_full=True)
    return ListStaging(head.base, generation, head.entries, is_full=False)


def stage(
    connection: sqlite3.Connection, staging: ListStaging, entries: Sequence[ListEntry]
) -> Staged:
    """Write entries, best in the order of their idTags; say what they do to the list.

    Raises sqlite3.IntegrityError when an idTag comes twice. Names count at once: they decide
    nothing.
    """
    staged = _stage(connection, staging, entries)
    write_names(connection, entries)
    return staged


def _stage(
    connection: sqlite3.Connection, staging: ListStaging, entries: Sequence[ListEntry]
) -> Staged:
    if staging.is_full:
        _insert(connection, [_row(staging, entry) for entry in entries])
        return Staged(len(entries))
    rows: list[_Row] = []
    added: list[str] = []
    changed: list[str] = []
    growth = 0
    for entry in entries:
        row, listed = _row(staging, entry), _listed(connection, staging, entry.id_tag)
        if listed == (row[1], *row[3:]) or (listed is None and entry.info is None):
            continue  # so it is already: nothing need be written
        rows.append(row)
        (added if listed is None else changed).append(entry.id_tag)
        growth += (entry.info is not None) - (listed is not None)
    _insert(connection, rows)
    return Staged(growth, added, changed)


_Row = tuple[int, str, int, str | None, str | None, str | None]


def _row(staging: ListStaging, entry: ListEntry) -> _Row:
    columns = (None, None, None) if entry.info is None else info_columns(entry.info)
    return (staging.base, entry.id_tag, staging.generation, *columns)


def _insert(connection: sqlite3.Connection, rows: Sequence[_Row]) -> None:
    connection.executemany("INSERT INTO local_list VALUES (?, ?, ?, ?, ?, ?)", rows)


def _listed(
    connection: sqlite3.Connection, staging: ListStaging, id_tag: str
) -> tuple[str | None, ...] | None:
    found: tuple[str | None, ...] | None = connection.execute(
        "SELECT id_tag, status, expires_at, parent_id_tag FROM local_list"
        " WHERE base = ? AND id_tag = ? AND generation < ?",
        (staging.base, id_tag, staging.generation),
    ).fetchone()
    return found


# --- tidying -------------------------------------------------------------------------------------


def remove_other_bases(connection: sqlite3.Connection, base: int) -> bool:
    """Remove rows of bases that do not count, a bounded number; False when there were none."""
    other = connection.execute(
        "SELECT base FROM local_list WHERE base < :base"
        " UNION ALL SELECT base FROM local_list WHERE base > :base LIMIT 1",
        {"base": base},
    ).fetchone()
    if other is None:
        return False
    limit = connection.execute(
        "SELECT id_tag FROM local_list WHERE base = ? ORDER BY id_tag LIMIT 1 OFFSET ?",
        (*other, REMOVED_AT_ONCE_MAX),
    ).fetchone()
    if limit is None:
        connection.execute("DELETE FROM local_list WHERE base = ?", other)
    else:
        connection.execute("DELETE FROM local_list WHERE base = ? AND id_tag < ?", (*other, *limit))
    return True


_REMOVE_DEAD = """
DELETE FROM local_list WHERE base = :base AND {tags} AND (
    generation > :generation OR status IS NULL OR generation < (
        SELECT max(n.generation) FROM local_list n
        WHERE n.base = :base AND n.id_tag = local_list.id_tag AND n.generation <= :generation
    )
)
"""
_REMOVE_DEAD_OF_TAG = _REMOVE_DEAD.format(tags="id_tag = :id_tag")
_REMOVE_DEAD_BETWEEN = _REMOVE_DEAD.format(tags="id_tag > :after AND id_tag <= :until")


def tags_to_tidy(head: ListHead, staging: ListStaging) -> Iterator[list[str]]:
    """The idTags of an update that may have rows that do not count, in bounded pieces."""
    if staging.is_full:
        return
    is_active = head.generation >= staging.generation
    tags = iter(staging.changed if is_active else staging.added + staging.changed)
    while piece := list(islice(tags, AT_ONCE_MAX)):
        yield piece


def remove_dead_of(connection: sqlite3.Connection, head: ListHead, tags: Sequence[str]) -> None:
    """Remove the rows of these idTags that do not count."""
    what_counts = {"base": head.base, "generation": head.generation}
    connection.executemany(_REMOVE_DEAD_OF_TAG, ({**what_counts, "id_tag": tag} for tag in tags))


def remove_dead_behind(connection: sqlite3.Connection, head: ListHead, after: str) -> str | None:
    """Remove what does not count from the next piece of the list; return where that ends, or None.

    For rows whose idTags are not known any more: those of an update that a power cut ended.
    """
    (until,) = connection.execute(
        "SELECT max(id_tag) FROM (SELECT id_tag FROM local_list"
        " WHERE base = ? AND id_tag > ? ORDER BY id_tag LIMIT ?)",
        (head.base, after, REMOVED_AT_ONCE_MAX),
    ).fetchone()
    if until is None:
        return None
    what_counts = {"base": head.base, "generation": head.generation}
    connection.execute(_REMOVE_DEAD_BETWEEN, {**what_counts, "after": after, "until": until})
    return str(until)


def is_tidy_now(connection: sqlite3.Connection) -> None:
    """Note that nothing is left to remove."""
    connection.execute("UPDATE local_list_version SET is_untidy = 0")
