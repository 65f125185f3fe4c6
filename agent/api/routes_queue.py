"""Messages that were set aside: sent once more, or given up."""

# No postponed annotations: the framework reads them.
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path

from agent.api import response_models
from agent.api.errors import not_found
from agent.api.routes_commands import ERRORS, bearer
from agent.api.service import ControlService
from agent.control.parked_messages import NotParked

_DONE: dict[str, Any] = {"responses": ERRORS, "dependencies": [Depends(bearer)], "tags": ["queue"]}

Ref = Annotated[int, Path(ge=1, lt=2**63, description="the message, as the status shows it")]


def add_queue_routes(app: FastAPI, service: ControlService) -> None:
    """The two orders that a person can give."""

    @app.post("/ocpp/queue/{ref}/retry", **_DONE)
    async def retry_message(ref: Ref) -> response_models.QueueResponse:
        """Send it once more, and with it all of its session that were set aside."""
        try:
            count = await service.station.retry(ref)
        except NotParked as problem:
            raise not_found("not_parked", f"There is {problem}.") from None
        return response_models.QueueResponse(msg="Queued again", messages=count)

    @app.post("/ocpp/queue/{ref}/discard", **_DONE)
    async def discard_message(ref: Ref) -> response_models.QueueResponse:
        """Forget it for good."""
        try:
            await service.station.discard(ref)
        except NotParked as problem:
            raise not_found("not_parked", f"There is {problem}.") from None
        return response_models.QueueResponse(msg="Discarded", messages=1)
