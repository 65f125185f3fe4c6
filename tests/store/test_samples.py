"""Samples that wait for the StopTransaction of their session, in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.commands import (
    DropSample,
    EndTransaction,
    KeepSample,
    QueueMessage,
    RemoveMessage,
    SaveTransaction,
)
from agent.core.values import NO_TRANSACTION, MeterSample, SampledValue
from agent.store import Store
from agent.store.messages import decode_message, encode_message, shifted
from tests.store.builders import NOON, STOP, meter_values, minutes_later, transaction

BEGIN = SampledValue("1000", "Energy.Active.Import.Register", "Wh", None, "Transaction.Begin")
PHASED = SampledValue("230.0", "Voltage", "V", "L1-N", "Sample.Clock")
SAMPLES = (
    MeterSample(NOON, (BEGIN, PHASED), 1),
    MeterSample(minutes_later(1), (PHASED,), 2, boot=7),
    MeterSample(minutes_later(2), (BEGIN,), 5),
)


def found(store: Store) -> tuple[MeterSample, ...]:
    (running,) = store.load().open_transactions
    return running.samples


def keep_all(store: Store) -> None:
    kept = [KeepSample(1, sample) for sample in SAMPLES]
    store.commit([SaveTransaction(transaction(1)), *kept], NOON)


def test_what_was_kept_is_found_by_the_next_process(path, open_store):
    first = open_store(path)
    keep_all(first)
    first.close()
    assert found(open_store(path)) == SAMPLES


def test_one_that_was_dropped_is_gone_and_one_kept_anew_is_another(store):
    keep_all(store)
    corrected = replace(SAMPLES[1], sampled_at=minutes_later(3), boot=0)
    store.commit([DropSample(1, 1), KeepSample(1, corrected)], NOON)
    assert found(store) == (corrected, SAMPLES[2])


def test_saving_the_session_does_not_touch_its_samples(store):
    keep_all(store)
    store.commit([SaveTransaction(replace(transaction(1), last_wh=1500))], NOON)
    assert found(store) == SAMPLES


def test_they_go_with_their_session_and_no_other(store):
    keep_all(store)
    store.commit([SaveTransaction(transaction(2)), KeepSample(2, SAMPLES[0])], NOON)
    store.commit([EndTransaction(1)], NOON)
    assert found(store) == SAMPLES[:1]
    (count,) = store._database.reader.execute("SELECT count(*) FROM stop_samples").fetchone()
    assert count == 1


@pytest.mark.parametrize("payload", ["", "[]", "{}", '{"sampled_at": 5, "values": []}'])
def test_one_that_nobody_can_read_is_left_out_and_it_is_said(store, payload, caplog):
    keep_all(store)
    writer = store._database.writer
    writer.execute("UPDATE stop_samples SET payload = ? WHERE number = 2", (payload,))
    assert found(store) == (SAMPLES[0], SAMPLES[2])
    assert "Sample 2 of session 1 is unreadable" in caplog.text


def test_a_stop_comes_back_with_its_samples():
    stop = replace(STOP, samples=tuple(replace(sample, number=0) for sample in SAMPLES))
    assert decode_message("StopTransaction", encode_message(stop)) == stop


def test_only_times_that_were_believed_move_with_the_stop():
    stop = replace(STOP, samples=tuple(replace(sample, number=0) for sample in SAMPLES))
    moved = decode_message("StopTransaction", shifted(encode_message(stop), timedelta(days=1)))
    assert moved.ended_at == stop.ended_at + timedelta(days=1)
    later = replace(stop.samples[1], sampled_at=minutes_later(1) + timedelta(days=1), boot=0)
    assert moved.samples == (stop.samples[0], later, stop.samples[2])


def test_values_of_no_session_keep_the_sequence_growing_over_a_restart(path, open_store):
    first = open_store(path)
    first.commit([SaveTransaction(transaction(1)), EndTransaction(1)], NOON)
    first.commit([QueueMessage(8, NO_TRANSACTION, meter_values(1))], NOON)
    first.commit([RemoveMessage(8)], NOON)
    first.close()
    assert open_store(path).load().next_sequence == 9


def test_values_of_no_session_are_delivered_without_a_transaction_id(store):
    store.commit([QueueMessage(1, NO_TRANSACTION, meter_values(1))], NOON)
    row = store.head()
    assert (row.transaction_ref, row.transaction_id) == (NO_TRANSACTION, None)
