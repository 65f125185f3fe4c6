"""Puts the rooms of the page together, beside the gate of the API."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from agent.api.limits import Limits, Receive
from agent.api.middleware import App, Gate, Send
from agent.api.page.actions import Deeds
from agent.api.page.event_stream import Live
from agent.api.page.host_names import OwnNames
from agent.api.page.logins import Visitors
from agent.api.page.power import PowerHistory
from agent.api.page.site import Site, is_of_page
from agent.api.page.views import Views
from agent.api.service import ControlService
from agent.api.tokens import Authenticator, Entrance


def open_page(
    gate: Gate,
    service: ControlService,
    authenticator: Authenticator,
    entrance: Entrance,
    limits: Limits,
) -> tuple[App, Callable[[], Awaitable[None]]]:
    """The application that serves page and API, and what to await at its end."""
    history = PowerHistory()
    views = Views(service.station, history)
    live = Live(service.station, views, history)
    loop = asyncio.get_running_loop()
    visitors = Visitors(authenticator.with_digest, secrets.token_urlsafe, loop.time)
    names = OwnNames.of_this_machine(service.station.settings.api.hosts)
    site = Site(visitors, entrance, names, views, live, Deeds(service, gate.call), limits)

    async def front(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_of_page(scope["path"]):
            await site(scope, receive, send)
        else:
            await gate(scope, receive, send)

    return front, live.close
