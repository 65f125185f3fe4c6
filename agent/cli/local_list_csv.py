"""A local list as a CSV file, for spreadsheets and scripts.

The first line names the columns: ``id_tag``, and optionally ``expires_at``, ``parent_id_tag``,
``status`` and ``name``, in any order; OCPP's own names are known too. Spreadsheets run cells that
begin with = + - or @ as formulas, and take ``0412`` and ``12E5`` for numbers: such cells are
written behind an apostrophe, which makes them text, and so are all that would be read as something
else. What stands behind an apostrophe is taken as it is.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from agent.control.local_list import checked_name, entry_as_data, expiry_of
from agent.core.id_tag import is_valid_id_tag, tag_as_told
from agent.core.values import AuthorizationStatus, IdTagInfo, ListEntry
from agent.platform.edited_files import decoded
from agent.platform.errors import EditedFileError, ListFileError

COLUMNS = ("id_tag", "expires_at", "parent_id_tag", "status", "name")
FILE_BYTES_MAX = 32 * 1024 * 1024
MISTAKES_SHOWN_MAX = 20

# What a spreadsheet takes for a formula, or for a number that it writes in another way.
_FORMULA_OR_NUMBER = re.compile(r"[=+\-@]|(?:0[0-9]*|[0-9.,]+E\+?[0-9]+)\Z", re.IGNORECASE)
_SHORTENED_NUMBER = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+", re.IGNORECASE)
_DECIMAL = re.compile(r"[0-9]+[.,][0-9]+")
_AS_TEXT = re.compile(r'="([^"]*)"')  # how a cell is marked as text in a spreadsheet
_QUOTES = "\"'\u201c\u201d\u201e\u2018\u2019\u201a"
_SEPARATORS = (",", ";", "\t")
# OCPP 1.6, 7.8 AuthorizationData and IdTagInfo.
_OTHER_NAMES = {"idtag": "id_tag", "expirydate": "expires_at", "parentidtag": "parent_id_tag"}
_STATUSES = {status.value.lower(): status for status in AuthorizationStatus}


def list_as_csv(entries: Iterable[ListEntry], form: str = "hex") -> str:
    """Write a list so that ``read_list_csv`` reads the same one; its lines end as in RFC 4180.

    ``form``: the reader.uid_format of the box.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for entry in entries:
        data = entry_as_data(entry)
        cells = ((column, data.get(column, "")) for column in COLUMNS)
        writer.writerow([f"'{c}" if _needs_guard(c, form, column) else c for column, c in cells])
    return text.getvalue()


def read_list_csv(content: bytes, entries_max: int, form: str = "hex") -> list[ListEntry]:
    """Read a list. Raises ListFileError naming every line that is wrong (the first 20 of them).

    ``form``: the reader.uid_format of the box, in which UIDs are kept that are written otherwise.
    """
    if len(content) > FILE_BYTES_MAX:
        raise ListFileError([f"the file is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB"])
    try:
        text = decoded(content)
    except EditedFileError as problem:
        raise ListFileError([str(problem)]) from None
    return _CsvReader(text, entries_max, form).entries()


