"""The page's own web application: log in, look, do. It stands beside the API."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from agent.api.errors import Refused
from agent.api.limits import Receive, RequestLimits, read_body
from agent.api.middleware import AccessMiddleware, App, Send, client_address
from agent.api.page.actions import PageActions
from agent.api.page.compression import compressed
from agent.api.page.event_stream import EventStream, Watched
from agent.api.page.host_names import OwnNames, came_over_https
from agent.api.page.logins import COOKIE, Login, Logins
from agent.api.page.power import PowerHistory
from agent.api.page.rendering import render
from agent.api.page.sessions import SessionsPage
from agent.api.page.static_files import static_files
from agent.api.page.views import Views
from agent.api.service import ControlService
from agent.api.tokens import ApiToken, Authenticator, KnownTokens
from agent.platform.errors import AgentError

logger = logging.getLogger(__name__)

EVENTS = "/page/events"
PLACES = (
    "/",
    "/login",
    "/logout",
    "/cards",
    "/sessions",
    "/keys",
    "/frames",
    "/grid-limits",
    "/security",
)
FORM_MAX = 16 * 1024
FIELDS_MAX = 20
PAGES_MAX = 100_000
FILTER_MAX = 40
SECURITY_HEADERS: Mapping[str, str] = {
    # Nothing but our own files; no inline script or style, no frame around it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Handler = Callable[[Request, Login, ApiToken], Awaitable[Response]]


def is_of_page(path: str) -> bool:
    """Whether a path belongs to the page, and not to the API."""
    return path in PLACES or path.startswith("/page/")


class Site:
    """Every route of the page."""

    def __init__(
        self,
        logins: Logins,
        authenticator: Authenticator,
        names: OwnNames,
        views: Views,
        charge_log: SessionsPage,
        stream: EventStream,
        actions: PageActions,
        limits: RequestLimits,
    ) -> None:
        self._logins = logins
        self._authenticator = authenticator
        self._names = names
        self._views = views
        self._charge_log = charge_log
        self._stream = stream
        self._actions = actions
        self._limits = limits
        self._files = static_files()
        self._app = self._routes()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request, if it is meant for this page."""
        if self._names.answer_to(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        message = (
            "This page does not answer to the name in its address, so that no page of a stranger "
            "can lead here. Open it by the address of the charge point, or put the name into "
            "api.hosts.\n"
        )
        await _secured(Response(message, 421, media_type="text/plain"))(scope, receive, send)

    def _routes(self) -> Starlette:
        seen = self._logged_in
        return Starlette(
            routes=[
                Route("/", seen(self._overview)),
                Route("/cards", seen(self._cards)),
                Route("/sessions", seen(self._sessions)),
                Route("/page/sessions.csv", seen(self._sessions_csv)),
                Route("/keys", seen(self._keys)),
                Route("/frames", seen(self._frames)),
                Route("/grid-limits", seen(self._grid_limits)),
                Route("/security", seen(self._security)),
                Route(EVENTS, seen(self._events)),
                Route("/page/do", seen(self._do), methods=["POST"]),
                Route("/login", self._login_form),
                Route("/login", self._log_in, methods=["POST"]),
                Route("/logout", self._log_out, methods=["POST"]),
                Route("/page/static/{name}", self._static),
            ],
            exception_handlers={
                Refused: _refused,
                AgentError: _not_now,
                TimeoutError: _not_now,
                HTTPException: _http,
                Exception: _failed,
            },
        )

    def _logged_in(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            found = self._logins.find(_cookies(request))
            if found is None:
                if request.method == "GET" and request.url.path != EVENTS:
                    return _secured(RedirectResponse("/login", 303))
                return _login_page(401)
            return _secured(compressed(request, await handler(request, *found)))

        return handle

    # --- coming and going ------------------------------------------------------------------------

    async def _login_form(self, request: Request) -> Response:
        found = self._logins.find(_cookies(request))
        return _login_page(who="" if found is None else found[1].name)

    async def _log_in(self, request: Request) -> Response:
        fields = await self._form(request)
        text = fields.get("token", "").strip()
        try:
            token = await self._authenticator.with_text(text, client_address(request.scope))
        except Refused as refusal:
            late = "Too many wrong tokens came from your address; a right one is let in."
            problem = "This token is not known." if refusal.status == 401 else late
            return _login_page(refusal.status, problem)
        if "read" not in token.scopes:
            return _login_page(401, "This token may not read; make one with the scope read.")
        found = self._logins.find(_cookies(request))
        if found is not None and found[1] != token:
            # It may be a link of a stranger, and what is done then would be done in another name.
            problem = f"This browser is logged in as {found[1].name}. Log out first."
            return _login_page(409, problem, found[1].name)
        logger.info("page: %s has logged in", token.name)
        self._logins.log_out(_cookies(request))
        answer = RedirectResponse("/", 303)
        _set_cookie(answer, request, self._logins.log_in(token))
        return _secured(answer)

    async def _log_out(self, request: Request) -> Response:
        await self._form(request)
        self._logins.log_out(_cookies(request))
        answer = RedirectResponse("/login", 303)
        _set_cookie(answer, request, "")
        return _secured(answer)

    # --- looking ---------------------------------------------------------------------------------

    async def _overview(self, request: Request, login: Login, token: ApiToken) -> Response:
        parts = {part.name: part.html for part in await self._views.overview(token.scopes)}
        return self._shown(
            "overview.html",
            "Overview",
            login,
            token,
            parts=parts,
            connectors=self._views.connectors,
        )

    async def _cards(self, request: Request, login: Login, token: ApiToken) -> Response:
        number = request.query_params.get("page", "1")
        page = int(number) if number.isdecimal() and len(number) < 7 else 1
        tags = await self._views.tags(max(1, min(page, PAGES_MAX)), token.scopes)
        return self._shown("tags.html", "Cards", login, token, **tags)

    async def _sessions(self, request: Request, login: Login, token: ApiToken) -> Response:
        month = await self._charge_log.month(request.query_params.get("month", ""))
        return self._shown("sessions.html", "Sessions", login, token, **month)

    async def _sessions_csv(self, request: Request, login: Login, token: ApiToken) -> Response:
        asked = request.query_params
        return await self._charge_log.csv(asked.get("month", ""), asked.get("separator", ""))

    async def _keys(self, request: Request, login: Login, token: ApiToken) -> Response:
        wanted = request.query_params.get("search", "")[:FILTER_MAX]
        keys = self._views.keys(wanted, token.scopes)
        return self._shown("keys.html", "Keys", login, token, **keys)

    async def _frames(self, request: Request, login: Login, token: ApiToken) -> Response:
        wanted = request.query_params.get("filter", "")[:FILTER_MAX]
        parts = [self._views.frames(wanted)]
        return self._shown("frames.html", "Messages", login, token, parts=parts, filter=wanted)

    async def _grid_limits(self, request: Request, login: Login, token: ApiToken) -> Response:
        limits = await self._views.grid_limits(_before(request))
        return self._shown("grid_limits.html", "Grid operator", login, token, **limits)

    async def _security(self, request: Request, login: Login, token: ApiToken) -> Response:
        log = await self._views.security_log(_before(request))
        return self._shown("security.html", "Security log", login, token, **log)

    async def _events(self, request: Request, login: Login, token: ApiToken) -> Response:
        asked = request.query_params
        page = "frames" if asked.get("page") == "frames" else "overview"
        only = asked.get("filter", "")[:FILTER_MAX] if page == "frames" else ""
        cookies = _cookies(request)
        stream = self._stream.stream(
            Watched(page, token.scopes, only),
            token.digest,
            lambda: self._logins.find(cookies) is not None,
        )
        is_read = request.method == "GET"  # of an answer to HEAD only the headers are sent
        return StreamingResponse(stream if is_read else (), media_type="text/event-stream")

    def _shown(
        self, template: str, title: str, login: Login, token: ApiToken, **context: Any
    ) -> Response:
        around = self._views.frame_of_page(title, token.scopes)
        sentences = login.take_sentences()
        return _page(template, **around, sentences=sentences, who=token.name, **context)

    # --- doing -----------------------------------------------------------------------------------

    async def _do(self, request: Request, login: Login, token: ApiToken) -> Response:
        fields = await self._form(request)
        sentence = await self._actions.do(token, fields)
        logger.info("page: %s: %s: %s", token.name, fields.get("do", "")[:20], sentence)
        if request.headers.get("accept") == "application/json":
            return Response(json.dumps({"told": sentence}), media_type="application/json")
        login.sentences.append(sentence)
        back = fields.get("back", "/")
        return RedirectResponse(back if back in PLACES else "/", 303)

    async def _form(self, request: Request) -> dict[str, str]:
        """The fields of a form that our own page has sent. Raises Refused."""
        if not _comes_from_here(request.headers):
            raise Refused(403, "foreign_form", "This form was not sent by the page itself.")
        declared = request.headers.get("content-length", "").encode()
        body = await read_body(request.receive, declared, FORM_MAX, self._limits.body_s)
        try:
            pairs = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX
            )
        except ValueError:
            raise Refused(400, "bad_form", "The form cannot be read.") from None
        return dict(pairs)

    async def _static(self, request: Request) -> Response:
        found = self._files.get(request.path_params["name"])
        if found is None:
            return _secured(Response("no such file\n", 404, media_type="text/plain"))
        return _secured(found.answer(request))


def _page(template: str, status: int = 200, **context: Any) -> Response:
    return Response(render(template, **context), status, media_type="text/html")


def _login_page(status: int = 200, problem: str = "", who: str = "") -> Response:
    return _secured(_page("login.html", status, title="Log in", problem=problem, who=who))


def _before(request: Request) -> int | None:
    """The number of the entry behind which a page begins; None: with the newest."""
    number = request.query_params.get("before", "")
    return int(number) if number.isdecimal() and len(number) < 16 else None


def _cookies(request: Request) -> str:
    return ";".join(request.headers.getlist("cookie"))


def _secured(answer: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


def _set_cookie(answer: Response, request: Request, text: str) -> None:
    # Scripts cannot read it, and other sites cannot make a browser send it.
    ends = "" if text else "; Max-Age=0"
    secure = "; Secure" if came_over_https(request.headers) else ""
    cookie = f"{COOKIE}={text}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}"
    answer.headers["Set-Cookie"] = cookie


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refused)
    return _secured(Response(f"{refusal.detail}\n", refusal.status, media_type="text/plain"))


async def _http(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    message = f"{problem.detail}\n"
    return _secured(Response(message, problem.status_code, problem.headers, "text/plain"))


async def _failed(request: Request, problem: Exception) -> Response:
    logger.error("the page failed", exc_info=problem)
    message = "It failed inside the agent; see its log.\n"
    return _secured(Response(message, 500, media_type="text/plain"))


async def _not_now(request: Request, problem: Exception) -> Response:
    message = f"The charge point cannot tell that now: {problem}\n"
    return _secured(Response(message, 503, media_type="text/plain"))


def _comes_from_here(headers: Mapping[str, str]) -> bool:
    """True when a form was sent by our own page.

    Browsers say where a POST comes from, and no script can change it. One that does not say it is
    refused. The cookie, too, is only sent for requests from our own page (SameSite=Strict).
    """
    origin, host = headers.get("origin", ""), headers.get("host", "")
    return bool(host) and urlsplit(origin).netloc == host


def open_page(
    middleware: AccessMiddleware,
    service: ControlService,
    known_tokens: KnownTokens,
    authenticator: Authenticator,
    limits: RequestLimits,
) -> tuple[App, Callable[[], Awaitable[None]]]:
    """The application that serves page and API, and what to await at its end."""
    agent, history = service.agent, PowerHistory()
    views = Views(agent, history)
    stream = EventStream(agent, views, history)
    now_s = asyncio.get_running_loop().time
    logins = Logins(known_tokens.with_digest, secrets.token_urlsafe, now_s)
    names = OwnNames.of_this_machine(agent.settings.api.hosts)
    actions = PageActions(service, middleware.call)
    site = Site(logins, authenticator, names, views, SessionsPage(agent), stream, actions, limits)

    async def front(scope: Any, receive: Receive, send: Send) -> None:
        is_for_page = scope["type"] == "http" and is_of_page(scope["path"])
        await (site if is_for_page else middleware)(scope, receive, send)

    return front, stream.close
