"""Requests of the last minute and their answers: QoS 1 may deliver one twice. Bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from agent.mqtt.envelope import Message

SEEN_S = 60.0  # so long a request that comes twice is recognised
SEEN_MAX = 3000


@dataclass(slots=True)
class _Request:
    until_s: float
    answer: tuple[str, Message] | None = None


class Seen:
    """By id, whatever its case; the oldest is forgotten."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._requests: OrderedDict[str, _Request] = OrderedDict()

    def is_new(self, id: str) -> bool:
        """True the first time; from then on it is known."""
        self._forget_old()
        if id.lower() in self._requests:
            return False
        self._requests[id.lower()] = _Request(self._now_s() + SEEN_S)
        return True

    def answered(self, topic: str, answer: Message) -> None:
        """Keep what a request was answered; it is known for a minute from now."""
        request = self._requests.get(answer.id.lower())
        if request is None:
            return
        request.answer = (topic, answer)
        request.until_s = self._now_s() + SEEN_S
        self._requests.move_to_end(answer.id.lower())

    def answer_to(self, id: str) -> tuple[str, Message] | None:
        """Topic and answer; None while it is not decided yet."""
        request = self._requests.get(id.lower())
        return None if request is None else request.answer

    def _forget_old(self) -> None:
        now_s = self._now_s()
        while self._requests:
            oldest = next(iter(self._requests.values()))
            if oldest.until_s > now_s and len(self._requests) < SEEN_MAX:
                return
            self._requests.popitem(last=False)
