"""The routes that only read."""

# No postponed annotations: the framework reads them.
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Response
from starlette.convertors import Convertor, register_url_convertor

from agent.api import response_models
from agent.api.errors import not_found, unavailable
from agent.api.metrics import CONTENT_TYPE, exposition
from agent.api.read_models import ReadModels
from agent.api.routes_commands import READ_ERRORS, bearer
from agent.api.service import ControlService
from agent.core.id_tag import WRITTEN_MAX

PAGE_MAX = 1_000_000
INT_MAX = 2**63 - 1  # of the database
WAIT_S_MAX = 30
_READ: dict[str, Any] = {
    "responses": READ_ERRORS,
    "dependencies": [Depends(bearer)],
    "tags": ["reading"],
}

Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[int | None, Query(ge=1, le=INT_MAX)]
Charger = Annotated[str | None, Query(max_length=60)]
Date = Annotated[str | None, Query(max_length=60)]
Id = Annotated[str, Query(min_length=1, max_length=WRITTEN_MAX)]


class _CommandId(Convertor[str]):
    """12 hex digits, so that GET on a command's name is no command id."""

    regex = "[0-9a-f]{12}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def add_read_routes(app: FastAPI, service: ControlService) -> None:
    """Every GET."""
    register_url_convertor("command_id", _CommandId())
    read_models = ReadModels(service)
    _add_service_routes(app, service)
    _add_result_routes(app, service, read_models)
    _add_record_routes(app, read_models)
    _add_charger_routes(app, service, read_models)


def _add_service_routes(app: FastAPI, service: ControlService) -> None:
    @app.get("/health", tags=["service"], responses={503: READ_ERRORS[503]})
    async def health_check() -> response_models.HealthResponse:
        """Liveness: the charge point's own loop answers. Needs no token."""
        if not await service.agent.is_alive():
            raise unavailable("not_alive", "The charge point does not answer.")
        return response_models.HealthResponse(status="ok")

    @app.get(
        "/metrics",
        tags=["service"],
        dependencies=[Depends(bearer)],
        response_class=Response,
        responses={**READ_ERRORS, 200: {"content": {"text/plain": {}}}},
    )
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(await exposition(service), media_type=CONTENT_TYPE)


def _add_result_routes(app: FastAPI, service: ControlService, read_models: ReadModels) -> None:
    @app.get("/ocpp/commands", **_READ)
    async def list_commands(limit: Limit = 50) -> response_models.CommandListResponse:
        """The last commands, newest first."""
        newest = service.results.newest(limit)
        return response_models.CommandListResponse(
            data=[read_models.command(found) for found in newest]
        )

    @app.get("/evcharger/commands", **_READ)
    async def list_results(
        deployment_id: Charger = None, identity: Charger = None, limit: Limit = 50
    ) -> response_models.CommandListResponse:
        """The last commands of a charger, newest first."""
        for named in filter(None, (deployment_id, identity)):
            service.require_charger(named)
        return await list_commands(limit)

    @app.get("/evcharger/commands/{command_id:command_id}", **_READ)
    @app.get("/ocpp/commands/{command_id:command_id}", **_READ)
    async def get_command(
        command_id: str, wait_s: Annotated[float, Query(ge=0, le=WAIT_S_MAX)] = 0
    ) -> response_models.CommandResultResponse:
        """What became of a command; with wait_s the answer waits until that is final."""
        command = service.results.find(command_id)
        if command is None:
            raise not_found("unknown_command", "There is no command of that id, or no more.")
        await service.wait_for(command, wait_s)
        return read_models.command(command)


def _add_record_routes(app: FastAPI, read_models: ReadModels) -> None:
    @app.get("/ocpp/decisions", **_READ)
    async def list_decisions(
        limit: Limit = 50, id_tag: Id | None = None
    ) -> response_models.DecisionListResponse:
        """Why cards were accepted or refused, newest first."""
        return response_models.DecisionListResponse(data=await read_models.decisions(id_tag, limit))

    @app.get("/ocpp/sessions", **_READ)
    async def list_sessions(
        limit: Limit = 50,
        before: Before = None,
        start_date: Date = None,
        end_date: Date = None,
        id_tag: Id | None = None,
    ) -> response_models.SessionListResponse:
        """Sessions that are over, newest first: ended from start_date on and before end_date."""
        return await read_models.sessions(limit, before, start_date, end_date, id_tag)

    @app.get("/ocpp/grid-limits", **_READ)
    async def list_grid_limits(
        limit: Limit = 50, before: Before = None
    ) -> response_models.GridLimitListResponse:
        """When the grid operator's contact limited the box, newest first."""
        return await read_models.grid_limits(limit, before)

    @app.get("/ocpp/security-log", **_READ)
    async def list_security_events(
        limit: Limit = 50,
        before: Before = None,
        start_date: Date = None,
        end_date: Date = None,
    ) -> response_models.SecurityLogResponse:
        """Lines of the security log, newest first, and where it was changed ("": nowhere)."""
        return await read_models.security_log(limit, before, start_date, end_date)


def _add_charger_routes(app: FastAPI, service: ControlService, read_models: ReadModels) -> None:
    charger = "/ocpp/chargers/{charger_id}"

    @app.get(charger, **_READ)
    async def get_charger(charger_id: str) -> response_models.ChargerResponse:
        """The charger, its link and its connectors."""
        service.require_charger(charger_id)
        return await read_models.charger()

    @app.get(charger + "/logs", **_READ)
    async def get_logs(
        charger_id: str,
        start_date: Date = None,
        end_date: Date = None,
        event: Annotated[str | None, Query(max_length=60)] = None,
        limit: Limit = 100,
        offset: Annotated[int, Query(ge=0, le=PAGE_MAX)] = 0,
    ) -> response_models.ChargerLogListResponse:
        """The last OCPP frames, newest first; idTags masked, secrets removed."""
        service.require_charger(charger_id)
        return read_models.logs(start_date, end_date, event, limit, offset)

    @app.get(charger + "/configuration", **_READ)
    async def get_configuration(
        charger_id: str, keys: Annotated[str | None, Query(max_length=5000)] = None
    ) -> response_models.ConfigurationResponse:
        """OCPP configuration keys: those named, separated by commas, or all."""
        service.require_charger(charger_id)
        return read_models.configuration(keys)

    @app.get(charger + "/local-auth-list", **_READ)
    async def get_local_list(
        charger_id: str,
        page: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1,
        limit: Limit = 50,
    ) -> response_models.LocalAuthListResponse:
        """A page of the local authorization list."""
        service.require_charger(charger_id)
        return await read_models.local_list(page, limit)
