"""The text of the configuration file, what TOML makes of it, and where the database is by it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from agent.config.settings import StorageSettings
from agent.platform.edited_files import read_text
from agent.platform.errors import ConfigError, EditedFileError

FILE_MAX_BYTES = 1024 * 1024
DOTS_MAX = 100
_HEADER = re.compile(r"\s*\[\[?\s*([^\]]*?)\s*\]")
_SAYS_PATH = re.compile(r"\s*path\s*=")
_SAYS_STORAGE = re.compile(r"\s*storage\s*[.=]")


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


def storage_path_in(path: Path) -> Path:
    """The database file that this configuration names, or the default.

    The rest of it may have mistakes: to ask the running agent, or to revoke a token, nothing else
    is needed. Raises ConfigError when the file cannot be read, or what it says about this cannot.
    """
    text = content_of(path)
    try:
        data = parsed(text)
    except ConfigError as problem:
        data = _salvaged(text, problem)
    storage = data.get("storage", {})
    given = storage.get("path", StorageSettings().path) if isinstance(storage, dict) else None
    if not isinstance(given, str) or not given:
        raise ConfigError(["storage.path must name a file: it is not known where the database is"])
    return Path(given)


def _salvaged(text: str, problem: ConfigError) -> dict[str, Any]:
    """What single lines say about ``storage.path`` in a text that is not TOML as a whole.

    Raises ``problem`` when one of these lines is the mistake.
    """
    section, lines = "", []
    for line in text.split("\n"):
        if header := _HEADER.match(line):
            section = header[1]
        elif section == "storage" and _SAYS_PATH.match(line):
            lines.append(f"storage.{line.strip()}")
        elif not section and _SAYS_STORAGE.match(line):
            lines.append(line)
    try:
        return tomllib.loads("\n".join(lines))
    except ValueError:
        raise problem from None
