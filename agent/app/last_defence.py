"""``chargepoint-agent safe-state``: opens every output, whatever else does not work.

Nothing of the agent is imported before the outputs are open, and no message that cannot be written
keeps it from going on. What it opens, and how: ``hw.safe_state``.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

from hw.safe_state import Opened, open_everything

DEFAULT_CONFIG = (
    "/etc/chargepoint-agent/config.toml"  # see agent.cli.paths, which is not needed here
)
EXIT_NOT_OPEN = 1
EXIT_CONFIG = 78


def safe_state(arguments: list[str]) -> int | None:
    """Open every output that is known by these arguments of the command, then say what is wrong.

    Returns the exit status; None when what is recorded is open, and there is an argument that only
    the whole command line can understand.
    """
    config, is_odd = _config_in(arguments)
    if is_odd:
        open_everything(config)
        return None
    return open_and_tell(config, as_json="--json" in arguments)


def open_and_tell(config: str, as_json: bool) -> int:
    """Open every output that is known.

    Returns 0; 1 when an output may not be off; 78 when all that is known is off, and the
    configuration file has mistakes, so that it may name others.
    """
    opened = open_everything(config)
    return _report(opened, _mistakes_in(config, opened), as_json)


def _config_in(arguments: list[str]) -> tuple[str, bool]:
    """The configuration file that is meant, and whether there is more to understand."""
    config, is_odd = DEFAULT_CONFIG, False
    left = iter(arguments)
    for argument in left:
        if argument == "--config":
            config = next(left, "")
            is_odd = is_odd or not config
        elif argument.startswith("--config="):
            config = argument.removeprefix("--config=")
        elif argument != "--json":
            is_odd = True
    return config or DEFAULT_CONFIG, is_odd


def _mistakes_in(config: str, opened: Opened) -> list[str]:
    """What is wrong with the configuration file, in the words of ``check-config``."""
    try:
        from pathlib import Path

        from agent.config.config_file import read_config
        from agent.platform.errors import ConfigError

        try:
            read_config(Path(config))
        except ConfigError as error:
            return list(error.mistakes)
    except Exception as problem:  # noqa: BLE001 - a part of the agent is broken: the pins are open
        opened.problems.append(f"{config} could not be checked: {problem!r}")
    return []


def _report(opened: Opened, mistakes: list[str], as_json: bool) -> int:
    status = EXIT_NOT_OPEN if opened.problems else EXIT_CONFIG if mistakes else 0
    if as_json:
        import json

        answer = {"ok": status == 0, "problems": [*opened.problems, *mistakes]}
        _tell(sys.stdout, json.dumps(answer, indent=2))
        return status
    for problem in opened.problems:
        _tell(sys.stderr, f"error: {_printable(problem)}")
    for mistake in mistakes:
        _tell(sys.stderr, f"configuration: {_printable(mistake)}")
    if status == 0:
        _tell(sys.stdout, "every output is open")
    elif status == EXIT_CONFIG:
        _tell(sys.stdout, "every output that is known is open; the configuration has mistakes")
    return status


def _printable(sentence: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in sentence)


def _tell(stream: TextIO | None, line: str) -> None:
    """Print a line; a stream that is closed or full is given up, and keeps nothing back."""
    if stream is None:
        return
    try:
        encoding = stream.encoding or "ascii"
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except (OSError, ValueError, LookupError):
        _write_no_more(stream)


def _write_no_more(stream: TextIO) -> None:
    """What the stream still keeps would fail once more at the end, and change the exit status."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
