"""The authorization cache in the database: bounded, and never a tag of the local list."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from agent.core.commands import CacheTag
from agent.core.values import AuthorizationStatus
from agent.store.instants import instant_text
from agent.store.local_list import info_columns, listed_status

CACHE_ENTRIES_MAX = 1000

# OCPP 1.6, 3.5.3: a tag in the local list is not put into the cache.
_CACHE_TAG = f"""
INSERT INTO authorization_cache (id_tag, status, expires_at, parent_id_tag, heard_at)
SELECT :id_tag, :status, :expires_at, :parent_id_tag, :now
WHERE {listed_status(":id_tag")} IS NULL
ON CONFLICT (id_tag) DO UPDATE SET
    status = excluded.status,
    expires_at = excluded.expires_at,
    parent_id_tag = excluded.parent_id_tag,
    heard_at = excluded.heard_at
"""

# OCPP 1.6, 3.5.1: a full cache drops entries that are not valid first, then the oldest.
_MAKE_ROOM_IN_CACHE = """
DELETE FROM authorization_cache WHERE id_tag IN (
    SELECT id_tag FROM authorization_cache WHERE id_tag <> :id_tag
    ORDER BY status = 'Accepted' AND (expires_at IS NULL OR expires_at > :now), heard_at
    LIMIT max(0, (SELECT count(*) FROM authorization_cache) - :entries_max)
)
"""


def cache_tag(connection: sqlite3.Connection, row: CacheTag, heard_at: datetime) -> None:
    """Cache what was heard about a tag, within the limit; or forget the tag."""
    if row.info is None:
        connection.execute("DELETE FROM authorization_cache WHERE id_tag = ?", (row.id_tag,))
        return
    if row.info.status is AuthorizationStatus.CONCURRENT_TX:
        return  # says that the tag is busy elsewhere, nothing about the tag itself
    now = instant_text(heard_at)
    status, expires_at, parent_id_tag = info_columns(row.info)
    entry = {
        "id_tag": row.id_tag,
        "status": status,
        "expires_at": expires_at,
        "parent_id_tag": parent_id_tag,
        "now": now,
    }
    connection.execute(_CACHE_TAG, entry)
    room = {"id_tag": row.id_tag, "now": now, "entries_max": CACHE_ENTRIES_MAX}
    connection.execute(_MAKE_ROOM_IN_CACHE, room)
