"""Puts the page together, beside the API; both are behind one front."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from agent.api.limits import Receive, RequestLimits
from agent.api.middleware import AccessMiddleware, App, Send
from agent.api.page.actions import PageActions
from agent.api.page.event_stream import EventStream
from agent.api.page.host_names import OwnNames
from agent.api.page.logins import Logins
from agent.api.page.power import PowerHistory
from agent.api.page.site import Site, is_of_page
from agent.api.page.views import Views
from agent.api.service import ControlService
from agent.api.tokens import Authenticator, KnownTokens


def open_page(
    middleware: AccessMiddleware,
    service: ControlService,
    known_tokens: KnownTokens,
    authenticator: Authenticator,
    limits: RequestLimits,
) -> tuple[App, Callable[[], Awaitable[None]]]:
    """The application that serves page and API, and what to await at its end."""
    history = PowerHistory()
    views = Views(service.agent, history)
    stream = EventStream(service.agent, views, history)
    loop = asyncio.get_running_loop()
    logins = Logins(known_tokens.with_digest, secrets.token_urlsafe, loop.time)
    names = OwnNames.of_this_machine(service.agent.settings.api.hosts)
    site = Site(
        logins, authenticator, names, views, stream, PageActions(service, middleware.call), limits
    )

    async def front(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_of_page(scope["path"]):
            await site(scope, receive, send)
        else:
            await middleware(scope, receive, send)

    return front, stream.close
