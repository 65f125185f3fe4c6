"""``self-test`` and ``acknowledge``: whom they ask, what they print, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent.__main__ import main
from agent.app.application import Application
from agent.cli import self_test
from agent.cli.self_test import Person
from agent.config.config_file import read_config
from agent.maintenance.findings import FindingVerdict
from agent.platform.errors import ControlError
from tests.agent_process import LIMIT_S
from tests.app.box import CARD, put_on_list
from tests.box_config import write_config

pytestmark = pytest.mark.real_time


@contextlib.asynccontextmanager
async def running(directory) -> AsyncIterator[Any]:
    """An agent with simulated hardware; gives a function that runs a command against it."""
    settings = read_config(write_config(directory))
    put_on_list(settings, CARD)
    application = Application(settings, simulate=True)
    run = asyncio.create_task(application.run())

    async def command(*words: str) -> int:
        arguments = [*words, "--config", str(directory / "config.toml")]
        return await asyncio.to_thread(main, arguments)

    try:
        async with asyncio.timeout(LIMIT_S):
            while not (directory / "control.sock").exists():
                await asyncio.sleep(0.01)
            yield command
    finally:
        application.shut_down()
        await run


async def test_a_script_gets_a_status_and_the_findings_as_json(tmp_path, capsys):
    steps = "emergency_stop,meter-1,contactor-1"
    async with running(tmp_path) as command:
        assert await command("self-test", "--yes", "--json", "--only", steps) == 0
        answer = json.loads(capsys.readouterr().out)
        assert [f["step"] for f in answer["findings"]] == steps.split(",")
        await command("sim", "fault", "door")
        capsys.readouterr()
        assert await command("self-test", "--yes", "--only", "door,door-try") == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("FAIL  door           cabinet door open; next: the door, ")
        assert lines[1].startswith("SKIP  door-try       left out: it needs a person")
        assert lines[3].startswith("1 fail, 1 skip; kept in ")
        assert await command("self-test", "--last") == 1
        assert capsys.readouterr().out.splitlines()[:2] == lines[:2]
        assert await command("self-test", "--list") == 0
        told = capsys.readouterr().out.splitlines()
        (press,) = [line for line in told if line.startswith("residual_current-try  Press ")]
        (clicks,) = [line for line in told if line.startswith("contactor-2 ")]
        assert clicks.index("The contactor of connector 2") == press.index("Press")


async def test_it_is_refused_during_a_session_and_where_nobody_can_be_asked(tmp_path, capsys):
    async with running(tmp_path) as command:
        assert await command("self-test") == 1
        assert "no one can be asked here: use --yes or a terminal" in capsys.readouterr().err
        assert await command("self-test", "--yes", "--only", "frobnicate") == 1
        assert "there is no step 'frobnicate'; the steps are" in capsys.readouterr().err
        assert await command("sim", "plug") == 0
        capsys.readouterr()
        assert await command("self-test", "--yes") == 1
        output = capsys.readouterr()
        assert output.err == "error: no self-test now: connector 1: a plug is in\n"
        assert output.out == ""
        assert await command("acknowledge", "--connector", "7") == 1
        assert "connector must be one of [1, 2]" in capsys.readouterr().err
        assert await command("acknowledge", "--connector", "2") == 0
        told = capsys.readouterr().out
        assert told == "connector 2: there was nothing to acknowledge\n"


def test_without_an_agent_it_says_what_to_start(tmp_path, capsys):
    assert main(["self-test", "--yes", "--config", str(write_config(tmp_path))]) == 1
    assert "the running agent does this: start it first" in capsys.readouterr().err


# --- the person ----------------------------------------------------------------------------------

STEPS = [
    {"name": "meter-1", "moves": "", "wants": "", "confirm": ""},
    {"name": "lock-1", "moves": "The lock moves.", "wants": "", "confirm": ""},
    {"name": "card", "moves": "", "wants": "Hold a card.", "confirm": ""},
    {"name": "light", "moves": "It flashes.", "wants": "", "confirm": "Did it?"},
]


def walked(answers: str | None) -> tuple[dict[str, FindingVerdict], list[str]]:
    """Verdicts by step, and the steps that were tried, with a person who answers this."""
    tried = []

    def ask(do: str, what: str, step: str) -> dict[str, str]:
        tried.append(step)
        return {"step": step, "verdict": "pass", "words": "good", "then": ""}

    person = None if answers is None else Person(io.StringIO(answers), io.StringIO())
    findings = list(self_test._walk(STEPS, ask, person))
    return {finding.step: finding.verdict for finding in findings}, tried


def test_nothing_moves_without_a_clear_yes():
    verdicts, tried = walked("n\nperhaps\n\n")
    assert tried == ["meter-1"]
    assert list(verdicts.values()) == [
        FindingVerdict.PASS,
        FindingVerdict.SKIP,
        FindingVerdict.SKIP,
        FindingVerdict.SKIP,
    ]


def test_what_only_a_person_can_see_fails_when_he_did_not_see_it():
    verdicts, tried = walked("y\nYES\ny\nn\n")
    assert tried == ["meter-1", "lock-1", "card", "light"]
    assert verdicts["light"] is FindingVerdict.FAIL
    assert walked("y\ny\ny\ny\n")[0]["light"] is FindingVerdict.PASS


def test_with_nobody_to_ask_what_was_not_seen_is_a_note():
    verdicts, tried = walked(None)
    assert tried == ["meter-1", "lock-1", "light"]
    assert (verdicts["card"], verdicts["light"]) == (FindingVerdict.SKIP, FindingVerdict.NOTE)


def test_a_keyboard_that_goes_away_ends_it():
    with pytest.raises(ControlError, match="no one answers"):
        walked("y\n")


def test_a_session_that_begins_between_two_steps_fails_the_next_one():
    def ask(do: str, what: str, step: str) -> dict[str, str]:
        raise ControlError("no self-test now: connector 1: a session runs")

    (finding,) = self_test._walk(STEPS[1:2], ask, None)
    assert (finding.verdict, finding.then) == (FindingVerdict.FAIL, "then try again")
