"""What ``grid-limits`` prints: a line for people, a table for a spreadsheet."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from agent.cli import grid_limits
from agent.control.requests import PAGE_MAX
from agent.platform.local_time import local_time

BEGUN, ENDED = "2026-03-01T12:00:00+00:00", "2026-03-01T12:30:00+00:00"
LIMIT: dict[str, Any] = {
    "number": 7,
    "begun_at": BEGUN,
    "ended_at": ENDED,
    "limit": 4200.0,
    "unit": "W",
    "is_end_found": False,
    "is_time_known": True,
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, f"{local_time(BEGUN)} to {local_time(ENDED)}  4200 W"),
        ({"ended_at": None}, f"{local_time(BEGUN)} to now  4200 W"),
        ({"is_end_found": True}, "4200 W; at the latest: the agent had ended"),
        ({"is_time_known": False}, "4200 W; the clock was not set yet"),
    ],
)
def test_each_limit_is_a_line_with_what_is_not_known_of_it(changes, words):
    (line,) = grid_limits.lines([{**LIMIT, **changes}])
    assert words in line


def shown(monkeypatch: pytest.MonkeyPatch, found: list[Any], **options: Any) -> None:
    """Run the command beside an agent that has this to tell."""
    monkeypatch.setattr(grid_limits.paths, "asker", lambda config: lambda **request: found)
    usual = {"config": None, "limit": None, "csv": None, "json": False}
    assert grid_limits._show(argparse.Namespace(**{**usual, **options})) == 0


def test_the_table_has_a_heading_and_a_row_each(monkeypatch, capsys):
    shown(monkeypatch, [{**LIMIT, "ended_at": None, "limit": 6.5, "unit": "A"}], csv="semicolon")
    heading, row = capsys.readouterr().out.splitlines()
    assert heading == "begin;end;begin_utc;end_utc;limit;unit;end_is_found;time_is_known"
    assert row == f"{local_time(BEGUN)};;{BEGUN};;6,5;A;no;yes"


def test_a_box_that_was_never_limited_says_so(monkeypatch, capsys):
    shown(monkeypatch, [])
    assert capsys.readouterr().out == "the grid operator's contact has never limited this box\n"


def test_all_that_are_kept_come_page_by_page(monkeypatch, capsys):
    kept = [{**LIMIT, "number": number} for number in range(1203, 2, -1)]
    sizes: list[int] = []

    def ask(do: str, limit: int, before: int = 10_000) -> list[Any]:
        sizes.append(limit)
        return [one for one in kept if one["number"] < before][:limit]

    def shown(limit: int | None) -> list[dict[str, Any]]:
        monkeypatch.setattr(grid_limits.paths, "asker", lambda config: ask)
        options = argparse.Namespace(config=None, limit=limit, csv=None, json=True)
        assert grid_limits._show(options) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return found

    assert shown(None) == kept
    assert max(sizes) == PAGE_MAX
    assert shown(501) == kept[:501]
    assert sizes[-2:] == [PAGE_MAX, 1]
