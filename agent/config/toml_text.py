"""The text of the configuration file, and what TOML makes of it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from agent.platform.edited_files import read_text
from agent.platform.errors import ConfigError, EditedFileError

FILE_MAX_BYTES = 1024 * 1024
DOTS_MAX = 100


def content_of(path: Path) -> str:
    """The text of the file. Raises ConfigError with one sentence that says why it has none."""
    try:
        return read_text(path, FILE_MAX_BYTES)
    except EditedFileError as problem:
        raise ConfigError([str(problem)]) from None


def parsed(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises ConfigError."""
    for number, line in enumerate(text.split("\n"), start=1):
        # The parser's time grows with the square of the depth of a dotted key.
        if line.count(".") > DOTS_MAX and not line.lstrip().startswith("#"):
            raise ConfigError([f"Line {number} has more than {DOTS_MAX} dots in it"])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        from agent.config.toml_words import in_words  # only when something is wrong

        raise ConfigError([in_words(text, problem)]) from None
    except RecursionError:
        raise ConfigError(["The file is not usable: its brackets are nested too deeply"]) from None
    except ValueError:  # Python reads no more than 4300 digits
        raise ConfigError(["The file is not usable: a number has too many digits"]) from None
