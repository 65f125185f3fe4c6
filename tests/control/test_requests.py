"""What a request may say: texts, numbers and instants, and what none of them is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.control.requests import instant_in, number_in, text_in
from agent.platform.errors import ControlError


def test_what_is_not_said_is_none():
    assert text_in({}, "a") is number_in({}, "a") is instant_in({"a": None}, "a") is None


def test_what_is_said_is_read_an_instant_without_offset_in_utc():
    assert text_in({"a": ""}, "a") == ""
    assert number_in({"a": 500}, "a", 500) == 500
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert instant_in({"a": "2026-03-01T13:00:00+01:00"}, "a") == noon
    assert instant_in({"a": "2026-03-01T12:00"}, "a") == noon


@pytest.mark.parametrize("value", [0, -1, 501, 2**63, 1.5, "5", True])
def test_no_number_and_one_out_of_its_range_are_refused(value: Any):
    with pytest.raises(ControlError, match="a must be a whole number from 1 to 500"):
        number_in({"a": value}, "a", 500)


def test_a_number_that_no_database_holds_is_refused():
    with pytest.raises(ControlError, match="before must be a whole number"):
        number_in({"before": 2**63}, "before")


@pytest.mark.parametrize("value", ["", "soon", "2026-02-30", "0001-01-01T00:00+14:00"])
def test_no_instant_is_refused(value: str):
    with pytest.raises(ControlError, match="a must be an instant"):
        instant_in({"a": value}, "a")


@pytest.mark.parametrize("read", [text_in, instant_in])
def test_no_text_is_refused(read: Any):
    with pytest.raises(ControlError, match="a must be a text"):
        read({"a": 5}, "a")
