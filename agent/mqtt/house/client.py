"""The MQTT client of the house: tells what has changed, and takes limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from random import Random
from typing import Any

from agent.control.services import Services
from agent.core.commands import Command
from agent.core.events import Event, ExternalLimitSet
from agent.core.external_limits import ExternalSource
from agent.core.values import Instant
from agent.mqtt.broker import ClientConfig, Publication, Received
from agent.mqtt.house import discovery, openwb
from agent.mqtt.house.newest import NewestOfTopic
from agent.mqtt.house.openwb import reports_to_openwb
from agent.mqtt.house.session_names import SessionNames
from agent.mqtt.house.set_points import BadSetPoint, read_set_point
from agent.mqtt.house.state import Report, reports
from agent.mqtt.house.topics import WHOLE_BOX, Topics
from agent.mqtt.kept_connection import Connect, KeptConnection, Publish
from agent.mqtt.limits import LimitedWarnings

SOON_S = 0.2  # what happens together is told together
SET_EVERY_S = 1.0  # a limit is taken at most this often
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
            "the broker of the house",
            self._settings,
            self,
            self._now_s,
            random,
            services.runtime.post,
            connect,
        )
        self._announcements: dict[str, Publication] = {}
        self._has_announced = False
        self._told: dict[str, tuple[Report, float]] = {}  # by topic: what, and when
        self._limits = self._limit_topics()  # and which connector each is for
        self._set_points: dict[str, Received] = {}  # the newest of each topic, not yet looked at
        self._set_s: dict[str, float] = {}
        self._next_look: asyncio.TimerHandle | None = None
        self._names = SessionNames(services.lists.names, lambda: self._look_in(0))

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
            await self._names.stop()

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
        self._set_points.clear()

    def _subscriptions(self) -> tuple[str, ...]:
        settings = self._services.settings
        found = [*self._limits, self._topics.every_connector]
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
            self._next_look = loop.call_later(wait_s, self._look)

    def _look(self) -> None:
        self._next_look = None
        if self._connection.is_connected:
            self._take_set_points()
            self._tell()

    def _tell(self) -> None:
        """Tell what has changed: facts now, measurements when it is time."""
        if not self._has_announced:
            self._announce()
        now = self._services.clock.now()
        for report in self._reports(now):
            told, told_s = self._told.get(report.topic, (None, 0.0))
            if told == report:
                continue
            wait_s = told_s + self._settings.measured_every_s - now.monotonic_s
            if told is not None and told.facts == report.facts and wait_s > 0:
                self._look_in(wait_s)
                continue
            self._told[report.topic] = report, now.monotonic_s
            self._outgoing.put(Publication(report.topic, report.text(), is_kept=True))

    def _reports(self, now: Instant) -> list[Report]:
        state, numbers = self._services.runtime.state, self._settings.openwb_charge_points
        names = self._names.of(state) if self._settings.session_names else {}
        return [*reports(state, now, self._topics, names), *reports_to_openwb(state, now, numbers)]

    def _now_s(self) -> float:
        return self._services.clock.monotonic_s()

    # --- in --------------------------------------------------------------------------------------

    def take(self, message: Received) -> None:
        """A message from the house, if it is one for this box."""
        if message.topic in self._limits:
            if message.payload:  # else somebody has taken back what the broker had kept
                self._set_points[message.topic] = message
                self._look_in(SOON_S)
        elif message.topic == f"{self._settings.discovery_prefix}/status":
            if message.payload == _ONLINE.encode():  # Home Assistant has begun
                self._forget_what_was_told()
                self._look_in(SOON_S)
        elif message.is_kept and message.payload and self._is_stale(message.topic):
            self._outgoing.put(Publication(message.topic, "", is_kept=True))

    def _is_stale(self, topic: str) -> bool:
        """True of what an earlier configuration has left there: an entity, a connector."""
        own = {self._topics.state(connector_id) for connector_id in self._topics.connectors}
        return topic not in self._announcements and topic not in own

    def _limit_topics(self) -> dict[str, int]:
        ids = self._topics.connectors
        found = {self._topics.limit(number): number for number in (WHOLE_BOX, *ids)}
        for number, connector_id in zip(self._settings.openwb_charge_points, ids, strict=False):
            found[f"{openwb.root(number)}set/current"] = connector_id
        return found

    def _take_set_points(self) -> None:
        """Each topic gets its turn once a second: of a flood only the newest counts."""
        now_s = self._now_s()
        for topic in tuple(self._set_points):
            wait_s = self._set_s.get(topic, -SET_EVERY_S) + SET_EVERY_S - now_s
            if wait_s > 0:
                self._look_in(wait_s)
                continue
            self._set_s[topic] = now_s
            self._take_set_point(self._limits[topic], self._set_points.pop(topic))

    def _take_set_point(self, connector_id: int, message: Received) -> None:
        now = self._services.clock.now()
        try:
            wanted = read_set_point(message, now, self._settings)
        except BadSetPoint as problem:
            self._warnings.warn("a limit from the house is refused", str(problem))
            answer = {"accepted": False, "problem": str(problem)}
        else:
            answer = wanted.as_data(now)
            self._services.runtime.post(
                ExternalLimitSet(
                    ExternalSource.HOUSE,
                    connector_id,
                    wanted.limit,
                    wanted.unit,
                    wanted.valid_for_s,
                )
            )
        self._outgoing.put(Publication(self._topics.result(connector_id), json.dumps(answer)))
