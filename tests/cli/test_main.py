"""The commands: what they say, where they say it, and with which status they end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import hw.gpio
import hw.lines
from agent.__main__ import main
from agent.app.application import Application
from agent.cli import main as command_line
from agent.cli import paths as places_module
from agent.config.config_file import read_config
from hw.ports import BoardError
from tests.agent_process import LIMIT_S
from tests.app.box import CARD, put_on_list
from tests.box_config import write_config
from tests.emulators.gpio_chips import GpioChips

ROOT = Path(__file__).parents[2]

BROKEN = """
[charge_point]
identity = "CP 1:x"
colour = "red"

[[connectors]]
id = 1
contactor = { driver = "gpio" }
"""

REAL_PINS = """
[charge_point]
identity = "CP-1"

[[connectors]]
id = 1
contactor = { driver = "gpio", pin = 17, feedback_pin = 27 }
lock = { driver = "solenoid", pin = 22, feedback_pin = 23 }
"""


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Callable[..., Any]]:
    """An agent with simulated hardware; gives a function that runs a command against it."""
    config = write_config(directory)
    settings = read_config(config)
    put_on_list(settings, CARD)
    application = Application(settings, simulate=True)
    run = asyncio.create_task(application.run())

    async def command(*words: str) -> int:
        return await asyncio.to_thread(main, [*words, "--config", str(config)])

    try:
        async with asyncio.timeout(LIMIT_S):
            while not (directory / "control.sock").exists():
                assert not run.done()
                await asyncio.sleep(0.01)
            yield command
    finally:
        application.shut_down()
        await run


async def shown(command: Callable[..., Any], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ask for the status until this stands in it."""
    capsys.readouterr()
    while True:
        assert await command("status") == 0
        if text in capsys.readouterr().out:
            return
        await asyncio.sleep(0.02)


