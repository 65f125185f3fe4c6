"""The charge log as CSV, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agent.control.charge_log import kwh
from agent.control.csv_table import csv_table, decimal_sign, yes_or_no
from agent.platform.local_time import local_time

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


def sessions_as_csv(sessions: Iterable[Mapping[str, Any]], separator: str = "comma") -> str:
    """Write sessions, as ``session_as_data`` tells them, with one line of names above.

    ``begin`` and ``end`` are local times of this machine.
    """
    decimal = decimal_sign(separator)
    return csv_table(COLUMNS, (_cells(session, decimal) for session in sessions), separator)


def _cells(session: Mapping[str, Any], decimal: str) -> list[str]:
    highest_w = session["highest_w"]
    number = session["transaction_id"]
    pause_min = f"{session['longest_pause_s'] / 60:.1f}"
    return [
        str(session["session"]),
        str(session["connector_id"]),
        session["id_tag"],
        session["name"],
        local_time(session["begun_at"]),
        local_time(session["ended_at"]),
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
        yes_or_no(session["is_time_known"]),
    ]
