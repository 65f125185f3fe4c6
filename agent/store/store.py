"""The store: what must survive a power cut, in one SQLite file.

One writer, two readers, each used by one thread at a time:

* ``commit``, ``begin_list``, ``stage_list``, ``name_tag`` and ``tidying`` (each step of
  it) belong to the writer's thread;
* what is read under "reports" belongs to the thread of reports: it may take long, and a card must
  not wait for it;
* everything else that is read belongs to the reader's thread;
* ``close`` is called when all are done.

What is read is what was committed before, and never waits for the writer.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from agent.core.commands import Row
from agent.core.values import (
    ListEntry,
)
from agent.platform.errors import StoreError
from agent.store import local_list as lists
from agent.store.boots import read_ending, read_this_boot
from agent.store.charge_log import USUAL_LIMITS, LogLimits, read_session_sums, read_sessions
from agent.store.database_file import (
    DatabaseFile,
    as_read_errors,
    as_store_errors,
    close_database,
    open_database,
)
from agent.store.grid_limits import read_grid_limits
from agent.store.local_list import ListHead, ListStaging
from agent.store.quota import QUEUE_BYTES_MAX, Quota, bytes_used, thin, thinned
from agent.store.reading import (
    OutboxSummary,
    read_cache_count,
    read_cache_page,
    read_decisions,
    read_durable,
    read_facts,
    read_head,
    read_operator_actions,
    read_outbox_summary,
    read_parked_with,
)
from agent.store.rows import Writing, write_row
from agent.store.security_log import (
    SecurityQueue,
    read_chain,
    read_queued,
    read_queued_count,
    read_security_log,
)
from agent.store.tag_names import read_names, write_names

logger = logging.getLogger(__name__)

_WRITING_LIST = "Cannot write the local list"
_READING_CACHE = "Cannot read the authorization cache"
_READING_OUTBOX = "Cannot read the outbox"
_READING_SECURITY = "Cannot read the security log"
P = ParamSpec("P")
T = TypeVar("T")


# A method of the store: ``read`` on the connection of the reader, or of reports. ``tables``: those
# with values that it cannot do without.
def _read(
    doing: str,
    read: Callable[Concatenate[sqlite3.Connection, P], T],
    *tables: str,
    is_report: bool = False,
) -> Callable[Concatenate[Store, P], T]:
    @wraps(read)
    def method(self: Store, /, *arguments: P.args, **named: P.kwargs) -> T:
        connection = self._database.reporter if is_report else self._database.reader
        with as_read_errors(doing, connection, tables):
            return read(connection, *arguments, **named)

    return method


class Store:
    """The journal and everything else that survives. Get one with ``Store.open``."""

    def __init__(
        self,
        database: DatabaseFile,
        make_id: Callable[[], str],
        queue_bytes_max: int,
        log_limits: LogLimits,
    ) -> None:
        self._database = database
        self._log_limits = log_limits
        self._make_id = make_id
        used = bytes_used(database.writer)  # counted once: each commit says how it changes
        self._quota = Quota(queue_bytes_max, used, thin_above=queue_bytes_max)
        self._dropped_security_events = 0
        self._is_closed = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        now: datetime,
        make_id: Callable[[], str],
        queue_bytes_max: int = QUEUE_BYTES_MAX,
        log_limits: LogLimits = USUAL_LIMITS,
    ) -> Store:
        """Open the database file, alone; ``make_id`` gives each queued message its unique id.

        Messages that wait are thinned when they take more than ``queue_bytes_max``;
        ``log_limits`` says how many sessions the charge log keeps. A damaged file
        is moved aside (see ``quarantined``). Raises StoreBusy when another process
        has it, StoreFull when the disk is full, StoreError for everything else that prevents it.
        """
        database = open_database(path, now)
        try:
            with as_store_errors(_READING_OUTBOX):
                store = cls(database, make_id, queue_bytes_max, log_limits)
        except BaseException:
            close_database(database)
            raise
        try:
            for _ in store.tidying():  # an update that a power cut ended
                pass
        except StoreError as problem:
            logger.warning("%s; what is left of an update stays for now", problem)
        return store

    @property
    def quarantined(self) -> str:
        """A sentence, when a damaged file was moved aside at opening, else an empty text."""
        return self._database.quarantined

    def commit(self, rows: Sequence[Row], now: datetime) -> None:
        """Write all rows in one transaction, durable when this returns; or none of them.

        ``now`` is written as the time of queueing, parking, ending and hearing. Raises StoreBusy,
        StoreFull or StoreError: nothing was kept, and the same rows can be committed later.
        """
        if not rows:
            return
        writing = Writing(self._database.writer, now, self._make_id, self._log_limits)
        with self._transaction("Cannot write the journal"):
            for row in rows:
                write_row(row, writing)
            quota = self._within_quota(writing)
        self._quota = quota
        self._dropped_security_events += writing.dropped_security_events
        for warning in writing.warnings:
            logger.warning("%s", warning)

    def _within_quota(self, writing: Writing) -> Quota:
        """Thin what waits if it takes too much; what it takes once this commit is done."""
        quota = self._quota
        used = quota.used + writing.growth
        if used <= quota.thin_above:
            return replace(quota, used=used)
        count = thin(writing.connection)
        used = bytes_used(writing.connection)
        if count:
            writing.warnings.append(
                f"The messages that wait take more than {quota.bytes_max / 1e6:g} MB of the disk:"
                f" {count} meter values were dropped, every second one of each session"
            )
        return thinned(quota, used, count)

    # --- the local list: begin_list, stage_list, commit([ActivateList(...)]), tidying ---

    def begin_list(self, *, is_full: bool) -> ListStaging:
        """Begin an update of the local list beside the one that counts.

        Nothing of an earlier update may be left: see ``tidying``. Raises StoreError.
        """
        with self._transaction(_WRITING_LIST):
            return lists.begin(self._database.writer, is_full=is_full)

    def stage_list(self, staging: ListStaging, entries: Sequence[ListEntry]) -> None:
        """Write some hundred entries of an update, durable when this returns; or none of them.

        Raises StoreError when an idTag comes twice, or nothing can be written.
        """
        with self._transaction(_WRITING_LIST):
            staged = lists.stage(self._database.writer, staging, entries)
        staging.take(staged)

    def name_tag(self, id_tag: str, name: str) -> None:
        """Give a tag a name, durable when this returns; empty: none. Raises StoreError."""
        with self._transaction("Cannot write the names of tags"):
            write_names(self._database.writer, [ListEntry(id_tag, None, name)])

    def tidying(self, staging: ListStaging | None = None) -> Iterator[None]:
        """Remove what does not count, of this update or of one that was interrupted, in steps.

        Each step is a transaction of its own. An update that has not been activated is abandoned.
        Each step may raise StoreError: what is left stays for another time.
        """
        writer = self._database.writer
        with as_store_errors(_WRITING_LIST):
            head = lists.read_list_head(writer)
        if not head.is_untidy:
            return
        is_more = True
        while is_more:
            with self._transaction(_WRITING_LIST):
                is_more = lists.remove_other_bases(writer, head.base)
            yield
        yield from self._removing_of(head, staging) if staging else self._removing_all(head)
        with self._transaction(_WRITING_LIST):
            lists.is_tidy_now(writer)
        yield

    def _removing_of(self, head: ListHead, staging: ListStaging) -> Iterator[None]:
        for tags in lists.tags_to_tidy(head, staging):
            with self._transaction(_WRITING_LIST):
                lists.remove_dead_of(self._database.writer, head, tags)
            yield

    def _removing_all(self, head: ListHead) -> Iterator[None]:
        behind: str | None = ""
        while behind is not None:
            with self._transaction(_WRITING_LIST):
                behind = lists.remove_dead_behind(self._database.writer, head, behind)
            yield

    # --- reading: each raises StoreError ---

    local_list = _read("Cannot read the local list", lists.read_local_list)
    facts = _read("Cannot look up an idTag", read_facts, "authorization_cache", "local_list")
    head = _read(_READING_OUTBOX, read_head)
    load = _read("Cannot read the journal", read_durable, "transactions")
    tag_names = _read("Cannot read the names of tags", read_names)
    this_boot = _read("Cannot read the boots", read_this_boot)
    ending = _read("Cannot read the boots", read_ending)
    queued_security_event = _read(_READING_SECURITY, read_queued)

    # --- reports: each raises StoreError ---

    cache_count = _read(_READING_CACHE, read_cache_count, is_report=True)
    cache_page = _read(_READING_CACHE, read_cache_page, "authorization_cache", is_report=True)
    list_page = _read(
        "Cannot read the local list", lists.read_list_page, "local_list", is_report=True
    )
    decisions = _read("Cannot read the decisions", read_decisions, "decisions", is_report=True)
    sessions = _read("Cannot read the charge log", read_sessions, "charge_log", is_report=True)
    session_sums = _read("Cannot read the charge log", read_session_sums, is_report=True)
    grid_limits = _read(
        "Cannot read the grid operator's limits", read_grid_limits, "grid_limits", is_report=True
    )
    security_log = _read(_READING_SECURITY, read_security_log, is_report=True)
    security_chain = _read(_READING_SECURITY, read_chain, is_report=True)
    parked_with = _read(_READING_OUTBOX, read_parked_with, is_report=True)
    operator_actions = _read(
        "Cannot read what operators did", read_operator_actions, "deeds", is_report=True
    )

    def outbox_summary(self) -> OutboxSummary:
        """Return how much waits, since when, and what is parked and why."""
        with as_read_errors(_READING_OUTBOX, self._database.reporter, ("outbox",)):
            summary = read_outbox_summary(self._database.reporter)
        return replace(summary, thinned_count=self._quota.thinned_in_all)

    # --- figures ---

    def security_queue(self) -> SecurityQueue:
        """Return how many security events wait, and how many had to go."""
        with as_store_errors(_READING_SECURITY):
            waiting = read_queued_count(self._database.reader)
        return SecurityQueue(waiting, self._dropped_security_events)

    def take_thinned(self) -> int:
        """Return how many samples were dropped for want of space since the last call."""
        count = self._quota.thinned
        self._quota = replace(self._quota, thinned=0)
        return count

    def close(self) -> None:
        """Bring the log home, close the file and let others have it. Safe to repeat."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            close_database(self._database)
        except StoreError as problem:
            logger.warning("%s", problem)  # nothing is lost: the log is read at the next opening

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        with as_store_errors(doing):
            writer = self._database.writer
            writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:  # SQLite ends it itself after a full disk, for example
                    writer.execute("ROLLBACK")
                raise
