"""A connection to a broker that is opened again and again, and the talk over it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any, Protocol

from agent.config.settings import BrokerSettings
from agent.core.events import Event
from agent.core.security_event_values import SecurityEventSeen, SecurityEventType
from agent.mqtt.broker import (
    BrokerError,
    ClientConfig,
    Connection,
    LoginRefused,
    Publication,
    Received,
    connected,
)
from agent.ocppj.backoff import STABLE_AFTER_S, Backoff

_STOPPING_S = 0.3

Connect = Callable[..., AbstractAsyncContextManager[Connection]]
Publish = Callable[[Publication], Awaitable[None]]

logger = logging.getLogger("agent.mqtt")


class Talk(Protocol):
    """What one user of a broker says and hears over a connection."""

    def client_config(self) -> ClientConfig:
        """Under which name, with which topics and which last will."""

    def connected(self) -> None:
        """There is a connection."""

    def take(self, message: Received) -> None:
        """A message has come."""

    async def send(self, publish: Publish) -> None:
        """Send what waits and what comes, for ever. Raises BrokerError."""

    async def say_goodbye(self, publish: Publish) -> None:
        """The agent ends: send what is left to say. Raises BrokerError."""

    def disconnected(self) -> None:
        """The connection is gone, or there was none."""


class KeptConnection:
    """Keeps a connection to the broker of these settings, and lets ``talk`` use it."""

    def __init__(
        self,
        name: str,
        settings: BrokerSettings,
        talk: Talk,
        now_s: Callable[[], float],
        random: Random,
        post: Callable[[Event], None],
        connect: Connect | None = None,
    ) -> None:
        """``name`` is for the log; ``connect`` opens a connection, None: over MQTT."""
        self._name = name
        self._settings = settings
        self._talk = talk
        self._now_s = now_s
        self._post = post
        self._connect = connect or connected
        self._backoff = Backoff(random)
        self.is_connected = False
        self.problem = "not connected yet"

    def as_data(self) -> dict[str, Any]:
        """How it is, for ``status``."""
        return {
            "broker": f"{self._settings.host}:{self._settings.port}",
            "connected": self.is_connected,
            "problem": self.problem,
        }

    async def run(self) -> None:
        """Connect and talk, until cancelled; sessions do not depend on it."""
        while True:
            was_stable = await self._one_connection()
            await asyncio.sleep(self._backoff.next(was_stable=was_stable))

    async def _one_connection(self) -> bool:
        """Talk until the connection breaks; True when it had been stable."""
        begun_s = self._now_s()
        try:
            async with self._connect(self._settings, self._talk.client_config()) as connection:
                begun_s = self._now_s()
                self._begin()
                await self._talk_over(connection)
        except LoginRefused as refusal:
            if str(refusal) != self.problem:  # that it goes on says nothing more
                kind = SecurityEventType.MAINTENANCE_LOGIN_FAILED
                self._post(SecurityEventSeen(kind, f"{self._name}: {refusal}"))
            self._note(str(refusal))
        except BrokerError as problem:
            self._note(str(problem))
        except Exception:  # charging must not end because another service is odd
            logger.exception("%s has failed; it is begun anew", self._name)
            self._note("a mistake in the program: see the log")
        was_connected, self.is_connected = self.is_connected, False
        self._talk.disconnected()
        return was_connected and self._now_s() - begun_s >= STABLE_AFTER_S

    def _begin(self) -> None:
        settings = self._settings
        logger.info("%s is connected: %s:%d", self._name, settings.host, settings.port)
        self.is_connected, self.problem = True, ""
        self._talk.connected()

    async def _talk_over(self, connection: Connection) -> None:
        sending = asyncio.create_task(self._talk.send(connection.publish))
        reading = asyncio.create_task(self._read(connection))
        is_over = False
        try:
            await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
            is_over = True
        finally:
            for task in (sending, reading):
                task.cancel()
            ended = await asyncio.gather(sending, reading, return_exceptions=True)
            if not is_over:  # ending: say so, if the broker takes it soon
                await self._say_goodbye(connection)
        for result in ended:
            if isinstance(result, Exception):
                raise result
        raise BrokerError("the connection broke")

    async def _read(self, connection: Connection) -> None:
        async for message in connection.messages():
            self._talk.take(message)

    async def _say_goodbye(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(_STOPPING_S):
                await self._talk.say_goodbye(connection.publish)
        except (BrokerError, TimeoutError):
            logger.info("the broker did not hear that %s ends", self._name)

    def _note(self, problem: str) -> None:
        if problem != self.problem:
            logger.warning("%s is away: %s; charging goes on", self._name, problem)
        self.problem = problem
