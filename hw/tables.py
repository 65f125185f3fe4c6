"""The tables of a configuration file, as far as they can be read, whatever is wrong with it.

For the last defence only: what is right is ``agent.config``'s business. A file that is valid TOML
gives all its tables; of another one, the lines that can be understood by themselves are read.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any

BYTES_MAX = 1024 * 1024
_LINE_MAX = 300
_DOTS_MAX = 100

_HEADER = re.compile(r"\[+([^\[\]#]+)\]*\s*(?:#.*)?")
_ASSIGNMENT = re.compile(r"([\w\"'-]+(?:\s*\.\s*[\w\"'-]+)*)\s*=\s*(.*)")
_PAIR = re.compile(r"([\w-]+)\s*=\s*(\"[^\"]*\"|'[^']*'|[\w.:+-]+)")
_VALUE = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w.:+-]+)")


def read_tables(path: str) -> dict[str, Any]:
    """The tables of the file; OSError when it cannot be read at all."""
    return tables_of(_content_of(path))


def tables_of(content: bytes) -> dict[str, Any]:
    """The tables of a file with this content. Never raises."""
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = content.decode("utf-16" if marked else "utf-8-sig", "replace")
    try:
        import tomllib

        # The parser's time grows with the square of the depth of a dotted key.
        if any(line.count(".") > _DOTS_MAX for line in text.splitlines()):
            return _salvaged(text)
        return tomllib.loads(text)
    except Exception:  # noqa: BLE001 - broken in whatever way: then line by line
        return _salvaged(text)


def _content_of(path: str) -> bytes:
    # O_NONBLOCK: a pipe without a writer must not hold up the last defence.
    try:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(path, flags)
    except ValueError:
        raise OSError(None, "it is not a file name") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "it is not a plain file")
        parts = []
        left = BYTES_MAX
        while left > 0 and (part := os.read(descriptor, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _salvaged(text: str) -> dict[str, Any]:
    """What single lines say: headers, ``key = value``, ``table = { key = value, ... }``."""
    tables: dict[str, Any] = {"connectors": []}
    path: list[str] | None = []
    for line in text.splitlines():
        stripped = line.strip()
        if len(stripped) > _LINE_MAX or not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("["):
            path = _enter(stripped, tables)
        elif path is not None and (found := _ASSIGNMENT.match(stripped)):
            keys = [key.strip(" \t\"'") for key in found.group(1).split(".")]
            _assign([*path, *keys], found.group(2), tables)
    return tables


def _enter(header: str, tables: dict[str, Any]) -> list[str] | None:
    found = _HEADER.fullmatch(header)
    if found is None:
        return None
    path = [key.strip(" \t\"'") for key in found.group(1).split(".")]
    if path == ["connectors"]:
        tables["connectors"].append({})
    elif path[0] == "connectors" and path[1] in _connector(tables):
        tables["connectors"].append({})  # that table once more: a connector without its header
    return path


def _assign(path: list[str], text: str, tables: dict[str, Any]) -> None:
    if text.startswith("{"):
        for key, value in _PAIR.findall(text):
            _assign([*path, key], value, tables)
        return
    found = _VALUE.match(text)
    if found is None:
        return
    *above, key = path
    if path[0] == "connectors":
        table, above = _connector(tables), above[1:]
    else:
        table = tables
    for name in above:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        table = inner
    value = _value(found)
    if above and table.get(key, value) != value and path[0] == "connectors":
        # Said twice: whichever is meant, both are looked at.
        tables["connectors"].append({above[0]: {**table, key: value}})
    else:
        table[key] = value


def _connector(tables: dict[str, Any]) -> dict[str, Any]:
    connectors: list[dict[str, Any]] = tables["connectors"]
    if not connectors:
        connectors.append({})
    return connectors[-1]


def _value(found: re.Match[str]) -> Any:
    double, single, bare = found.groups()
    if bare is None:
        return double if double is not None else single
    if bare in ("true", "false"):
        return bare == "true"
    number = bare.replace("_", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else bare
