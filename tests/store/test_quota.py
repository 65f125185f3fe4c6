"""How much of the disk waiting messages may take, and what goes when it is more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agent.core.commands import (
    DiscardMessage,
    ParkMessage,
    QueueMessage,
    RemoveMessage,
    RequeueMessage,
)
from agent.platform.errors import StoreError
from agent.store import Store
from agent.store.quota import bytes_used
from tests.store.builders import NOON, START, STOP, meter_values, numbered_ids


@pytest.fixture
def small(path: Path):
    """A store whose messages may take 20 kB."""
    store = Store.open(path, now=NOON, make_id=numbered_ids(), queue_bytes_max=20_000)
    yield store
    store.close()


def kept(store: Store) -> list[tuple[int, int, str]]:
    """What waits: sequence, session, action."""
    rows = store._database.reader.execute(
        "SELECT sequence, transaction_ref, action FROM outbox ORDER BY sequence"
    )
    return rows.fetchall()


def charge(store: Store, ref: int, first: int, samples: int) -> int:
    """A whole session; returns the next sequence."""
    sequence = first
    for message in (START, *(meter_values(n) for n in range(samples)), STOP):
        store.commit([QueueMessage(sequence, ref, message)], NOON)
        sequence += 1
    return sequence


def test_a_full_store_keeps_every_start_and_stop_and_thins_the_samples(small, caplog):
    sequence = 1
    for ref in range(1, 21):
        sequence = charge(small, ref, sequence, samples=10)
    actions = Counter(action for _, _, action in kept(small))
    assert (actions["StartTransaction"], actions["StopTransaction"]) == (20, 20)
    assert bytes_used(small._database.reader) <= 22_000
    assert small.outbox_summary().thinned_count == 200 - actions["MeterValues"]
    assert "more than 0.02 MB of the disk" in caplog.text
    told = small.take_thinned()
    assert told == small.outbox_summary().thinned_count
    assert small.take_thinned() == 0


def test_the_first_and_the_last_sample_of_each_session_stay(small):
    sequence = 1
    for ref in range(1, 16):
        sequence = charge(small, ref, sequence, samples=9)
    by_session: dict[int, list[int]] = {}
    for sequence, ref, action in kept(small):
        if action == "MeterValues":
            by_session.setdefault(ref, []).append(sequence)
    for ref, sequences in by_session.items():
        if ref < 15:  # the last one may have been thinned in the middle
            begun = 1 + (ref - 1) * 11
            assert sequences[0] == begun + 1
            assert sequences[-1] == begun + 9


def test_what_waits_below_the_limit_is_not_touched(small, caplog):
    charge(small, 1, 1, samples=20)
    assert len(kept(small)) == 22
    assert small.take_thinned() == 0
    assert caplog.records == []


def test_starts_and_stops_may_take_more_than_the_limit(small, caplog):
    sequence = 1
    for ref in range(1, 200):
        sequence = charge(small, ref, sequence, samples=0)
    assert len(kept(small)) == 398
    assert small.take_thinned() == 0
    assert caplog.records == []  # nothing was dropped: nothing to say


def test_the_account_is_that_of_the_disk_whatever_happens_to_the_messages(small):
    small.commit([QueueMessage(n, 1, START) for n in range(1, 6)], NOON)
    small.commit([ParkMessage(1, "no"), ParkMessage(2, "no"), RemoveMessage(3)], NOON)
    small.commit([RequeueMessage(1), DiscardMessage(2), RemoveMessage(3)], NOON)
    assert small._quota.used == bytes_used(small._database.reader) > 0
    with pytest.raises(StoreError):
        small.commit([QueueMessage(9, 1, START), QueueMessage(9, 1, START)], NOON)
    assert small._quota.used == bytes_used(small._database.reader)


def test_the_account_is_taken_up_again_at_the_next_opening(path, small):
    charge(small, 1, 1, samples=20)
    used = small._quota.used
    small.close()
    again = Store.open(path, now=NOON, make_id=numbered_ids(), queue_bytes_max=20_000)
    try:
        assert again._quota.used == used
    finally:
        again.close()
