"""Collecting what is wrong with the configuration file, and saying it so that it can be found."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

KeyPath = tuple[str | int, ...]
"""Where a key stands: ("connectors", 0, "contactor", "pin"); numbers count list entries from 0."""

MISTAKES_MAX = 100
SHOWN_MAX = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


class Mistakes:
    """Everything wrong with one file, and which keys must not be trusted because of it."""

    def __init__(self, connector_ids: Sequence[object] = ()) -> None:
        self._connector_ids = connector_ids
        self._found: list[tuple[tuple[KeyPath, ...], str]] = []
        self._unsound: set[KeyPath] = set()

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, path: KeyPath, claim: str) -> None:
        """Note a mistake of one key: ``claim`` goes on after its name ("is missing")."""
        self.add_sentence(f"{self.name(path)} {claim}", path)
        self._unsound.add(path)

    def check(self, path: KeyPath, value: object, is_right: object, wanted: str) -> None:
        """Note what a key must be, unless it is right, or something was wrong with it before."""
        if not is_right and self.is_sound(path):
            self.add(path, f"{wanted}, got {shown(value)}")

    def add_sentence(self, sentence: str, *paths: KeyPath) -> None:
        """Note a mistake between several keys, as a whole sentence without its full stop."""
        self._found.append((paths, sentence))

    def is_sound(self, *paths: KeyPath) -> bool:
        """Whether nothing was found wrong with these keys or the tables they stand in."""
        return not any(
            path[:length] in self._unsound for path in paths for length in range(1, len(path) + 1)
        )

    def name(self, path: KeyPath) -> str:
        """The key's full name; a connector is named by its id where that is unique."""
        return key_name(path, self._connector_ids)

    def sentences(self, lines: LineNumbers) -> list[str]:
        """One sentence each, in the order of the file, with the line where it is known."""
        ordered = sorted(self._found, key=lambda mistake: lines.order(mistake[0]))
        sentences = [
            f"{sentence}{lines.place(paths)}" for paths, sentence in ordered[:MISTAKES_MAX]
        ]
        if len(ordered) > MISTAKES_MAX:
            sentences.append(f"... and {len(ordered) - MISTAKES_MAX} more mistakes")
        return sentences


def connector_ids_of(data: Mapping[str, Any]) -> list[object]:
    """The ids that the raw file gives its connectors, None where there is no whole number."""
    tables = data.get("connectors")
    if not isinstance(tables, list):
        return []
    ids = [table.get("id") if isinstance(table, dict) else None for table in tables]
    return [given if type(given) is int and 0 < given < 1000 else None for given in ids]


def key_name(path: KeyPath, connector_ids: Sequence[object] = ()) -> str:
    """The full name of a key: ``connectors[id=2].contactor.pin``, ``connectors[1].id`` (from 1)."""
    name = ""
    for place, part in enumerate(path):
        if isinstance(part, int):
            ids = connector_ids if path[:place] == ("connectors",) else ()
            given = ids[part] if part < len(ids) else None
            unique = given is not None and list(ids).count(given) == 1
            name += f"[id={given}]" if unique else f"[{part + 1}]"
        else:
            is_bare = _BARE_KEY.match(part) and len(part) <= SHOWN_MAX
            name += ("." if name else "") + (part if is_bare else shown(part))
    return name


def shown(value: object) -> str:
    """A value as TOML writes it, cut to a length that fits in a sentence."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = '"' + "".join(_printable(letter) for letter in value[: SHOWN_MAX + 1]) + '"'
    elif isinstance(value, dict):
        return "a table"
    elif isinstance(value, list):
        text = _list_text(value)
    elif isinstance(value, int):
        text = str(value) if abs(value) < 10**SHOWN_MAX else "a huge number"
    else:
        text = str(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def _printable(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return letter if letter.isprintable() else f"\\u{ord(letter):04X}"


def _list_text(values: list[Any]) -> str:
    if any(isinstance(value, dict | list) for value in values):
        return "a list of lists or tables"
    return "[" + ", ".join(shown(value) for value in values[:20]) + "]"


def number_text(number: float) -> str:
    """A limit as a person writes it: 32, 0.5, 1000000000."""
    is_whole = isinstance(number, int) or (math.isfinite(number) and number == int(number))
    return str(int(number)) if is_whole else str(number)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, or None when nothing is like it."""
    import difflib  # only when something is wrong: it is not needed to start

    by_folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word[:SHOWN_MAX].lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[near[0]] if near else None


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


class LineNumbers:
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


def find_lines(text: str, data: Mapping[str, Any]) -> LineNumbers:
    """Find the lines of the keys in a TOML text that was parsed to ``data``."""
    scan = _Scan(text.replace("\r\n", "\n"))
    try:
        scan.run()
    except _Lost:
        return LineNumbers({}, {}, data)
    if not all(_exists(data, path) for path in [*scan.keys, *scan.tables]):
        return LineNumbers({}, {}, data)
    return LineNumbers(scan.keys, scan.tables, data)


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
