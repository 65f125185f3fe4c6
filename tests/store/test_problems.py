"""Which of our errors a complaint of SQLite or of the file system becomes."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing

import pytest

from agent.platform.errors import StoreBusy, StoreError, StoreFull
from agent.store.database_file import as_store_errors, means_damage


def complaint(code: int) -> sqlite3.OperationalError:
    problem = sqlite3.OperationalError("something is wrong")
    problem.sqlite_errorcode = code
    return problem


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (complaint(sqlite3.SQLITE_BUSY), StoreBusy),
        (complaint(sqlite3.SQLITE_BUSY_SNAPSHOT), StoreBusy),
        (complaint(sqlite3.SQLITE_LOCKED), StoreBusy),
        (complaint(sqlite3.SQLITE_FULL), StoreFull),
        (complaint(sqlite3.SQLITE_IOERR_SHMSIZE), StoreFull),
        (OSError(errno.ENOSPC, "No space left on device"), StoreFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StoreFull),
        (complaint(sqlite3.SQLITE_IOERR_FSYNC), StoreError),
        (complaint(sqlite3.SQLITE_READONLY_DIRECTORY), StoreError),
        (complaint(sqlite3.SQLITE_CORRUPT), StoreError),
        (OSError(errno.EACCES, "Permission denied"), StoreError),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), StoreError),
        (OverflowError("Python int too large to convert to SQLite INTEGER"), StoreError),
    ],
)
def test_a_complaint_becomes_the_error_that_says_what_can_be_done(problem, kind):
    with (
        pytest.raises(StoreError, match=r"^Cannot knit: ") as raised,
        as_store_errors("Cannot knit"),
    ):
        raise problem
    assert type(raised.value) is kind
    assert raised.value.__cause__ is problem


def test_a_full_database_of_sqlite_itself_is_recognised():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StoreFull), as_store_errors("Cannot knit"):
            connection.execute("CREATE TABLE wool (colour TEXT)")


def test_a_mistake_of_ours_is_not_disguised():
    with pytest.raises(KeyError), as_store_errors("Cannot knit"):
        raise KeyError("needle")


@pytest.mark.parametrize(
    ("code", "damaged"),
    [
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_CORRUPT_INDEX, True),
        (sqlite3.SQLITE_NOTADB, True),
        (sqlite3.SQLITE_BUSY, False),
        (sqlite3.SQLITE_CANTOPEN, False),
        (sqlite3.SQLITE_IOERR_READ, False),
        (sqlite3.SQLITE_PERM, False),
        (sqlite3.SQLITE_READONLY, False),
    ],
)
def test_only_damage_counts_as_damage(code, damaged):
    assert means_damage(complaint(code)) is damaged