class _CsvReader:
    def __init__(self, text: str, entries_max: int, form: str) -> None:
        first_line, _, rest = text.partition("\n")
        separator = _named_separator(first_line)
        if separator:
            text = f"\n{rest}"  # the lines keep their numbers
            first_line = rest.partition("\n")[0]
        separator = separator or _likely_separator(first_line)
        self._rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        self._form = form
        self._entries_max = entries_max
        self._mistakes: list[str] = []
        self._lines: dict[str, int] = {}  # where each idTag stands

    def entries(self) -> list[ListEntry]:
        try:
            columns = self._columns()
            entries = [entry for row in self._rows if (entry := self._entry(columns, row))]
        except csv.Error as problem:
            raise ListFileError([f"line {self._rows.line_num} is not CSV: {problem}"]) from None
        if self._mistakes:
            raise ListFileError(_shown(self._mistakes))
        return entries

    def _columns(self) -> Sequence[str]:
        row = next((row for row in self._rows if any(map(str.strip, row))), [])
        here = f"line {max(1, self._rows.line_num)}"
        columns = [_column(name) for name in row]
        known = ", ".join(COLUMNS)
        if "id_tag" not in columns:
            raise ListFileError([f"{here} must name the columns: {known} (id_tag is needed)"])
        for number, name in enumerate(columns):
            if name not in COLUMNS or name in columns[:number]:
                found = f"{here} names {row[number].strip()[:40]!r}"
                raise ListFileError(
                    [f"{found}: it may name each of {known} once, and nothing else"]
                )
        return columns

    def _entry(self, columns: Sequence[str], row: Sequence[str]) -> ListEntry | None:
        cells = [
            _read_cell(cell, self._form, column or "id_tag")
            for column, cell in zip_longest(columns, row)
            if cell is not None
        ]
        if not any(text for text, _ in cells):
            return None  # an empty line
        if len(cells) > len(columns):
            self._wrong(f"has {len(cells)} columns, line 1 names {len(columns)}")
            return None
        if len(self._lines) >= self._entries_max:
            limit = f"LocalAuthListMaxLength is {self._entries_max}"
            raise ListFileError([f"line {self._rows.line_num}: too many entries; {limit}"])
        try:
            return self._checked(
                {
                    column: text if was_guarded else _read_as(column, text, self._form)
                    for column, (text, was_guarded) in zip(columns, cells, strict=False)
                }
            )
        except ValueError as problem:
            self._wrong(str(problem))
            return None

    def _checked(self, named: dict[str, str]) -> ListEntry:
        id_tag = _tag(named.get("id_tag", ""), "id_tag")
        parent = named.get("parent_id_tag", "")
        status = _STATUSES.get((named.get("status") or "accepted").lower())
        if status is None:
            known = ", ".join(each.value for each in AuthorizationStatus)
            raise ValueError(f"status must be one of {known}")
        first = self._lines.setdefault(id_tag.lower(), self._rows.line_num)
        if first != self._rows.line_num:
            raise ValueError(f"has the same id_tag as line {first}")
        until = named.get("expires_at")
        info = IdTagInfo(
            status,
            expiry_of(until) if until else None,
            _tag(parent, "parent_id_tag") if parent else None,
        )
        name = named.get("name")
        return ListEntry(id_tag, info, None if name is None else checked_name(name))

    def _wrong(self, claim: str) -> None:
        self._mistakes.append(f"line {self._rows.line_num}: {claim}")


def _tag(text: str, column: str) -> str:
    if not is_valid_id_tag(text):
        raise ValueError(f"{column} must have 1 to 20 plain characters (ASCII)")
    return text


def _named_separator(line: str) -> str:
    """What ``sep=;`` says, which some spreadsheets write before everything else; else nothing."""
    key, _, sign = line.partition("=")
    if key.strip(' "').lower() != "sep":
        return ""
    sign = sign.rstrip('"')[:1] or "\t"  # an editor may have cut a tab off
    if sign not in _SEPARATORS:
        raise ListFileError([f"line 1 names the separator {sign!r}: use a comma, ; or a tab"])
    return sign


def _likely_separator(header: str) -> str:
    """Where the decimal sign is a comma, spreadsheets separate by semicolons."""
    return next((sign for sign in _SEPARATORS if sign in header), ",")


def _column(name: str) -> str:
    plain = name.strip().lower()
    return _OTHER_NAMES.get(re.sub(r"[ _-]", "", plain), plain)


def _read_as(column: str, text: str, form: str) -> str:
    """The value of a cell that a person or a spreadsheet has written. Raises ValueError."""
    if as_text := _AS_TEXT.fullmatch(text):
        text = as_text[1].strip()
    if len(text) > 1 and column != "status":
        text = text.strip(_QUOTES).strip() or text
    wanted = "format the column as text in the spreadsheet"
    if _SHORTENED_NUMBER.fullmatch(text):
        raise ValueError(f"{column} is a shortened number: {wanted}")
    if column not in ("id_tag", "parent_id_tag"):
        return text
    if _DECIMAL.fullmatch(text):
        raise ValueError(f"{column} is a number with decimals ({text[:20]}): {wanted}")
    if any(sign in text for sign in _SEPARATORS):
        raise ValueError(f"{column} has a separator in it ({text[:20]!r}): is line 1 complete?")
    try:
        return tag_as_told(text, form)
    except ValueError as problem:
        if column != "id_tag":  # a group need not come from a reader
            return text
        raise ValueError(f"{column} {problem}") from None


def _needs_guard(cell: str, form: str, column: str) -> bool:
    bare = cell.lstrip("'")
    if bare != bare.strip() or _FORMULA_OR_NUMBER.match(bare) is not None:
        return True
    try:
        read_as = column if column == "name" else "id_tag"
        return _read_as(read_as, cell.strip(), form) != cell
    except ValueError:
        return True


def _read_cell(cell: str, form: str, column: str) -> tuple[str, bool]:
    begun = cell.lstrip()
    if begun.startswith("'") and _needs_guard(begun[1:], form, column):
        return begun[1:], True
    return cell.strip(), False


def _shown(mistakes: list[str]) -> list[str]:
    more = len(mistakes) - MISTAKES_SHOWN_MAX
    if more <= 0:
        return mistakes
    return [*mistakes[:MISTAKES_SHOWN_MAX], f"and {more} more lines"]
