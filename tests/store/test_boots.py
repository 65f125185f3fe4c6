"""Boots, how the last process ended, and times that an untrusted clock has given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent.core.charging_profiles import RateUnit
from agent.core.commands import (
    BeginGridLimit,
    CorrectTimes,
    LogSession,
    NoteBoot,
    NoteEnding,
    ParkMessage,
    QueueMessage,
    RemoveMessage,
    SaveTransaction,
)
from agent.core.security_event_values import (
    RecordSecurityEvent,
    SecurityEvent,
    SecurityEventType,
)
from agent.core.values import (
    Boot,
    ConnectorMeasured,
    Instant,
    SampledValue,
    StopReason,
    Transaction,
    TransactionBegan,
    TransactionEnded,
)
from agent.store import Store
from agent.store.instants import instant_of
from tests.store.builders import NOON, TAG, numbered_ids

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VALUE = (SampledValue("1", "Energy.Active.Import.Register"),)


def untrusted(monotonic_s: float, utc: datetime) -> Instant:
    return Instant(monotonic_s, utc, is_trusted=False)


def begin_boot(store: Store, boot_id: str, now: Instant) -> Boot:
    """As the agent does at its start."""
    boot = store.this_boot(boot_id, now)
    store.commit([NoteBoot(boot)], now.utc)
    return boot


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


# --- which boot, and how the last process ended --------------------------------------------------


def test_a_boot_keeps_its_number_through_all_its_processes(store):
    first = begin_boot(store, "a", untrusted(30, EPOCH + seconds(30)))
    assert first == Boot(1, "a", EPOCH, is_time_known=False)
    assert begin_boot(store, "a", untrusted(90, NOON)) == first  # however the clock has jumped
    assert begin_boot(store, "b", Instant(20, NOON)).number == 2


def test_a_boot_whose_time_became_known_stays_known_for_its_next_process(store):
    boot = begin_boot(store, "a", untrusted(30, EPOCH))
    store.commit([CorrectTimes(boot.number, NOON)], NOON)
    assert store.this_boot("a", untrusted(90, EPOCH)) == Boot(1, "a", NOON, is_time_known=True)


@pytest.mark.parametrize("believed", [EPOCH, NOON + timedelta(days=30)])
def test_an_untrusted_clock_begins_no_earlier_than_at_the_last_known_moment(store, believed):
    last_at = NOON + timedelta(hours=3)
    known = Transaction(1, 1, TAG, NOON, 0.0, 0, 0, last_at)
    guess = Transaction(2, 1, TAG, NOON, 0.0, 0, 0, NOON + timedelta(days=900), boot=9)
    store.commit([SaveTransaction(known), SaveTransaction(guess)], NOON)
    boot = store.this_boot("a", untrusted(40, believed))
    assert boot.booted_at == max(believed, last_at) - seconds(40)


def test_the_end_of_the_last_process_is_told_apart(store):
    assert store.ending("a") is None  # a database that knows of no boot
    begin_boot(store, "a", Instant(30, NOON))
    assert store.ending("a") is StopReason.REBOOT  # killed: the machine has stayed on
    assert store.ending("b") is StopReason.POWER_LOSS
    store.commit([NoteEnding(StopReason.HARD_RESET)], NOON)
    assert store.ending("a") is StopReason.HARD_RESET
    assert store.ending("b") is StopReason.HARD_RESET
    begin_boot(store, "a", Instant(50, NOON))
    assert store.ending("a") is StopReason.REBOOT  # noted once, for one end


def test_boots_that_nobody_needs_are_forgotten(store):
    for number in range(20):
        boot = begin_boot(store, f"boot {number}", untrusted(30, EPOCH))
        if number == 4:
            store.commit([QueueMessage(1, 1, start(EPOCH), boot.number)], NOON)
    assert numbers(store) == [5, 20]
    store.commit([RemoveMessage(1)], NOON)
    begin_boot(store, "the last", Instant(30, NOON))
    for number in range(3):
        begin_boot(store, f"later {number}", untrusted(30, EPOCH))
    assert numbers(store) == [21, 24]  # one whose time was known, and this one


def numbers(store: Store) -> list[int]:
    rows = store._database.reader.execute("SELECT number FROM boots ORDER BY number")
    return [number for (number,) in rows]


# --- correcting ----------------------------------------------------------------------------------


def start(at: datetime) -> TransactionBegan:
    return TransactionBegan(1, TAG, 1000, at)


def sample(at: datetime) -> ConnectorMeasured:
    return ConnectorMeasured(1, at, VALUE)


def stop(at: datetime) -> TransactionEnded:
    return TransactionEnded(2000, at, StopReason.LOCAL)


def times(store: Store) -> list[datetime]:
    """The instants of all messages in their order, as they would be sent."""
    found = []
    while (row := store.head()) is not None:
        match row.message:
            case TransactionBegan(begun_at=at) | TransactionEnded(ended_at=at):
                found.append(at)
            case ConnectorMeasured(sampled_at=at):
                found.append(at)
        store.commit([RemoveMessage(row.sequence)], NOON)
    return found


def test_everything_of_this_boot_moves_together_when_its_beginning_is_known(store):
    boot = begin_boot(store, "a", untrusted(10, EPOCH + seconds(10)))
    rows = [
        QueueMessage(1, 1, start(EPOCH + seconds(20)), boot.number),
        QueueMessage(2, 1, sample(EPOCH + seconds(80)), boot.number),
        QueueMessage(3, 1, stop(EPOCH + seconds(90)), boot.number),
        QueueMessage(4, 2, start(NOON), 0),  # its time was known
    ]
    store.commit([*rows, ParkMessage(2, "no")], EPOCH)
    store.commit([CorrectTimes(boot.number, NOON)], NOON)
    assert store.outbox_summary().parked[0].queued_at == NOON
    assert times(store) == [NOON + seconds(20), NOON + seconds(90), NOON]
    store.commit([CorrectTimes(boot.number, NOON + seconds(1))], NOON)
    assert store.this_boot("a", untrusted(1, EPOCH)).booted_at == NOON + seconds(1)


@pytest.mark.parametrize("believed", [EPOCH, NOON + timedelta(days=400)])
def test_impossible_times_of_an_earlier_boot_end_where_this_one_begins(store, believed):
    earlier = begin_boot(store, "a", untrusted(10, believed))
    store.commit(
        [
            QueueMessage(1, 1, start(believed + seconds(20)), earlier.number),
            QueueMessage(2, 1, stop(believed + seconds(90)), earlier.number),
        ],
        NOON,
    )
    this = begin_boot(store, "b", untrusted(10, believed))
    store.commit([QueueMessage(3, 2, start(this.booted_at + seconds(50)), this.number)], NOON)
    store.commit([CorrectTimes(this.number, NOON)], NOON)
    assert times(store) == [NOON - seconds(70), NOON, NOON + seconds(50)]


def test_possible_times_of_an_earlier_boot_stay_the_earliest_possible(store):
    store.commit([SaveTransaction(Transaction(1, 1, TAG, NOON, 0.0, 0, 0, NOON))], NOON)
    earlier = begin_boot(store, "a", untrusted(0, EPOCH))
    store.commit([QueueMessage(1, 2, start(NOON + seconds(20)), earlier.number)], NOON)
    this = begin_boot(store, "b", Instant(10, NOON + timedelta(days=1)))
    store.commit([CorrectTimes(this.number, this.booted_at)], NOON)
    assert times(store) == [NOON + seconds(20)]


def test_several_earlier_boots_stay_in_their_order(store):
    for number, boot_id in enumerate("abc"):
        boot = begin_boot(store, boot_id, untrusted(0, EPOCH))
        begun = QueueMessage(2 * number + 1, number, start(EPOCH + seconds(5)), boot.number)
        ended = QueueMessage(2 * number + 2, number, stop(EPOCH + seconds(10)), boot.number)
        store.commit([begun, ended], NOON)
    this = begin_boot(store, "d", Instant(0, NOON))
    store.commit([CorrectTimes(this.number, NOON)], NOON)
    found = times(store)
    assert found == sorted(found)
    assert found[-1] == NOON
    assert found[0] == NOON - seconds(15)


def test_a_message_that_nobody_can_read_does_not_stop_the_correction(store):
    boot = begin_boot(store, "a", untrusted(0, EPOCH))
    store.commit([QueueMessage(n, 1, start(EPOCH), boot.number) for n in (1, 2, 3)], NOON)
    writer = store._database.writer
    writer.execute("UPDATE outbox SET payload = '{' WHERE sequence = 1")
    writer.execute("UPDATE outbox SET payload = '{\"begun_at\": 5}' WHERE sequence = 2")
    store.commit([CorrectTimes(boot.number, NOON)], NOON)
    store.commit([RemoveMessage(1), RemoveMessage(2)], NOON)
    assert times(store) == [NOON]


@pytest.mark.parametrize("wrong", ["'2026-\x11'", "CAST(x'32ff' AS TEXT)"])
@pytest.mark.parametrize(
    "place",
    [
        "charge_log.begun_at",
        "charge_log.ended_at",
        "grid_limits.begun_at",
        "security_queue.at",
        "outbox.queued_at",
        "outbox.payload",
        "boots.booted_at",
    ],
)
def test_a_time_that_storage_has_damaged_does_not_stop_the_correction(store, place, wrong):
    boot = begin_boot(store, "a", untrusted(0, EPOCH))
    begun = BeginGridLimit(EPOCH, 4200.0, RateUnit.WATT, boot.number)
    event = SecurityEvent(SecurityEventType.STARTUP_OF_THE_DEVICE, EPOCH, "", boot.number)
    rows = [QueueMessage(n, 1, start(EPOCH), boot.number) for n in (1, 2)]
    session = Transaction(1, 1, TAG, EPOCH, 0.0, 0, 0, EPOCH, begun_boot=boot.number)
    store.commit([*rows, LogSession(session, stop(EPOCH), boot.number)], NOON)
    store.commit([begun, RecordSecurityEvent(event, is_queued=True)], NOON)
    table, _, column = place.partition(".")
    store._database.writer.execute(
        f"UPDATE {table} SET {column} = {wrong} WHERE rowid = (SELECT min(rowid) FROM {table})"
    )
    store.commit([CorrectTimes(boot.number, NOON)], NOON)
    moved = store._database.writer.execute("SELECT queued_at FROM outbox WHERE sequence = 2")
    assert table == "boots" or instant_of(moved.fetchone()[0]) > NOON + timedelta(days=365)
    store.commit([RemoveMessage(1)], NOON)
    assert times(store) == ([EPOCH] if table == "boots" else [NOON])
    waiting = store._database.writer.execute("SELECT sum(begun_boot) FROM charge_log")
    assert waiting.fetchone() == (0,)


def test_a_limit_without_an_end_is_none_whatever_stands_beside_it(store):
    boot = begin_boot(store, "a", untrusted(0, EPOCH))
    store.commit([BeginGridLimit(EPOCH, 4200.0, RateUnit.WATT, boot.number)], NOON)
    store._database.writer.execute("UPDATE grid_limits SET ended_boot = 7")
    store.commit([CorrectTimes(boot.number, NOON)], NOON)
    (limit,) = store.grid_limits(10)
    assert (limit.begun_at, limit.ended_at) == (NOON, None)


def test_a_boot_that_storage_has_damaged_keeps_its_number_and_counts_from_now(store, caplog):
    first = begin_boot(store, "a", untrusted(30, EPOCH))
    store._database.writer.execute("UPDATE boots SET booted_at = '2026-\x11'")
    assert store.this_boot("a", Instant(30, NOON)) == Boot(1, "a", NOON - seconds(30), True)
    assert first.number == 1
    assert "when boot 1 began is unreadable" in caplog.text


def test_a_last_moment_that_storage_has_damaged_is_not_believed(store):
    store.commit([SaveTransaction(Transaction(1, 1, TAG, NOON, 0.0, 0, 0, NOON))], NOON)
    store._database.writer.execute("UPDATE transactions SET last_at = '2026-\x11', ended_at = ''")
    assert store.this_boot("a", untrusted(40, EPOCH)).booted_at == EPOCH - seconds(40)


def test_an_end_of_the_last_process_that_nobody_can_read_is_as_if_it_had_said_none(store, caplog):
    begin_boot(store, "a", Instant(30, NOON))
    store._database.writer.execute("UPDATE boots SET ending = 'OfTomorrow'")
    assert store.ending("a") is StopReason.REBOOT
    assert store.ending("b") is StopReason.POWER_LOSS
    assert "'OfTomorrow' is not a valid StopReason" in caplog.text


def test_a_correction_without_anything_to_correct_changes_nothing(store):
    store.commit([QueueMessage(1, 1, start(NOON))], NOON)
    store.commit([CorrectTimes(5, NOON + timedelta(days=1))], NOON)
    assert times(store) == [NOON]


def test_what_was_believed_survives_a_restart_of_the_process(path, open_store):
    store = open_store(path)
    boot = begin_boot(store, "a", untrusted(10, EPOCH))
    session = Transaction(1, 1, TAG, EPOCH, 0.0, 0, 0, EPOCH, boot=boot.number, is_limited=True)
    store.commit([SaveTransaction(session), QueueMessage(1, 1, start(EPOCH), boot.number)], NOON)
    store.close()
    again = Store.open(path, now=NOON, make_id=numbered_ids())
    try:
        (found,) = again.load().open_transactions
        assert (found.boot, found.is_limited) == (boot.number, True)
        again.commit([CorrectTimes(boot.number, NOON)], NOON)
        assert times(again) == [NOON + seconds(10)]
    finally:
        again.close()
