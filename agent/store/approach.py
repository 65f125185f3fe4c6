"""How the central system is reached: one row, written when that changes. It holds the password.

The database file has the mode 0600 from its first byte on.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import Any

from agent.core.connection_profile import Approach, Approaches, SaveApproaches
from agent.store.rows import Writing, write_row

logger = logging.getLogger(__name__)


@write_row.register
def _(row: SaveApproaches, writing: Writing) -> None:
    writing.connection.execute(
        "INSERT INTO approaches (only_row, state) VALUES (1, ?)"
        " ON CONFLICT (only_row) DO UPDATE SET state = excluded.state",
        (_encoded(row.approaches),),
    )


def read_approaches(reader: sqlite3.Connection) -> Approaches | None:
    """What was known last; None when nothing was ever changed."""
    found = reader.execute("SELECT state FROM approaches").fetchone()
    if found is None:
        return None
    try:
        return _decoded(json.loads(found[0]))
    except (ValueError, KeyError, TypeError):
        # The text of the problem could show the password.
        logger.warning("The stored way to the central system is unreadable: the file counts")
        return None


def _encoded(known: Approaches) -> str:
    return json.dumps(
        {
            "settled": _one(known.settled),
            "trial": None if known.trial is None else _one(known.trial),
            "is_doubted": known.is_doubted,
            "file": _one(known.file),
        }
    )


def _one(approach: Approach) -> dict[str, Any]:
    return {"url": approach.url, "profile": approach.profile, "password": approach.password}


def _decoded(data: Any) -> Approaches:
    return Approaches(
        settled=_approach(data["settled"]),
        trial=None if data["trial"] is None else _approach(data["trial"]),
        is_doubted=bool(data["is_doubted"]),
        file=_approach(data["file"]),
    )


def _approach(data: Any) -> Approach:
    return Approach(str(data["url"]), int(data["profile"]), str(data["password"]))
