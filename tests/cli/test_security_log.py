"""``security-log``: what it prints, and how it ends."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from agent.cli import paths
from agent.cli.main import run_command

LINE = {
    "number": 4,
    "timestamp": "2026-03-01T12:00:00.000000Z",
    "type": "TamperDetectionActivated",
    "techInfo": "the door of the cabinet was opened",
    "boot": 0,
    "chain": "ab",
}


@pytest.fixture
def asked(monkeypatch):
    """Requests that the agent was asked, and what it answers to the next."""
    requests: list[dict[str, object]] = []
    answer: dict[str, Any] = {}

    def ask(**request: object) -> Any:
        requests.append(request)
        return answer.get("lines", answer)

    monkeypatch.setattr(paths, "asker", lambda config: ask)
    return requests, answer


def test_each_line_says_when_what_and_whether_the_clock_was_set(asked, capsys):
    requests, answer = asked
    answer["lines"] = [{**LINE, "techInfo": "", "boot": 3}, LINE]  # the newest first
    assert run_command(["security-log", "--since", "2026-03-01"]) == 0
    since = datetime(2026, 3, 1).astimezone().isoformat()  # a local date, as the lines show it
    assert requests == [{"do": "security-log", "order": "show", "since": since, "limit": 500}]
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("  TamperDetectionActivated: the door of the cabinet was opened")
    assert second.endswith("  TamperDetectionActivated (the clock was not set yet)")


def test_a_time_that_somebody_has_made_nonsense_of_is_shown_as_it_stands(asked, capsys):
    _, answer = asked
    answer["lines"] = [{**LINE, "timestamp": "once"}]
    assert run_command(["security-log"]) == 0
    assert capsys.readouterr().out.startswith("once  TamperDetectionActivated")


def test_as_json_every_field_is_there(asked, capsys):
    _, answer = asked
    answer["lines"] = [LINE]
    assert run_command(["security-log", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [LINE]


def test_an_empty_log_says_so(asked, capsys):
    _, answer = asked
    answer["lines"] = []
    assert run_command(["security-log"]) == 0
    assert capsys.readouterr().out == "nothing has been recorded\n"
    assert run_command(["security-log", "--since", "2026-12-01"]) == 0
    assert capsys.readouterr().out == "nothing has been recorded since then\n"


@pytest.mark.parametrize("extra", [[], ["--json"]])
@pytest.mark.parametrize("problem", ["", "line 2 is not as it was written"])
def test_a_changed_log_fails_the_check_and_says_where(asked, capsys, problem, extra):
    requests, answer = asked
    answer["problem"] = problem
    assert run_command(["security-log", "--verify", *extra]) == (1 if problem else 0)
    assert requests == [{"do": "security-log", "order": "verify"}]
    captured = capsys.readouterr()
    assert (problem or "whole" if not extra else "problem") in captured.out + captured.err


def test_it_is_emptied_only_when_that_is_wanted(asked, capsys):
    requests, _ = asked
    assert run_command(["security-log", "--clear"]) == 0
    assert requests == [{"do": "security-log", "order": "clear"}]
    assert run_command(["security-log", "--clear", "--json"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["{}"]
    with pytest.raises(SystemExit):
        run_command(["security-log", "--clear", "--verify"])
