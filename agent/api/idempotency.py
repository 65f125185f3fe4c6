"""Repeated requests: the same key with the same body gets the stored answer, and queues nothing."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.api.errors import Invalid
from agent.api.limits import one_to_give_up

KEPT_S = 600.0
KEPT_MAX = 1000
_KEY = re.compile(rb"[\x21-\x7e]{8,64}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(slots=True)
class _Kept:
    fingerprint: bytes
    at_s: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answer: Answer | None = None
    users: int = 0  # requests that perform it, or wait for the one that does


class Idempotency:
    """The answers to requests that carried an Idempotency-Key, for ten minutes."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._kept: OrderedDict[tuple[str, str, bytes], _Kept] = OrderedDict()

    async def once(
        self,
        token: str,
        path: str,
        key: bytes,
        body: bytes,
        perform: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        """Perform the request, or return the answer to the same one before.

        Refusals are not kept: they had no effect, and may be different next time. Raises Invalid
        for a key that is none, or that was used with another body.
        """
        if not _KEY.fullmatch(key):
            wanted = "Idempotency-Key has 8 to 64 visible ASCII characters"
            raise Invalid(wanted, ("header", "Idempotency-Key"))
        fingerprint = hashlib.sha256(body).digest()
        kept = self._entry((token, path, key), fingerprint)
        if kept.fingerprint != fingerprint:
            message = "this Idempotency-Key was used with another body"
            raise Invalid(message, ("header", "Idempotency-Key"))
        kept.users += 1
        try:
            async with kept.lock:
                if kept.answer is not None:
                    return kept.answer
                answer = await perform()
                if answer.status < 300:
                    kept.answer = answer
                return answer
        finally:
            kept.users -= 1

    def _entry(self, key: tuple[str, str, bytes], fingerprint: bytes) -> _Kept:
        now_s = self._now_s()
        while self._kept and now_s - next(iter(self._kept.values())).at_s >= KEPT_S:
            self._kept.popitem(last=False)
        if len(self._kept) >= KEPT_MAX:
            del self._kept[one_to_give_up((known, known[0]) for known in self._kept)]
        kept = self._kept.get(key)
        if kept is None or (kept.answer is None and not kept.users):
            kept = self._kept[key] = _Kept(fingerprint, now_s)
            self._kept.move_to_end(key)
        return kept
