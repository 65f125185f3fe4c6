"""Values that storage has damaged, or another version has written: each is named with its place."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from agent.core.commands import (
    CacheTag,
    KeepSample,
    NoteBoot,
    ParkMessage,
    QueueMessage,
    RecordDecision,
    SaveConfigurationKey,
    SaveReservations,
    SaveTransaction,
)
from agent.core.values import Boot, Instant, MeterSample, Reservation
from agent.platform.errors import StoreDamaged
from agent.store import Store
from agent.store.damage import JSON_COLUMNS, WORDS, damaged_values, is_instant, tables_of
from tests.store.builders import (
    ACCEPTED,
    NOON,
    START,
    STOP,
    TAG,
    decision,
    meter_values,
    replace_list,
    transaction,
)

# Texts that may be any: nothing but a byte that is no letter can be wrong with them.
ANY_TEXT = {
    *("action", "boot_id", "chain", "deed", "detail", "fingerprint", "id_tag", "key", "last_chain"),
    *("name", "parent_id_tag", "pem", "problem", "pruned_chain", "purpose", "reason", "rule"),
    *("serial", "source", "subject", "tech_info", "unique_id", "unit", "value"),
    *("decisions.status", "security_log.type"),
}


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with something in what the agent needs at its start, and a card."""
    replace_list(store, 3, [("04AB", ACCEPTED)])
    session, sample = transaction(7), MeterSample(NOON, meter_values(1100).values, 1)
    store.commit([NoteBoot(Boot(1, "boot-a", NOON, False)), SaveTransaction(session)], NOON)
    store.commit([QueueMessage(5, 7, START), QueueMessage(6, 7, STOP)], NOON)
    store.commit([KeepSample(7, sample), SaveConfigurationKey("HeartbeatInterval", "60")], NOON)
    store.commit([SaveReservations((Reservation(4, 1, TAG, NOON),))], NOON)
    store.commit([CacheTag(TAG, ACCEPTED), RecordDecision(decision(1))], NOON)
    return store


def texts(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for table in tables_of(connection):
        for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
            if kind == "TEXT":
                yield table, column


def found(store: Store, *tables: str) -> list[str]:
    return list(damaged_values(store._database.reporter, tables))


def test_of_every_text_in_the_database_it_is_known_what_it_must_be(store):
    unknown = [
        f"{table}.{column}"
        for table, column in texts(store._database.reader)
        if not is_instant(column)
        and column not in JSON_COLUMNS
        and f"{table}.{column}" not in WORDS
        and not {column, f"{table}.{column}"} & ANY_TEXT
    ]
    assert unknown == []


def test_nothing_is_wrong_with_what_we_have_written(filled):
    assert found(filled) == []


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            "transactions SET last_at = '2026-\x11' || last_at",
            r"row ref = 7, column last_at: '2026-\x112026-03-01T12:00:00.000000Z' is no time",
        ),
        ("transactions SET begun_at = '2026-03-01T12:00'", "row ref = 7, column begun_at: "),
        ("boots SET ending = 'Tomorrow'", "column ending: 'Tomorrow' is no word that this version"),
        ("outbox SET payload = '{}' WHERE sequence = 6", "row sequence = 6, column payload: no "),
        ("outbox SET action = 'Start'", "row sequence = 5, column payload: no JSON of ours: not a"),
        (
            "outbox SET action = CAST(x'3132333435363738ff' AS TEXT), payload = '{}'",
            "row sequence = 5, column action: byte 9 is 0xFF, which is no letter",
        ),
        ("stop_samples SET payload = '{'", "row transaction_ref = 7, number = 1, column payload: "),
        ("local_list SET status = 'Accepte'", "row base = 1, id_tag = .., generation = 1, column"),
        ("authorization_cache SET status = ''", "row id_tag = 04..80, column status: '' is no "),
        (
            "configuration_keys SET value = CAST(x'36ff' AS TEXT)",
            "row key = HeartbeatInterval, column value: byte 2 is 0xFF, which is no letter",
        ),
    ],
)
def test_a_damaged_value_is_named_with_its_place(filled, damage, sentence):
    filled._database.writer.execute(f"UPDATE {damage}")
    first, *_ = found(filled)  # all of them can be told
    assert first.startswith(f"table {damage.split()[0]}, row ")
    assert sentence in first
    assert TAG not in first


def test_what_is_parked_or_over_is_read_by_nobody_and_not_searched(filled):
    filled.commit([ParkMessage(6, "a person looks at it")], NOON)
    writer = filled._database.writer
    writer.execute("UPDATE outbox SET payload = '{' WHERE sequence = 6")
    writer.execute("UPDATE transactions SET ended_at = begun_at, last_at = ''")
    assert found(filled) == []


def test_as_many_rows_are_searched_as_wanted(filled):
    filled._database.writer.execute("UPDATE outbox SET payload = '' WHERE sequence = 6")
    reader = filled._database.reporter
    assert list(damaged_values(reader, ("outbox",), rows_max=1)) == []
    assert len(list(damaged_values(reader, ("outbox",), rows_max=2))) == 1


READS: tuple[Callable[[Store], object], ...] = (
    lambda store: store.load(),
    lambda store: store.head(),
    lambda store: store.ending("boot-b"),
    lambda store: store.this_boot("boot-b", Instant(5.0, NOON + timedelta(days=1))),
    lambda store: store.facts(TAG),
    lambda store: store.queued_security_event(),
    lambda store: store.decisions(None, 10),
)


def complaints(store: Store) -> Iterator[str]:
    for read in READS:
        try:
            read(store)
        except StoreDamaged as problem:
            yield str(problem)


def test_a_byte_that_is_no_letter_ends_no_reading_but_of_its_own_value(filled, path, open_store):
    """Whatever text it is in: the other rows are read, and what cannot be done without is named."""
    filled.close()
    with closing(sqlite3.connect(path)) as connection:
        places = list(texts(connection))
    for table, column in places:
        before = path.read_bytes()
        with closing(sqlite3.connect(path, isolation_level=None)) as damaged:
            # Of a key the first row will do.
            damaged.execute(f"UPDATE OR IGNORE {table} SET {column} = CAST(x'32ff' AS TEXT)")
        store = open_store(path)
        assert not store.quarantined
        where = f"table {table}, row ", f", column {column}: byte 2 is 0xFF, which is no letter"
        assert all(part in one for one in complaints(store) for part in where)
        store.close()
        path.write_bytes(before)
