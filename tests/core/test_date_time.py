"""Dates and times that come from outside."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.core.date_time import read_date_time, read_end

EVENING = datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2027-12-31T23:59:59Z",
        "2027-12-31 23:59:59",
        " 2027-12-31t23:59:59z ",
        "2028-01-01T01:59:59+02:00",
        "2027-12-31T23:59:59.000000000Z",
    ],
)
@pytest.mark.parametrize("read", [read_date_time, read_end])
def test_an_instant_is_read_in_utc(read, text):
    assert read(text) == EVENING


def test_a_bare_date_begins_at_midnight_and_is_good_to_its_end():
    assert read_date_time("2027-12-31") == datetime(2027, 12, 31, tzinfo=UTC)
    assert read_end("2027-12-31") == EVENING


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "soon", "31.12.2027", "2027-02-30", "2027-13-01T00:00:00Z"),
        *("9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"),
        "2027-12-31T23:59:59Z" + " " * 40,
    ],
)
@pytest.mark.parametrize("read", [read_date_time, read_end])
def test_what_is_no_date_is_refused(read, text):
    with pytest.raises(ValueError, match=r"."):
        read(text)
