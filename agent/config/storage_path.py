"""Where the database is, read from a file that may have mistakes everywhere else.

To ask the running agent, or to revoke a token, nothing else of the file is needed.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from agent.config.settings import StorageSettings
from agent.config.toml_text import content_of, parsed
from agent.platform.errors import ConfigError

_HEADER = re.compile(r"\s*\[\[?\s*([^\]]*?)\s*\]")
_SAYS_PATH = re.compile(r"\s*path\s*=")
_SAYS_STORAGE = re.compile(r"\s*storage\s*[.=]")


def storage_path_in(path: Path) -> Path:
    """The database file that this configuration names, or the default.

    Raises ConfigError when the file cannot be read, or what it says about this cannot.
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
