"""Collecting what is wrong with the configuration file, and saying it so that it can be found."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.config.lines import Lines

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

    def sentences(self, lines: Lines) -> list[str]:
        """One sentence each, in the order of the file, with the line where it can be told."""
        ordered = sorted(self._found, key=lambda mistake: lines.order(mistake[0]))
        told = [f"{sentence}{lines.place(paths)}" for paths, sentence in ordered[:MISTAKES_MAX]]
        if len(ordered) > MISTAKES_MAX:
            told.append(f"... and {len(ordered) - MISTAKES_MAX} more mistakes")
        return told


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
            name += ("." if name else "") + _key_text(part)
    return name


def _key_text(part: str) -> str:
    return part if _BARE_KEY.match(part) and len(part) <= SHOWN_MAX else shown(part)


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
