"""What is wrong with a file that is not TOML, in words for people who do not know TOML.

``tomllib`` says where it could not go on, not what a person has mistyped there; this says that,
with the line. Values that may be secret are left out of it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from agent.config.mistakes import shown

_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_KEY = re.compile(r"\s*([^=#\[\]{}\s][^=#\[\]{}]*?)\s*=")
_HEADER = re.compile(r"\s*(\[{1,2})\s*([^\[\]]+?)\s*\]")
_TYPED_QUOTES = "\u201c\u201d\u201e\u201f\xab\xbb\u2018\u2019\u201a\u201b"
_DECIMAL_COMMA = re.compile(r"=\s*[+-]?\d+,\d")
_SECRET = re.compile(r"password|passwd|secret|token|key(?!_code)", re.IGNORECASE)
_USER_IN_URL = re.compile(r"//[^/@\s]*@")
_YES_OR_NO = ("true", "false", "yes", "no", "on", "off")


def in_words(text: str, problem: tomllib.TOMLDecodeError) -> str:
    """One sentence about the first mistake in this text: line, what is wrong, and the line."""
    place = _PLACE.fullmatch(str(problem))
    message = place[1] if place else str(problem)
    lines = text.split("\n")
    if place and place[2]:
        number, column = int(place[2]), int(place[3])
    else:  # the end: it is about what stands last
        number = text.rstrip().count("\n") + 1
        column = len(lines[number - 1]) + 1
    number, claim = _Mistake(lines, number, column).in_words(message)
    return f"line {number}, {_line_shown(lines[number - 1])}: {claim}"


class _Mistake:
    def __init__(self, lines: list[str], number: int, column: int) -> None:
        self._lines = lines
        self._number = number
        self._line = lines[number - 1]
        self._at = self._line[column - 1 : column]
        self._rest = self._line[column - 1 :]
        key, equals, value = self._line.partition("=")
        self._key = key.strip()
        self._value = value.strip() if equals else ""

    def in_words(self, message: str) -> tuple[int, str]:
        """The line that is meant, and what is wrong with it."""
        if self._at and self._at not in "\t " and not self._at.isprintable():
            return self._number, f"an invisible character (U+{ord(self._at):04X}) must be deleted"
        if any(letter in _TYPED_QUOTES for letter in _outside_of_texts(self._line)):
            return self._number, 'typographic quotation marks; write straight ones: "'
        match message.split():
            case ["Unclosed", "array", *_]:
                return self._open_list()
            case ["Invalid", "value"] if self._is_in_open_list():
                return self._open_list()
            case ["Unterminated", *_]:
                return self._open_text()
            case ["Expected", '"\'"' | "\"'''\""]:  # until the end of the file
                return self._open_text()
            case ["Unclosed", *_]:
                return self._number, "a bracket } is missing; all of { } stands on one line"
        return self._number, self._in_this_line(message)

    def _in_this_line(self, message: str) -> str:
        match message.split():
            case ["Cannot", "declare", *_]:
                return self._stands_twice(self._line.strip(), self._same_header())
            case ["Cannot", *_]:
                return self._stands_twice(self._key or self._line.strip(), self._same_key())
            case ["Expected", "']'" | "']]'" as bracket, *_]:
                return f"{bracket[1:-1]} is missing at the end of the section's name"
            case ["Expected", "'='", *_]:
                return self._no_equals()
            case ["Expected", "newline", *_]:
                return self._too_much()
            case ["Illegal", *_] | [
                "Found",
                "invalid",
                *_,
            ]:  # the end of the line, for others are reported above
                return "a quotation mark is missing at the end of the text"
            case ["Unescaped", *_]:
                return "a backslash in \" \" is written twice, or the text stands in ' '"
            case ["Invalid", "value"]:
                return self._no_value()
            case ["Invalid", "statement" | "initial", *_]:
                return self._no_statement()
            case _:
                return f"this is not TOML ({message})"

    # --- a line that is wrong by itself ------------------------------------------------------

    def _no_value(self) -> str:
        if not self._value or self._value.startswith("#"):
            return f"{self._key} has no value after ="
        if self._value.startswith("="):
            return "one = stands between key and value"
        if self._value.lower() in _YES_OR_NO:
            return "write true or false, in small letters and without quotation marks"
        if re.match(r"[+-]?\.\d", self._value):
            return "a number begins with a digit: 0.5"
        if self._value.endswith(('"', "'")):
            return "a quotation mark is missing at the beginning of the text"
        return 'a text stands in quotation marks " "'

    def _too_much(self) -> str:
        if _DECIMAL_COMMA.search(self._line):
            return "a number is written with a point, not with a comma: 7.5"
        if re.match(r"[+-]?\d[\d.]*\s*[A-Za-z%Ωµ]+\s*(?:#.*)?$", self._value):
            return "a number stands alone, without its unit"
        if re.match(r"[+-]?0\d+\s*(?:#.*)?$", self._value):
            return "a number does not begin with 0"
        if self._value.startswith(('"', "'")) or re.fullmatch(r"\S+\s*[;,]", self._value):
            return "something stands behind the value"
        if self._line.strip().startswith("["):
            return "something stands behind the section's name"
        return 'a text stands in quotation marks " "'

    def _no_equals(self) -> str:
        if _DECIMAL_COMMA.search(self._line):
            return "a number is written with a point, not with a comma: 7.5"
        if re.match(r"\s*[\w.-]+\s*:", self._line):
            return "between key and value stands =, not :"
        if re.fullmatch(r"\s*[\w.-]+\]+\s*", self._line):
            return "[ is missing at the beginning of the section's name"
        if not self._line.partition("=")[0].isascii():
            return "a key has the letters a to z, digits and _ only"
        if "=" in self._line:
            return "a key is one word, without blanks"
        return "= is missing between key and value"

    def _no_statement(self) -> str:
        if self._line.lstrip().startswith(("//", ";", "--", "/*")):
            return "a remark begins with #"
        if "{" in self._line:
            return "all of { } stands on one line"
        return "a line is: key = value, or [section], or # remark"

    # --- a line that is wrong together with another ------------------------------------------

    def _is_in_open_list(self) -> bool:
        """True where a list wants its next value, and another statement stands, or nothing."""
        begins_list = re.search(r"=\s*\[", self._line) is not None
        is_statement = _KEY.match(self._line) or _HEADER.match(self._line)
        before = _without_remark(self._line[: len(self._line) - len(self._rest)])
        if not before.strip(" \t["):
            lines = map(_without_remark, reversed(self._lines[: self._number - 1]))
            before = next((line for line in lines if line.strip()), "")
        is_over = not _without_remark(self._rest).strip() or (is_statement and not begins_list)
        return bool(is_over) and before.rstrip().endswith((",", "["))

    def _open_list(self) -> tuple[int, str]:
        for number in range(self._number, 0, -1):
            line = self._lines[number - 1]
            if re.search(r"=\s*\[", line):
                is_closed = line.rstrip().endswith("]") and number == self._number
                claim = "a comma is missing between the values in [ ]"
                return number, claim if is_closed else "a bracket ] is missing at the end"
        return self._number, "a bracket ] is missing at the end"

    def _open_text(self) -> tuple[int, str]:
        for number in range(self._number, 0, -1):
            for quotes in ('"""', "'''"):
                if self._lines[number - 1].count(quotes) == 1:
                    return number, f"{quotes} begins a text that does not end"
        # A text in ' ' that does not end: no other such mark stands behind it.
        numbers = range(self._number, 0, -1)
        number = next((n for n in numbers if "'" in self._lines[n - 1]), self._number)
        return number, "a quotation mark is missing at the end of the text"

    def _stands_twice(self, what: str, first: int | None) -> str:
        before = "before" if first is None else f"on line {first}"
        if first is not None and self._lines[first - 1].lstrip().startswith("[["):
            return f"it is a list since line {first}: each entry begins with [[ ]]"
        return f"{what} stands twice, first {before}; leave one of them out"

    def _same_header(self) -> int | None:
        name = header[2] if (header := _HEADER.match(self._line)) else ""
        for number, section, key in self._statements():
            if section == name and not key and number < self._number:
                return number
        return None

    def _same_key(self) -> int | None:
        statements = list(self._statements())
        mine = next((one for one in statements if one[0] == self._number), None)
        if mine is None or not mine[2]:
            return self._same_header()
        number, section, key = mine
        # A second [section] of the same name is another mistake: this one is between keys.
        return next((n for n, s, k in statements if (s, k) == (section, key) and n < number), None)

    def _statements(self) -> Iterator[tuple[int, str, str]]:
        """Number, section and key of each line; the key is empty in that of a section."""
        section, count = "", 0
        for number, line in enumerate(self._lines, start=1):
            if header := _HEADER.match(line):
                section = header[2]
                yield number, section, ""
                if header[1] == "[[":  # another entry of a list has keys of its own
                    count += 1
                    section = f"{section} {count}"
            elif key := _KEY.match(line):
                yield number, section, key[1]


def _outside_of_texts(line: str) -> str:
    """The line without its texts and its remark; of a text that does not end, all of it is left."""
    return re.sub(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|#.*", "", line)


def _without_remark(line: str) -> str:
    return re.sub(r"(\"(?:\\.|[^\"\\])*\"|'[^']*')|#.*", r"\1", line)


def _line_shown(line: str) -> str:
    """The line as it stands there; without the value where that may be a secret."""
    key, *value = re.split(r"\s*[=:]", line.strip(), maxsplit=1)
    if value and _SECRET.search(key) and not key.endswith("_file"):
        return f"{key} ..."
    masked = _USER_IN_URL.sub("//...@", line.strip())
    return shown(masked)[1:-1].replace('\\"', '"').replace("\\\\", "\\")
