"""Tables as CSV, for a spreadsheet: RFC 4180, whose lines end with CR and LF, also in a pipe.

With a semicolon between the cells the decimal sign is a comma, as spreadsheets in Germany and most
of Europe expect it. A text that a spreadsheet would run as a formula stands behind an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

SEPARATORS = {"comma": ",", "semicolon": ";"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[str]], separator: str) -> str:
    """Write the rows with one line of names above. ``separator`` is one of SEPARATORS."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=SEPARATORS[separator])
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_guarded(cell) for cell in row])
    return text.getvalue()


def decimal_sign(separator: str) -> str:
    """What stands before the decimals beside this separator."""
    return "." if separator == "comma" else ","


def yes_or_no(is_so: bool) -> str:
    """A cell that is true or not."""
    return "yes" if is_so else "no"


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
