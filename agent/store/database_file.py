"""The database file: who owns it, is it sound, and what becomes of a damaged one.

The file belongs to one process at a time, by a lock on ``<name>.lock`` beside it. A damaged file
is moved to ``<name>.corrupt-<UTC stamp>`` together with its log, and an empty one is created.
A lock, a missing permission or a failing disk is no damage: then nothing is moved.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.platform.errors import AgentError, StoreBusy, StoreDamaged, StoreError, StoreFull
from agent.platform.file_problems import why
from agent.platform.ownership import require_own_folder
from agent.store.damage import ROWS_MAX, WHAT_HELPS, damaged_values
from agent.store.migrations import bring_up_to_date

CORRUPT_KEPT_MAX = 3
BUSY_TIMEOUT_S = 0.25  # the runtime tries a commit again: it need not wait long here
PAGE_BYTES = 1024  # measured: a message costs about half as many bytes written as with 4096
READER_CACHE_KIB = 8000  # the upper levels of a list of 100,000 tags, and many of its leaves
REPORTER_CACHE_KIB = 500  # it reads from one end to the other
WAL_PAGES_MAX = 1000
WAL_BYTES_KEPT = 8_000_000  # after a large list update the log is cut back to this

_COMPANIONS = ("", "-wal", "-shm", "-journal")
_FILE_MODE = 0o600  # idTags are private


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    """The open database: three connections, one thread each at a time, and the lock."""

    writer: sqlite3.Connection
    reader: sqlite3.Connection
    reporter: sqlite3.Connection  # reads what takes long
    lock_descriptor: int
    quarantined: str  # a sentence, when a damaged file was moved aside, else ""


def open_database(path: Path, now: datetime) -> DatabaseFile:
    """Open the database, begin a fresh one if there is none, or none that is sound.

    Raises StoreBusy when another process has it, StoreFull when the disk is full, StoreError when
    it cannot be read and written, is of another program, or of a newer version of this one.
    """
    with ExitStack() as undo, as_store_errors(f"Cannot open the database {path}"):
        _check_place(path)
        lock_descriptor = _lock(path)
        undo.callback(os.close, lock_descriptor)
        _require_writable(path)
        quarantined = _quarantine_if_damaged(path, now)
        writer = undo.enter_context(closing(_open_writer(path)))
        bring_up_to_date(writer)
        _make_durable(writer)
        reader = undo.enter_context(closing(_open_reader(path, READER_CACHE_KIB)))
        reporter = _open_reader(path, REPORTER_CACHE_KIB)
        undo.pop_all()
    return DatabaseFile(writer, reader, reporter, lock_descriptor, quarantined)


def close_database(database: DatabaseFile) -> None:
    """Bring the log home into the file, close it and let others have it."""
    with ExitStack() as last:
        last.callback(os.close, database.lock_descriptor)
        last.callback(database.writer.close)
        database.reader.close()
        database.reporter.close()
        with as_store_errors("Cannot write the log of the database back; it is kept"):
            database.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _make_durable(writer: sqlite3.Connection) -> None:
    """Bring what can be read onto the medium, before anything is decided on it.

    A process that was killed may have written a commit and not synced it: it can be read now, and
    would be lost by a power cut. A full disk does not matter: the log is synced before it is
    copied.
    """
    try:
        writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.OperationalError as problem:
        if problem.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise


# --- whose it is ---------------------------------------------------------------------------------


def _check_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise StoreError(
            f"The directory {path.parent} for the database does not exist: "
            "create it, owned by the user that runs the agent, or change storage.path"
        )
    if path.is_dir():
        raise StoreError(f"{path} is a directory: storage.path must name a file in it")
    require_files_beside(path)
    try:
        require_own_folder(path.parent)
    except AgentError as problem:
        raise StoreError(f"Cannot open the database {path}: {problem}") from None


def require_files_beside(path: Path) -> None:
    """Raise StoreError where a directory is in the place of a file that SQLite or we need."""
    for companion in (".lock", *_COMPANIONS[1:]):
        beside = path.with_name(path.name + companion)
        if beside.is_dir():
            raise StoreError(f"{beside} is a directory, in the place of a file: remove it")


def _lock(path: Path) -> int:
    descriptor = _open_private(path.with_name(path.name + ".lock"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreBusy.held(path) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open_private(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)


def _require_writable(path: Path) -> None:
    """Raise OSError when an existing file may not be written, before SQLite has seen it.

    SQLite would read it all the same, and leave a ``-shm`` beside it that has the same rights: then
    nothing can be written even when the file may be written again. One that was left is put right;
    the lock is ours, no other process uses it.
    """
    if not path.exists():
        return
    os.close(_open_private(path))
    for companion in _COMPANIONS[1:]:
        beside = path.with_name(path.name + companion)
        if beside.exists() and beside.stat().st_mode & _FILE_MODE != _FILE_MODE:
            beside.chmod(_FILE_MODE)


# --- is it sound ---------------------------------------------------------------------------------


def _quarantine_if_damaged(path: Path, now: datetime) -> str:
    if _size(path) == 0:
        # SQLite would throw away the log of an empty file, with all that was committed to it.
        log_size = _size(path.with_name(path.name + "-wal"))
        return _quarantine(path, now, "it is empty, its log is not") if log_size else ""
    with closing(_connect(path)) as connection:
        damage = _damage(connection)
        # Moved while it is open: at closing, SQLite would delete the log under its own name.
        return _quarantine(path, now, damage) if damage else ""


def _damage(connection: sqlite3.Connection) -> str:
    """Say what is wrong with the content of the file, or "". Other troubles are raised."""
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as problem:
        if means_damage(problem):
            return str(problem)
        raise
    return "" if verdict == "ok" else " ".join(str(verdict).split())


def _quarantine(path: Path, now: datetime, damage: str) -> str:
    aside = _move_aside(path, now)
    return (
        f"The database {path} was damaged ({damage}): "
        f"it was moved to {aside.name} and an empty one was created"
    )


def _move_aside(path: Path, now: datetime) -> Path:
    found = path.parent.glob(f"{path.name}.corrupt-*Z*")
    earlier = sorted({_without_companion(each) for each in found})
    aside = _free_name(path.with_name(f"{path.name}.corrupt-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"))
    for companion in _COMPANIONS:
        source = path.with_name(path.name + companion)
        if source.exists():
            source.rename(aside.with_name(aside.name + companion))
    for old in earlier[: max(0, len(earlier) + 1 - CORRUPT_KEPT_MAX)]:
        for companion in _COMPANIONS:
            old.with_name(old.name + companion).unlink(missing_ok=True)
    _sync_directory(path.parent)
    return aside


def _without_companion(path: Path) -> Path:
    for companion in _COMPANIONS[1:]:
        if path.name.endswith(companion):
            return path.with_name(path.name.removesuffix(companion))
    return path


def _free_name(path: Path) -> Path:
    """Find a name that is free: without a battery clock, two boots may show the same time."""
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_name(f"{path.name}.{number}"), number + 1
    return candidate


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


# --- connections ---------------------------------------------------------------------------------


def _open_writer(path: Path) -> sqlite3.Connection:
    os.close(_open_private(path))
    with _closed_on_failure(_connect(path)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a file that is still empty
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"Cannot keep a write-ahead log beside {path}: is it read-only?")
        # FULL: in WAL mode a lower setting may forget the last commits at power loss.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_MAX}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
        # Some builds overwrite what is deleted with zeros: needless wear of a memory card.
        connection.execute("PRAGMA secure_delete = OFF")
        # SQLite falls back to reading only, silently: find out now, not at the first card.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        return connection


def _open_reader(path: Path, cache_kib: int) -> sqlite3.Connection:
    with _closed_on_failure(_connect(path, "?mode=ro")) as connection:
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute("SELECT version FROM local_list_version").fetchone()
        return connection


def _connect(path: Path, query: str = "?mode=rw") -> sqlite3.Connection:
    connection = sqlite3.connect(
        path.absolute().as_uri() + query,
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions begin and end where we say so
        check_same_thread=False,  # used by one thread at a time, not always the same
    )
    connection.text_factory = text_of
    return connection


def text_of(stored: bytes) -> str:
    r"""A stored text. A byte that storage has damaged is a wrong letter in it, shown as ``\xff``.

    SQLite's own reading would end at it, with all other rows: this is left to who reads the value.
    """
    return stored.decode("utf-8", "backslashreplace")


@contextmanager
def _closed_on_failure(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# SHMSIZE: the shared memory file of the write-ahead log could not grow, for want of space.
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
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


@contextmanager
def as_read_errors(
    doing: str, reader: sqlite3.Connection, tables: tuple[str, ...] = ()
) -> Iterator[None]:
    """The same for what reads: a stored value that is none becomes StoreDamaged, with its place.

    Storage may change single letters of a text: SQLite sees nothing wrong with it. ``tables``: of
    those that were read, or all.
    """
    with as_store_errors(doing):
        try:
            yield
        except ValueError as problem:
            where = next(damaged_values(reader, tables, ROWS_MAX), str(problem))
            *_, file = reader.execute("PRAGMA database_list").fetchone()
            words = f"{doing}: {file} holds a damaged value: {where}; {WHAT_HELPS}"
            raise StoreDamaged(words) from problem


def store_error(problem: Exception, doing: str) -> StoreError:
    """Say what a caller can do about it: wait (StoreBusy), make room (StoreFull), or neither."""
    code = getattr(problem, "sqlite_errorcode", 0)
    if code & _PRIMARY_CODE in _BUSY:
        return StoreBusy(f"{doing}: another process holds the database ({problem})")
    is_full = isinstance(problem, OSError) and problem.errno in _DISK_FULL
    if is_full or code & _PRIMARY_CODE in _FULL or code in _FULL:
        return StoreFull(f"{doing}: no room on the disk ({problem})")
    return StoreError(f"{doing}: {why(problem) if isinstance(problem, OSError) else problem}")


def means_damage(problem: sqlite3.Error) -> bool:
    """Tell whether the file itself is damaged, not merely locked, unreadable or read-only."""
    return getattr(problem, "sqlite_errorcode", 0) & _PRIMARY_CODE in _DAMAGED
