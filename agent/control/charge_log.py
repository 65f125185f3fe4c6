"""The charge log as plain data, for the control socket, the control API and the page.

Tags are masked; the name that people gave to a tag stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from agent.control.requests import PAGE_MAX, instant_in, number_in, tag_in
from agent.control.server import Action
from agent.control.services import Services
from agent.core.authorization_reasons import reason_of, whose
from agent.platform.errors import ControlError, StoreError
from agent.store.charge_log import ALL_SESSIONS, LoggedSession, SessionFilter, SessionSum


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
        form = services.settings.reader.uid_format
        found: list[dict[str, Any]] = await services.report(answer, services.store, form, request)
        return found


def answer(log: ChargeLog, form: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Answer a request of the control socket; ``form``: in which the reader tells a card.

    Raises ControlError with a sentence.
    """
    tag = tag_in(request, form)
    wanted = SessionFilter(instant_in(request, "since"), instant_in(request, "until"), tag)
    limit, before = number_in(request, "limit", PAGE_MAX), number_in(request, "before")
    try:
        if request.get("sums") is True:
            return [sum_as_data(found) for found in log.session_sums(wanted)]
        found = log.sessions(limit or PAGE_MAX, before, wanted)
    except StoreError as problem:
        raise ControlError(str(problem)) from None
    if tag is not None and tag.problem and not found and before is None:
        raise ControlError(tag.problem)
    return [session_as_data(session) for session in found]


def session_as_data(session: LoggedSession) -> dict[str, Any]:
    """A session as plain data, its tag masked, times in UTC."""
    return {
        "session": session.ref,
        "connector_id": session.connector_id,
        "id_tag": whose(session.id_tag, session.rule),
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
        "accepted_because": reason_of(session.rule),
        "transaction_id": session.transaction_id,
        "central_system": session.delivery.value,
    }


def sum_as_data(found: SessionSum) -> dict[str, Any]:
    """A sum as plain data, its tag masked."""
    return {
        "month": found.month,
        "id_tag": whose(found.id_tag, found.rule),
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
