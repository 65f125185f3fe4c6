"""The charge log in the database: what stands in a row, what is told of it, and what goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.core.commands import (
    CorrectTimes,
    DiscardMessage,
    EndTransaction,
    LogSession,
    NoteBoot,
    ParkMessage,
    QueueMessage,
    RemoveMessage,
    SaveTransaction,
    SetTransactionId,
)
from agent.core.figures import Figures
from agent.core.id_tag import SoughtTag
from agent.core.values import (
    AuthorizationStatus,
    Boot,
    IdTagInfo,
    ListEntry,
    StopReason,
    Transaction,
    TransactionEnded,
)
from agent.store import LogLimits, Store
from agent.store.charge_log import Delivery, SessionFilter, SessionSum
from tests.store.builders import NOON, START, STOP, TAG, meter_values, numbered_ids, transaction

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
OTHER = "0499887766554433"


def session(
    ref: int, ended_at: datetime = NOON, wh: int = 500, id_tag: str = TAG, boot: int = 0
) -> LogSession:
    """A session of one hour."""
    begun = Transaction(ref, 1, id_tag, ended_at - HOUR, 0.0, 1000, 1000, ended_at, begun_boot=boot)
    return LogSession(begun, TransactionEnded(1000 + wh, ended_at, StopReason.LOCAL), boot)


def refs(store: Store, **wanted: object) -> list[int]:
    return [found.ref for found in store.sessions(100_000, wanted=SessionFilter(**wanted))]


@pytest.fixture
def limited(path: Path) -> Iterator[Callable[..., Store]]:
    """Open stores that keep less."""
    opened: list[Store] = []

    def open_at(sessions: int, months: int = 12) -> Store:
        for other in opened:
            other.close()
        limits = LogLimits(sessions, months)
        opened.append(Store.open(path, now=NOON, make_id=numbered_ids(), log_limits=limits))
        return opened[-1]

    yield open_at
    for store in opened:
        store.close()


# --- what stands in a row ------------------------------------------------------------------------


def test_a_session_is_read_back_as_it_was_logged(store):
    begun = replace(transaction(1), figures=Figures("LISTED", "local list", 7360, 95, 12.5))
    store.commit([SaveTransaction(begun), LogSession(begun, STOP), EndTransaction(1)], NOON)
    (found,) = store.sessions(10)
    assert (found.ref, found.connector_id, found.id_tag) == (1, 1, TAG)
    assert (found.begun_at, found.ended_at, found.is_time_known) == (NOON, STOP.ended_at, True)
    assert (found.meter_start_wh, found.meter_stop_wh, found.energy_wh) == (1000, 2500, 1500)
    assert (found.highest_w, found.longest_pause_s) == (7360, 95)
    assert (found.reason, found.rule, found.source) == ("Local", "LISTED", "local list")
    assert found.transaction_id is None


def test_what_is_known_of_a_session_survives_the_process(path, open_store):
    begun = replace(
        transaction(1), figures=Figures("LISTED", "local list", 7360, 95, 12.5), begun_boot=3
    )
    first = open_store(path)
    first.commit([SaveTransaction(replace(begun, figures=Figures("LISTED", "local list")))], NOON)
    first.commit([SaveTransaction(begun)], NOON)
    first.close()
    (found,) = open_store(path).load().open_transactions
    assert found.figures == replace(begun.figures, open_since_s=None)
    assert found.begun_boot == 3


def test_a_session_is_logged_once_and_its_first_record_stays(store):
    store.commit([session(1, wh=500)], NOON)
    store.commit([session(1, wh=900)], NOON)
    assert [found.energy_wh for found in store.sessions(10)] == [500]


@pytest.mark.parametrize("is_answered_before", [True, False])
def test_the_number_of_the_central_system_stands_there_whenever_it_came(store, is_answered_before):
    ends = [LogSession(transaction(1), STOP), EndTransaction(1)]
    answer = [SetTransactionId(1, 77)]
    store.commit([SaveTransaction(transaction(1))], NOON)
    for rows in (answer, ends) if is_answered_before else (ends, answer):
        store.commit(rows, NOON)
    assert store.sessions(10)[0].transaction_id == 77


# --- told to the central system, or not ----------------------------------------------------------


def delivery(store: Store) -> Delivery:
    return store.sessions(10)[0].delivery


def test_whether_the_central_system_knows_of_it_is_what_the_outbox_says_now(store):
    store.commit([SaveTransaction(transaction(1)), QueueMessage(1, 1, START)], NOON)
    store.commit([QueueMessage(2, 1, meter_values(1200)), QueueMessage(3, 1, STOP)], NOON)
    store.commit([LogSession(transaction(1), STOP), EndTransaction(1)], NOON)
    assert delivery(store) is Delivery.WAITING
    store.commit([RemoveMessage(1), RemoveMessage(2)], NOON)
    assert delivery(store) is Delivery.WAITING
    store.commit([ParkMessage(3, "no")], NOON)
    assert delivery(store) is Delivery.PARKED
    store.commit([RemoveMessage(3)], NOON)
    assert delivery(store) is Delivery.DELIVERED


def test_a_sample_that_is_parked_keeps_no_session_from_being_delivered(store):
    store.commit([QueueMessage(1, 1, meter_values(1200)), ParkMessage(1, "no")], NOON)
    store.commit([LogSession(transaction(1), STOP)], NOON)
    assert delivery(store) is Delivery.DELIVERED


@pytest.mark.parametrize("message", [START, STOP])
def test_a_session_whose_start_or_end_a_person_gave_up_says_so(store, message):
    store.commit([SaveTransaction(transaction(1)), QueueMessage(1, 1, message)], NOON)
    ends = [LogSession(transaction(1), STOP), EndTransaction(1)]
    gives_up = [ParkMessage(1, "no"), DiscardMessage(1)]
    for rows in (gives_up, ends) if message is START else (ends, gives_up):
        store.commit(rows, NOON)
    assert delivery(store) is Delivery.DISCARDED


def test_a_sample_that_a_person_gave_up_is_no_session_given_up(store):
    store.commit([QueueMessage(1, 1, meter_values(1200)), ParkMessage(1, "no")], NOON)
    store.commit([DiscardMessage(1), LogSession(transaction(1), STOP)], NOON)
    assert delivery(store) is Delivery.DELIVERED


# --- reading -------------------------------------------------------------------------------------


def test_the_newest_stands_first_and_pages_follow_each_other(store):
    store.commit([session(ref, NOON + ref * HOUR) for ref in range(1, 8)], NOON)
    first = store.sessions(3)
    second = store.sessions(3, first[-1].ref)
    third = store.sessions(3, second[-1].ref)
    assert [found.ref for found in (*first, *second, *third)] == [7, 6, 5, 4, 3, 2, 1]
    assert store.sessions(3, 1) == []


def test_sessions_are_chosen_by_their_end_and_by_their_tag_in_any_case(store):
    tags = {1: TAG, 2: OTHER, 3: TAG.lower()}
    rows = [session(ref, NOON + ref * HOUR, id_tag=tag) for ref, tag in tags.items()]
    store.commit(rows, NOON)
    assert refs(store, since=NOON + 2 * HOUR) == [3, 2]
    assert refs(store, until=NOON + 2 * HOUR) == [1]
    assert refs(store, tag=SoughtTag(TAG, TAG)) == [3, 1]
    assert refs(store, tag=SoughtTag("04:A2", TAG)) == [3, 1]
    assert refs(store, tag=SoughtTag(TAG, OTHER)) == [3, 2, 1]
    assert refs(store, tag=SoughtTag(OTHER, OTHER), since=NOON + 3 * HOUR) == []


def name(store: Store, id_tag: str, name: str) -> None:
    staging = store.begin_list(is_full=False)
    store.stage_list(staging, [ListEntry(id_tag, IdTagInfo(AuthorizationStatus.ACCEPTED), name)])


def test_a_session_shows_the_name_that_its_tag_has_now(store):
    store.commit([session(1), session(2, id_tag=OTHER)], NOON)
    name(store, TAG.lower(), "Anna")
    assert [found.name for found in store.sessions(10)] == ["", "Anna"]


@pytest.mark.usefixtures("in_berlin")
def test_sums_are_by_tag_and_by_the_local_month_in_which_the_session_ended(store):
    last_of_march = datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC)
    store.commit(
        [
            session(1, last_of_march, 100),
            session(2, last_of_march + timedelta(seconds=1), 200),  # 1 April in Berlin
            session(3, last_of_march + HOUR, 300, TAG.lower()),
            session(4, last_of_march + HOUR, 1000, OTHER),
        ],
        NOON,
    )
    name(store, TAG, "Anna")
    assert store.session_sums() == [
        SessionSum("2026-04", OTHER, "", 1, 1000),
        SessionSum("2026-04", TAG, "Anna", 2, 500),
        SessionSum("2026-03", TAG, "Anna", 1, 100),
    ]
    assert store.session_sums(SessionFilter(tag=SoughtTag(OTHER, OTHER))) == [
        SessionSum("2026-04", OTHER, "", 1, 1000)
    ]


def test_a_sum_tells_the_rule_that_accepted_all_its_sessions(store):
    def under(rule: str, row: LogSession) -> LogSession:
        return replace(row, transaction=replace(row.transaction, figures=Figures(rule)))

    rows = [under("FREE", session(1)), under("FREE", session(2)), session(3, id_tag=OTHER)]
    store.commit([*rows, under("LISTED", session(4, id_tag=OTHER))], NOON)
    assert {found.id_tag: found.rule for found in store.session_sums()} == {TAG: "FREE", OTHER: ""}


# --- what goes -----------------------------------------------------------------------------------


def test_no_more_sessions_are_kept_than_the_setting_says(limited):
    store = limited(5)
    for ref in range(1, 12):
        store.commit([session(ref)], NOON)
    assert refs(store) == [11, 10, 9, 8, 7]


def test_a_smaller_setting_takes_effect_in_pieces_and_none_keeps_none(limited):
    store = limited(100)
    store.commit([session(ref) for ref in range(1, 61)], NOON)
    store = limited(10)
    store.commit([session(61)], NOON)
    assert len(refs(store)) == 41
    for ref in range(62, 65):
        store.commit([session(ref)], NOON)
    assert refs(store) == list(range(64, 54, -1))
    store = limited(0)
    store.commit([session(65)], NOON)
    assert refs(store) == []


def a_year(store: Store) -> None:
    """One session on the second day of each month of 2025."""
    for month in range(1, 13):
        store.commit([session(month, datetime(2025, month, 2, tzinfo=UTC))], NOON)


def test_whole_months_go_when_they_are_older_than_the_setting_says(limited):
    store = limited(100, months=3)
    a_year(store)
    store.commit([session(ref, datetime(2025, 12, 30, tzinfo=UTC)) for ref in (13, 14, 15)], NOON)
    assert refs(store) == [15, 14, 13, 12, 11, 10, 9]


@pytest.mark.parametrize("year", [1970, 2099])
def test_a_clock_that_is_wrong_for_a_session_forgets_nothing(limited, year):
    store = limited(100, months=12)
    a_year(store)
    for ref in (13, 14):
        store.commit([session(ref, datetime(year, 6, 1, tzinfo=UTC))], NOON)
    for ref in (15, 16, 17):
        store.commit([session(ref, datetime(2026, 1, 3, tzinfo=UTC))], NOON)
    assert set(refs(store)) >= set(range(1, 13))


def test_a_time_that_storage_has_damaged_keeps_no_session_from_its_end(limited):
    store = limited(100, months=1)
    store.commit([session(1), session(2)], NOON)
    store._database.writer.execute("UPDATE charge_log SET ended_at = '2026-\x11' WHERE ref = 2")
    store.commit([session(3)], NOON)
    (kept,) = store._database.writer.execute("SELECT count(*) FROM charge_log").fetchone()
    assert kept == 3


def test_a_clock_that_stays_wrong_forgets_a_few_at_a_time(limited):
    store = limited(1000, months=12)
    store.commit([session(ref) for ref in range(1, 501)], NOON)
    for ref in range(501, 506):
        store.commit([session(ref, datetime(2099, 6, 1, tzinfo=UTC))], NOON)
    assert len(refs(store)) == 505 - 3 * 20


def test_a_time_that_nobody_knows_makes_no_session_old(limited):
    store = limited(100, months=1)
    for ref in range(1, 4):
        store.commit([session(ref, EPOCH + HOUR, boot=4)], NOON)
    for ref in range(4, 10):
        store.commit([session(ref, NOON)], NOON)
    assert refs(store) == list(range(9, 0, -1))


# --- times that were believed --------------------------------------------------------------------


def test_times_that_were_believed_are_corrected_in_the_log_too(store):
    boot = Boot(1, "a", EPOCH, is_time_known=False)
    store.commit([NoteBoot(boot), session(1, EPOCH + 2 * HOUR, boot=1)], EPOCH)
    begun_before = replace(session(2, EPOCH + 3 * HOUR, boot=1).transaction, begun_boot=0)
    store.commit([LogSession(begun_before, STOP, 1)], EPOCH)
    assert [found.is_time_known for found in store.sessions(10)] == [False, False]
    store.commit([CorrectTimes(1, NOON)], NOON)
    second, first = store.sessions(10)
    assert (first.begun_at, first.ended_at) == (NOON + HOUR, NOON + 2 * HOUR)
    assert second.begun_at == EPOCH + 2 * HOUR
    assert first.is_time_known
    assert second.is_time_known


def test_impossible_times_of_an_earlier_boot_move_in_the_log_as_in_the_outbox(store):
    earlier = Boot(1, "a", EPOCH, is_time_known=False)
    message = TransactionEnded(1500, EPOCH + 2 * HOUR, StopReason.LOCAL)
    rows = [NoteBoot(earlier), session(1, EPOCH + 2 * HOUR, boot=1), QueueMessage(1, 1, message, 1)]
    store.commit(rows, EPOCH)
    this = Boot(2, "b", EPOCH, is_time_known=False)
    store.commit([NoteBoot(this)], EPOCH)
    store.commit([CorrectTimes(2, NOON)], NOON)
    (found,) = store.sessions(10)
    head = store.head()
    assert head is not None
    assert (found.begun_at, found.ended_at) == (NOON - HOUR, NOON)
    assert head.message == replace(message, ended_at=NOON)
