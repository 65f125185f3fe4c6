"""The MQTT client of the house: tells what has changed, and takes limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from agent.control.services import Services
from agent.core.commands import Command
from agent.core.events import Event
from agent.mqtt.broker import ClientConfig, Publication, Received
from agent.mqtt.house import discovery
from agent.mqtt.house.newest import NewestOfTopic
from agent.mqtt.house.state import Report, reports
from agent.mqtt.house.topics import Topics
from agent.mqtt.kept_connection import Connect, KeptConnection, Publish
from agent.mqtt.limits import LimitedWarnings

SOON_S = 0.2  # what happens together is told together
_ONLINE, _OFFLINE = "online", "offline"


class HouseClient:
    """Made on the agent's loop; ``run`` until cancelled."""

    def __init__(self, services: Services, random: Random, connect: Connect | None = None) -> None:
        """``connect`` opens a connection to the broker; None: over MQTT."""
        self._services = services
        self._settings = services.settings.house
        self._topics = Topics.of(services.settings)
        self._warnings = LimitedWarnings(self._now_s, "from the broker of the house")
        self._outgoing = NewestOfTopic(self._warnings.drop)
        self._connection = KeptConnection(
            "the broker of the house", self._settings, self, self._now_s, random, connect
        )
        self._announcements: dict[str, Publication] = {}
        self._has_announced = False
        self._told: dict[str, tuple[Report, float]] = {}  # by topic: what, and when
        self._next_look: asyncio.TimerHandle | None = None

    def as_data(self) -> dict[str, Any]:
        """How it is, for ``status``."""
        return {
            **self._connection.as_data(),
            "topic": self._topics.root,
            "dropped": dict(self._warnings.dropped),
        }

    async def run(self) -> None:
        """Connect and talk, again and again; sessions do not depend on it."""
        self._services.observers.append(self._observe)
        try:
            await self._connection.run()
        finally:
            self._services.observers.remove(self._observe)

    # --- the connection --------------------------------------------------------------------------

    def client_config(self) -> ClientConfig:
        """The last will is that this box is offline."""
        return ClientConfig(
            identifier=f"{self._topics.node}_house",
            topics=self._subscriptions(),
            last_will=Publication(self._topics.availability, _OFFLINE, is_kept=True),
            dropped=self._warnings.drop,
        )

    def connected(self) -> None:
        """Tell everything: the broker may have forgotten all."""
        self._forget_what_was_told()
        self._tell()

    def _forget_what_was_told(self) -> None:
        self._told.clear()
        self._has_announced = False

    async def send(self, publish: Publish) -> None:
        """Send what waits and what comes, for ever."""
        await self._outgoing.send(publish)

    async def say_goodbye(self, publish: Publish) -> None:
        """This box is offline: in order it leaves no last will."""
        await publish(Publication(self._topics.availability, _OFFLINE, is_kept=True))

    def disconnected(self) -> None:
        """Forget what waits: over the next connection everything is told."""
        self._outgoing.clear()

    def _subscriptions(self) -> tuple[str, ...]:
        settings = self._services.settings
        found = [self._topics.every_connector]
        found.append(f"{self._settings.discovery_prefix}/status")
        found.append(discovery.every_announcement(settings, self._topics))
        return tuple(found)

    def _announce(self) -> None:
        """Tell that this box is there, and Home Assistant of what."""
        self._has_announced = True
        if self._settings.discovery and not self._announcements:
            settings, state = self._services.settings, self._services.runtime.state
            found = discovery.announcements(settings, self._topics, state.connectors)
            self._announcements = {message.topic: message for message in found}
        for message in self._announcements.values():
            self._outgoing.put(message)
        self._outgoing.put(Publication(self._topics.availability, _ONLINE, is_kept=True))

    # --- out -------------------------------------------------------------------------------------

    def _observe(self, event: Event, commands: Sequence[Command]) -> None:
        if self._connection.is_connected:
            self._look_in(SOON_S)

    def _look_in(self, wait_s: float) -> None:
        """Look at the state then, if not before."""
        loop = asyncio.get_running_loop()
        planned = self._next_look
        if planned is not None and planned.when() > loop.time() + wait_s:
            planned.cancel()
            planned = None
        if planned is None:
            self._next_look = loop.call_later(wait_s, self._tell)

    def _tell(self) -> None:
        """Tell what has changed: facts now, measurements when it is time."""
        self._next_look = None
        if not self._connection.is_connected:
            return
        if not self._has_announced:
            self._announce()
        now = self._services.clock.now()
        for report in reports(self._services.runtime.state, now, self._topics):
            told, told_s = self._told.get(report.topic, (None, 0.0))
            if told == report:
                continue
            wait_s = told_s + self._settings.measured_every_s - now.monotonic_s
            if told is not None and told.facts == report.facts and wait_s > 0:
                self._look_in(wait_s)
                continue
            self._told[report.topic] = report, now.monotonic_s
            self._outgoing.put(Publication(report.topic, report.text(), is_kept=True))

    def _now_s(self) -> float:
        return self._services.clock.monotonic_s()

    # --- in --------------------------------------------------------------------------------------

    def take(self, message: Received) -> None:
        """A message from the house, if it is one for this box."""
        if message.topic == f"{self._settings.discovery_prefix}/status":
            if message.payload == _ONLINE.encode():  # Home Assistant has begun
                self._forget_what_was_told()
                self._look_in(SOON_S)
        elif message.is_kept and message.payload and self._is_stale(message.topic):
            self._outgoing.put(Publication(message.topic, "", is_kept=True))

    def _is_stale(self, topic: str) -> bool:
        """True of what an earlier configuration has left there: an entity, a connector."""
        own = {self._topics.state(connector_id) for connector_id in self._topics.connectors}
        return topic not in self._announcements and topic not in own
