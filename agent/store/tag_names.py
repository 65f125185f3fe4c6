"""Names that people gave to tags, for lists and the charge log of this box only.

A name belongs to the tag, not to its entry in the local list: it stays when the central system
replaces the list, and while sessions of the tag stand in the charge log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from agent.core.values import ListEntry

NAMES_MAX = 100_000  # more than this, and names that nothing needs go


def write_names(connection: sqlite3.Connection, entries: Sequence[ListEntry]) -> None:
    """Keep the names that come with entries of an update; an empty name takes the name away."""
    named = [(entry.id_tag, entry.name) for entry in entries if entry.name]
    unnamed = [(entry.id_tag,) for entry in entries if entry.name == ""]
    connection.executemany("DELETE FROM tag_names WHERE id_tag = ?", unnamed)
    connection.executemany("INSERT OR REPLACE INTO tag_names (id_tag, name) VALUES (?, ?)", named)
    if named:
        _forget_unneeded(connection)


def _forget_unneeded(connection: sqlite3.Connection) -> None:
    (count,) = connection.execute("SELECT count(*) FROM tag_names").fetchone()
    if count > NAMES_MAX:
        connection.execute(
            "DELETE FROM tag_names WHERE id_tag NOT IN (SELECT id_tag FROM local_list)"
            " AND id_tag NOT IN (SELECT id_tag FROM charge_log)"
        )


def read_names(reader: sqlite3.Connection, tags: Sequence[str]) -> dict[str, str]:
    """Read the names of some hundred tags, by tag in capitals; those without one are left out."""
    places = ",".join("?" * len(tags))
    rows = reader.execute(
        f"SELECT upper(id_tag), name FROM tag_names WHERE id_tag IN ({places})", tuple(tags)
    )
    return dict(rows.fetchall())
