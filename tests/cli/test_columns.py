"""Every command can be read in a terminal of 80 columns, and answers scripts in JSON."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.__main__ import main
from agent.cli.main import parser
from agent.cli.manual.tree import commands_of
from tests.agent_process import running_agent
from tests.app.box import CARD
from tests.box_config import write_config
from tests.emulators.central_system import Error, FakeCentralSystem

COLUMNS = 80
LIMIT_S = 30
COMMANDS = [command.words for command in commands_of(parser())]
LEAVES = [command.words for command in commands_of(parser()) if command.words and not command.inner]
# These run for ever, print a script or a page, ask a person, or have tests of their own.
APART = {("run",), ("demo",), ("completion",), ("manual",)}
# What each needs to be called with.
WORDS: dict[tuple[str, ...], list[str]] = {
    ("list", "add"): [
        "04A1B2C3D4E5F6",
        "--expires",
        "2030-12-31",
        "--parent",
        "FLEET-OF-THE-TOWN-2",
    ],
    ("list", "name"): ["04A1B2C3D4E5F6", "Anna"],
    ("list", "remove"): ["04A1B2C3D4E5F6"],
    ("list", "import"): ["cards.csv"],
    ("list", "export"): ["out.csv"],
    ("token", "new"): ["phone", "--scopes", "read,operate,configure,simulate"],
    ("token", "revoke"): ["phone"],
    ("queue",): ["show"],
    ("sim", "tap"): ["DEADBEEF"],
    ("sim", "energy"): ["on"],
    ("sim", "fault"): ["door"],
    ("sim", "network"): ["on"],
    ("sim", "grid-limit"): ["on"],
    ("init",): ["--yes", "--identity", "CP-1", "--force"],
    ("acceptance",): ["--only", "ready"],
}
# In this order; the rest follows in the order of the help.
FIRST = [("sim", "plug"), ("list", "add"), ("list", "show"), ("token", "new"), ("sim", "tap")]
ORDER = [*FIRST, *(words for words in LEAVES if words not in FIRST and words not in APART)]
# Nobody folds a whole path or address: people copy them.
UNFOLDED = re.compile(r"/\S{30,}|wss?://\S+")


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal of 80 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    try:
        yield master, slave
    finally:
        os.close(master)


def on_terminal(directory: Path, *words: str, **environment: str) -> tuple[int, str]:
    """Exit status and screen of a command; nothing is typed."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")
    }
    with terminal() as (master, slave):
        process = subprocess.Popen(
            [sys.executable, "-m", "agent", *words],
            cwd=directory,
            env={**kept, "TERM": "xterm", "PYTHONPATH": str(Path.cwd()), **environment},
            stdin=subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        seen = b""
        with contextlib.suppress(OSError):  # the other side has closed
            while piece := os.read(master, 4096):
                seen += piece
        return process.wait(LIMIT_S), seen.decode()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*[mK]", "", text)


def too_wide(text: str) -> list[str]:
    lines = [line for part in plain(text).splitlines() for line in part.split("\r")]
    return [line for line in lines if len(UNFOLDED.sub("", line)) > COLUMNS]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_fits(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    with pytest.raises(SystemExit):
        parser().parse_args([*words, "--help"])
    assert too_wide(capsys.readouterr().out) == []


def test_no_command_is_forgotten():
    assert {words[:1] for words in LEAVES} >= APART
    assert set(ORDER) | APART >= set(LEAVES)


@contextlib.asynccontextmanager
async def busy_agent(directory: Path) -> Any:
    """An agent with something to tell: a message parked, a card refused, one that charges."""
    central_system = FakeCentralSystem(accepted_tags={CARD})
    central_system.always("StartTransaction", Error("InternalError", "the database is away " * 5))
    async with central_system.serve() as url:
        config = write_config(directory, url)
        with config.open("a") as file:
            file.write("TransactionMessageAttempts = 1\nTransactionMessageRetryInterval = 1\n")
        (directory / "cards.csv").write_text("id_tag\n04AABBCC\n")
        async with running_agent(
            directory / "control.sock", "run", "--config", str(config)
        ) as agent:
            await agent.until_online()
            await agent.charge(CARD)
            await agent.do("sim", lever="tap", card="DEADBEEF")
            async with asyncio.timeout(LIMIT_S):
                while not (await agent.do("status"))["outbox"]["parked_count"]:
                    await asyncio.sleep(0.05)
            yield config


class Screen(io.StringIO):
    """What a person would see; as wide as COLUMNS says."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


def arguments(words: tuple[str, ...], config: Path) -> list[str]:
    """What to type; ``init`` and ``acceptance`` write beside, not over."""
    own = config.parent / "own"
    own.mkdir(exist_ok=True)
    told = [*words, *WORDS.get(words, [])]
    if words == ("init",):
        return [*told, "--config", str(own / "config.toml")]
    if words == ("acceptance",):
        told += ["--evidence", str(own / "evidence")]
    return [*told, "--config", str(config)]


@pytest.mark.real_time
async def test_every_answer_fits_and_has_colour_for_people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screens = {}
    async with busy_agent(tmp_path) as config:
        for words in ORDER:
            screen = Screen()
            with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
                status = await asyncio.to_thread(main, arguments(words, config))
            assert status in (0, 1), words
            screens[words] = screen.getvalue()
    assert {words: wide for words, text in screens.items() if (wide := too_wide(text))} == {}
    assert "\x1b[32mCharging" in screens[("status",)]
    assert "parked" in plain(screens[("queue",)])
    assert "\x1b[31mcard DE..EF refused" in screens[("why",)]


@pytest.mark.real_time
async def test_every_answer_is_json_for_scripts_and_without_colour(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    async with busy_agent(tmp_path) as config:
        for words in ORDER:
            capsys.readouterr()
            status = await asyncio.to_thread(main, [*arguments(words, config), "--json"])
            captured = capsys.readouterr()
            assert "\x1b" not in captured.out + captured.err, words
            if captured.out:
                assert json.loads(captured.out) is not None, words
            else:
                assert status != 0, words
                assert captured.err, words


def test_no_color_is_obeyed(tmp_path):
    status, screen = on_terminal(tmp_path, "status", "--config", "none.toml", NO_COLOR="1")
    assert status == 78
    assert "\x1b" not in screen
    status, screen = on_terminal(tmp_path, "status", "--config", "none.toml")
    assert "\x1b[31mconfiguration" in screen


def test_an_import_shows_how_far_it_has_come_on_a_terminal_only(tmp_path):
    config = write_config(tmp_path)
    cards = tmp_path / "cards.csv"
    cards.write_text("id_tag\n" + "".join(f"CARD{n:06}\n" for n in range(600)))
    words = ["list", "import", str(cards), "--config", str(config)]
    status, screen = on_terminal(tmp_path, *words)
    assert status == 0, screen
    assert re.search(r"handing over \[#+\.*\] +\d+%", screen)
    assert plain(screen).rstrip().endswith("600 entries")
    done = subprocess.run(
        [sys.executable, "-m", "agent", *words], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert "handing over" not in done.stdout + done.stderr


def test_a_command_without_json_says_so_itself():
    """All but the two that print a script or a page take --json."""
    for command in commands_of(parser()):
        flags = {flag for argument in command.arguments for flag in argument.flags}
        if command.words and not command.inner:
            assert ("--json" in flags) != (command.words[0] in ("completion", "manual"))
