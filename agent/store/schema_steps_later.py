"""The tables, step by step: those after ``agent.store.schema_steps``, whose rules hold here too.

A new step also goes into the list of names in ``agent.store.migrations``, which imports this only
when there is a step to apply.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database

from agent.store.schema_steps import migrations as migrations


def apply_steps(connection: sqlite3.Connection) -> None:
    """Apply, in order, the steps that this database does not have yet."""
    migrations.apply(Database(connection, execute_plugins=False))


@migrations()
def create_own_certificates(database: Database) -> None:
    """Create the certificates that were signed for this box, and what is asked for."""
    database.execute(
        """
        CREATE TABLE own_certificates (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            state TEXT NOT NULL
        ) STRICT
        """
    )
