"""The page of the charge log: one month, its sums by card, and the same as CSV.

Months are those of this machine's local time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import Response

from agent.api.agent_bridge import AgentBridge
from agent.control.charge_log import session_as_data, sum_as_data
from agent.control.charge_log_csv import sessions_as_csv
from agent.control.csv_table import SEPARATORS
from agent.core.values import StopReason
from agent.store.charge_log import LoggedSession, SessionFilter

SHOWN_MAX = 1000  # sessions of a month on the page; as CSV all
_EVERY = 100_000  # as many as the log can hold
ENDED: Mapping[str, str] = {  # OCPP 1.6, 7.36
    StopReason.DE_AUTHORIZED.value: "card no longer accepted",
    StopReason.EMERGENCY_STOP.value: "emergency stop",
    StopReason.EV_DISCONNECTED.value: "unplugged",
    StopReason.HARD_RESET.value: "reset",
    StopReason.LOCAL.value: "at the box",
    StopReason.OTHER.value: "a fault",
    StopReason.POWER_LOSS.value: "power cut",
    StopReason.REBOOT.value: "restart",
    StopReason.REMOTE.value: "by the central system",
    StopReason.SOFT_RESET.value: "reset",
    StopReason.UNLOCK_COMMAND.value: "cable unlocked",
}
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


class SessionsPage:
    """What the page of sessions shows."""

    def __init__(self, agent: AgentBridge) -> None:
        self._agent = agent

    async def month(self, asked: str) -> dict[str, Any]:
        """The month that was asked for, else the newest that has sessions."""
        sums = await self._agent.session_sums()
        months = list(dict.fromkeys(found.month for found in sums))
        month = asked if asked in months else next(iter(months), "")
        of_month = [found for found in sums if found.month == month]
        sessions = await self._sessions(month, SHOWN_MAX)
        return {
            "month": month,
            "months": months,
            "sums": [sum_as_data(found) for found in of_month],
            "count": sum(found.sessions for found in of_month),
            "energy_wh": sum(found.energy_wh for found in of_month),
            "sessions": [_shown(session) for session in reversed(sessions)],
            "zone": _zone(sessions),
            "station": self._station(),
            "meters": self._meters(),
            "issued": _local(self._agent.now().utc),
        }

    async def csv(self, asked: str, separator: str) -> Response:
        """A month as a file for a spreadsheet."""
        month = asked if _MONTH.fullmatch(asked) else ""
        sessions = await self._sessions(month, _EVERY)
        text = sessions_as_csv(
            [session_as_data(session) for session in reversed(sessions)],
            separator if separator in SEPARATORS else "comma",
        )
        headers = {"Content-Disposition": f'attachment; filename="sessions-{month or "none"}.csv"'}
        # With its mark, spreadsheets take it for UTF-8.
        return Response(f"\ufeff{text}", headers=headers, media_type="text/csv")

    async def _sessions(self, month: str, limit: int) -> list[LoggedSession]:
        bounds = _bounds(month)
        if bounds is None:
            return []
        return await self._agent.sessions(limit, None, SessionFilter(*bounds))

    def _station(self) -> Mapping[str, str]:
        named = self._agent.settings.charge_point
        return {
            "Charge point": named.identity,
            "Model": f"{named.vendor} {named.model}",
            "Serial number": named.serial_number,
            "Site": named.location_id,
        }

    def _meters(self) -> list[tuple[int, str]]:
        """Each connector, and what its registers are read from."""
        meters = [(found.id, found.meter) for found in self._agent.settings.connectors]
        return [
            (number, f"{meter.driver}, address {meter.unit_id}" if meter.port else meter.driver)
            for number, meter in meters
        ]


def _bounds(month: str) -> tuple[datetime, datetime] | None:
    """The instants between which this month lies, in local time; None: there is no such month."""
    found = _MONTH.fullmatch(month)
    if found is None:
        return None
    year, number = map(int, found.groups())
    if not (1 <= number <= 12 and 1970 <= year < 9999):
        return None
    after = (year + number // 12, number % 12 + 1)
    first, last = (datetime(*start, 1).astimezone() for start in ((year, number), after))
    return first, last


def _shown(session: LoggedSession) -> dict[str, Any]:
    return {
        **session_as_data(session),
        "ended": ENDED.get(session.reason, session.reason),  # another version's stays
        "begin": _local(session.begun_at),
        "end": _local(session.ended_at),
        "begin_utc": f"{session.begun_at:%Y-%m-%d %H:%M}",
        "end_utc": f"{session.ended_at:%Y-%m-%d %H:%M}",
    }


def _local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _zone(sessions: list[LoggedSession]) -> str:
    """What the local time of these sessions is called; two names where the clock was changed."""
    names = {f"{session.ended_at.astimezone():%Z}" for session in sessions}
    return " / ".join(sorted(names))
