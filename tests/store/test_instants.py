"""Instants as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.instants import instant_of, instant_text, optional_instant_of

FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1970, 2100))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(FIRST, LAST, timezones=ZONES)


def test_an_instant_is_written_in_utc_with_microseconds_and_z():
    berlin = timezone(timedelta(hours=1))
    assert instant_text(datetime(2026, 3, 1, 13, 0, 0, 5, berlin)) == "2026-03-01T12:00:00.000005Z"


@given(INSTANTS)
def test_an_instant_comes_back_as_it_was(instant):
    back = instant_of(instant_text(instant))
    assert back == instant
    assert back.utcoffset() == timedelta(0)


@given(INSTANTS, INSTANTS)
def test_texts_sort_as_their_instants_do(one, other):
    assert (instant_text(one) < instant_text(other)) == (one < other)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime.max.replace(tzinfo=timezone(-timedelta(hours=5))), "9999-12-31T23:59:59.999999Z"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=5))), "0001-01-01T00:00:00.000000Z"),
        (datetime(9, 1, 1, tzinfo=UTC), "0009-01-01T00:00:00.000000Z"),
    ],
)
def test_the_ends_of_time_can_be_written(instant, text):
    assert instant_text(instant) == text
    assert instant_of(text).year == int(text[:4])


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(AssertionError):
        instant_text(FIRST)


def test_no_instant_stays_no_instant():
    assert optional_instant_of(None) is None
