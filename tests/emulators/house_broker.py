"""The broker of a house, in memory: keeps what is retained, as a real one does."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from agent.mqtt.broker import Publication, Received
from tests.emulators.broker import FakeBroker


@dataclass
class FakeHouseBroker(FakeBroker):
    """Hand ``connect`` to the agent; look at what is kept and at what was said."""

    kept: dict[str, str] = field(default_factory=dict)
    said: list[Publication] = field(default_factory=list)

    async def take(self, message: Publication) -> None:
        await asyncio.sleep(self.slow_s)
        self.said.append(message)
        if message.is_kept:
            self.kept[message.topic] = message.text
            if not message.text:
                del self.kept[message.topic]
        async with self._news:
            self._news.notify_all()

    def send(self, topic: str, payload: bytes | str, *, is_kept: bool = False) -> None:
        """Somebody of the house says something; ``is_kept``: said some time ago."""
        assert self._line is not None
        content = payload.encode() if isinstance(payload, str) else payload
        assert any(_is_below(topic, name) for name in self._line.topics), "it is not heard"
        self._line.incoming.put_nowait(Received(topic, content, is_kept))

    def state(self, topic: str) -> Any:
        """The JSON that is kept there."""
        return json.loads(self.kept[topic])

    def told_of(self, topic: str) -> list[Any]:
        """Everything that was said there, as JSON."""
        return [json.loads(message.text) for message in self.said if message.topic == topic]


def _is_below(topic: str, subscription: str) -> bool:
    levels, wanted = topic.split("/"), subscription.split("/")
    pairs = zip(levels, wanted, strict=False)
    return len(levels) == len(wanted) and all(b in ("+", a) for a, b in pairs)
