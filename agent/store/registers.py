"""What is added to the meters' registers, so that what is told goes on: one row a connector."""

from __future__ import annotations

import sqlite3

from agent.core.commands import SaveRegister
from agent.store.rows import Writing, write_row


@write_row.register
def _(row: SaveRegister, writing: Writing) -> None:
    writing.connection.execute(
        "INSERT OR REPLACE INTO registers (connector_id, register_wh, offset_wh) VALUES (?, ?, ?)",
        (row.connector_id, row.register_wh, row.offset_wh),
    )


def read_registers(reader: sqlite3.Connection) -> dict[int, tuple[int, int]]:
    """Of each connector the register as it was told last, and the offset in it. Wh.

    Told last by its last session, or when the offset changed after that.
    """
    rows = reader.execute(
        "SELECT t.connector_id, max(t.last_wh, coalesce(r.register_wh, 0)),"
        " coalesce(r.offset_wh, 0)"
        " FROM transactions t LEFT JOIN registers r ON r.connector_id = t.connector_id"
        " WHERE t.ref = (SELECT max(ref) FROM transactions WHERE connector_id = t.connector_id)"
        " UNION SELECT connector_id, register_wh, offset_wh FROM registers"
        " WHERE connector_id NOT IN (SELECT connector_id FROM transactions)"
    )
    return {connector_id: (register_wh, offset_wh) for connector_id, register_wh, offset_wh in rows}
