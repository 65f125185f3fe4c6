"""The schema: applied once, never by an older program, never to somebody else's file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from sqlite_utils import Database

from agent.platform.errors import StoreError
from agent.store.migrations import STEPS, bring_up_to_date
from agent.store.schema_steps_later import migrations


@pytest.fixture
def connection():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def schema(connection: sqlite3.Connection) -> list[str]:
    return [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master ORDER BY name")]


def test_the_steps_are_applied_once(connection):
    bring_up_to_date(connection)
    first = schema(connection)
    bring_up_to_date(connection)
    assert schema(connection) == first
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert {
        "outbox",
        "transactions",
        "authorization_cache",
        "local_list",
        "local_list_version",
        "configuration_keys",
        "decisions",
    } <= tables


def test_the_list_of_names_is_that_of_the_steps(connection):
    steps = migrations.pending(Database(connection, execute_plugins=False))
    assert tuple(step.name for step in steps) == STEPS


def test_a_database_of_an_older_version_gets_the_steps_it_lacks(connection):
    bring_up_to_date(connection)
    complete = schema(connection)
    connection.execute("DROP TABLE decisions")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'create_decisions'")
    bring_up_to_date(connection)
    assert schema(connection) == complete


OPEN_AND_TELL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from agent.store import Store
Store.open(Path(sys.argv[1]), now=datetime(2026, 3, 1, tzinfo=UTC), make_id=str).close()
print("sqlite_utils" in sys.modules)
"""


def test_sqlite_utils_is_imported_only_when_there_is_a_step_to_apply(tmp_path):
    told = [
        subprocess.run(
            [sys.executable, "-c", OPEN_AND_TELL, str(tmp_path / "agent.db")],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert told == ["True", "False"]


def test_a_database_of_a_newer_version_is_left_alone(connection):
    bring_up_to_date(connection)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('agent', 'add_tariffs', '2031-01-01')"
    )
    before = schema(connection)
    with pytest.raises(StoreError, match=r"newer version .*add_tariffs"):
        bring_up_to_date(connection)
    assert schema(connection) == before


@pytest.mark.parametrize(
    "theirs", ["CREATE TABLE theirs (thing TEXT)", "PRAGMA application_id = 12345"]
)
def test_a_database_of_another_program_is_left_alone(connection, theirs):
    connection.execute(theirs)
    before = schema(connection)
    with pytest.raises(StoreError, match="another program"):
        bring_up_to_date(connection)
    assert schema(connection) == before


def test_a_step_that_cannot_be_written_is_made_up_for_next_time(connection):
    connection.execute("PRAGMA max_page_count = 8")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        bring_up_to_date(connection)
    connection.execute("PRAGMA max_page_count = 1000")
    bring_up_to_date(connection)
    assert connection.execute("SELECT version FROM local_list_version").fetchall() == [(0,)]
