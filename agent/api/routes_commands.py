"""The command routes: a row for each, so that each can be found by its name, in two families.

Below /ocpp as the documents of the OCPPLab Gateway have them; below /evcharger as the vendor's
client sends them since 0.3: other names of the fields, and one form of receipt for all.
"""

# No postponed annotations: the framework reads them.
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, get_type_hints

from fastapi import Depends, FastAPI, Path
from fastapi.security import HTTPBearer

from agent.api import response_models, schemas
from agent.api.commands_configuration import ConfigurationCommands, ProxyCommand
from agent.api.commands_sessions import SessionCommands
from agent.api.commands_simulation import SimulationCommands
from agent.api.errors import Invalid, not_found
from agent.api.middleware import COMMANDS, EVCHARGER_COMMANDS
from agent.api.service import PURPOSES, ControlService, PreparedCommand
from agent.control.parked_messages import NotParked

Receipt = response_models.LocationCommandResponse
Taken = response_models.QueuedCommandResponse
Body = type[schemas.Model]

bearer = HTTPBearer(auto_error=False, description="A token of the charge point.")
_MEANINGS = {
    400: "Invalid data",
    401: "Missing or invalid bearer token",
    403: "Scope missing",
    404: "Unknown charger, location, transaction or command",
    405: "Method not allowed",
    408: "The body came too slowly",
    409: "Not possible on this hardware, or in this state",
    413: "Body too large",
    415: "Not JSON",
    429: "Too many commands",
    500: "Unexpected failure",
    503: "The central system, or room in the queue, is missing",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": response_models.HttpErrorResponse, "description": message}
    for status, message in _MEANINGS.items()
}
READ_ERRORS: dict[int | str, dict[str, Any]] = {
    status: ERRORS[status] for status in (401, 403, 404, 405, 500, 503)
}
_DONE: dict[str, Any] = {
    "response_model_exclude_none": True,
    "responses": ERRORS,
    "dependencies": [Depends(bearer)],
    "tags": ["commands"],
}
_QUEUED: dict[str, Any] = {**_DONE, "response_model_exclude_none": False, "status_code": 202}


@dataclass(frozen=True, slots=True)
class _Command:
    """One command. ``work`` gets the event: it prepares what is queued, or does it at once."""

    name: str
    event: Body
    work: Callable[[Any], Awaitable[Any]]
    words: str
    path: str = ""  # where it is not the name
    payload: Body | None = None  # below /evcharger, where it is not the event
    is_older: bool = False  # the newer client has no call for it
    body: str = ""  # the name of the body below /ocpp, where it is not that of the event

    @property
    def place(self) -> str:
        """Where it is served, below its family."""
        return self.path or self.name.replace("_", "-")

    @property
    def answer(self) -> Body:
        """What it answers below /ocpp; Receipt: it is queued."""
        made: Any = get_type_hints(self.work)["return"]
        answer: Body = Receipt if made is PreparedCommand else made
        return answer

    @property
    def request(self) -> Body:
        """Its body below /ocpp."""
        is_queued = self.answer is Receipt
        target = schemas.CommandTarget if is_queued else schemas.ChargerCommandTarget
        called = self.event.__name__.removesuffix("Event").removesuffix("Command")
        body = self.body or f"{'Unified' if is_queued else 'Targeted'}{called}Request"
        return schemas.request_body(body, target, self.event)


def add_command_routes(app: FastAPI, service: ControlService) -> None:
    """Every POST below /ocpp/commands/ and /evcharger/commands/."""
    simulation = SimulationCommands(service)
    sessions = SessionCommands(service, simulation)
    configuration, proxy = ConfigurationCommands(service), ProxyCommand(service)
    commands = [
        *_single_commands(configuration, proxy),
        *_simulation_commands(simulation),
        *_session_commands(sessions),
    ]
    for command in commands:
        _add_route(app, service, command)
    for command in commands:
        if not command.is_older:
            _add_evcharger_route(app, service, command)


def _single_commands(configuration: ConfigurationCommands, proxy: ProxyCommand) -> list[_Command]:
    return [
        _Command(
            "proxy_message",
            schemas.ProxyMessageEvent,
            proxy.send,
            "Send one message from the charger to the central system.",
            payload=schemas.ProxyMessagePayload,
        ),
        _Command(
            "set_configuration",
            schemas.ConfigurationUpdateEvent,
            configuration.change,
            "Change OCPP configuration keys, as the central system would.",
            path="configuration",
            payload=schemas.ConfigurationChangePayload,
        ),
        _Command(
            "reset_cache",
            schemas.EmptyEvent,
            configuration.reset_cache,
            "Clear the authorization cache; the local list stays.",
            path="cache/reset",
        ),
        _Command(
            "send_local_list",
            schemas.LocalAuthListEvent,
            configuration.send_list,
            "Replace the local authorization list; list_version must increase.",
            path="local-auth-list",
            payload=schemas.LocalAuthListPayload,
            body="TargetedLocalAuthListUpdateRequest",
        ),
        _Command(
            "clear_local_list",
            schemas.EmptyEvent,
            configuration.clear_list,
            "Remove all entries; the list version becomes 0.",
            path="clear-local-auth-list",
        ),
    ]


