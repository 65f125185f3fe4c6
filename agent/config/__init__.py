"""The configuration file -> checked, frozen settings; or every mistake in it at once.

``read_config`` and ``parse_config`` raise ConfigError and nothing else, whatever the file holds.
The work is done next door: ``reading`` (one table), ``rules`` (between tables), ``lines`` (where it
stands), ``advice`` (allowed, but worth a look).
"""

from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.config.advice import warnings_for
from agent.config.lines import find_lines
from agent.config.mistakes import Mistakes, connector_ids_of
from agent.config.pins import pin_table
from agent.config.reading import read_table
from agent.config.rules import check_rules
from agent.errors import ConfigError
from agent.settings import OcppSettings, Settings

__all__ = ["parse_config", "pin_table", "read_config", "warnings_for"]

FILE_MAX_BYTES = 1024 * 1024
DOTS_MAX = 100


def read_config(path: Path) -> Settings:
    """Read and check the configuration file.

    Raises ConfigError with one sentence for every mistake in it, or one that says why the file
    cannot be read.
    """
    try:
        content = _content_of(path)
    except OSError as problem:
        raise ConfigError([f"{path}: {_reason(problem)}"]) from None
    except ValueError:  # a NUL in the path
        raise ConfigError([f"{str(path)!r} is not a file name"]) from None
    if len(content) > FILE_MAX_BYTES:
        raise ConfigError([f"{path}: the file is larger than 1 MiB; this is no configuration"])
    try:
        text = content.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        wanted = "save the file as UTF-8 text"
        raise ConfigError([f"{path}: line {line} is not UTF-8; {wanted}"]) from None
    return parse_config(text)


def parse_config(text: str) -> Settings:
    """Check the text of a configuration file. Raises ConfigError as ``read_config`` does."""
    data = _parse_toml(text)
    mistakes = Mistakes(connector_ids_of(data))
    settings = read_table(Settings, data, (), mistakes)
    start_values = check_rules(settings, mistakes)
    if mistakes:
        raise ConfigError(mistakes.sentences(find_lines(text, data)))
    return replace(
        settings,
        connectors=tuple(sorted(settings.connectors, key=lambda connector: connector.id)),
        ocpp=OcppSettings(configuration=start_values),
    )


def _content_of(path: Path) -> bytes:
    # O_NONBLOCK: a pipe that nobody writes to must not hold up the start.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise OSError(None, "it is a device or a pipe")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(FILE_MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _reason(problem: OSError) -> str:
    match problem:
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "this is a directory, not a file"
        case PermissionError():
            return "this user may not read the file"
        case _:
            return f"the file cannot be read: {problem.strerror}"


def _parse_toml(text: str) -> dict[str, Any]:
    for number, line in enumerate(text.split("\n"), start=1):
        # The parser's time grows with the square of the depth of a dotted key.
        if line.count(".") > DOTS_MAX and not line.lstrip().startswith("#"):
            raise ConfigError([f"Line {number} has more than {DOTS_MAX} dots in it"])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:  # its message ends with line and column
        raise ConfigError([f"The file is not valid TOML: {problem}"]) from None
    except RecursionError:
        raise ConfigError(["The file is not usable: its brackets are nested too deeply"]) from None
    except ValueError:  # Python reads no more than 4300 digits
        raise ConfigError(["The file is not usable: a number has too many digits"]) from None
