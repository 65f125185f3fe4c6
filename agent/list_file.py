"""A local list as a CSV file, for spreadsheets and scripts.

The first line names the columns: ``id_tag``, and optionally ``expires_at``, ``parent_id_tag`` and
``status``, in any order. Spreadsheets run cells that begin with = + - or @ as formulas, and take
``0412`` and ``12E5`` for numbers: such cells are written behind an apostrophe, which makes them
text, and it is taken off when they are read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from agent.core.id_tag import is_valid_id_tag
from agent.core.values import AuthorizationStatus, IdTagInfo, ListEntry
from agent.edited_files import decoded
from agent.errors import EditedFileError, ListFileError
from agent.list_actions import entry_as_data, expiry_of

COLUMNS = ("id_tag", "expires_at", "parent_id_tag", "status")
FILE_BYTES_MAX = 32 * 1024 * 1024
MISTAKES_SHOWN_MAX = 20

# What a spreadsheet takes for a formula, or for a number that it writes in another way.
_FORMULA_OR_NUMBER = re.compile(r"[=+\-@]|(?:0[0-9]*|[0-9.,]+E\+?[0-9]+)\Z", re.IGNORECASE)
_SHORTENED_NUMBER = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+", re.IGNORECASE)
_STATUSES = {status.value.lower(): status for status in AuthorizationStatus}


def list_as_csv(entries: Iterable[tuple[str, IdTagInfo]]) -> str:
    """Write a list so that ``read_list_csv`` reads the same one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for id_tag, info in entries:
        data = entry_as_data(id_tag, info)
        writer.writerow([_guarded(data.get(column, "")) for column in COLUMNS])
    return text.getvalue()


def read_list_csv(content: bytes, entries_max: int) -> list[ListEntry]:
    """Read a list. Raises ListFileError naming every line that is wrong (the first 20 of them)."""
    if len(content) > FILE_BYTES_MAX:
        raise ListFileError([f"the file is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB"])
    try:
        text = decoded(content)
    except EditedFileError as problem:
        raise ListFileError([str(problem)]) from None
    return _Reading(text, entries_max).entries()


class _Reading:
    def __init__(self, text: str, entries_max: int) -> None:
        first_line = text.partition("\n")[0]
        # Where the decimal sign is a comma, spreadsheets separate by semicolons.
        separator = ";" if ";" in first_line and "," not in first_line else ","
        self._rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
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
        columns = [name.strip().lower() for name in next(self._rows, [])]
        if "id_tag" not in columns:
            wanted = ", ".join(COLUMNS)
            raise ListFileError([f"line 1 must name the columns: {wanted} (id_tag is needed)"])
        unknown = [name for name in columns if name not in COLUMNS]
        if unknown or len(set(columns)) < len(columns):
            known = ", ".join(COLUMNS)
            raise ListFileError([f"line 1 may name each of {known} once, and nothing else"])
        return columns

    def _entry(self, columns: Sequence[str], row: Sequence[str]) -> ListEntry | None:
        cells = [_read_cell(cell) for cell in row]
        if not any(text for text, _ in cells):
            return None  # an empty line
        if len(cells) > len(columns):
            self._wrong(f"has {len(cells)} columns, line 1 names {len(columns)}")
            return None
        if len(self._lines) >= self._entries_max:
            limit = f"LocalAuthListMaxLength is {self._entries_max}"
            raise ListFileError([f"line {self._rows.line_num}: too many entries; {limit}"])
        try:
            for column, (text, was_guarded) in zip(columns, cells, strict=False):
                if not was_guarded and _SHORTENED_NUMBER.fullmatch(text):
                    wanted = "format the column as text in the spreadsheet"
                    raise ValueError(f"{column} is a shortened number: {wanted}")
            return self._checked(
                {name: text for name, (text, _) in zip(columns, cells, strict=False)}
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
        return ListEntry(id_tag, info)

    def _wrong(self, claim: str) -> None:
        self._mistakes.append(f"line {self._rows.line_num}: {claim}")


def _tag(text: str, column: str) -> str:
    if not is_valid_id_tag(text):
        raise ValueError(f"{column} must have 1 to 20 plain characters (ASCII)")
    return text


def _guarded(cell: str) -> str:
    return f"'{cell}" if _needs_guard(cell) else cell


def _needs_guard(cell: str) -> bool:
    """True when a spreadsheet, or trimming, would make another text of it."""
    bare = cell.lstrip("'")
    return bare != bare.strip() or _FORMULA_OR_NUMBER.match(bare) is not None


def _read_cell(cell: str) -> tuple[str, bool]:
    """The text of a cell, and whether it was guarded."""
    begun = cell.lstrip()
    if begun.startswith("'") and _needs_guard(begun[1:]):
        return begun[1:], True
    return cell.strip(), False


def _shown(mistakes: list[str]) -> list[str]:
    more = len(mistakes) - MISTAKES_SHOWN_MAX
    if more <= 0:
        return mistakes
    return [*mistakes[:MISTAKES_SHOWN_MAX], f"and {more} more lines"]
