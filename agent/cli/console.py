"""What a person reads in a terminal: lines that fit, colour where it helps, progress of long work.

A pipe gets the same lines unfolded and without colour, so that scripts find one fact in one line.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TextIO

from agent.core.visible import visible

COLUMNS = 80
COLUMNS_MIN = 40
LABEL_MAX = 13  # "connector 1  " of ``status``: what follows is folded below itself
HANGING = 4
BAR = 24

_LABEL = re.compile(r"(?:\S.*?)?\s{2,}(?=\S)")
_COLOURS = {"red": "31", "green": "32", "yellow": "33"}
_PAINTED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^(?:error|configuration|fault)\b(?=:| {2})"), "red"),
    (re.compile(r"^note(?=:)"), "yellow"),
    (re.compile(r"(?<=^link {9})accepted by"), "green"),
    (re.compile(r"(?<=^link {9})(?:not connected|connected) to"), "yellow"),
    (re.compile(r"(?<=^connector \d {2})Faulted"), "red"),
    (re.compile(r"(?<=^connector \d {2})(?:Unavailable|Suspended\w+)"), "yellow"),
    (re.compile(r"(?<=^connector \d {2})(?:Available|Charging)"), "green"),
    (re.compile(r"\bcard \S+ accepted\b"), "green"),
    (re.compile(r"\bcard \S+ refused\b"), "red"),
    (re.compile(r"^PASS\w*\b|\bis in order$"), "green"),
    (re.compile(r"^FAIL\w*\b"), "red"),
    (re.compile(r"^SKIP\w*\b"), "yellow"),
)


class Console:
    """One stream that people or programs read."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str] | None = None) -> None:
        self._stream = stream
        self._environment = os.environ if environment is None else environment

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads this."""
        return self._stream.isatty()

    @property
    def has_colour(self) -> bool:
        """Colour is for terminals, and for those who have not asked for none (NO_COLOR)."""
        if not self.is_terminal or self._environment.get("NO_COLOR"):
            return False
        return self._environment.get("TERM", "") not in ("", "dumb")

    @property
    def columns(self) -> int:
        """How wide the terminal is; 80 where that cannot be found out."""
        told = self._environment.get("COLUMNS", "")
        if told.isdigit() and int(told) > 0:
            return max(COLUMNS_MIN, int(told))
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return COLUMNS
        return max(COLUMNS_MIN, size.columns or COLUMNS)

    def tell(self, lines: Iterable[str]) -> None:
        """Print lines, folded and painted for a terminal."""
        for line in lines:
            shown = visible(line)
            pieces = folded(shown, self.columns) if self.is_terminal else [shown]
            for piece in pieces:
                print(painted(piece) if self.has_colour else piece, file=self._stream)
        self._stream.flush()

    def progress(self, what: str, total: int) -> Progress:
        """A line that shows how far long work has come; nothing unless a person looks."""
        return Progress(self, what, total)

    def overwrite(self, text: str) -> None:
        """Put this in the place of the last line that was not ended."""
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()


class Progress:
    """``with console.progress("reading", 400) as bar: bar.at(120)``."""

    def __init__(self, console: Console, what: str, total: int) -> None:
        self._console = console
        self._what = what
        self._total = max(1, total)
        self._shown = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *problem: object) -> None:
        if self._shown:
            self._console.overwrite("")

    def at(self, done: int) -> None:
        """So much of the work is done."""
        if not self._console.is_terminal:
            return
        share = min(done, self._total) / self._total
        bar = "#" * round(share * BAR)
        text = f"{self._what} [{bar:.<{BAR}}] {share:4.0%}"
        if text != self._shown:
            self._shown = text
            self._console.overwrite(text[: self._console.columns - 1])


def as_json(data: Any) -> str:
    """Data for programs, which people look at too: what would not print is written as a code."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text
    )


def folded(line: str, columns: int) -> list[str]:
    """The line in pieces that fit; words are never cut, so that addresses can be copied."""
    if len(line) <= columns:
        return [line]
    label = _LABEL.match(line)
    is_label = label is not None and label.end() <= LABEL_MAX
    indent = label.end() if is_label and label is not None else HANGING
    return textwrap.wrap(
        line,
        columns,
        subsequent_indent=" " * indent,
        drop_whitespace=True,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )


def painted(line: str) -> str:
    """The line with the words in colour that say good or bad."""
    for pattern, colour in _PAINTED:
        line = pattern.sub(partial(_repainted, colour), line)
    return line


def _repainted(colour: str, found: re.Match[str]) -> str:
    return in_colour(found[0], colour)


def in_colour(text: str, colour: str) -> str:
    """The text between the codes that a terminal understands."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
