"""The promises of the store as a whole: all or nothing, durable, never in each other's way."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from agent.core.commands import (
    CacheTag,
    EndTransaction,
    ParkMessage,
    QueueMessage,
    RecordAttempt,
    RecordDecision,
    RemoveMessage,
    SaveConfigurationKey,
    SaveTransaction,
    SetTransactionId,
)
from agent.core.outbox_row import UnreadableMessage
from agent.core.values import TagRecord
from agent.platform.errors import StoreBusy, StoreDamaged, StoreError, StoreFull
from agent.store import Durable, Store
from agent.store.reading import HEAD, TAG_FACTS
from tests.store.builders import (
    ACCEPTED,
    BLOCKED,
    NOON,
    START,
    STOP,
    TAG,
    decision,
    meter_values,
    minutes_later,
    replace_list,
    transaction,
)


def as_if_power_failed(path: Path, copy: Path) -> Path:
    """Copy what is on the disk at this moment: database and log, no goodbye."""
    shutil.copy(path, copy)
    shutil.copy(path.with_name(path.name + "-wal"), copy.with_name(copy.name + "-wal"))
    return copy


# --- all or nothing ------------------------------------------------------------------------------

BAD_ROWS = [
    pytest.param(QueueMessage(1, 1, STOP), id="a sequence that is taken"),
    pytest.param(SetTransactionId(1, 2**63), id="a number beyond 64 bits"),
    pytest.param(CacheTag("\ud800", ACCEPTED), id="half a surrogate pair"),
    pytest.param(SaveConfigurationKey("Key", None), id="a value that is missing"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("bad", BAD_ROWS)
def test_a_row_that_fails_takes_all_others_of_its_commit_with_it(store, bad):
    store.commit([SaveTransaction(transaction(1)), QueueMessage(1, 1, START)], NOON)
    before = store.load()
    good = [
        RemoveMessage(1),
        QueueMessage(2, 1, STOP),
        EndTransaction(1),
        CacheTag(TAG, ACCEPTED),
        SaveConfigurationKey("HeartbeatInterval", "60"),
        RecordDecision(decision(1)),
    ]
    rows = [*good[1:3], bad, *good[3:]]
    with pytest.raises(StoreError, match="Cannot write the journal"):
        store.commit(rows, NOON)
    assert store.load() == before
    assert store.head().message == START
    assert store.facts(TAG) == TagRecord()
    assert store.decisions(None, 10) == []
    store.commit(good, NOON)
    assert store.head().message == STOP


def test_what_is_no_row_is_a_mistake_of_ours_and_keeps_nothing(store):
    with pytest.raises(AssertionError, match="unreachable"):
        store.commit([QueueMessage(1, 1, START), "row"], NOON)
    assert store.head() is None
    store.commit([QueueMessage(1, 1, START)], NOON)


def test_a_commit_of_nothing_does_not_touch_the_disk(store, path):
    log = path.with_name(path.name + "-wal")
    before = log.stat()
    store.commit([], NOON)
    assert (log.stat().st_size, log.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_a_committed_row_survives_a_power_cut(store, path, tmp_path, open_store):
    store.commit([SaveTransaction(transaction(1)), QueueMessage(1, 1, START)], NOON)
    survivor = open_store(as_if_power_failed(path, tmp_path / "survivor.db"))
    assert survivor.head().unique_id == "id-1"
    assert survivor.load().open_transactions == (transaction(1),)


@pytest.mark.parametrize("cut_after", [0, 1, 2])
def test_a_power_cut_between_two_rows_leaves_the_commit_before(
    path, tmp_path, open_store, cut_after
):
    copies = iter(range(10))

    def make_id() -> str:
        number = next(copies)
        if number:  # each row after the first commit: take a copy while it is being written
            as_if_power_failed(path, tmp_path / f"cut-{number - 1}.db")
        return f"unique-{number}"

    with closing(Store.open(path, now=NOON, make_id=make_id)) as writing:
        writing.commit([QueueMessage(1, 1, START)], NOON)
        rows = [RemoveMessage(1), *(QueueMessage(n, 1, meter_values(n)) for n in (2, 3, 4))]
        writing.commit(rows, NOON)
    survivor = open_store(tmp_path / f"cut-{cut_after}.db")
    assert not survivor.quarantined
    assert survivor.head().message == START
    assert survivor.load().queued_count == 1


# --- going on ------------------------------------------------------------------------------------


def test_a_fresh_store_begins_at_one(store):
    assert store.load() == Durable({}, (), 1, 1, 0, 0)


def test_a_store_that_is_closed_and_opened_goes_on_where_it_was(path, open_store):
    first = open_store(path)
    first.commit([SaveTransaction(transaction(4)), QueueMessage(11, 4, START)], NOON)
    first.commit([QueueMessage(12, 4, STOP), SaveConfigurationKey("Key", "value")], NOON)
    first.commit([ParkMessage(11, "refused")], NOON)
    first.close()
    registers = {1: (transaction(4).last_wh, 0)}
    expected = Durable({"Key": "value"}, (transaction(4),), 13, 5, 1, 1, registers=registers)
    assert open_store(path).load() == expected


@pytest.mark.parametrize("start_is_saved_first", [True, False])
def test_sequences_and_references_grow_even_when_everything_has_left(
    path, open_store, start_is_saved_first
):
    first = open_store(path)
    rows = [SaveTransaction(transaction(8)), QueueMessage(41, 8, START)]
    first.commit(rows if start_is_saved_first else rows[::-1], NOON)
    first.commit([RemoveMessage(41)], NOON)
    assert first.load().next_sequence == 42
    first.commit([QueueMessage(42, 8, STOP), EndTransaction(8)], NOON)
    first.commit([RemoveMessage(42)], NOON)
    first.close()
    durable = open_store(path).load()
    assert (durable.next_sequence, durable.next_transaction_ref) == (43, 9)
    assert durable.queued_count == 0


def test_closing_leaves_one_file_and_may_be_repeated(store, path):
    store.commit([QueueMessage(1, 1, START)], NOON)
    store.close()
    store.close()
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["agent.db", "agent.db.lock"]


def test_a_closed_store_says_so_instead_of_writing(store):
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.commit([QueueMessage(1, 1, START)], NOON)
    with pytest.raises(StoreError, match="closed"):
        store.facts(TAG)


def test_a_row_of_the_outbox_that_nobody_can_read_is_told_as_that(store):
    store.commit([QueueMessage(3, 1, START), RecordAttempt(3, 2)], NOON)
    store._database.writer.execute("UPDATE outbox SET payload = '{}'")
    assert store.head() == UnreadableMessage(
        3, 2, "not a readable StartTransaction message: KeyError('connector_id')"
    )


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("authorization_cache SET heard_at", lambda store: store.facts(TAG)),
        ("authorization_cache SET status", lambda store: store.cache_page(1)),
        ("decisions SET verdict", lambda store: store.decisions(None, 1)),
        ("outbox SET queued_at", lambda store: store.outbox_summary()),
    ],
)
def test_a_value_that_storage_has_damaged_is_no_mistake_of_ours(store, damage, read):
    store.commit([CacheTag(TAG, ACCEPTED), RecordDecision(decision(1))], NOON)
    store.commit([QueueMessage(1, 1, START)], NOON)
    store._database.writer.execute(f"UPDATE {damage} = '2026-\x11'")
    table, _, column = damage.split()
    with pytest.raises(StoreDamaged, match=f"agent.db holds .* table {table}, .* column {column}"):
        read(store)


# --- looking up ----------------------------------------------------------------------------------


def test_a_listed_tag_is_found_in_whatever_case_with_the_version(store):
    replace_list(store, 7, [("04ab", BLOCKED), ("04AC", ACCEPTED)])
    assert store.facts("04AB") == TagRecord(BLOCKED, 7, None)
    assert store.facts("04ac") == TagRecord(ACCEPTED, 7, None)
    assert store.facts("04ad") == TagRecord(None, 7, None)


def test_a_new_list_replaces_the_old_one_and_takes_its_tags_out_of_the_cache(store):
    replace_list(store, 1, [("OLD", ACCEPTED)])
    store.commit([CacheTag("new", ACCEPTED), CacheTag("OTHER", ACCEPTED)], NOON)
    replace_list(store, 2, [("NEW", BLOCKED)])
    assert store.facts("OLD") == TagRecord(None, 2, None)
    assert store.facts("new") == TagRecord(BLOCKED, 2, None)
    assert store.facts("other").cache_entry is not None


@pytest.mark.parametrize(
    ("sql", "parameters"), [(TAG_FACTS, {"id_tag": TAG}), (HEAD.format(passed_over="?,?"), (1, 2))]
)
def test_the_hot_look_ups_use_an_index(store, sql, parameters):
    plan = store._database.reader.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    steps = [detail for *_, detail in plan]
    assert steps
    # The outbox is walked in the order of its key, and left at the first row that fits.
    unindexed = [step for step in steps if not step.startswith(("SEARCH", "CORRELATED SCALAR"))]
    assert unindexed in ([], ["SCAN o"])


def test_reading_does_not_wait_for_a_writer(store):
    replace_list(store, 1, [(TAG, ACCEPTED)])
    store.commit([QueueMessage(1, 1, START)], NOON)
    writer = store._database.writer
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM local_list")
    writer.execute("DELETE FROM outbox")
    results = []

    def read() -> None:
        results.append((store.facts(TAG), store.head(), store.outbox_summary().queued_count))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join(timeout=10)
    assert not thread.is_alive()
    facts, head, queued_count = results[0]
    assert (facts.list_entry, head.message, queued_count) == (ACCEPTED, START, 1)
    writer.execute("ROLLBACK")


# --- when the disk or others are in the way ------------------------------------------------------


def test_a_full_disk_is_told_and_the_store_is_usable_when_there_is_room_again(store):
    store.commit([SaveTransaction(transaction(1)), QueueMessage(1, 1, START)], NOON)
    writer = store._database.writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    rows = [RemoveMessage(1), *(QueueMessage(n, 1, meter_values(n)) for n in range(2, 200))]
    with pytest.raises(StoreFull, match="no room"):
        store.commit(rows, NOON)
    assert store.head().message == START
    store.commit([RecordAttempt(1, 1)], NOON)
    assert store.head().attempts == 1
    writer.execute("PRAGMA max_page_count = 1000000")
    store.commit(rows, NOON)
    assert store.load().queued_count == 198


def test_another_writer_makes_the_store_busy_and_is_survived(store, path):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="another process"):
            store.commit([QueueMessage(1, 1, START)], NOON)
        assert store.head() is None
        other.execute("ROLLBACK")
    store.commit([QueueMessage(1, 1, START)], minutes_later(1))
    assert store.outbox_summary().oldest_queued_at == minutes_later(1)


def test_each_commit_is_on_the_disk_before_it_returns(store):
    writer = store._database.writer
    settings = [
        writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    ]
    assert settings == ["wal", 2]  # 2 is FULL: the log is synchronised at every commit


def test_the_reader_cannot_write(store):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store._database.reader.execute("DELETE FROM outbox")