@pytest.mark.real_time
async def test_a_session_played_from_the_command_line(tmp_path, capsys):
    async with running(tmp_path) as command:
        assert await command("sim", "plug", "--connector", "2") == 0
        assert capsys.readouterr().out == "done; see: chargepoint-agent status\n"
        assert await command("sim", "tap", CARD) == 0
        assert capsys.readouterr().out.startswith("card 04..80 accepted")
        await shown(command, "connector 2  Charging: charging", capsys)
        assert await command("sim", "energy", "off", "--connector", "2") == 0
        await shown(command, "waiting for the car: it does not ask for energy", capsys)
        assert await command("sim", "fault", "door") == 0
        await shown(command, "fault        cabinet door open", capsys)
        assert await command("sim", "clear") == 0
        await shown(command, "connector 2  Finishing", capsys)
        assert await command("sim", "unplug", "--connector", "2") == 0
        await shown(command, "connector 2  Available: free", capsys)
        assert await command("why") == 0
        assert "card 04..80 accepted" in capsys.readouterr().out
        assert await command("why", CARD, "--limit", "1") == 0
        decision, way = capsys.readouterr().out.splitlines()
        assert "card 04..80 accepted" in decision
        assert re.fullmatch(r"  read, looked up \+.*, decided \+.*, on disk \+.*, closed \+.*", way)
        for written in (bytes.fromhex(CARD).hex(":"), f"0x{CARD.lower()}"):
            assert await command("why", written, "--limit", "1") == 0
            assert capsys.readouterr().out.splitlines()[0] == decision
        assert await command("why", "04:A2:B3") == 1
        assert "error: 04:A2:B3 has 6 hex digits" in capsys.readouterr().err
        assert await command("why", "NEVER") == 0
        assert capsys.readouterr().out == "never seen here\n"


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["status"], {"connectors", "link", "outbox", "faults"}),
        (["sim", "plug"], set()),
        (["sim", "tap", "DEADBEEF"], {"decision"}),
        (["why"], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_with_json_an_answer_is_json_and_nothing_else(tmp_path, capsys, words, keys):
    async with running(tmp_path) as command:
        assert await command(*words, "--json") == 0
        captured = capsys.readouterr()
        answer = json.loads(captured.out)
        assert captured.err == ""
        assert answer == [] if keys is None else keys <= set(answer)


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sim", "plug", "--connector", "9"], "error: there is no connector 9; this box has 1, 2"),
        (["sim", "fault", "nonsense"], "error: there is no fault 'nonsense'; the faults are"),
        (["sim", "tap", "x" * 30], "error: a card is a UID of 8, 14 or 20 hex digits"),
        (["why", "--limit", "0"], "error: limit must be a whole number from 1 to 100"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_the_agent_refuses_is_one_line_and_status_1(tmp_path, capsys, words, sentence):
    async with running(tmp_path) as command:
        assert await command(*words) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(sentence)
        assert len(captured.err.splitlines()) == 1


@pytest.mark.real_time
async def test_a_reader_that_hangs_is_told_by_the_tap(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("agent.control.actions._DECISION_WAIT_S", -0.9)
    async with running(tmp_path) as command:
        await command("sim", "fault", "reader_hang")
        assert await command("sim", "tap", CARD) == 1
        assert "see chargepoint-agent status" in capsys.readouterr().err


@pytest.mark.real_time
async def test_why_before_any_card_says_so(tmp_path, capsys):
    async with running(tmp_path) as command:
        assert await command("why") == 0
        assert capsys.readouterr().out == "no card has been decided on yet\n"


# --- without an agent ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [["status"], ["why"], ["why", CARD], ["sim", "plug"], ["sim", "tap", CARD], ["sim", "clear"]],
    ids=" ".join,
)
def test_without_a_running_agent_a_command_is_one_sentence_and_status_1(tmp_path, capsys, words):
    config = write_config(tmp_path)
    assert main([*words, "--config", str(config)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"error: no agent is running (nothing answers at {tmp_path / 'control.sock'})\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["sim"],
        ["sim", "fly"],
        ["sim", "tap"],
        ["sim", "energy", "maybe"],
        ["sim", "plug", "--connector", "one"],
        ["why", "--limit", "many"],
        ["status", "--colour"],
        ["run", "extra"],
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_a_wrong_command_line_is_status_2_and_says_how_it_goes(capsys, words):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    told = capsys.readouterr()
    assert "usage:" in told.out + told.err


@pytest.mark.parametrize("words", [["retry"], ["discard"], ["show", "7"]])
def test_a_message_is_named_where_one_is_meant_and_only_there(capsys, words):
    assert main(["queue", *words]) == 2
    assert "need the NUMBER of a message" in capsys.readouterr().err


@pytest.mark.real_time
async def test_what_waits_is_shown_and_what_is_not_set_aside_cannot_be_touched(tmp_path, capsys):
    async with running(tmp_path) as command:
        assert await command("queue", "show") == 0
        assert capsys.readouterr().out == "queue        empty\n"
        assert await command("queue", "show", "--json") == 0
        assert set(json.loads(capsys.readouterr().out)) == {"outbox", "deeds"}
        for order in ("retry", "discard"):
            assert await command("queue", order, "7") == 1
            assert "no message 7 is parked" in capsys.readouterr().err


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def test_every_command_and_every_lever_has_its_help(capsys):
    commands = _subcommands(command_line.parser())
    assert {"run", "demo", "check-config", "status", "why", "safe-state", "sim"} <= set(commands)
    levers = _subcommands(commands["sim"])
    assert set(levers) == {
        "plug",
        "unplug",
        "network",
        "tap",
        "energy",
        "fault",
        "clear",
        "grid-limit",
    }
    for words in [[name] for name in commands] + [["sim", name] for name in levers]:
        with pytest.raises(SystemExit) as end:
            main([*words, "--help"])
        assert end.value.code == 0
        assert "usage:" in capsys.readouterr().out


def test_a_delay_that_was_skipped_is_not_said_to_have_been_none(monkeypatch, capsys):
    monkeypatch.setattr(places_module, "asker", lambda config: lambda **request: {})
    assert main(["skip-delay", "--connector", "2"]) == 0
    assert capsys.readouterr().out == "connector 2: no random delay any more\n"


def test_the_connector_is_named_after_the_lever():
    options = command_line.parser().parse_args(["sim", "plug", "--connector", "2", "--json"])
    assert (options.lever, options.connector, options.json) == ("plug", 2, True)


# --- which agent ---------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path, monkeypatch) -> Path:
    """A machine of its own: neither installed nor demonstrating."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(places_module, "DEFAULT_CONFIG", tmp_path / "etc.toml")
    return tmp_path


def make_demo(places: Path) -> Path:
    demo = places / "state/chargepoint-agent/demo"
    demo.mkdir(parents=True)
    return demo / "control.sock"


def test_without_an_installed_service_the_demonstration_is_meant(places):
    assert places_module.find_socket(None) == places / "state/chargepoint-agent/demo/control.sock"


def test_an_installed_service_is_meant_when_nothing_is_demonstrated(places):
    write_config(places).rename(places / "etc.toml")
    assert places_module.find_socket(None) == places / "control.sock"


def test_a_demonstration_that_runs_is_meant_first(places):
    write_config(places).rename(places / "etc.toml")
    socket = make_demo(places)
    socket.touch()
    assert places_module.find_socket(None) == socket


def test_the_configuration_that_is_named_is_meant_whatever_else_runs(places):
    make_demo(places).touch()
    config = write_config(places)
    assert places_module.find_socket(config) == places / "control.sock"


def test_the_demonstration_keeps_its_state_in_the_home_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places_module.demo_directory({}) == tmp_path / ".local/state/chargepoint-agent/demo"


def test_a_demonstration_that_cannot_keep_its_state_says_so(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert main(["demo"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


# --- configuration -------------------------------------------------------------------------------


def test_a_broken_configuration_is_told_mistake_by_mistake_with_status_78(tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text(BROKEN)
    assert main(["check-config", "--config", str(config)]) == 78
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("configuration: ") for line in lines)
    for key in ("charge_point.identity", "charge_point.colour", "contactor.pin"):
        assert sum(key in line for line in lines) == 1


def test_a_broken_configuration_as_json(tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text(BROKEN)
    assert main(["check-config", "--config", str(config), "--json"]) == 78
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert len(answer["mistakes"]) == 3


@pytest.mark.parametrize("command", ["run", "check-config", "safe-state", "status"])
def test_a_configuration_that_is_not_there_is_status_78(tmp_path, capsys, command):
    assert main([command, "--config", str(tmp_path / "none.toml")]) == 78
    assert "there is no such file" in capsys.readouterr().err


def test_a_good_configuration_is_told_with_its_pins(tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text(REAL_PINS)
    assert main(["check-config", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "GPIO 17" in out
    assert out.endswith(f"{config} is in order\n")
    assert main(["check-config", "--config", str(config), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is True
    assert {"17", "22", "23", "27"} == set(answer["pins"])


# --- safe-state ----------------------------------------------------------------------------------


@pytest.fixture
def chips(tmp_path, monkeypatch):
    kernel = GpioChips(tmp_path / "dev")
    monkeypatch.setattr(hw.lines.Chips.__init__, "__defaults__", (str(kernel.dev), kernel.ioctl))
    return kernel


def test_safe_state_opens_every_output(tmp_path, chips, capsys):
    config = tmp_path / "config.toml"
    config.write_text(REAL_PINS)
    chips.outputs = {("gpiochip0", number): True for number in (17, 22)}
    assert main(["safe-state", "--config", str(config)]) == 0
    assert chips.outputs == {("gpiochip0", number): False for number in (17, 22)}
    assert capsys.readouterr() == ("every output is open\n", "")
    assert command_line.run_command(["safe-state", "--json", "--config", str(config)]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "problems": []}


def test_safe_state_that_fails_says_which_output_with_status_1(tmp_path, chips, capsys):
    chips.busy.add(("gpiochip0", 17))
    config = tmp_path / "config.toml"
    config.write_text(REAL_PINS)
    assert main(["safe-state", "--config", str(config)]) == 1
    problem = "connector 1 contactor, pin 17: not switched off: it is in use"
    assert capsys.readouterr().err.startswith(f"error: {problem}")
    assert main(["safe-state", "--config", str(config), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert answer["problems"][0].startswith(problem)


def test_a_board_that_cannot_be_opened_ends_the_daemon_with_a_sentence(
    tmp_path, monkeypatch, capsys
):
    def no_gpio() -> None:
        raise BoardError("GPIO: can not open gpiochip")

    monkeypatch.setattr(hw.gpio, "open_pin_factory", no_gpio)
    config = tmp_path / "config.toml"
    config.write_text(REAL_PINS + f'[storage]\npath = "{tmp_path}/agent.db"\n')
    assert main(["run", "--config", str(config)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: GPIO: can not open gpiochip"


# --- the ends ------------------------------------------------------------------------------------


def test_a_reader_of_the_output_that_goes_away_is_no_traceback(monkeypatch):
    def gone(arguments: list[str]) -> int:
        raise BrokenPipeError

    class Errors:
        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    errors = Errors()
    monkeypatch.setattr("agent.cli.main.run_command", gone)
    monkeypatch.setattr("sys.stderr", errors)
    assert main(["status"]) == 1
    assert errors.is_closed


@pytest.mark.parametrize("words", ["check-config --config {}", "--version", "--help"])
@pytest.mark.parametrize(
    ("stdout", "told"),
    [
        (">&-", ""),
        ("> /dev/full", "error: the output cannot be written: No space left on device\n"),
    ],
)
def test_an_output_that_cannot_be_written_is_no_traceback(tmp_path, stdout, told, words):
    command = words.format(write_config(tmp_path))
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m agent {command} {stdout}', sys.executable],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": ""},  # unbuffered, argparse is silent about it
        capture_output=True,
        text=True,
    )
    assert done.stderr == told
    assert done.returncode == (1 if told else 0)


def test_ctrl_c_is_no_traceback(monkeypatch, capsys):
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.cli.main.run_command", interrupted)
    assert main(["status"]) == 130
    assert capsys.readouterr().err == ""


def test_a_service_that_runs_is_meant_before_a_demonstration(places, monkeypatch):
    service = places / "service.sock"
    service.touch()
    monkeypatch.setattr(places_module, "SERVICE_SOCKET", service)
    make_demo(places).touch()
    assert places_module.find_socket(None) == service
