"""Samples that wait for the StopTransaction of their session: one row each, deleted at its end."""

from __future__ import annotations

import json
import logging
import sqlite3

from agent.core.commands import DropSample, KeepSample
from agent.core.values import MeterSample
from agent.store.messages import sample_fields, sample_of

logger = logging.getLogger(__name__)


def keep(connection: sqlite3.Connection, row: KeepSample) -> None:
    """Write a sample down, or write it down anew."""
    payload = json.dumps(sample_fields(row.sample), separators=(",", ":"))
    connection.execute(
        "INSERT OR REPLACE INTO stop_samples (transaction_ref, number, payload) VALUES (?, ?, ?)",
        (row.ref, row.sample.number, payload),
    )


def drop(connection: sqlite3.Connection, row: DropSample) -> None:
    """Forget one sample."""
    connection.execute(
        "DELETE FROM stop_samples WHERE transaction_ref = ? AND number = ?", (row.ref, row.number)
    )


def forget(connection: sqlite3.Connection, ref: int) -> None:
    """Forget all samples of a session: its StopTransaction has them now."""
    connection.execute("DELETE FROM stop_samples WHERE transaction_ref = ?", (ref,))


def read_samples(reader: sqlite3.Connection, ref: int) -> tuple[MeterSample, ...]:
    """Read the samples of a session; unreadable ones are left out, with a warning."""
    rows = reader.execute(
        "SELECT number, payload FROM stop_samples WHERE transaction_ref = ? ORDER BY number",
        (ref,),
    ).fetchall()
    found = []
    for number, payload in rows:
        try:
            found.append(sample_of(json.loads(payload), number))
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            logger.warning("Sample %d of session %d is unreadable: %r", number, ref, problem)
    return tuple(found)
