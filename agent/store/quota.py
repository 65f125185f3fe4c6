"""How much of the disk the messages that wait may take, and what goes when it is more.

Samples go first, every second one of each session, never its first and its last one; starts and
stops never go (OCPP 1.6 has no rule; this is that of 2.0.1, section E04).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

QUEUE_BYTES_MAX = 50_000_000
ROW_BYTES = 120  # of a row beside its payload: unique id, action, times
_GROWTH = 1.1  # what cannot be thinned any further is not searched at every commit

_OTHER_SAMPLES = """
DELETE FROM outbox WHERE sequence IN (
    SELECT sequence FROM (
        SELECT sequence,
            row_number() OVER (PARTITION BY transaction_ref ORDER BY sequence) AS place,
            count(*) OVER (PARTITION BY transaction_ref) AS places
        FROM outbox WHERE action = 'MeterValues'
    ) WHERE place % 2 = 0 AND place < places
)
"""


@dataclass(frozen=True, slots=True)
class Quota:
    """What the outbox takes, in bytes, and above what it is thinned."""

    bytes_max: int
    used: int
    thin_above: float
    thinned: int = 0  # samples that were dropped since the last question
    thinned_in_all: int = 0


def bytes_used(connection: sqlite3.Connection) -> int:
    """Count what waits, parked messages too."""
    (used,) = connection.execute(
        "SELECT coalesce(sum(length(payload) + ?), 0) FROM outbox", (ROW_BYTES,)
    ).fetchone()
    return int(used)


def thin(connection: sqlite3.Connection) -> int:
    """Drop every second sample of each session; returns how many went."""
    return connection.execute(_OTHER_SAMPLES).rowcount


def thinned(quota: Quota, used: int, count: int) -> Quota:
    """The account after thinning: ``used`` bytes are left, ``count`` samples went."""
    return Quota(
        quota.bytes_max,
        used,
        thin_above=max(float(quota.bytes_max), used * _GROWTH),
        thinned=quota.thinned + count,
        thinned_in_all=quota.thinned_in_all + count,
    )
