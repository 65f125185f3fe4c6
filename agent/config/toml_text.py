"""The text of the configuration file, and what TOML makes of it."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from agent.errors import ConfigError

FILE_MAX_BYTES = 1024 * 1024
DOTS_MAX = 100


def content_of(path: Path) -> str:
    """The text of the file. Raises ConfigError with one sentence that says why it has none."""
    try:
        content = _content_of(path)
    except OSError as problem:
        raise ConfigError([f"{path}: {_reason(problem)}"]) from None
    except ValueError:  # a NUL in the path
        raise ConfigError([f"{str(path)!r} is not a file name"]) from None
    if len(content) > FILE_MAX_BYTES:
        raise ConfigError([f"{path}: the file is larger than 1 MiB; this is no configuration"])
    try:
        return content.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        wanted = "save the file as UTF-8 text"
        raise ConfigError([f"{path}: line {line} is not UTF-8; {wanted}"]) from None


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


def parsed(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises ConfigError."""
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
