"""Newer parts of the page for those who have it open: rendered once for all of them.

At most one rendering a second, and none without a listener. A slow reader misses parts that a newer
one has replaced, and nothing else: each listener keeps the newest of each part.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from agent.api.agent_bridge import AgentBridge
from agent.api.limits import one_to_give_up
from agent.api.page.power import PowerHistory, Sample
from agent.api.page.views import PagePart, Scopes, Views
from agent.core.charging_limits import CURRENT_MIN_A
from agent.core.state import Charging, Connector
from agent.core.values import Reading
from agent.platform.errors import AgentError

logger = logging.getLogger(__name__)

LISTENERS_MAX = 20  # the oldest of the token that has most goes: its browser comes back
BETWEEN_S = 1.0
AT_LEAST_EVERY_S = 5.0  # what only the clock changes
SAMPLE_S = 5.0
ALIVE_S = 15.0  # a comment, so that dead connections are noticed


@dataclass(frozen=True, slots=True)
class Watched:
    """A page that is open, and its scopes; all who watch the same get the same parts."""

    page: str  # overview, frames
    scopes: Scopes
    action: str = ""  # frames: the filter


@dataclass(eq=False, slots=True)
class Listener:
    """One open page."""

    watched: Watched
    token_digest: str
    newest: dict[str, str] = field(default_factory=dict)  # HTML of a part by its name, given last
    waiting: dict[str, str] = field(default_factory=dict)  # of these, what it has not taken yet
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    is_ended: bool = False

    def give(self, part: PagePart) -> None:
        """Replace what it has not taken yet; a part that did not change is not given again."""
        if self.newest.get(part.name) == part.html:
            return
        self.newest[part.name] = self.waiting[part.name] = part.html
        self.has_news.set()

    async def wait_for_news(self, at_most_s: float) -> None:
        """Wait for something that it has not taken, or for its end."""
        if self.waiting or self.is_ended:
            return
        self.has_news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self.has_news.wait()

    def take(self) -> str:
        """The next part as an event; a comment when there is none."""
        if not self.waiting:
            return ": alive\n\n"
        name = next(iter(self.waiting))
        return f"data: {json.dumps({'part': name, 'html': self.waiting.pop(name)})}\n\n"

    def end(self) -> None:
        """Nothing comes any more."""
        self.is_ended = True
        self.has_news.set()


class EventStream:
    """Renders while a browser listens; made and used on the API's loop."""

    def __init__(self, agent: AgentBridge, views: Views, history: PowerHistory) -> None:
        self._agent = agent
        self._views = views
        self._history = history
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._render_for_ever(), name="page"),
            asyncio.create_task(self._sample_for_ever(), name="page power"),
        ]
        loop = asyncio.get_running_loop()

        def turned() -> None:  # on the agent's loop
            if self._listeners and not self._changed.is_set():
                loop.call_soon_threadsafe(self._changed.set)

        self._forget = agent.on_turn(turned)

    async def close(self) -> None:
        """End every stream."""
        self._forget()
        for listener in self._listeners:
            listener.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- listening -------------------------------------------------------------------------------

    async def stream(
        self, watched: Watched, token_digest: str, still: Callable[[], bool]
    ) -> AsyncIterator[str]:
        """Server-sent events until the end, or until ``still`` says no: asked before each."""
        listener = self._listen(watched, token_digest)
        try:
            yield "retry: 2000\n\n"
            while True:
                await listener.wait_for_news(ALIVE_S)
                if listener.is_ended or not still():
                    return
                yield listener.take()
        finally:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def _listen(self, watched: Watched, token_digest: str) -> Listener:
        listener = Listener(watched, token_digest)
        self._listeners.append(listener)
        if len(self._listeners) > LISTENERS_MAX:
            given_up = one_to_give_up((one, one.token_digest) for one in self._listeners)
            self._listeners.remove(given_up)
            given_up.end()
        self._changed.set()
        return listener

    # --- rendering -------------------------------------------------------------------------------

    async def _render_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(AT_LEAST_EVERY_S if self._listeners else None):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            await self._render_all()
            await asyncio.sleep(BETWEEN_S)

    async def _render_all(self) -> None:
        # A page that is opened while this runs may be newer than it: the next rendering is for it.
        listeners = list(self._listeners)
        for watched in {listener.watched for listener in listeners}:
            try:
                parts = await self.parts_of(watched)
            except (AgentError, TimeoutError) as problem:
                logger.debug("the page cannot be renewed: %s", problem)
                continue
            except Exception:  # in a template, say: the other pages, and the next time, go on
                logger.exception("the page cannot be renewed")
                continue
            for listener in listeners:
                if listener.watched == watched:
                    for part in parts:
                        listener.give(part)

    async def parts_of(self, watched: Watched) -> list[PagePart]:
        """The parts of a page, as they are now."""
        if watched.page == "frames":
            return [self._views.frames(watched.action)]
        return await self._views.overview(watched.scopes)

    # --- power -----------------------------------------------------------------------------------

    async def _sample_for_ever(self) -> None:
        while True:
            now_s = self._agent.now().monotonic_s
            for connector in self._agent.state.connectors:
                running, reading = connector.transaction, connector.reading
                if reading is not None:
                    ref = None if running is None else running.ref
                    sample = sample_of(connector, reading)
                    self._history.note(connector.connector_id, ref, now_s, sample)
            await asyncio.sleep(SAMPLE_S)


def sample_of(connector: Connector, reading: Reading) -> Sample:
    """What a connector takes now, and what it may; below the least current nothing may be taken."""
    traits = connector.traits
    limit_a = connector.current_a if connector.current_a >= CURRENT_MIN_A else 0.0
    is_paused = isinstance(connector.phase, Charging) and not connector.contactor_closed
    limit_w = limit_a * traits.nominal_voltage_v * traits.phases
    return Sample(reading.power_w or 0.0, limit_w, is_paused)
