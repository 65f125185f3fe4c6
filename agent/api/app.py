"""The web application: routes and error answers. Imported only when the API is switched on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from agent.api.errors import Invalid, Refused, unavailable
from agent.api.idempotency import Answer
from agent.api.middleware import answer_json, command_of, refused
from agent.api.routes_commands import add_command_routes, add_queue_routes
from agent.api.routes_read import add_read_routes
from agent.api.service import ControlService
from agent.ocpp16.requests import package_version
from agent.platform.bounded_json import NotJson, read_json
from agent.platform.errors import AgentError

ERRORS_SHOWN_MAX = 20
_CODES = {404: "not_found", 405: "method_not_allowed"}


class StrictRoute(APIRoute):
    """A route whose body is read by ``parse_json``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See APIRoute."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            body = await request.body()
            return await handle(_ParsedRequest(request.scope, body))

        return strict


class _ParsedRequest(Request):
    def __init__(self, scope: Any, body: bytes) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        super().__init__(scope, receive)
        self._content = parse_json(body) if body else None

    async def json(self) -> Any:
        """The body, parsed already."""
        return self._content


def build_app(service: ControlService) -> FastAPI:
    """The routes of the API, behind its access checks."""
    app = FastAPI(
        title="Control API of one charge point",
        version=package_version() or "0",
        description="Drives one charger: sessions, authorization data, configuration; on "
        "simulated hardware also the car, the driver and faults.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = StrictRoute
    add_command_routes(app, service)
    add_queue_routes(app, service)
    add_read_routes(app, service)
    require_scopes(app)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(AgentError, _agent_error)
    app.add_exception_handler(TimeoutError, _timed_out)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    return app


def require_scopes(app: FastAPI) -> None:
    """Raise RuntimeError when a route that changes something has no scope of its own.

    The access checks let every token with the scope ``read`` through to a path that names no
    command, without rate limit: a route that was forgotten in their table would be open to it.
    """
    for route in app.routes:
        methods = getattr(route, "methods", None) or set()
        path = getattr(route, "path", "")
        if methods - {"GET", "HEAD"} and command_of(path) is None:
            raise RuntimeError(f"{path} changes something and has no scope: see SCOPE_OF_COMMAND")


def _response(answer: Answer) -> Response:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    return Response(answer.body, answer.status, headers)


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refused)
    return _response(refused(refusal))


async def _agent_error(request: Request, problem: Exception) -> Response:
    message = f"The charge point cannot do that now: {problem}"
    return _response(refused(unavailable("not_available", message)))


async def _timed_out(request: Request, problem: Exception) -> Response:
    message = f"The charge point did not decide in time: {problem}"
    return _response(refused(unavailable("not_decided_in_time", message)))


async def _invalid(request: Request, problem: Exception) -> Response:
    """Places and reasons; never the values, which may be cards, or anything."""
    assert isinstance(problem, RequestValidationError)
    found = [
        {"loc": list(error["loc"]), "msg": str(error["msg"]), "type": str(error["type"])}
        for error in problem.errors()[:ERRORS_SHOWN_MAX]
    ]
    return JSONResponse({"detail": found}, 422)


async def _http(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    code = _CODES.get(problem.status_code, "http_error")
    content = {"detail": str(problem.detail), "code": code}
    return _response(answer_json(problem.status_code, content, problem.headers))


def parse_json(body: bytes) -> Any:
    """The content of a body. Raises Invalid for what is not JSON, or goes beyond it."""
    try:
        return read_json(body.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise _no_json("The body is not UTF-8.", problem.start) from None
    except NotJson as problem:
        raise _no_json(f"The body cannot be read: {problem}.", problem.position) from None


def _no_json(message: str, position: int) -> Invalid:
    return Invalid(message, ("body", position), "json_invalid")
