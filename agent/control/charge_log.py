"""The charge log as plain data, for the control socket, the control API and the page.

Tags are masked; the name that people gave to a tag stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from agent.control.server import Action
from agent.control.services import Services
from agent.core.authorization_reasons import Rule
from agent.core.id_tag import mask
from agent.platform.errors import ControlError, StoreError
from agent.runtime.journal import FRESH_S
from agent.store.charge_log import ALL_SESSIONS, LoggedSession, SessionFilter, SessionSum

PAGE_MAX = 500


class ChargeLog(Protocol):
    """What reads the log: the store of the running agent, or the database alone."""

    def sessions(
        self, limit: int, before: int | None = None, wanted: SessionFilter = ALL_SESSIONS
    ) -> list[LoggedSession]: ...
    def session_sums(self, wanted: SessionFilter = ALL_SESSIONS) -> list[SessionSum]: ...


class ChargeLogActions:
    """The action ``sessions``: a page of them, or with ``sums`` what each tag has charged."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def by_name(self) -> Mapping[str, Action]:
        """The action under its name."""
        return {"sessions": self._sessions}

    async def _sessions(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        services = self._services
        await services.runtime.journal.wait_until_written(FRESH_S)
        found: list[dict[str, Any]] = await services.threads.read(answer, services.store, request)
        return found


def answer(log: ChargeLog, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Answer a request of the control socket. Raises ControlError with a sentence."""
    wanted = SessionFilter(
        _instant(request, "since"), _instant(request, "until"), _text(request, "id_tag")
    )
    limit, before = _number(request, "limit"), _number(request, "before")
    if limit is not None and limit > PAGE_MAX:
        raise ControlError(f"limit must be a whole number from 1 to {PAGE_MAX}")
    try:
        if request.get("sums") is True:
            return [sum_as_data(found) for found in log.session_sums(wanted)]
        found = log.sessions(limit or PAGE_MAX, before, wanted)
        return [session_as_data(session) for session in found]
    except StoreError as problem:
        raise ControlError(str(problem)) from None


def session_as_data(session: LoggedSession) -> dict[str, Any]:
    """A session as plain data, its tag masked, times in UTC."""
    return {
        "session": session.ref,
        "connector_id": session.connector_id,
        "id_tag": mask(session.id_tag),
        "name": session.name,
        "begun_at": _utc(session.begun_at),
        "ended_at": _utc(session.ended_at),
        "is_time_known": session.is_time_known,
        "energy_wh": session.energy_wh,
        "meter_start_wh": session.meter_start_wh,
        "meter_stop_wh": session.meter_stop_wh,
        "highest_w": session.highest_w,
        "longest_pause_s": session.longest_pause_s,
        "reason": session.reason,
        "accepted_by": session.source,
        "accepted_because": Rule[session.rule].says if session.rule else "",
        "transaction_id": session.transaction_id,
        "central_system": session.delivery.value,
    }


def sum_as_data(found: SessionSum) -> dict[str, Any]:
    """A sum as plain data, its tag masked."""
    return {
        "month": found.month,
        "id_tag": mask(found.id_tag),
        "name": found.name,
        "sessions": found.sessions,
        "energy_wh": found.energy_wh,
    }


def kwh(energy_wh: int, decimal: str = ".") -> str:
    """Energy in kWh, to the Wh."""
    return f"{energy_wh / 1000:.3f}".replace(".", decimal)


def who(data: Mapping[str, Any]) -> str:
    """Whose session it is: the name, and the tag masked."""
    return f"{data['name']} ({data['id_tag']})" if data["name"] else str(data["id_tag"])


def _utc(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def _instant(request: Mapping[str, Any], name: str) -> datetime | None:
    text = _text(request, name)
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        found = None
    if text is not None and (found is None or found.tzinfo is None):
        raise ControlError(f"{name} must be an instant with its time zone: 2026-11-01T00:00:00Z")
    return found


def _text(request: Mapping[str, Any], name: str) -> str | None:
    value = request.get(name)
    if value is not None and not isinstance(value, str):
        raise ControlError(f"{name} must be a text")
    return value


def _number(request: Mapping[str, Any], name: str) -> int | None:
    value = request.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ControlError(f"{name} must be a whole number, 1 or more")
    return value