def _simulation_commands(simulation: SimulationCommands) -> list[_Command]:
    connector, power = schemas.ConnectorCommandEvent, schemas.PowerUpdateCommandEvent
    broken, mended = schemas.InjectFaultEvent, schemas.ClearFaultEvent
    ask, cease = simulation.request_energy, simulation.stop_energy
    card, show = schemas.PresentCardCommandEvent, simulation.present_card
    of_reader = "Hold a card to the simulated reader."
    return [
        _Command(
            "inject_fault", broken, simulation.inject, "Let a simulated connector report a fault."
        ),
        _Command("clear_fault", mended, simulation.clear, "Mend a simulated connector."),
        _Command("plug_connector", connector, simulation.plug, "Plug the simulated car in."),
        _Command("unplug_connector", connector, simulation.unplug, "Unplug the simulated car."),
        _Command("ev_requests_energy", connector, ask, "Let the simulated car ask for energy."),
        _Command("ev_stops_energy", connector, cease, "Let the simulated car ask no more."),
        _Command("power_update", power, simulation.power, "Set what the simulated car draws."),
        _Command("present_card", card, show, of_reader, is_older=True),
    ]


def _session_commands(sessions: SessionCommands) -> list[_Command]:
    return [
        _Command(
            "unlock_connector",
            schemas.ConnectorCommandEvent,
            sessions.unlock,
            "End the session and release the cable.",
            is_older=True,
        ),
        _Command(
            "skip_delay",
            schemas.ConnectorCommandEvent,
            sessions.skip_delay,
            "Let a session have its energy now, and not after the random delay.",
            is_older=True,
        ),
        _Command(
            "start_transaction",
            schemas.StartTransactionCommandEvent,
            sessions.start_transaction,
            "Start a transaction on a cable that is in.",
            is_older=True,
        ),
        _Command(
            "stop_transaction",
            schemas.StopTransactionCommandEvent,
            sessions.stop_transaction,
            "Stop a transaction; the cable stays.",
            is_older=True,
        ),
        _Command(
            "start_session",
            schemas.StartSessionCommandEvent,
            sessions.start_session,
            "Plug in, authorize and start; the session may end by itself.",
        ),
        _Command(
            "stop_session",
            schemas.StopSessionCommandEvent,
            sessions.stop_session,
            "Stop the transaction and unplug.",
        ),
        _Command(
            "authorize_id_tag",
            schemas.AuthorizeIdTagCommandEvent,
            sessions.authorize,
            "Ask the central system about a tag.",
        ),
    ]


def _add_route(app: FastAPI, service: ControlService, command: _Command) -> None:
    async def serve(request: Any) -> Any:
        if command.answer is Receipt:
            return await service.unified(command.name, request, command.work)
        service.require_target(request.target)
        return await command.work(request.event)

    serve.__annotations__ |= {"request": command.request, "return": command.answer}
    kind = _QUEUED if command.answer in (Receipt, Taken) else _DONE
    place = COMMANDS + command.place
    app.post(place, name=command.name, description=command.words, **kind)(serve)


def _add_evcharger_route(app: FastAPI, service: ControlService, command: _Command) -> None:
    take: Callable[[Any], Awaitable[Taken]]
    if command.answer is Receipt:
        purpose = PURPOSES[command.name]
        take = partial(service.submit, command.name, prepare=command.work, purpose=purpose)
    elif command.answer is Taken:
        take = command.work
    else:
        take = partial(service.perform, command.name, command.work)

    async def serve(request: Any) -> Receipt:
        given = request.payload if command.payload is None else request.payload.as_event()
        try:
            target = request.target.as_command_target()
            return await service.for_target(target, lambda: take(given))
        except Invalid as problem:
            where = tuple("payload" if part == "event" else part for part in problem.where)
            raise Invalid(problem.detail, where, problem.kind) from None

    named = f"{command.name.title().replace('_', '')}PayloadRequest"
    payload = command.payload or command.event
    body = schemas.request_body(named, schemas.PayloadTarget, payload, "payload")
    serve.__annotations__["request"] = body
    place = EVCHARGER_COMMANDS + command.place
    app.post(place, name=command.name, description=command.words, **_QUEUED)(serve)


_QUEUE: dict[str, Any] = {"responses": ERRORS, "dependencies": [Depends(bearer)], "tags": ["queue"]}

Ref = Annotated[int, Path(ge=1, lt=2**63, description="the message, as the status shows it")]


def add_queue_routes(app: FastAPI, service: ControlService) -> None:
    """The two orders that a person can give."""

    @app.post("/ocpp/queue/{ref}/retry", **_QUEUE)
    async def retry_message(ref: Ref) -> response_models.QueueResponse:
        """Send it once more, and with it all of its session that were parked."""
        try:
            count = await service.agent.retry(ref)
        except NotParked as problem:
            raise not_found("not_parked", f"{str(problem).capitalize()}.") from None
        return response_models.QueueResponse(msg="Queued again", messages=count)

    @app.post("/ocpp/queue/{ref}/discard", **_QUEUE)
    async def discard_message(ref: Ref) -> response_models.QueueResponse:
        """Forget it for good."""
        try:
            await service.agent.discard(ref)
        except NotParked as problem:
            raise not_found("not_parked", f"{str(problem).capitalize()}.") from None
        return response_models.QueueResponse(msg="Discarded", messages=1)
