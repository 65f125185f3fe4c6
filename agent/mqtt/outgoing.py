"""What waits for the broker: bounded, in order, checked against the schemas before it goes."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agent.mqtt import envelope
from agent.mqtt.broker import Publication
from agent.mqtt.envelope import Message
from agent.mqtt.kept_connection import Publish
from agent.mqtt.limits import LimitedWarnings
from agent.mqtt.notifications import Notification

OUTGOING_MAX = 2000  # messages that wait for the broker; the oldest is dropped
ANSWER_S = 15.0  # an answer is worth something for so long

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: Publication
    until_s: float | None  # None: only over this connection


class PublishQueue:
    """One queue for all topics, so that an answer goes before what follows from it."""

    def __init__(
        self,
        prefix: str,
        make_id: Callable[[], str],
        now_s: Callable[[], float],
        warnings: LimitedWarnings,
    ) -> None:
        """``prefix`` stands before every topic."""
        self._prefix = prefix
        self._make_id = make_id
        self._now_s = now_s
        self._warnings = warnings
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()

    def notify(self, notifications: Iterable[Notification]) -> list[str]:
        """Queue each on all of its topics, with one id; returns the ids."""
        ids = []
        for item in notifications:
            message = Message(self._make_id(), item.name, item.type, item.data)
            ids.append(message.id)
            for topic in item.topics:
                self._put(topic, message, None)
        return ids

    def answer(self, topic: str, message: Message) -> None:
        """Queue an answer; it survives the end of a connection while it may still be waited for."""
        self._put(topic, message, self._now_s() + ANSWER_S)

    def disconnected(self) -> None:
        """Forget the notifications: what stands is sent again over the next connection."""
        now_s = self._now_s()
        kept = [item for item in self._waiting if item.until_s is not None and item.until_s > now_s]
        self._waiting = deque(kept)

    async def drain(self, publish: Publish) -> None:
        """Send what waits. Nothing leaves the queue before the broker has it."""
        while self._waiting:
            item = self._waiting[0]
            await publish(item.message)
            if self._waiting and self._waiting[0] is item:
                self._waiting.popleft()

    async def send(self, publish: Publish) -> None:
        """Send what waits and what comes, for ever."""
        while True:
            await self.drain(publish)
            self._wake.clear()
            await self._wake.wait()

    def _put(self, topic: str, message: Message, until_s: float | None) -> None:
        problem = envelope.problem_of(message)
        if problem:  # our own mistake: no message is better than an invalid one
            logger.error("a message of ours is not sent: %s: %s", message.name, problem)
            return
        if len(self._waiting) >= OUTGOING_MAX:
            self._waiting.popleft()
            self._warnings.drop("messages that wait for the broker")
        going = Publication(self._prefix + topic, message.text())
        self._waiting.append(_Waiting(going, until_s))
        self._wake.set()
