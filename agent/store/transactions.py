"""Sessions in the database: open ones, and for a while those that are over."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from agent.core.commands import EndTransaction, SaveTransaction, SetTransactionId
from agent.store import samples
from agent.store.instants import instant_text

ENDED_TRANSACTIONS_MAX = 200
_OF_A_SESSION = ("transactions", "charge_log")  # a session that is over stands in both

# A transactionId once known is never forgotten, and an ended transaction stays ended.
_SAVE_TRANSACTION = """
INSERT INTO transactions (
    ref, connector_id, id_tag, begun_at, meter_start_wh, last_wh, last_at,
    parent_id_tag, transaction_id, deauthorized, boot, is_limited, begun_boot,
    rule, source, highest_w, longest_pause_s, last_sequence
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    (SELECT coalesce(max(sequence), 0) FROM outbox))
ON CONFLICT (ref) DO UPDATE SET
    connector_id = excluded.connector_id,
    id_tag = excluded.id_tag,
    begun_at = excluded.begun_at,
    meter_start_wh = excluded.meter_start_wh,
    last_wh = excluded.last_wh,
    last_at = excluded.last_at,
    parent_id_tag = excluded.parent_id_tag,
    transaction_id = coalesce(excluded.transaction_id, transaction_id),
    deauthorized = excluded.deauthorized,
    boot = excluded.boot,
    begun_boot = excluded.begun_boot,
    highest_w = excluded.highest_w,
    longest_pause_s = excluded.longest_pause_s
"""


def save_transaction(connection: sqlite3.Connection, row: SaveTransaction) -> None:
    """Insert or update a session that is open."""
    transaction = row.transaction
    figures = transaction.figures
    connection.execute(
        _SAVE_TRANSACTION,
        (
            transaction.ref,
            transaction.connector_id,
            transaction.id_tag,
            instant_text(transaction.begun_at),
            transaction.meter_start_wh,
            transaction.last_wh,
            instant_text(transaction.last_at),
            transaction.parent_id_tag,
            transaction.transaction_id,
            int(transaction.deauthorized),
            transaction.boot,
            int(transaction.is_limited),
            transaction.begun_boot,
            figures.rule,
            figures.source,
            figures.highest_w,
            figures.longest_pause_s,
        ),
    )


def end_transaction(connection: sqlite3.Connection, row: EndTransaction, now: datetime) -> None:
    """Note that a session is over, and forget old ones that no message needs."""
    connection.execute(
        "UPDATE transactions SET ended_at = ?, last_wh = max(last_wh, ?)"
        " WHERE ref = ? AND ended_at IS NULL",
        (instant_text(now), row.register_wh, row.ref),
    )
    samples.forget(connection, row.ref)
    # The outbox still needs the transactionId of those whose messages wait or are parked.
    connection.execute(
        "DELETE FROM transactions WHERE ended_at IS NOT NULL AND ref <= ("
        " SELECT ref FROM transactions WHERE ended_at IS NOT NULL"
        " ORDER BY ref DESC LIMIT 1 OFFSET ?"
        ") AND ref NOT IN (SELECT transaction_ref FROM outbox)",
        (ENDED_TRANSACTIONS_MAX,),
    )


def set_transaction_id(connection: sqlite3.Connection, row: SetTransactionId) -> None:
    """Note what the central system calls a session, here and in the charge log."""
    for table in _OF_A_SESSION:
        connection.execute(
            f"UPDATE {table} SET transaction_id = ? WHERE ref = ?", (row.transaction_id, row.ref)
        )


def note_discarded(connection: sqlite3.Connection, ref: int) -> None:
    """Note that the central system will never be told of the start or the end of a session."""
    for table in _OF_A_SESSION:
        connection.execute(f"UPDATE {table} SET is_discarded = 1 WHERE ref = ?", (ref,))
