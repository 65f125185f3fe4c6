"""Instants as the local time of this machine."""

from __future__ import annotations

from datetime import datetime

import pytest

from agent.platform.local_time import local_time

NOON = "2026-03-01T12:00:00+00:00"


def test_a_time_is_told_in_the_time_of_the_place():
    shown = datetime.strptime(local_time(NOON), "%Y-%m-%d %H:%M:%S").astimezone()
    assert shown == datetime.fromisoformat(NOON)


def test_what_is_no_instant_is_not_told():
    with pytest.raises(ValueError, match="noon"):
        local_time("noon")
