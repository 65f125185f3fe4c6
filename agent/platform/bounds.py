"""How often others can make this process do something, and how much it remembers. No clock."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class TokenBucket:
    """So many at once, so many a second in the long run."""

    def __init__(self, size: float, per_s: float, now_s: float) -> None:
        self._size = size
        self._per_s = per_s
        self.left = size
        self.at_s = now_s  # when it was refilled last

    def refill(self, now_s: float) -> float:
        """Add what has come since the last time; returns what is left now."""
        gained = max(0.0, now_s - self.at_s) * self._per_s
        self.left, self.at_s = min(self._size, self.left + gained), now_s
        return self.left

    def take(self, now_s: float) -> bool:
        """Use one up; False when there is none."""
        if self.refill(now_s) < 1:
            return False
        self.left -= 1
        return True


class BoundedMap(OrderedDict[K, V]):
    """The last ``most`` keys that were set; the oldest is dropped."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)
