"""The schema: applied once, never by an older program, never to somebody else's file."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from agent.errors import StoreError
from agent.store.migrations import bring_up_to_date


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
