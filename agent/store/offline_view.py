"""A look at the database from outside: read-only, on a connection of its own, at any time.

For the help desk: it works beside a running agent, without one, and on a file that the agent would
refuse or move aside. It never waits for a lock, changes nothing, and needs no right to write.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from agent.core.certificates import Certificates
from agent.core.connection_profile import ConnectionProfiles
from agent.core.own_certificates import OwnCertificates
from agent.core.values import DecisionRecord
from agent.platform.errors import AgentError, StoreError
from agent.platform.ownership import rights_of_owner
from agent.store.certificates import read_roots
from agent.store.charge_log import (
    ALL_SESSIONS,
    LoggedSession,
    SessionFilter,
    SessionSum,
    read_session_sums,
    read_sessions,
)
from agent.store.damage import damaged_values
from agent.store.database_file import (
    as_read_errors,
    as_store_errors,
    require_files_beside,
    store_error,
    text_of,
)
from agent.store.device_state import read_connection_profiles
from agent.store.migrations import APPLICATION_ID
from agent.store.own_certificates import read_own_certificates
from agent.store.reading import (
    OutboxSummary,
    read_decisions,
    read_operator_actions,
    read_outbox_summary,
)
from agent.store.security_log import read_chain, read_security_log

SQLITE_VERSION = sqlite3.sqlite_version
DECISIONS_SHOWN = 200
ACTIONS_SHOWN = 100
DAMAGE_SHOWN = 10
TAGS_MAX = 250_000
_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's own machine; some milliseconds

# Where idTags stand in the database.
_TAGS = (
    ("local_list", "id_tag"),
    ("local_list", "parent_id_tag"),
    ("authorization_cache", "id_tag"),
    ("authorization_cache", "parent_id_tag"),
    ("charge_log", "id_tag"),
    ("tag_names", "id_tag"),
    ("transactions", "id_tag"),
    ("transactions", "parent_id_tag"),
    ("decisions", "id_tag"),
)
_COUNTED = (
    "authorization_cache",
    "charge_log",
    "configuration_keys",
    "decisions",
    "deeds",
    "local_list",
    "outbox",
    "security_log",
    "security_queue",
    "tag_names",
    "transactions",
)


_Read = Callable[[sqlite3.Connection, "Look"], None]


@dataclass(slots=True)
class Look:
    """What was seen. ``problems`` says what could not be: the rest is good all the same."""

    quick_check: str = ""  # "ok", or what is wrong; empty: not known
    decisions: list[DecisionRecord] = field(default_factory=list)  # newest first
    operator_actions: list[tuple[datetime, str]] = field(default_factory=list)
    outbox: OutboxSummary | None = None
    security_log: list[dict[str, object]] = field(default_factory=list)  # oldest first
    security_log_problem: str = ""  # where it was changed
    configuration: dict[str, str] = field(default_factory=dict)  # keys that were changed
    tags: list[str] = field(default_factory=list)  # every idTag that it holds: to look for them
    passwords: list[str] = field(default_factory=list)  # of the central system: to look for them
    rows: dict[str, int] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)  # of the migration that were applied
    bytes: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def look_at(path: Path, must_stop: Callable[[], bool]) -> Look:
    """Read what a help desk needs. Never raises: what cannot be read is a problem in the result.

    ``must_stop`` is asked every few milliseconds; true ends what is being read.
    """
    look = Look()
    try:
        with _opened(path, look) as reader:
            reader.set_progress_handler(lambda: int(must_stop()), _STEPS_BETWEEN_LOOKS)
            for read, what in _READERS:
                _try(read, what, reader, look)
    except StoreError as problem:
        look.problems.append(str(problem))
    return look


def quick_check(path: Path) -> str:
    """What SQLite's quick_check says: "ok", or what is wrong. Raises StoreError."""
    look = Look()
    with _opened(path, look) as reader:
        _try(_check, "The check of the file", reader, look)
    if look.problems:
        raise StoreError(look.problems[0])
    return look.quick_check


def damage_in(path: Path) -> list[str]:
    """The values that cannot be read, with their places; the first of them. Raises StoreError."""
    with _opened(path, Look()) as reader, as_store_errors(f"Cannot read the database {path}"):
        return list(islice(damaged_values(reader), DAMAGE_SHOWN))


def stored_way(
    path: Path,
) -> tuple[ConnectionProfiles | None, Certificates, OwnCertificates]:
    """How the central system is reached, if that was ever kept; its roots, and what this box has.

    Raises StoreError.
    """
    with _opened(path, Look()) as reader, as_read_errors("Cannot read the database", reader):
        roots, own = Certificates(read_roots(reader)), read_own_certificates(reader)
        return read_connection_profiles(reader), roots, own


