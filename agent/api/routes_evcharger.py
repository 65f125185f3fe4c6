"""The same commands as the vendor's client sends them since 0.3: below /evcharger, one receipt."""

# No postponed annotations: the framework reads them.
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import Depends, FastAPI
from pydantic import create_model

from agent.api import response_models, schemas
from agent.api.commands_configuration import ConfigurationCommands, ProxyCommand
from agent.api.commands_sessions import SessionCommands
from agent.api.commands_simulation import SimulationCommands
from agent.api.errors import Invalid
from agent.api.middleware import EVCHARGER_COMMANDS
from agent.api.routes_commands import ERRORS, bearer
from agent.api.service import PURPOSES, ControlService, Prepare

Receipt = response_models.LocationCommandResponse
Taken = response_models.QueuedCommandResponse
Payload = type[schemas.Model]


def add_evcharger_routes(app: FastAPI, service: ControlService) -> None:
    """Every POST below /evcharger/commands/."""
    simulation = SimulationCommands(service)
    sessions = SessionCommands(service, simulation)
    configuration = ConfigurationCommands(service)
    proxy = ProxyCommand(service)
    at_once: dict[str, tuple[Payload, Callable[[Any], Awaitable[schemas.Model]]]] = {
        "configuration": (
            schemas.ConfigurationChangePayload,
            lambda payload: configuration.change(payload.as_event()),
        ),
        "cache/reset": (schemas.EmptyEvent, lambda payload: configuration.reset_cache()),
        "local-auth-list": (schemas.LocalAuthListPayload, configuration.send_list),
        "clear-local-auth-list": (schemas.EmptyEvent, lambda payload: configuration.clear_list()),
        "inject-fault": (schemas.InjectFaultEvent, simulation.inject),
        "clear-fault": (schemas.ClearFaultEvent, simulation.clear),
    }
    queued: dict[str, tuple[Payload, Prepare]] = {
        "plug-connector": (schemas.ConnectorCommandEvent, simulation.plug),
        "unplug-connector": (schemas.ConnectorCommandEvent, simulation.unplug),
        "ev-requests-energy": (schemas.ConnectorCommandEvent, simulation.request_energy),
        "ev-stops-energy": (schemas.ConnectorCommandEvent, simulation.stop_energy),
        "power-update": (schemas.PowerUpdateCommandEvent, simulation.power),
        "start-session": (schemas.StartSessionCommandEvent, sessions.start_session),
        "stop-session": (schemas.StopSessionCommandEvent, sessions.stop_session),
        "authorize-id-tag": (schemas.AuthorizeIdTagCommandEvent, sessions.authorize),
    }
    for path, (payload, perform) in at_once.items():
        _add(app, service, path, payload, partial(service.perform, _event_type(path), perform))
    for path, (payload, prepare) in queued.items():
        name = _event_type(path)
        take = partial(service.submit, name, prepare=prepare, purpose=PURPOSES[name])
        _add(app, service, path, payload, take)
    _add(
        app,
        service,
        "proxy-message",
        schemas.ProxyMessagePayload,
        lambda payload: proxy.send(payload.as_event()),
    )


def _event_type(path: str) -> str:
    return path.replace("-", "_").replace("/", "_")


def _add(
    app: FastAPI,
    service: ControlService,
    path: str,
    payload: Payload,
    take: Callable[[Any], Awaitable[Taken]],
) -> None:
    async def command(request: Any) -> Receipt:
        try:
            return await service.for_target(
                request.target.as_command_target(), lambda: take(request.payload)
            )
        except Invalid as problem:
            where = tuple("payload" if part == "event" else part for part in problem.where)
            raise Invalid(problem.detail, where, problem.kind) from None

    needs_payload = any(field.is_required() for field in payload.model_fields.values())
    command.__annotations__["request"] = create_model(
        f"{_event_type(path).title().replace('_', '')}PayloadRequest",
        __base__=schemas.Model,
        __doc__=f"Request for {path}.",
        target=(schemas.PayloadTarget, ...),
        payload=(payload, ... if needs_payload else payload()),
    )
    app.post(
        EVCHARGER_COMMANDS + path,
        name=_event_type(path),
        status_code=202,
        responses=ERRORS,
        dependencies=[Depends(bearer)],
        tags=["evcharger"],
        description=f"As POST /ocpp/commands/{path}, with the receipt of a queued command.",
    )(command)
