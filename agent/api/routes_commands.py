"""The command routes: one function each, so that each can be found by its name."""

# No postponed annotations: the framework reads them.
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path
from fastapi.security import HTTPBearer

from agent.api import response_models, schemas
from agent.api.commands_configuration import ConfigurationCommands, ProxyCommand
from agent.api.commands_sessions import SessionCommands
from agent.api.commands_simulation import SimulationCommands
from agent.api.errors import not_found
from agent.api.middleware import COMMANDS
from agent.api.service import ControlService
from agent.control.parked_messages import NotParked

Receipt = response_models.LocationCommandResponse
ConnectorRequest = schemas.UnifiedConnectorRequest

bearer = HTTPBearer(auto_error=False, description="A token of the charge point.")
_TOLD = {
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
    for status, message in _TOLD.items()
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


def add_command_routes(app: FastAPI, service: ControlService) -> None:
    """Every POST below /ocpp/commands/."""
    simulation = SimulationCommands(service)
    _add_single_routes(app, service)
    _add_fault_routes(app, service, simulation)
    _add_simulation_routes(app, service, simulation)
    _add_session_routes(app, service, SessionCommands(service, simulation))


def _add_single_routes(app: FastAPI, service: ControlService) -> None:
    configuration = ConfigurationCommands(service)
    proxy = ProxyCommand(service)

    @app.post(COMMANDS + "proxy-message", **_QUEUED)
    async def proxy_message(
        request: schemas.TargetedProxyMessageRequest,
    ) -> response_models.QueuedCommandResponse:
        """Send one message from the charger to the central system."""
        service.require_target(request.target)
        return await proxy.send(request.event)

    @app.post(COMMANDS + "configuration", **_DONE)
    async def set_configuration(
        request: schemas.TargetedConfigurationUpdateRequest,
    ) -> response_models.ConfigurationChangeResponse:
        """Change OCPP configuration keys, as the central system would."""
        service.require_target(request.target)
        return await configuration.change(request.event)

    @app.post(COMMANDS + "cache/reset", **_DONE)
    async def reset_cache(
        request: schemas.TargetedEmptyRequest,
    ) -> response_models.CacheResetResponse:
        """Clear the authorization cache; the local list stays."""
        service.require_target(request.target)
        return await configuration.reset_cache()

    @app.post(COMMANDS + "local-auth-list", **_DONE)
    async def send_local_list(
        request: schemas.TargetedLocalAuthListUpdateRequest,
    ) -> response_models.LocalListMutationResponse:
        """Replace the local authorization list; list_version must increase."""
        service.require_target(request.target)
        return await configuration.send_list(request.event)

    @app.post(COMMANDS + "clear-local-auth-list", **_DONE)
    async def clear_local_list(
        request: schemas.TargetedEmptyRequest,
    ) -> response_models.LocalListMutationResponse:
        """Remove all entries; the list version becomes 0."""
        service.require_target(request.target)
        return await configuration.clear_list()


def _add_fault_routes(
    app: FastAPI, service: ControlService, simulation: SimulationCommands
) -> None:
    @app.post(COMMANDS + "inject-fault", **_DONE)
    async def inject_fault(
        request: schemas.TargetedInjectFaultRequest,
    ) -> response_models.FaultOperationResponse:
        """Let a simulated connector report a fault."""
        service.require_target(request.target)
        return await simulation.inject(request.event)

    @app.post(COMMANDS + "clear-fault", **_DONE)
    async def clear_fault(
        request: schemas.TargetedClearFaultRequest,
    ) -> response_models.FaultOperationResponse:
        """Mend a simulated connector."""
        service.require_target(request.target)
        return await simulation.clear(request.event)


def _add_simulation_routes(
    app: FastAPI, service: ControlService, simulation: SimulationCommands
) -> None:
    @app.post(COMMANDS + "plug-connector", **_QUEUED)
    async def plug_connector(
        request: ConnectorRequest,
    ) -> Receipt:
        """Plug the simulated car in."""
        return await service.unified("plug_connector", request, simulation.plug)

    @app.post(COMMANDS + "unplug-connector", **_QUEUED)
    async def unplug_connector(
        request: ConnectorRequest,
    ) -> Receipt:
        """Unplug the simulated car."""
        return await service.unified("unplug_connector", request, simulation.unplug)

    @app.post(COMMANDS + "ev-requests-energy", **_QUEUED)
    async def ev_requests_energy(
        request: ConnectorRequest,
    ) -> Receipt:
        """Let the simulated car ask for energy."""
        return await service.unified("ev_requests_energy", request, simulation.request_energy)

    @app.post(COMMANDS + "ev-stops-energy", **_QUEUED)
    async def ev_stops_energy(
        request: ConnectorRequest,
    ) -> Receipt:
        """Let the simulated car ask no more."""
        return await service.unified("ev_stops_energy", request, simulation.stop_energy)

    @app.post(COMMANDS + "power-update", **_QUEUED)
    async def power_update(
        request: schemas.UnifiedPowerUpdateRequest,
    ) -> Receipt:
        """Set what the simulated car draws."""
        return await service.unified("power_update", request, simulation.power)

    @app.post(COMMANDS + "present-card", **_QUEUED)
    async def present_card(
        request: schemas.UnifiedPresentCardRequest,
    ) -> Receipt:
        """Hold a card to the simulated reader."""
        return await service.unified("present_card", request, simulation.present_card)


def _add_session_routes(app: FastAPI, service: ControlService, sessions: SessionCommands) -> None:
    @app.post(COMMANDS + "unlock-connector", **_QUEUED)
    async def unlock_connector(
        request: ConnectorRequest,
    ) -> Receipt:
        """End the session and release the cable."""
        return await service.unified("unlock_connector", request, sessions.unlock)

    @app.post(COMMANDS + "start-transaction", **_QUEUED)
    async def start_transaction(
        request: schemas.UnifiedStartTransactionRequest,
    ) -> Receipt:
        """Start a transaction on a cable that is in."""
        return await service.unified("start_transaction", request, sessions.start_transaction)

    @app.post(COMMANDS + "stop-transaction", **_QUEUED)
    async def stop_transaction(
        request: schemas.UnifiedStopTransactionRequest,
    ) -> Receipt:
        """Stop a transaction; the cable stays."""
        return await service.unified("stop_transaction", request, sessions.stop_transaction)

    @app.post(COMMANDS + "start-session", **_QUEUED)
    async def start_session(
        request: schemas.UnifiedStartSessionRequest,
    ) -> Receipt:
        """Plug in, authorize and start; the session may end by itself."""
        return await service.unified("start_session", request, sessions.start_session)

    @app.post(COMMANDS + "stop-session", **_QUEUED)
    async def stop_session(
        request: schemas.UnifiedStopSessionRequest,
    ) -> Receipt:
        """Stop the transaction and unplug."""
        return await service.unified("stop_session", request, sessions.stop_session)

    @app.post(COMMANDS + "authorize-id-tag", **_QUEUED)
    async def authorize_id_tag(
        request: schemas.UnifiedAuthorizeIdTagRequest,
    ) -> Receipt:
        """Ask the central system about a tag."""
        return await service.unified("authorize_id_tag", request, sessions.authorize)


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
