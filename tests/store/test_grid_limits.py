"""The proof of the grid operator's limits: it survives, is bounded, and its times become true."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.core.charging_profiles import RateUnit
from agent.core.commands import BeginGridLimit, CorrectTimes, EndGridLimit
from agent.store import Store, grid_limits
from agent.store.grid_limits import KEPT, GridLimit
from tests.store.builders import NOON, minutes_later
from tests.store.conftest import OpenStore

BEGIN = BeginGridLimit(NOON, 4200.0, RateUnit.WATT)
LIMIT = GridLimit(1, NOON, None, 4200.0, "W", is_end_found=False, is_time_known=True)


def test_begin_and_end_are_read_back_newest_first(store: Store):
    second = replace(BEGIN, begun_at=minutes_later(30), limit=13.0, unit=RateUnit.AMPERE)
    store.commit([BEGIN, EndGridLimit(minutes_later(20)), second], NOON)
    assert store.grid_limits(10) == [
        replace(LIMIT, number=2, begun_at=minutes_later(30), limit=13.0, unit="A"),
        replace(LIMIT, ended_at=minutes_later(20)),
    ]
    assert [one.number for one in store.grid_limits(1)] == [2]
    assert [one.number for one in store.grid_limits(1, before=2)] == [1]


def test_one_that_a_power_cut_left_open_is_found_and_ended_as_found(
    path: Path, open_store: OpenStore
):
    store = open_store(path)
    assert not store.load().has_open_grid_limit
    store.commit([BEGIN], NOON)
    store.close()
    store = open_store(path)
    assert store.load().has_open_grid_limit
    store.commit([EndGridLimit(minutes_later(5), is_found=True)], NOON)
    assert store.grid_limits(10) == [replace(LIMIT, ended_at=minutes_later(5), is_end_found=True)]
    assert not store.load().has_open_grid_limit


def test_one_that_was_left_open_ends_where_the_next_begins(store: Store):
    store.commit([BEGIN], NOON)
    store.commit([replace(BEGIN, begun_at=minutes_later(5))], NOON)
    _, first = store.grid_limits(10)
    assert first == replace(LIMIT, ended_at=minutes_later(5), is_end_found=True)


@pytest.mark.parametrize(("boot", "left"), [(0, 1), (2, 2)])
def test_what_is_older_than_two_years_goes_by_a_clock_that_is_trusted(
    store: Store, boot: int, left: int
):
    late = NOON + KEPT + timedelta(days=1)
    store.commit([BEGIN, EndGridLimit(minutes_later(5))], NOON)
    store.commit([replace(BEGIN, begun_at=late, boot=boot)], late)
    assert len(store.grid_limits(10)) == left


def test_there_are_never_more_than_the_limit(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grid_limits, "GRID_LIMITS_MAX", 3)
    begins = [replace(BEGIN, begun_at=minutes_later(number)) for number in range(5)]
    store.commit(begins, NOON)
    assert [one.begun_at for one in store.grid_limits(10)] == [
        minutes_later(number) for number in (4, 3, 2)
    ]


def test_times_of_this_boot_move_when_the_time_becomes_known(store: Store):
    def believed(minutes: int) -> datetime:
        return minutes_later(minutes) - timedelta(days=400)

    first = replace(BEGIN, begun_at=believed(0), boot=2)
    second = replace(BEGIN, begun_at=believed(30), boot=2)
    store.commit([first, EndGridLimit(believed(20), boot=2), second], NOON)
    assert [one.is_time_known for one in store.grid_limits(10)] == [False, False]
    store._database.writer.execute(
        "INSERT INTO boots (number, boot_id, booted_at, is_time_known) VALUES (2, 'b', ?, 0)",
        (believed(0).isoformat(timespec="microseconds"),),
    )
    store.commit([CorrectTimes(2, NOON)], NOON)
    assert store.grid_limits(10) == [
        replace(LIMIT, number=2, begun_at=minutes_later(30)),
        replace(LIMIT, ended_at=minutes_later(20)),
    ]
