"""What can be read: charger, frames, configuration, local list, decisions, results of commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.api.errors import Invalid
from agent.api.response_models import (
    ChargerLogEntry,
    ChargerLogListResponse,
    ChargerResponse,
    CommandResultResponse,
    ConfigurationEntry,
    ConfigurationResponse,
    ConnectorResponse,
    DecisionResponse,
    GridLimitListResponse,
    GridLimitResponse,
    LinkResponse,
    LocalAuthListItem,
    LocalAuthListResponse,
    SecurityLogLineResponse,
    SecurityLogResponse,
    SessionListResponse,
    SessionResponse,
)
from agent.api.results import QueuedCommand
from agent.api.schemas import read_date_time
from agent.api.service import ControlService
from agent.control.actions import decision_as_data
from agent.control.charge_log import session_as_data
from agent.control.snapshot import charge_point_snapshot
from agent.core.id_tag import SoughtTag, sought_tag
from agent.ocpp16.operator_messages import VERSION
from agent.ocpp16.requests import package_version
from agent.ocppj.frame_log import LoggedFrame
from agent.store.charge_log import SessionFilter
from agent.store.grid_limits import GridLimit
from agent.store.security_log import SecurityLogLine

_KEYS_MAX = 100


def text_of(at: datetime) -> str:
    """An instant as the API writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ReadModels:
    """Answers to GET."""

    def __init__(self, service: ControlService) -> None:
        self._service = service
        self._agent = service.agent

    # --- the charger -----------------------------------------------------------------------------

    async def charger(self) -> ChargerResponse:
        """Who the charger is, and how its link and its connectors are."""
        settings = self._agent.settings
        box = settings.charge_point
        state = self._agent.state
        snapshot = charge_point_snapshot(state, self._agent.now())
        evse_ids = {connector.id: connector.evse_id for connector in settings.connectors}
        return ChargerResponse(
            id=self._service.charger_id,
            identity=box.identity,
            name=self._service.charger_id,
            vendor_name=box.vendor,
            model=box.model,
            ocpp_version=VERSION,
            number_of_connectors=len(state.connectors),
            max_charging_power=int(box.max_current_a * box.nominal_voltage_v * box.phases),
            connector_type=None,
            location_id=box.location_id or None,
            firmware_version=box.firmware_version or package_version(),
            online=state.online,
            link=await self._link(),
            time_is_known=snapshot["time_is_known"],
            connectors=[
                self._connector(found, evse_ids[found["id"]]) for found in snapshot["connectors"]
            ],
        )

    async def _link(self) -> LinkResponse:
        link = await self._agent.link()
        return LinkResponse(
            connected_since=None if link.connected_since is None else text_of(link.connected_since),
            boot=link.registration,
            last_pong_at=None if link.last_pong_at is None else text_of(link.last_pong_at),
            last_pong_took_s=link.last_pong_took_s,
            in_flight=link.in_flight,
            messages_waiting=self._agent.state.outbox.waiting,
        )

    def _connector(self, shown: Mapping[str, Any], evse_id: str) -> ConnectorResponse:
        session, meter = shown["session"] or {}, shown["meter"] or {}
        return ConnectorResponse(
            connector_id=shown["id"],
            evse_id=evse_id,
            status=shown["status"],
            error_code=shown["error_code"],
            in_words=shown["in_words"],
            plugged=shown["plugged"],
            transaction_id=session.get("transaction_id"),
            transaction_ref=session.get("ref"),
            id_tag=session.get("id_tag"),
            power_w=meter.get("power_w"),
            energy_wh=meter.get("import_wh"),
            session_energy_wh=session.get("energy_wh"),
            limit_a=shown["limit"]["current_a"],
            limit_source=shown["limit"]["source"],
            limit_in_words=shown["limit"]["words"],
            hardware=self._agent.hardware(shown["id"]),
        )

    # --- frames ----------------------------------------------------------------------------------

    def logs(
        self, begin: str | None, end: str | None, action: str | None, limit: int, offset: int
    ) -> ChargerLogListResponse:
        """The frames of this time and action, newest first."""
        begin_at, end_at = _instant(begin, "start_date"), _instant(end, "end_date")
        found = [
            frame
            for frame in reversed(self._agent.frame_log.frames())
            if (begin_at is None or frame.at >= begin_at)
            and (end_at is None or frame.at <= end_at)
            and (action is None or frame.action.lower() == action.replace("_", "").lower())
        ]
        page = found[offset : offset + limit]
        return ChargerLogListResponse(
            data=[_log_entry(frame) for frame in page],
            total=len(found),
            limit=limit,
            offset=offset,
        )

    # --- configuration ---------------------------------------------------------------------------

    def configuration(self, keys: str | None) -> ConfigurationResponse:
        """These OCPP configuration keys, or all of them."""
        configuration = self._agent.state.configuration
        names = [name.strip() for name in (keys or "").split(",") if name.strip()][:_KEYS_MAX]
        asks_for_none = keys is not None and not names
        known, unknown = ([], []) if asks_for_none else configuration.look_up(names)
        entries = [
            ConfigurationEntry(key=key.name, value=value, readonly=key.readonly)
            for key, value in known
        ]
        return ConfigurationResponse(configuration=entries, unknown_keys=unknown)

    # --- local list, decisions -------------------------------------------------------------------

    async def local_list(self, page: int, limit: int) -> LocalAuthListResponse:
        """One page of the list in use; whole tags, for that is what it is about."""
        entries = await self._agent.list_do(lambda lists: lists.page((page - 1) * limit, limit))
        now = self._agent.state.local_list
        return LocalAuthListResponse(
            data=[
                LocalAuthListItem(
                    id_tag=id_tag,
                    expiry_date=None if info.expires_at is None else text_of(info.expires_at),
                    parent_id_tag=info.parent_id_tag,
                    status=info.status.value,
                )
                for id_tag, info in entries
            ],
            total=now.entries,
            page=page,
            limit=limit,
            list_version=now.reported_version,
        )

    async def decisions(self, id_tag: str | None, limit: int) -> list[DecisionResponse]:
        """The last decisions about cards, newest first."""
        tag = self._sought(id_tag)
        found = await self._agent.decisions(tag, limit)
        _check_that_it_can_be(tag, found)
        return [
            DecisionResponse(
                **decision_as_data(record, self._agent.taps.steps_to(record))
                | {"decided_at": text_of(record.decided_at)}
            )
            for record in found
        ]

    async def sessions(
        self,
        limit: int,
        before: int | None,
        begin: str | None,
        end: str | None,
        id_tag: str | None,
    ) -> SessionListResponse:
        """Sessions that are over, newest first."""
        tag = self._sought(id_tag)
        wanted = SessionFilter(_instant(begin, "start_date"), _instant(end, "end_date"), tag)
        found = await self._agent.sessions(limit + 1, before, wanted)
        if before is None:
            _check_that_it_can_be(tag, found)
        page = found[:limit]
        return SessionListResponse(
            data=[SessionResponse(**session_as_data(session)) for session in page],
            next_before=page[-1].ref if len(found) > limit else None,
        )

    def _sought(self, id_tag: str | None) -> SoughtTag | None:
        form = self._agent.settings.reader.uid_format
        return None if id_tag is None else sought_tag(id_tag, form)

    async def grid_limits(self, limit: int, before: int | None) -> GridLimitListResponse:
        """When the grid operator limited the box, newest first."""
        found = await self._agent.grid_limits(limit + 1, before)
        page = found[:limit]
        return GridLimitListResponse(
            data=[_grid_limit(one) for one in page],
            next_before=page[-1].number if len(found) > limit else None,
        )

    async def security_log(
        self, limit: int, before: int | None, begin: str | None, end: str | None
    ) -> SecurityLogResponse:
        """Lines of the security log, newest first, and whether its chain is whole."""
        times = (_instant(begin, "start_date"), _instant(end, "end_date"))
        found = await self._agent.security_log(limit + 1, before, *times)
        page = found[:limit]
        return SecurityLogResponse(
            data=[_security_line(line) for line in page],
            next_before=page[-1].number if len(found) > limit else None,
            problem=await self._agent.security_log_problem(),
        )

    # --- results ---------------------------------------------------------------------------------

    def command(self, command: QueuedCommand) -> CommandResultResponse:
        """What became of a command."""
        return CommandResultResponse(
            command_id=command.id,
            event_type=command.event_type,
            identity=self._service.identity,
            deployment_id=self._service.charger_id,
            status=command.status.value,
            detail=command.detail,
            result=None if command.result is None else dict(command.result),
            enqueued_at=text_of(command.received_at),
            received_at=text_of(command.received_at),
            updated_at=text_of(command.updated_at),
        )


