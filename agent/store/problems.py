"""What SQLite and the file system complain about, as our own errors. One place decides."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from agent.platform.errors import StoreBusy, StoreError, StoreFull
from agent.platform.file_problems import why

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_PRIMARY_CODE = 0xFF  # the low byte of an extended result code


@contextmanager
def as_store_errors(doing: str) -> Iterator[None]:
    """Turn everything that SQLite or the file system raises inside into StoreError.

    ``doing`` begins the sentence: "Cannot write the journal". A value that SQLite cannot hold
    (a number beyond 64 bits, text with half a surrogate pair) counts too: nothing is kept of it.
    """
    try:
        yield
    except (sqlite3.Error, OSError, OverflowError, UnicodeEncodeError) as problem:
        raise store_error(problem, doing) from problem


def store_error(problem: Exception, doing: str) -> StoreError:
    """Say what a caller can do about it: wait (StoreBusy), make room (StoreFull), or neither."""
    code = getattr(problem, "sqlite_errorcode", 0)
    if code & _PRIMARY_CODE in _BUSY:
        return StoreBusy(f"{doing}: another process holds the database ({problem})")
    if _is_disk_full(problem, code):
        return StoreFull(f"{doing}: no room on the disk ({problem})")
    return StoreError(f"{doing}: {why(problem) if isinstance(problem, OSError) else problem}")


def means_damage(problem: sqlite3.Error) -> bool:
    """Tell whether the file itself is damaged, not merely locked, unreadable or read-only."""
    return getattr(problem, "sqlite_errorcode", 0) & _PRIMARY_CODE in _DAMAGED


def _is_disk_full(problem: Exception, code: int) -> bool:
    if isinstance(problem, OSError):
        return problem.errno in _DISK_FULL
    # SHMSIZE: the shared memory file of the write-ahead log could not grow, for want of room.
    return code & _PRIMARY_CODE == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE
