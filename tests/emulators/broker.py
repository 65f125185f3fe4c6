"""A broker in memory: delivers at least once, refuses, breaks off, and forgets nothing it heard."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agent.config.settings import BrokerSettings
from agent.mqtt.broker import BrokerError, ClientConfig, LoginRefused, Publication, Received


@dataclass
class FakeBroker:
    """Hand ``connect`` to the agent; publish as the others would, and look at what was said."""

    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusal: str = ""  # not empty: nobody's password is right
    connections: int = 0
    slow_s: float = 0.0  # to take a message
    last_will: Publication | None = None  # what it would say were the agent gone
    _line: FakeConnection | None = None

    def __post_init__(self) -> None:
        self._news = asyncio.Condition()

    @asynccontextmanager
    async def connect(
        self, settings: BrokerSettings, config: ClientConfig
    ) -> AsyncIterator[FakeConnection]:
        if self.refusal:
            raise LoginRefused(self.refusal)
        self.connections += 1
        self.last_will = config.last_will
        self._line = line = FakeConnection(self, config.topics)
        try:
            yield line
        finally:
            self._line = None

    @property
    def is_connected(self) -> bool:
        return self._line is not None

    def break_off(self) -> None:
        assert self._line is not None
        self._line.incoming.put_nowait(None)

    def publish(self, topic: str, payload: bytes) -> None:
        """Anything at all, by somebody else."""
        assert self._line is not None
        if topic in self._line.topics:
            self._line.incoming.put_nowait(Received(topic, payload))

    def say(self, topic: str, name: str, kind: str, data: dict[str, Any], id: str = "") -> str:
        """A message of somebody else; returns its id."""
        message = {"id": id or str(uuid.uuid4()), "name": name, "type": kind, "data": data}
        self.publish(topic, json.dumps(message).encode())
        return str(message["id"])

    def of(self, name: str, kind: str = "", topic: str = "") -> list[dict[str, Any]]:
        """The data of the messages of this name that the agent published."""
        return [
            message["data"]
            for where, message in self.heard
            if message["name"] == name and kind in ("", message["type"]) and topic in ("", where)
        ]

    async def ask(self, topic: str, name: str, data: dict[str, Any], id: str = "") -> Any:
        """Send a request and return the data of its response."""
        return (await self.answer_to(self.say(topic, name, "request", data, id)))[1]["data"]

    async def answer_to(self, id: str) -> tuple[str, dict[str, Any]]:
        """Topic and message of the response with this id."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: bool(self.answers_to(id)))
        return self.answers_to(id)[0]

    def answers_to(self, id: str) -> list[tuple[str, dict[str, Any]]]:
        return [
            (topic, message)
            for topic, message in self.heard
            if message["id"] == id and message["type"] == "response"
        ]

    async def told(self, name: str, count: int = 1) -> dict[str, Any]:
        """Wait for the ``count``-th message of this name."""
        async with asyncio.timeout(600), self._news:
            await self._news.wait_for(lambda: len(self.of(name)) >= count)
        return self.of(name)[count - 1]

    async def take(self, message: Publication) -> None:
        await asyncio.sleep(self.slow_s)
        self.heard.append((message.topic, json.loads(message.text)))
        async with self._news:
            self._news.notify_all()


class FakeConnection:
    def __init__(self, broker: FakeBroker, topics: tuple[str, ...]) -> None:
        self._broker = broker
        self.topics = topics
        self.incoming: asyncio.Queue[Received | None] = asyncio.Queue()

    async def messages(self) -> AsyncIterator[Received]:
        while (found := await self.incoming.get()) is not None:
            yield found
        raise BrokerError("the connection broke")

    async def publish(self, message: Publication) -> None:
        await self._broker.take(message)