@contextmanager
def charge_log_of(path: Path) -> Iterator[ChargeLog]:
    """The charge log of this database. Raises StoreError, also while it is read."""
    doing = "Cannot read the charge log"
    with _opened(path, Look()) as reader, as_read_errors(doing, reader, ("charge_log",)):
        yield ChargeLog(reader)


@dataclass(frozen=True, slots=True)
class ChargeLog:
    """Reads as ``agent.store.Store`` does."""

    reader: sqlite3.Connection

    def sessions(
        self, limit: int, before: int | None = None, wanted: SessionFilter = ALL_SESSIONS
    ) -> list[LoggedSession]:
        """See ``read_sessions``."""
        return read_sessions(self.reader, limit, before, wanted)

    def session_sums(self, wanted: SessionFilter = ALL_SESSIONS) -> list[SessionSum]:
        """See ``read_session_sums``."""
        return read_session_sums(self.reader, wanted)


def _try(read: _Read, what: str, reader: sqlite3.Connection, look: Look) -> None:
    try:
        read(reader, look)
    except (sqlite3.Error, StoreError, ValueError, KeyError) as problem:
        look.problems.append(f"{what} cannot be read: {problem}")


@contextmanager
def _opened(path: Path, look: Look) -> Iterator[sqlite3.Connection]:
    with ExitStack() as opened:
        try:
            opened.enter_context(rights_of_owner(path.parent))
            look.bytes = _sizes(path)
            reader = opened.enter_context(closing(_open(path)))
        except StoreError:
            raise
        except AgentError as problem:
            raise StoreError(f"Cannot read the database {path}: {problem}") from None
        yield reader


def _open(path: Path) -> sqlite3.Connection:
    doing = f"Cannot read the database {path}"
    with as_store_errors(doing):
        _check_that_it_can_be_read(path)
        reader = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1, isolation_level=None
        )
        reader.text_factory = text_of
    try:
        (found,) = reader.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error as problem:
        reader.close()
        raise store_error(problem, doing) from problem
    if found != APPLICATION_ID:
        reader.close()
        raise StoreError(f"{doing}: it is the database of another program")
    return reader


def _check_that_it_can_be_read(path: Path) -> None:
    """SQLite does not say why it cannot open a file. Raises OSError, which does.

    Never by opening it: to close it again would drop the locks of this process (fcntl(2)).
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(None, "it is no plain file")
    require_files_beside(path)
    if not os.access(path, os.R_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _sizes(path: Path) -> dict[str, int]:
    found = {}
    try:
        for file in sorted(path.parent.glob(f"{path.name}*")):
            found[file.name] = file.stat().st_size
    except OSError:
        pass  # a file that was just deleted, or a directory without access
    return found


def _tags(reader: sqlite3.Connection, look: Look) -> None:
    for table, column in _TAGS:
        rows = reader.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL LIMIT ?",
            (TAGS_MAX - len(look.tags),),
        )
        look.tags += [tag for (tag,) in rows]


def _passwords(reader: sqlite3.Connection, look: Look) -> None:
    known = read_connection_profiles(reader)
    ways = () if known is None else (known.settled, known.trial)
    look.passwords = [way.password for way in ways if way is not None and way.password]


def _memories(reader: sqlite3.Connection, look: Look) -> None:
    look.decisions = read_decisions(reader, None, DECISIONS_SHOWN)
    look.operator_actions = read_operator_actions(reader, ACTIONS_SHOWN)


def _security(reader: sqlite3.Connection, look: Look) -> None:
    look.security_log = [line.as_data for line in reversed(read_security_log(reader))]
    look.security_log_problem = read_chain(reader).problem()


def _outbox(reader: sqlite3.Connection, look: Look) -> None:
    look.outbox = read_outbox_summary(reader)


def _keys(reader: sqlite3.Connection, look: Look) -> None:
    look.configuration = dict(reader.execute("SELECT key, value FROM configuration_keys"))


def _rows(reader: sqlite3.Connection, look: Look) -> None:
    for table in _COUNTED:
        (look.rows[table],) = reader.execute(f"SELECT count(*) FROM {table}").fetchone()
    applied = reader.execute("SELECT name FROM _sqlite_migrations ORDER BY id")
    look.steps = [name for (name,) in applied]


def _check(reader: sqlite3.Connection, look: Look) -> None:
    verdicts = [verdict for (verdict,) in reader.execute("PRAGMA quick_check(5)")]
    look.quick_check = "; ".join(verdicts)


_READERS: tuple[tuple[_Read, str], ...] = (
    (_tags, "The cards"),
    (_passwords, "The passwords"),
    (_memories, "The decisions"),
    (_security, "The security log"),
    (_outbox, "The outbox"),
    (_keys, "The configuration keys"),
    (_rows, "The number of rows"),
    (_check, "The check of the file"),
)
