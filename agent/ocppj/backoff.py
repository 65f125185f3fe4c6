"""How long to wait before the next attempt to connect: a policy; times are handed to it.

The very first attempt of a process is not waited for (``link``).
"""

from __future__ import annotations

from collections import deque
from random import Random

STABLE_AFTER_S = 30.0
WAIT_MAX_S = 300.0
_RETURN_WITHIN_S = 2.0
# A link that is lost early is come back to at once so often in so long; after that as if refused.
QUICK_RETURNS_MAX = 10
QUICK_RETURNS_PER_S = 600.0
_WAIT_MIN_S = 3.0
_JITTER_S = 10.0


class Backoff:
    """Doubles from 3 s to at most 5 min, with jitter on every attempt, and never gives up.

    A whole fleet must not return in step when its central system restarts, so even the longest
    wait is not the same for two boxes. The formula is that of OCPP 2.0.1 (1.6 names none).
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._wait_s = 0.0
        self._quick_returns_s: deque[float] = deque(maxlen=QUICK_RETURNS_MAX)

    def next(self, *, was_stable: bool, worked_until_s: float | None = None) -> float:
        """Seconds to wait after an attempt or a link ended.

        A link that had been accepted and stable starts the doubling anew; so does one that was lost
        earlier and had worked, at ``worked_until_s`` (monotonic), but not for ever: one that
        accepts and closes again and again is no better than one that refuses.
        """
        if was_stable or self._may_return_at_once(worked_until_s):
            self._wait_s = 0.0
            return self._random.uniform(0, _RETURN_WITHIN_S)
        base = self._wait_s * 2 if self._wait_s else _WAIT_MIN_S
        self._wait_s = min(base, WAIT_MAX_S - _JITTER_S) + self._random.uniform(0, _JITTER_S)
        return self._wait_s

    def _may_return_at_once(self, now_s: float | None) -> bool:
        if now_s is None:
            return False
        past_s = self._quick_returns_s
        if len(past_s) == QUICK_RETURNS_MAX and now_s - past_s[0] < QUICK_RETURNS_PER_S:
            return False
        past_s.append(now_s)
        return True
