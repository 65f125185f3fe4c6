"""JSON from outside, read within bounds, so that no text holds the interpreter.

The decoder of the standard library is one call in C: no other thread runs while it works, the
reflex neither. The same goes for letting go of what it has built, and for the garbage collector
that looks through it. So the decoder gets little at once, what is longer is read piece by piece
by Python (which gives way to other threads), and how much may be built at all is limited: by the
number of values, not only by the length, because 2 MiB can be 700,000 empty lists.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

AT_ONCE_MAX = 64 * 1024  # characters that the decoder gets in one call
VALUES_AT_ONCE_MAX = 10_000  # that they may hold
PIECE_MAX = 2 * 1024  # of a longer text; an entry of a local list has some 150 characters
VALUES_MAX = 100_000  # of a longer text; 10,000 entries of a local list have 70,000
CONTAINERS_MAX = 30_000  # lists and objects among them; 10,000 entries have 20,000
MEMBERS_MAX = 1000  # of an object in a longer text
DEPTH_MAX = 24
NUMBER_MAX = 1000  # characters; int() of 4,000 digits takes as long as 10,000 values

_BLANKS = re.compile(r"[ \t\n\r]*")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character beyond 16 bits: two of them make one
_LONE_HALF = re.compile("[\ud800-\udfff]")
_CLOSING = {"[": "]", "{": "}"}


class NotJson(ValueError):
    """The text is no JSON that can be written again. Says why, and repeats nothing of it."""

    def __init__(self, problem: str, position: int = 0) -> None:
        """``problem`` begins with "it"; ``position``: of the character where it was noticed."""
        super().__init__(problem)
        self.position = position


class TooMuch(NotJson):
    """The text holds more than is read here."""


class NoValue(NotJson):
    """The text is JSON, but a number or a string in it is none that can be kept."""


def is_light(text: str) -> bool:
    """True when the decoder may have the whole text in one call."""
    return len(text) <= AT_ONCE_MAX and _values_in(text) <= VALUES_AT_ONCE_MAX


def read_json(text: str) -> Any:
    """What the text says. Raises NotJson."""
    if is_light(text):
        return _at_once(text)
    reader = _Reader(text)
    value = reader.value()
    reader.end()
    return value


def read_elements(text: str) -> Iterator[Any]:
    """The elements of an array one by one: the first ones tell what to think of the rest.

    Raises NotJson at the element where it is noticed; when the text is no array, at once.
    """
    if is_light(text):
        content = _at_once(text)
        if not isinstance(content, list):
            raise NotJson(_NO_ARRAY)
        yield from content
        return
    reader = _Reader(text)
    yield from reader.elements()
    reader.end()


def first_elements(text: str, count: int) -> list[Any]:
    """What an array begins with, though the rest of it is no JSON.

    At most ``count``, and those that end within PIECE_MAX characters.
    """
    found: list[Any] = []
    with contextlib.suppress(NotJson):
        for element in islice(_Reader(text[:PIECE_MAX]).elements(), count):
            found.append(element)
    return found


def _at_once(text: str) -> Any:
    try:
        content = _DECODER.decode(text)
    except json.JSONDecodeError as problem:
        raise NotJson(f"it is not JSON: {problem.msg}", problem.pos) from None
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None
    _check(content, text, DEPTH_MAX)
    return content


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._values_left = VALUES_MAX
        self._containers_left = CONTAINERS_MAX

    def value(self, depth_left: int = DEPTH_MAX) -> Any:
        """The value that comes next: whole when it is short, else by what it holds."""
        opening = self._next()
        for length in (PIECE_MAX, AT_ONCE_MAX):
            piece = self._text[self._at : self._at + length]
            with contextlib.suppress(StopIteration, json.JSONDecodeError, RecursionError):
                value, end = _SCAN(piece, 0)
                if end < len(piece) or self._at + end == len(self._text):  # not cut off
                    self._count(piece[:end])
                    _check(value, piece[:end], depth_left)
                    self._at += end
                    return value
            if opening == "[":
                return list(self.elements(depth_left))
            if opening == "{":
                return dict(self._members(depth_left))
        if opening == '"' and len(self._text) - self._at > AT_ONCE_MAX:
            raise TooMuch(f"it holds a string of more than {AT_ONCE_MAX} characters", self._at)
        raise NotJson("it is not JSON: Expecting value", self._at)

    def elements(self, depth_left: int = DEPTH_MAX) -> Iterator[Any]:
        """Those of the array that comes next."""
        if self._next() != "[":
            raise NotJson(_NO_ARRAY, self._at)
        for _ in self._listed(depth_left):
            yield self.value(depth_left - 1)

    def end(self) -> None:
        """Nothing may follow."""
        if self._next():
            raise NotJson("it is not JSON: Extra data", self._at)

    def _members(self, depth_left: int) -> Iterator[tuple[str, Any]]:
        for number, _ in enumerate(self._listed(depth_left)):
            if number >= MEMBERS_MAX:
                raise TooMuch(f"it holds an object of more than {MEMBERS_MAX} members", self._at)
            name = self.value(depth_left - 1)
            if not isinstance(name, str):
                raise NotJson(
                    "it is not JSON: Expecting property name enclosed in double quotes", self._at
                )
            if self._next() != ":":
                raise NotJson("it is not JSON: Expecting ':' delimiter", self._at)
            self._at += 1
            yield name, self.value(depth_left - 1)

    def _listed(self, depth_left: int) -> Iterator[None]:
        if depth_left < 1:
            raise NotJson(_TOO_DEEP, self._at)
        opening = self._text[self._at]
        self._count(opening)
        self._at += 1
        found = self._next()
        while found != _CLOSING[opening]:
            yield
            found = self._next()
            if found == ",":
                self._count(found)
                self._at += 1
            elif found != _CLOSING[opening]:
                raise NotJson("it is not JSON: Expecting ',' delimiter", self._at)
        self._at += 1

    def _next(self) -> str:
        while True:
            begin = self._at
            found = _BLANKS.match(self._text, begin, begin + AT_ONCE_MAX)
            assert found is not None  # nothing is a match, too
            self._at = found.end()
            if self._at - begin < AT_ONCE_MAX:
                return self._text[self._at : self._at + 1]

    def _count(self, piece: str) -> None:
        self._values_left -= _values_in(piece)
        self._containers_left -= _containers_in(piece)
        if self._values_left < 0 or self._containers_left < 0:
            most = f"{VALUES_MAX} values or {CONTAINERS_MAX} lists and objects"
            raise TooMuch(f"it holds more than {most}", self._at)


def _values_in(text: str) -> int:
    """As many as it can hold at most: commas and brackets inside strings are counted, too."""
    return text.count(",") + _containers_in(text)


def _containers_in(text: str) -> int:
    return text.count("[") + text.count("{")


def _check(content: Any, text: str, depth_left: int) -> None:
    """What the decoder lets pass. Raises NotJson. ``text``: what ``content`` was read from."""
    if _containers_in(text) > depth_left and _is_deeper(content, depth_left):
        raise NotJson(_TOO_DEEP)
    if _HALF.search(text) and _LONE_HALF.search(json.dumps(content, ensure_ascii=False)):
        raise NoValue("it holds characters that do not exist")


def _is_deeper(content: Any, depth: int) -> bool:
    level = [content]
    for _ in range(depth + 1):
        containers = [value for value in level if isinstance(value, dict | list)]
        if not containers:
            return False
        level = [
            value
            for each in containers
            for value in (each.values() if isinstance(each, dict) else each)
        ]
    return True


def _refuse_constant(name: str) -> None:
    raise NotJson(f"it is not JSON: {name} is no number")


def _whole(digits: str) -> int:
    if len(digits) > NUMBER_MAX:
        raise TooMuch(f"it holds a number of more than {NUMBER_MAX} digits")
    return int(digits)


def _finite(digits: str) -> float:
    if len(digits) > NUMBER_MAX:
        raise TooMuch(f"it holds a number of more than {NUMBER_MAX} digits")
    number = float(digits)
    if not math.isfinite(number):
        raise NoValue("it holds a number that is out of range")
    return number + 0.0  # -0.0 is 0: nobody is told of "-0 A"


_NO_ARRAY = "it is not an array"
_TOO_DEEP = f"it is nested more than {DEPTH_MAX} deep"
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_whole, parse_float=_finite)
_SCAN = _DECODER.scan_once  # type: ignore[attr-defined]
