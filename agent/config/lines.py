"""On which line of a TOML file a key stands. Where that is not certain, it says nothing.

``tomllib`` keeps no positions. This scan runs only when there is a mistake to report, over text
that ``tomllib`` has already accepted, so it can be short: it tells headers, keys and values apart
and skips the rest. Everything it believes to have found is compared with the parsed file; one
difference, and none of it is used.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from agent.config.mistakes import KeyPath

_SKIP = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"[^"\\\n]*"|'[^'\n]*')[ \t]*""")
_VALUE_PART = re.compile(
    r'''
      (?P<text> """ (?:\\.|[^\\])*? """ "{0,2} | \'\'\' .*? \'\'\' \'{0,2}
              | "(?:\\.|[^"\\\n])*" | '[^'\n]*' | \#[^\n]* )
    | (?P<open> [\[{] ) | (?P<close> [\]}] ) | (?P<end> \n ) | [^"'#\[\]{}\n]+
    ''',
    re.DOTALL | re.VERBOSE,
)


class Lines:
    """The lines of the keys and table headers that were found. Lines count from 1."""

    def __init__(
        self,
        keys: Mapping[KeyPath, tuple[int, int]],
        tables: Mapping[KeyPath, int],
        data: Mapping[str, Any],
    ) -> None:
        """``keys`` gives the first and last line of each key with its value."""
        self._keys = keys
        self._tables = tables
        self._data = data

    def line(self, path: KeyPath) -> int | None:
        """The line where this key stands; None where that is not certain."""
        if path in self._keys:
            return self._keys[path][0]
        for header in (path, (*path, 0)):
            if header in self._tables:
                return self._tables[header]
        for length in range(len(path) - 1, 0, -1):
            if path[:length] in self._keys:  # inside an inline table or list
                first, last = self._keys[path[:length]]
                return first if first == last else None
        return None

    def table_line(self, path: KeyPath) -> int | None:
        """For a key that is not in the file: the line of the table that lacks it."""
        if not path or _exists(self._data, path):
            return None
        return self._tables.get(path[:-1])

    def place(self, paths: tuple[KeyPath, ...]) -> str:
        """The end of a sentence about these keys: `` (line 3)``, or nothing."""
        found = sorted({line for line in map(self.line, paths) if line is not None})
        if len(found) == 1:
            return f" (line {found[0]})"
        if found:
            return f" (lines {', '.join(map(str, found[:-1]))} and {found[-1]})"
        table = self.table_line(paths[0]) if paths else None
        return "" if table is None else f" (in the table at line {table})"

    def order(self, paths: tuple[KeyPath, ...]) -> float:
        """A number to sort mistakes by: their first line; those without one come last."""
        found = [self.line(path) or self.table_line(path) for path in paths]
        return min((line for line in found if line is not None), default=float("inf"))


def find_lines(text: str, data: Mapping[str, Any]) -> Lines:
    """Find the lines of the keys in a TOML text that was parsed to ``data``."""
    scan = _Scan(text.replace("\r\n", "\n"))
    try:
        scan.run()
    except _Lost:
        return Lines({}, {}, data)
    if not all(_exists(data, path) for path in [*scan.keys, *scan.tables]):
        return Lines({}, {}, data)
    return Lines(scan.keys, scan.tables, data)


class _Lost(Exception):
    """The scan met something that it does not understand."""


class _Scan:
    def __init__(self, text: str) -> None:
        self.keys: dict[KeyPath, tuple[int, int]] = {}
        self.tables: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._newlines = [place for place, letter in enumerate(text) if letter == "\n"]
        self._current: KeyPath = ()
        self._last_index: dict[KeyPath, int] = {}

    def run(self) -> None:
        while True:
            self._take(_SKIP)
            if self._at == len(self._text):
                return
            if self._text.startswith("[", self._at):
                self._header()
            else:
                self._key_and_value()

    def _header(self) -> None:
        line = self._line()
        is_list = self._text.startswith("[[", self._at)
        self._at += 2 if is_list else 1
        parts = self._dotted_key()
        self._expect("]]" if is_list else "]")
        path = (*self._resolve(parts[:-1]), parts[-1])
        if is_list:
            self._last_index[path] = self._last_index.get(path, -1) + 1
        self._current = self._resolve(parts)
        self.tables[self._current] = line

    def _key_and_value(self) -> None:
        first = self._line()
        path = (*self._current, *self._dotted_key())
        self._expect("=")
        last = self._skip_value()
        self.keys[path] = (first, last)

    def _dotted_key(self) -> list[str]:
        parts = []
        while True:
            part = self._take(_KEY_PART).group(1)
            parts.append(part[1:-1] if part[0] in "\"'" else part)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _resolve(self, parts: list[str]) -> KeyPath:
        """A header's name goes into the last entry of every list of tables on its way."""
        path: KeyPath = ()
        for part in parts:
            path = (*path, part)
            if path in self._last_index:
                path = (*path, self._last_index[path])
        return path

    def _skip_value(self) -> int:
        """Go on to the end of the statement; return the last line of the value."""
        depth = 0
        while self._at < len(self._text):
            line = self._line()
            match self._take(_VALUE_PART).lastgroup:
                case "open":
                    depth += 1
                case "close":
                    depth -= 1
                case "end" if depth == 0:
                    return line
        return self._line()

    def _expect(self, mark: str) -> None:
        if not self._text.startswith(mark, self._at):
            raise _Lost
        self._at += len(mark)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _Lost
        self._at = match.end()
        return match

    def _line(self) -> int:
        return bisect_left(self._newlines, self._at) + 1


def _exists(data: Any, path: KeyPath) -> bool:
    for part in path:
        if isinstance(part, int):
            if not isinstance(data, list) or part >= len(data):
                return False
        elif not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True
