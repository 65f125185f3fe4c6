"""What one client may ask of the API: how much at once, how often, how slowly."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from agent.api.errors import Refused

BODY_MAX = 256 * 1024
LIST_BODY_MAX = 2 * 1024 * 1024  # 10,000 entries of a local list, with spaces
KEPT_MAX = 200
DRAIN_MAX = 8 * 1024 * 1024
DRAIN_S = 2.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits; constants but for tests."""

    commands_per_s: float = 20.0  # of one token, in the long run
    commands_at_once: int = 300  # of one token, in a burst
    clients: int = 256  # requests in work at once
    connections: int = 320
    body_s: float = 10.0  # for the whole body
    silence_s: float = 15.0  # a connection without a whole request
    answer_s: float = 90.0  # a request without a whole answer
    idle_s: float = 10.0  # a connection kept alive


class RateLimit:
    """A bucket of commands for each token, refilled steadily."""

    def __init__(self, limits: Limits, now_s: Callable[[], float]) -> None:
        self._limits = limits
        self._now_s = now_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # left, at

    def take(self, name: str) -> None:
        """Count one command. Raises Refused (429) saying when to come again."""
        now_s = self._now_s()
        left, at_s = self._buckets.pop(name, (float(self._limits.commands_at_once), now_s))
        left += (now_s - at_s) * self._limits.commands_per_s
        left = min(left, self._limits.commands_at_once)
        is_enough = left >= 1
        self._buckets[name] = (left - 1 if is_enough else left, now_s)
        if len(self._buckets) > KEPT_MAX:
            self._buckets.popitem(last=False)
        if not is_enough:
            wait_s = max(1, ceil((1 - left) / self._limits.commands_per_s))
            words = f"Too many commands; try again in {wait_s} s."
            raise Refused(429, "too_many_commands", words, {"Retry-After": str(wait_s)})


async def read_body(
    receive: Receive, declared: bytes | None, at_most: int, within_s: float
) -> bytes:
    """Read a whole body, counting what really comes. Raises Refused (413, 408)."""
    too_large = Refused(
        413,
        "body_too_large",
        f"The body may have at most {at_most} bytes.",
        {"Connection": "close"},
    )
    if declared is not None and declared.isdigit() and int(declared[:20]) > at_most:
        await _let_it_finish(receive)
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(408, "body_too_slow", "The client went away.")
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > at_most:
                    await _let_it_finish(receive)
                    raise too_large
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        words = f"The body did not come within {within_s:g} s."
        raise Refused(408, "body_too_slow", words, {"Connection": "close"}) from None


async def _let_it_finish(receive: Receive) -> None:
    """Throw away what still comes, within bounds: who is cut off while sending reads no answer."""
    size = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            while size < DRAIN_MAX:
                message = await receive()
                size += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
