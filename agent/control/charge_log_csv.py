"""The charge log as CSV, for a spreadsheet.

With a semicolon between the cells the decimal sign is a comma, as spreadsheets in Germany and most
of Europe expect it. A text that a spreadsheet would run as a formula stands behind an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from agent.control.charge_log import kwh

SEPARATORS = {"comma": ",", "semicolon": ";"}
COLUMNS = (
    "session",
    "connector",
    "card",
    "name",
    "begin",
    "end",
    "begin_utc",
    "end_utc",
    "energy_kwh",
    "meter_begin_kwh",
    "meter_end_kwh",
    "highest_kw",
    "longest_pause_min",
    "reason",
    "accepted_by",
    "accepted_because",
    "central_system",
    "transaction_id",
    "time_is_known",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sessions_as_csv(sessions: Iterable[Mapping[str, Any]], separator: str = "comma") -> str:
    """Write sessions, as ``session_as_data`` tells them, with one line of names above.

    ``separator`` is one of SEPARATORS. ``begin`` and ``end`` are local times of this machine.
    """
    sign = SEPARATORS[separator]
    decimal = "," if sign == ";" else "."
    text = io.StringIO()
    writer = csv.writer(text, delimiter=sign, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for session in sessions:
        writer.writerow([_guarded(cell) for cell in _cells(session, decimal)])
    return text.getvalue()


def _cells(session: Mapping[str, Any], decimal: str) -> list[str]:
    highest_w = session["highest_w"]
    number = session["transaction_id"]
    pause_min = f"{session['longest_pause_s'] / 60:.1f}"
    return [
        str(session["session"]),
        str(session["connector_id"]),
        session["id_tag"],
        session["name"],
        _local(session["begun_at"]),
        _local(session["ended_at"]),
        session["begun_at"],
        session["ended_at"],
        *(kwh(session[key], decimal) for key in ("energy_wh", "meter_start_wh", "meter_stop_wh")),
        "" if highest_w is None else kwh(highest_w, decimal),
        pause_min.replace(".", decimal),
        session["reason"],
        session["accepted_by"],
        session["accepted_because"],
        session["central_system"],
        "" if number is None or number < 0 else str(number),
        "yes" if session["is_time_known"] else "no",
    ]


def _local(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