def _grid_limit(one: GridLimit) -> GridLimitResponse:
    return GridLimitResponse(
        number=one.number,
        begun_at=text_of(one.begun_at),
        ended_at=None if one.ended_at is None else text_of(one.ended_at),
        limit=one.limit,
        unit=one.unit,
        is_end_found=one.is_end_found,
        is_time_known=one.is_time_known,
    )


def _log_entry(frame: LoggedFrame) -> ChargerLogEntry:
    return ChargerLogEntry(
        direction="cp_to_csms" if frame.sent_by_us else "csms_to_cp",
        action=frame.action,
        message=frame.message,
        timestamp=text_of(frame.at),
    )


def _security_line(line: SecurityLogLine) -> SecurityLogLineResponse:
    return SecurityLogLineResponse(
        number=line.number,
        timestamp=line.at,
        type=line.type,
        tech_info=line.tech_info,
        boot=line.boot,
        chain=line.chain,
    )


def _check_that_it_can_be(tag: SoughtTag | None, found: Sequence[object]) -> None:
    """Raise Invalid for a tag of which there is nothing, and never can be."""
    if tag is not None and tag.problem and not found:
        raise Invalid(tag.problem, ("query", "id_tag"))


def _instant(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        # In a query a plus is a space: 2026-01-01T00:00:00+01:00 arrives without it.
        return read_date_time(text if text[10:11] == " " else text.replace(" ", "+"))
    except ValueError as problem:
        raise Invalid(str(problem), ("query", name)) from None
