"""The store: what must survive a power cut, in one SQLite file.

One writer, one reader, each used by one thread at a time:

* ``commit``, ``replace_list`` belong to the writer's thread;
* ``facts``, ``head``, ``load``, ``decisions``, ``outbox_summary`` belong to the reader's thread,
  see what was committed before they were called, and never wait for the writer;
* ``close`` is called when both are done.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from agent.core.commands import Row
from agent.core.values import DecisionRecord, IdTagInfo, QueuedMessage, TagFacts
from agent.errors import StoreError
from agent.store.database_file import DatabaseFile, close_database, open_database
from agent.store.problems import as_store_errors
from agent.store.reading import (
    Durable,
    OutboxSummary,
    read_decisions,
    read_durable,
    read_facts,
    read_head,
    read_outbox_summary,
)
from agent.store.rows import Writing, write_list, write_row

logger = logging.getLogger(__name__)


class Store:
    """The journal and everything else that survives. Get one with ``Store.open``."""

    def __init__(self, database: DatabaseFile, make_id: Callable[[], str]) -> None:
        self._database = database
        self._make_id = make_id
        self._is_closed = False

    @classmethod
    def open(cls, path: Path, *, now: datetime, make_id: Callable[[], str]) -> Store:
        """Open the database file, alone; ``make_id`` gives each queued message its unique id.

        A damaged file is set aside (see ``quarantined``). Raises StoreBusy when another process
        has it, StoreFull when the disk is full, StoreError for everything else that prevents it.
        """
        return cls(open_database(path, now), make_id)

    @property
    def quarantined(self) -> str:
        """A sentence, when a damaged file was set aside at opening, else an empty text."""
        return self._database.quarantined

    def commit(self, rows: Sequence[Row], now: datetime) -> None:
        """Write all rows in one transaction, durable when this returns; or none of them.

        ``now`` is written as the time of queueing, parking, ending and hearing. Raises StoreBusy,
        StoreFull or StoreError: nothing was kept, and the same rows can be committed later.
        """
        if not rows:
            return
        writing = Writing(self._database.writer, now, self._make_id)
        with self._transaction("Cannot write the journal"):
            for row in rows:
                write_row(row, writing)
        for warning in writing.warnings:
            logger.warning("%s", warning)

    def replace_list(self, version: int, entries: Iterable[tuple[str, IdTagInfo]]) -> None:
        """Replace the whole local authorization list, all or nothing.

        Listed tags leave the cache. Raises StoreError when an idTag comes twice (in whatever
        case) or the list cannot be written: the old list and version stay.
        """
        with self._transaction("Cannot replace the local list"):
            write_list(version, entries, self._database.writer)

    def facts(self, id_tag: str) -> TagFacts:
        """Tell what list and cache know about an idTag, compared without regard to case."""
        with as_store_errors("Cannot look up an idTag"):
            return read_facts(self._database.reader, id_tag)

    def head(self) -> QueuedMessage | None:
        """Return the oldest message that waits and is not parked; None when there is none.

        Raises StoreError, naming the row, when it was written by something else than we are.
        """
        with as_store_errors("Cannot read the outbox"):
            return read_head(self._database.reader)

    def load(self) -> Durable:
        """Return what the core needs to go on where the last process ended."""
        with as_store_errors("Cannot read the journal"):
            return read_durable(self._database.reader)

    def decisions(self, id_tag: str | None, limit: int) -> list[DecisionRecord]:
        """Return the last card decisions, of one idTag or of all; newest first."""
        with as_store_errors("Cannot read the decisions"):
            return read_decisions(self._database.reader, id_tag, limit)

    def outbox_summary(self) -> OutboxSummary:
        """Return how much waits, since when, and what is parked and why."""
        with as_store_errors("Cannot read the outbox"):
            return read_outbox_summary(self._database.reader)

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
                _roll_back(writer)
                raise


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite ends it itself after some errors, such as a full disk
        connection.execute("ROLLBACK")
