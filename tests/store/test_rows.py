"""Each kind of row, seen through the store."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from agent.core.commands import (
    CacheTag,
    ClearCache,
    DiscardMessage,
    EndTransaction,
    ParkMessage,
    QueueMessage,
    RecordAttempt,
    RecordDecision,
    RemoveMessage,
    RequeueMessage,
    Row,
    SaveConfigurationKey,
    SaveRegister,
    SaveTransaction,
    SetTransactionId,
)
from agent.core.id_tag import SoughtTag
from agent.core.outbox_row import QueuedMessage
from agent.core.values import (
    AuthorizationStatus,
    CacheEntry,
    DecisionRecord,
    IdTagInfo,
    TagRecord,
    Verdict,
)
from agent.store import Store
from agent.store.charge_log import USUAL_LIMITS
from agent.store.rows import (
    CACHE_ENTRIES_MAX,
    DECISIONS_MAX,
    OPERATOR_ACTIONS_MAX,
    PARKED_MESSAGES_MAX,
    TEXT_LENGTH_MAX,
    Writing,
    write_row,
)
from agent.store.transactions import ENDED_TRANSACTIONS_MAX
from tests.store.builders import (
    ACCEPTED,
    BLOCKED,
    CONCURRENT,
    INVALID,
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


@pytest.mark.parametrize("kind", get_args(Row))
def test_every_kind_of_row_can_be_written(kind):
    row = kind.__new__(kind)  # without any field: it is only about who takes it
    writing = Writing(sqlite3.connect(":memory:"), NOON, lambda: "id", USUAL_LIMITS)
    with closing(writing.connection), suppress(AttributeError, sqlite3.Error):
        write_row(row, writing)  # the end of the match raises AssertionError


# --- outbox --------------------------------------------------------------------------------------


def test_an_empty_outbox_has_no_head(store):
    assert store.head() is None


@pytest.mark.parametrize("message", [START, meter_values(1200), STOP])
def test_a_queued_message_comes_back_with_a_fresh_unique_id(store, message):
    store.commit([QueueMessage(7, 3, message)], NOON)
    assert store.head() == QueuedMessage(7, "id-1", 3, message, attempts=0, transaction_id=None)


def test_the_head_is_the_oldest_message_and_removing_it_brings_up_the_next(store):
    store.commit([QueueMessage(1, 1, START), QueueMessage(2, 1, STOP)], NOON)
    assert store.head().message == START
    store.commit([RemoveMessage(1)], NOON)
    assert store.head().message == STOP
    assert store.head().unique_id == "id-2"


def test_the_head_passes_over_messages_that_are_about_to_be_removed(store):
    store.commit([QueueMessage(number, 1, STOP) for number in (1, 2, 3)], NOON)
    assert store.head({1, 2}).sequence == 3
    assert store.head(frozenset({1, 2, 3, 9})) is None


def test_attempts_are_counted_and_the_unique_id_stays(store):
    store.commit([QueueMessage(1, 1, START)], NOON)
    store.commit([RecordAttempt(1, 2)], NOON)
    assert (store.head().attempts, store.head().unique_id) == (2, "id-1")


def test_the_head_knows_the_transaction_id_as_soon_as_the_store_does(store):
    store.commit([SaveTransaction(transaction(1)), QueueMessage(1, 1, STOP)], NOON)
    assert store.head().transaction_id is None
    store.commit([SetTransactionId(1, 4711)], NOON)
    assert store.head().transaction_id == 4711


def test_a_parked_message_leaves_the_queue_and_is_shown_with_its_problem(store):
    store.commit([QueueMessage(1, 5, START), QueueMessage(2, 5, STOP)], NOON)
    store.commit([RecordAttempt(1, 3), ParkMessage(1, "InternalError: no")], minutes_later(9))
    assert store.head().sequence == 2
    summary = store.outbox_summary()
    assert (summary.queued_count, summary.parked_count) == (1, 1)
    (parked,) = summary.parked
    assert (parked.sequence, parked.transaction_ref, parked.action) == (1, 5, "StartTransaction")
    assert (parked.queued_at, parked.parked_at) == (NOON, minutes_later(9))
    assert (parked.attempts, parked.problem) == (3, "InternalError: no")


def test_the_problem_of_a_parked_message_is_limited_and_made_readable(store):
    store.commit([QueueMessage(1, 1, START)], NOON)
    store.commit([ParkMessage(1, "\ud800" + "x" * 10_000)], NOON)
    (parked,) = store.outbox_summary().parked
    assert parked.problem == "?" + "x" * (TEXT_LENGTH_MAX - 1)


def test_orders_about_a_message_that_has_left_change_nothing(store):
    store.commit([RemoveMessage(9), RecordAttempt(9, 1), ParkMessage(9, "late")], NOON)
    assert store.outbox_summary().parked_count == 0


def test_the_summary_tells_since_when_the_oldest_message_waits(store):
    assert store.outbox_summary().oldest_queued_at is None
    store.commit([QueueMessage(1, 1, START)], minutes_later(1))
    store.commit([QueueMessage(2, 1, STOP)], minutes_later(2))
    assert store.outbox_summary().oldest_queued_at == minutes_later(1)
    store.commit([ParkMessage(1, "refused")], minutes_later(3))
    assert store.outbox_summary().oldest_queued_at == minutes_later(2)


def park(store: Store, sequences: range, message) -> None:
    store.commit([QueueMessage(sequence, 1, message) for sequence in sequences], NOON)
    store.commit([ParkMessage(sequence, "refused") for sequence in sequences], NOON)


def test_too_many_parked_messages_drop_the_oldest_meter_values_and_say_so(store, caplog):
    park(store, range(1, 3), START)
    park(store, range(3, 3 + PARKED_MESSAGES_MAX - 2), meter_values(1))
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        park(store, range(5000, 5001), STOP)
    assert store.outbox_summary().parked_count == PARKED_MESSAGES_MAX
    assert [record.getMessage() for record in caplog.records] == [
        f"More than {PARKED_MESSAGES_MAX} parked messages: "
        "dropped MeterValues (sequence 3, transaction 1)"
    ]


def test_a_start_or_a_stop_is_never_dropped_however_many_are_parked(store, caplog):
    park(store, range(1, 1 + PARKED_MESSAGES_MAX), STOP)
    park(store, range(5000, 5001), START)
    assert not caplog.records
    assert store.outbox_summary().parked_count == PARKED_MESSAGES_MAX + 1


def test_a_parked_message_takes_its_old_place_again_as_the_same_message(store):
    store.commit([SaveTransaction(transaction(1)), QueueMessage(1, 1, START)], NOON)
    store.commit([RecordAttempt(1, 3), ParkMessage(1, "no"), QueueMessage(2, 1, STOP)], NOON)
    store.commit([RequeueMessage(1, "the page")], NOON)
    assert store.outbox_summary().parked_count == 0
    again = store.head()
    assert (again.sequence, again.unique_id, again.attempts) == (1, "id-1", 0)
    assert again.message == START
    store.commit([SetTransactionId(1, 42), RemoveMessage(1)], NOON)
    assert (store.head().message, store.head().transaction_id) == (STOP, 42)


def test_what_people_did_about_messages_is_kept_in_words_without_whole_tags(store, caplog):
    store.commit([QueueMessage(n, 5, START) for n in (1, 2)], NOON)
    store.commit([ParkMessage(n, "no") for n in (1, 2)], NOON)
    store.commit([RequeueMessage(1, "the page"), DiscardMessage(2, "the command line")], NOON)
    (_, discarded), (done_at, requeued) = store.operator_actions(10)
    assert done_at == NOON
    assert requeued == (
        "message 1, StartTransaction of session 5: to be sent once more, says the page"
    )
    assert discarded.startswith(
        "message 2, StartTransaction of session 5: discarded by the command line: {"
    )
    assert '"meter_start_wh": 1000' in discarded
    assert TAG not in discarded + caplog.text
    assert [record.getMessage() for record in caplog.records] == [requeued, discarded]


def test_only_the_newest_operator_actions_are_kept(store):
    for number in range(1, OPERATOR_ACTIONS_MAX + 6):
        rows = [QueueMessage(number, 5, STOP), ParkMessage(number, ""), DiscardMessage(number)]
        store.commit(rows, NOON)
    actions = store.operator_actions(OPERATOR_ACTIONS_MAX * 2)
    assert len(actions) == OPERATOR_ACTIONS_MAX
    assert actions[0][1].startswith(f"message {OPERATOR_ACTIONS_MAX + 5},")


def test_all_parked_messages_of_a_session_are_found_by_one_of_them(store):
    store.commit([QueueMessage(n, ref, STOP) for n, ref in ((1, 7), (2, 8), (3, 7), (4, 7))], NOON)
    store.commit([ParkMessage(n, "no") for n in (1, 2, 4)], NOON)
    assert store.parked_with(4) == [1, 4]
    assert store.parked_with(3) == []
    assert store.parked_with(99) == []


def test_only_what_is_parked_can_be_discarded(store):
    store.commit([QueueMessage(1, 5, START), QueueMessage(2, 5, STOP), ParkMessage(2, "no")], NOON)
    store.commit([DiscardMessage(1), DiscardMessage(2), DiscardMessage(3)], NOON)
    assert store.head().sequence == 1
    assert store.outbox_summary().parked_count == 0
    assert len(store.operator_actions(10)) == 1


def test_a_message_in_the_queue_is_not_put_back_a_second_time(store):
    store.commit([QueueMessage(1, 5, START), RecordAttempt(1, 2)], NOON)
    store.commit([RequeueMessage(1)], NOON)
    assert (store.head().sequence, store.head().attempts) == (1, 2)
    assert store.operator_actions(10) == []


# --- transactions --------------------------------------------------------------------------------


def test_an_open_transaction_comes_back_whole_but_without_the_old_monotonic_clock(store):
    saved = replace(
        transaction(3),
        begun_monotonic_s=321.0,
        parent_id_tag="GROUP",
        transaction_id=-1,
        deauthorized=True,
        last_wh=1800,
        last_at=minutes_later(30),
    )
    store.commit([SaveTransaction(saved)], NOON)
    assert store.load().open_transactions == (replace(saved, begun_monotonic_s=0.0),)


def test_the_register_that_was_told_last_comes_back_with_the_offset_in_it(store):
    first, second = transaction(1), replace(transaction(2), last_wh=5000)
    store.commit([SaveTransaction(first), EndTransaction(1, 4000)], NOON)
    assert store.load().registers == {1: (4000, 0)}
    store.commit([SaveRegister(1, 4100, 3900), SaveRegister(2, 700, 700)], NOON)
    assert store.load().registers == {1: (4100, 3900), 2: (700, 700)}
    store.commit([SaveTransaction(second)], NOON)
    assert store.load().registers == {1: (5000, 3900), 2: (700, 700)}


def test_a_session_ends_no_lower_than_its_last_sample(store):
    store.commit([SaveTransaction(replace(transaction(1), last_wh=2000))], NOON)
    store.commit([EndTransaction(1)], NOON)
    assert store.load().registers == {1: (2000, 0)}


def test_saving_again_updates_the_transaction(store):
    store.commit([SaveTransaction(transaction(1))], NOON)
    later = replace(transaction(1), last_wh=2000, last_at=minutes_later(5), parent_id_tag="G")
    store.commit([SaveTransaction(later)], NOON)
    assert store.load().open_transactions == (later,)


def test_a_transaction_id_once_known_is_not_forgotten_by_saving_without_it(store):
    store.commit([SaveTransaction(transaction(1)), SetTransactionId(1, 99)], NOON)
    store.commit([SaveTransaction(transaction(1, transaction_id=None))], NOON)
    assert store.load().open_transactions[0].transaction_id == 99


def test_an_ended_transaction_is_not_open_any_more_even_when_saved_late(store):
    store.commit([SaveTransaction(transaction(1)), SaveTransaction(transaction(2))], NOON)
    store.commit([EndTransaction(1)], NOON)
    store.commit([SaveTransaction(transaction(1))], NOON)
    assert [each.ref for each in store.load().open_transactions] == [2]


def test_a_transaction_ends_once(store):
    store.commit([SaveTransaction(transaction(1)), EndTransaction(1)], NOON)
    store.commit([EndTransaction(1)], minutes_later(5))
    ended = store._database.reader.execute("SELECT ended_at FROM transactions").fetchall()
    assert ended == [("2026-03-01T12:00:00.000000Z",)]


def refs_kept(store: Store) -> list[int]:
    return [ref for (ref,) in store._database.reader.execute("SELECT ref FROM transactions")]


def run_transactions(store: Store, refs: range) -> None:
    for ref in refs:
        store.commit([SaveTransaction(transaction(ref)), EndTransaction(ref)], NOON)


def test_only_the_newest_ended_transactions_are_kept(store):
    run_transactions(store, range(1, ENDED_TRANSACTIONS_MAX + 4))
    assert refs_kept(store) == list(range(4, ENDED_TRANSACTIONS_MAX + 4))


def test_an_open_transaction_is_kept_however_old_it_is(store):
    store.commit([SaveTransaction(transaction(1))], NOON)
    run_transactions(store, range(2, ENDED_TRANSACTIONS_MAX + 5))
    assert [each.ref for each in store.load().open_transactions] == [1]


@pytest.mark.parametrize("row", [RemoveMessage(0), ParkMessage(1, "refused")])
def test_an_old_transaction_is_kept_until_all_its_messages_have_left(store, row):
    first = [SaveTransaction(transaction(1, 77)), QueueMessage(1, 1, STOP), EndTransaction(1)]
    store.commit(first, NOON)
    store.commit([row], NOON)
    run_transactions(store, range(2, ENDED_TRANSACTIONS_MAX + 5))
    assert refs_kept(store)[0] == 1
    store.commit([RemoveMessage(1)], NOON)
    run_transactions(store, range(900, 901))
    assert 1 not in refs_kept(store)


# --- authorization cache -------------------------------------------------------------------------


def test_a_cached_tag_is_found_in_whatever_case_with_the_time_it_was_heard(store):
    info = IdTagInfo(AuthorizationStatus.ACCEPTED, minutes_later(60), "GROUP")
    store.commit([CacheTag("04ab", info)], minutes_later(3))
    for tag in ("04ab", "04AB", "04aB"):
        assert store.facts(tag).cache_entry == CacheEntry(info, minutes_later(3))
    assert store.facts("04AC") == TagRecord()


def test_a_new_answer_replaces_the_old_one_whatever_its_case(store):
    store.commit([CacheTag("04ab", IdTagInfo(BLOCKED.status, NOON, "GROUP"))], NOON)
    store.commit([CacheTag("04AB", ACCEPTED)], minutes_later(1))
    assert store.facts("04ab").cache_entry == CacheEntry(ACCEPTED, minutes_later(1))


@pytest.mark.parametrize(
    "status", [s for s in AuthorizationStatus if s is not AuthorizationStatus.CONCURRENT_TX]
)
def test_every_other_status_is_cached(store, status):
    store.commit([CacheTag(TAG, IdTagInfo(status))], NOON)
    assert store.facts(TAG).cache_entry.info.status is status


def test_concurrent_tx_says_nothing_about_a_tag(store):
    store.commit([CacheTag("NEW", CONCURRENT), CacheTag("KNOWN", ACCEPTED)], NOON)
    store.commit([CacheTag("KNOWN", CONCURRENT)], minutes_later(1))
    assert store.facts("NEW").cache_entry is None
    assert store.facts("KNOWN").cache_entry == CacheEntry(ACCEPTED, NOON)


def test_a_tag_whose_last_answer_may_not_be_kept_is_forgotten_in_whatever_case(store):
    store.commit([CacheTag("04ab", ACCEPTED), CacheTag("OTHER", ACCEPTED)], NOON)
    store.commit([CacheTag("04AB", None)], minutes_later(1))
    assert cached(store, "04ab", "OTHER") == [False, True]


def test_a_listed_tag_is_not_cached(store):
    replace_list(store, 1, [("04ab", ACCEPTED)])
    store.commit([CacheTag("04AB", BLOCKED)], NOON)
    assert store.facts("04ab").cache_entry is None


def test_clearing_the_cache_leaves_the_list_alone(store):
    replace_list(store, 4, [("LISTED", BLOCKED)])
    store.commit([CacheTag("CACHED", ACCEPTED)], NOON)
    store.commit([ClearCache()], NOON)
    assert store.facts("CACHED").cache_entry is None
    assert store.facts("LISTED").list_entry == BLOCKED


def cached(store: Store, *tags: str) -> list[bool]:
    return [store.facts(tag).cache_entry is not None for tag in tags]


def fill_cache(store: Store, count: int) -> None:
    for number in range(count):
        store.commit([CacheTag(f"V{number}", ACCEPTED)], minutes_later(number))


def test_a_full_cache_drops_what_is_not_valid_before_it_drops_the_oldest(store):
    store.commit([CacheTag("BAD", INVALID)], minutes_later(5000))
    expiring = IdTagInfo(AuthorizationStatus.ACCEPTED, minutes_later(6001))
    store.commit([CacheTag("OVER", expiring)], minutes_later(5001))
    fill_cache(store, CACHE_ENTRIES_MAX - 2)
    assert cached(store, "BAD", "OVER", "V0", "V1") == [True, True, True, True]
    store.commit([CacheTag("NEW-1", ACCEPTED)], minutes_later(6000))
    assert cached(store, "BAD", "OVER", "V0", "V1") == [False, True, True, True]
    store.commit([CacheTag("NEW-2", ACCEPTED)], minutes_later(6001))
    assert cached(store, "BAD", "OVER", "V0", "V1") == [False, False, True, True]
    store.commit([CacheTag("NEW-3", ACCEPTED)], minutes_later(6002))
    assert cached(store, "V0", "V1", "NEW-1", "NEW-3") == [False, True, True, True]


def test_a_tag_that_is_not_valid_finds_its_place_in_a_full_cache(store):
    fill_cache(store, CACHE_ENTRIES_MAX)
    store.commit([CacheTag("BAD", INVALID)], minutes_later(9000))
    assert cached(store, "BAD", "V0", "V1") == [True, False, True]


# --- configuration keys and decisions ------------------------------------------------------------


def test_a_configuration_key_keeps_its_last_value(store):
    store.commit([SaveConfigurationKey("HeartbeatInterval", "300")], NOON)
    store.commit([SaveConfigurationKey("HeartbeatInterval", "60")], NOON)
    store.commit([SaveConfigurationKey("LightIntensity", "")], NOON)
    assert store.load().configuration == {"HeartbeatInterval": "60", "LightIntensity": ""}


def test_a_decision_comes_back_as_it_was(store):
    full = DecisionRecord(
        decided_at=NOON + timedelta(microseconds=1),
        purpose="remote start",
        connector_id=None,
        id_tag=TAG,
        verdict=Verdict.ACCEPTED,
        rule="accepted by the cache",
        source="cache",
        status="Accepted",
        list_version=12,
        cache_age_s=3600,
        detail="até já ⚡",
    )
    store.commit([RecordDecision(full)], NOON)
    assert store.decisions(None, 10) == [full]


def test_decisions_come_newest_first_up_to_the_limit(store):
    store.commit([RecordDecision(decision(number)) for number in range(5)], NOON)
    assert [each.detail for each in store.decisions(None, 2)] == ["4", "3"]
    assert store.decisions(None, 0) == store.decisions(None, -1) == []


def test_decisions_can_be_asked_for_one_tag_in_whatever_case(store):
    store.commit([RecordDecision(decision(1, "04ab")), RecordDecision(decision(2, "04ac"))], NOON)
    assert [each.detail for each in store.decisions(SoughtTag("04AB", "04AB"), 10)] == ["1"]
    both = store.decisions(SoughtTag("04AC", "04AB"), 10)
    assert [each.detail for each in both] == ["2", "1"]


def test_only_the_newest_decisions_are_kept(store):
    rows = [RecordDecision(decision(number)) for number in range(DECISIONS_MAX + 3)]
    store.commit(rows, NOON)
    kept = store.decisions(None, 10**6)
    assert (len(kept), kept[0].detail) == (DECISIONS_MAX, str(DECISIONS_MAX + 2))
    (count,) = store._database.reader.execute("SELECT count(*) FROM decisions").fetchone()
    assert count == DECISIONS_MAX
