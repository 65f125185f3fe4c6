"""What one client may ask of the API: how much at once, how often, how slowly."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from math import ceil
from typing import Any, TypeVar

from agent.api.errors import Refused
from agent.platform.bounds import BoundedMap, TokenBucket

logger = logging.getLogger(__name__)

BODY_MAX = 256 * 1024
LIST_BODY_MAX = 2 * 1024 * 1024  # 10,000 entries of a local list, with spaces
KEPT_MAX = 200
DRAIN_MAX = 8 * 1024 * 1024
DRAIN_S = 2.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The limits; constants but for tests."""

    commands_per_s: float = 20.0  # of one token, in the long run
    commands_at_once: int = 300  # of one token, in a burst
    clients: int = 256  # requests in work at once
    connections: int = 320
    body_s: float = 10.0  # for the whole body
    silence_s: float = 15.0  # a connection without a whole request
    answer_s: float = 90.0  # a request without a whole answer
    idle_s: float = 10.0  # a connection kept alive
    guesses_at_once: int = 10  # wrong tokens of one address that are answered at once
    guesses_per_s: float = 0.5  # in the long run
    guess_wait_s: float = 10.0  # the longest wait for the answer to one of the others


Kept = TypeVar("Kept")


def one_to_give_up(held: Iterable[tuple[Kept, Hashable]]) -> Kept:
    """Who goes when there is no room: the first one of the owner who holds most.

    ``held``: what is held, longest first, and whose it is. So no owner pushes others out by holding
    much.
    """
    pairs = list(held)
    counts = Counter(owner for _, owner in pairs)
    most = max(counts.values())
    return next(kept for kept, owner in pairs if counts[owner] == most)


class RateLimit:
    """A bucket of commands for each token of the API, refilled steadily."""

    def __init__(self, limits: RequestLimits, now_s: Callable[[], float]) -> None:
        self._limits = limits
        self._now_s = now_s
        self._buckets = BoundedMap[str, TokenBucket](KEPT_MAX)

    def take(self, name: str) -> None:
        """Count one command. Raises Refused (429) saying when to come again."""
        limits, now_s = self._limits, self._now_s()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = TokenBucket(limits.commands_at_once, limits.commands_per_s, now_s)
        self._buckets[name] = bucket
        if not bucket.take(now_s):
            wait_s = max(1, ceil((1 - bucket.left) / limits.commands_per_s))
            words = f"Too many commands; try again in {wait_s} s."
            raise Refused(429, "too_many_commands", words, {"Retry-After": str(wait_s)})


class Guesses:
    """Wrong tokens of one address: a few are answered at once, the others later and later.

    Only the answer to a wrong one waits. A right token is let in whatever else comes from its
    address, which may be that of a proxy, and so of everybody.
    """

    def __init__(self, limits: RequestLimits, now_s: Callable[[], float]) -> None:
        self._limits = limits
        self._now_s = now_s
        self._buckets = BoundedMap[str, TokenBucket](KEPT_MAX)

    async def wrong(self, address: str) -> None:
        """Count one, and wait as long as its answer must. Raises Refused (429) when it is late."""
        limits, now_s, source = self._limits, self._now_s(), _source(address)
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = TokenBucket(limits.guesses_at_once, limits.guesses_per_s, now_s)
        self._buckets[source] = bucket
        left = bucket.refill(now_s)
        if 1 <= left < 2:
            logger.warning("wrong tokens come from %s: the next ones are answered late", source)
        # In debt: the answer waits until it would be paid off, and the debt has a limit.
        bucket.left = max(left - 1, -limits.guess_wait_s * limits.guesses_per_s)
        if bucket.left >= 0:
            return
        wait_s = -bucket.left / limits.guesses_per_s
        await asyncio.sleep(wait_s)
        words = "Too many wrong tokens came from your address; a right one is let in."
        raise Refused(429, "too_many_guesses", words, {"Retry-After": str(ceil(wait_s))})


def _source(address: str) -> str:
    """Who asks: an address; of IPv6 the network, in which one client has as many as it likes."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((found, 64), strict=False))


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
