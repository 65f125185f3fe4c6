"""What a person reads in a terminal: lines that fit, colour where it helps, progress of long work.

A pipe gets the same lines unfolded and without colour, so that scripts find one fact in one line.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from agent.core.visible import visible
from agent.platform.errors import AgentError

WRONG_USAGE = 2  # exit status
COLUMNS = 80
COLUMNS_MIN = 40
LABEL_MAX = 13  # "connector 1  " of ``status``: what follows is folded below itself
HANGING = 4
BAR = 24

_LABEL = re.compile(r"(?:\S.*?)?\s{2,}(?=\S)")
PLAIN, RED, GREEN, YELLOW = "", "31", "32", "33"


class StyledLine(str):
    """A line in which some words have a colour, where the terminal shows any."""

    words: str
    colour: str

    def __new__(cls, text: str, words: str, colour: str) -> StyledLine:
        """``words`` stand in ``text``; the first time counts."""
        line = super().__new__(cls, text)
        line.words, line.colour = words, colour
        return line


def add_command(
    commands: Any,
    common: argparse.ArgumentParser,
    name: str,
    words: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """Add a command that takes the ``common`` options; ``words`` are its help."""
    sub: argparse.ArgumentParser = commands.add_parser(
        name, help=words, description=words, parents=[common]
    )
    sub.set_defaults(command=run)
    return sub


def add_actions(
    commands: Any,
    common: argparse.ArgumentParser,
    name: str,
    words: str,
    run: Callable[[argparse.Namespace], int],
) -> Callable[[str, str], argparse.ArgumentParser]:
    """Add a command of several actions; what is returned adds one of them, by name and help."""
    main = commands.add_parser(name, help=words, description=words)
    main.set_defaults(command=run)
    actions = main.add_subparsers(title="actions", required=True, dest="what", metavar="ACTION")

    def add(action: str, help: str) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = actions.add_parser(action, help=help, parents=[common])
        return sub

    return add


def chosen(known: Sequence[str], only: str, skip: str = "") -> list[str]:
    """The steps that are named in ``only``, or all, but those in ``skip``. Raises AgentError."""
    wanted, left_out = (
        {name.strip() for name in names.split(",") if name.strip()} for names in (only, skip)
    )
    if unknown := sorted((wanted | left_out).difference(known)):
        raise AgentError(f"there is no step {unknown[0]!r}; the steps are {', '.join(known)}")
    return [name for name in known if name not in left_out and (not wanted or name in wanted)]


def error(text: str) -> StyledLine:
    """What could not be done."""
    return StyledLine(f"error: {text}", "error", RED)


def note(text: str) -> StyledLine:
    """What was done, and is worth a look."""
    return StyledLine(f"note: {text}", "note", YELLOW)


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
        given = self._environment.get("COLUMNS", "")
        if given.isdecimal() and len(given) < 5 and int(given) > 0:
            return max(COLUMNS_MIN, int(given))
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
            if isinstance(line, StyledLine) and line.colour and self.has_colour:
                pieces = painted(pieces, visible(line.words), line.colour)
            for piece in pieces:
                print(piece, file=self._stream)
        self._stream.flush()

    def progress(self, what: str, total: int) -> ProgressBar:
        """A line that shows how far long work has come; nothing unless a person looks."""
        return ProgressBar(self, what, total)

    def overwrite(self, text: str) -> None:
        """Put this in the place of the last line that was not ended."""
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()


class ProgressBar:
    """``with console.progress("reading", 400) as bar: bar.at(120)``."""

    def __init__(self, console: Console, what: str, total: int) -> None:
        self._console = console
        self._what = what
        self._total = max(1, total)
        self._shown = ""

    def __enter__(self) -> ProgressBar:
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


def painted(pieces: list[str], words: str, colour: str) -> list[str]:
    """The pieces with the words in colour, unless they were folded apart."""
    for number, piece in enumerate(pieces):
        before, found, after = piece.partition(words)
        if found:
            return [
                *pieces[:number],
                f"{before}\x1b[{colour}m{found}\x1b[0m{after}",
                *pieces[number + 1 :],
            ]
    return pieces
