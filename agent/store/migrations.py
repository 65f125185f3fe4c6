"""Brings a database up to date: claims a fresh one, refuses a foreign one, applies what is missing.

An up-to-date database is recognized with plain SQL: sqlite_utils, which takes longer to import than
everything else in here takes to run, is needed only when there is a step to apply.
"""

from __future__ import annotations

import sqlite3

from agent.platform.errors import StoreError

APPLICATION_ID = 0x43504147  # "CPAG": this file is ours

# The names of the functions in ``agent.store.schema_steps`` and then ``schema_steps_later``.
STEPS = (
    "create_outbox",
    "create_transactions",
    "create_authorization_cache",
    "create_local_list",
    "create_configuration_keys",
    "create_decisions",
    "create_boots",
    "create_deeds",
    "create_inoperative",
    "create_reservations",
    "create_charging_profiles",
    "create_stop_samples",
    "create_contactors",
    "create_firmware",
    "create_approaches",
    "create_registers",
    "create_charge_log",
    "create_certificates",
    "create_grid_limits",
    "create_security_log",
    "create_tag_names",
    "create_own_certificates",
)


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Apply the steps that this database does not have yet.

    Raises StoreError when the file belongs to something else, or to a newer version of us;
    sqlite3.Error when a step cannot be written: that step is then undone.
    """
    _claim(connection)
    applied = _applied(connection)
    unknown = applied.difference(STEPS)
    if unknown:
        raise StoreError(
            "The database was written by a newer version of this program "
            f"(it knows {', '.join(sorted(unknown))}): install that version again"
        )
    if applied != set(STEPS):
        from agent.store.schema_steps_later import apply_steps

        apply_steps(connection)


def _applied(connection: sqlite3.Connection) -> set[str]:
    (has_notes,) = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name = '_sqlite_migrations'"
    ).fetchone()
    if not has_notes:
        return set()
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'agent'")
    return {name for (name,) in rows}


def _claim(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    if found == APPLICATION_ID:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found or tables:
        raise StoreError("The file is the database of another program: change storage.path")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
