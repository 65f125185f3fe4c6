"""Contacts bounce: a level counts only when it was seen several times."""

from __future__ import annotations

import math

_EPSILON_S = 1e-6


class Debouncer:
    """Believes a level only after several equal samples that lie some time apart."""

    def __init__(self, value: bool, samples: int, sample_s: float) -> None:
        self.value = value
        self.is_settled = True
        self._samples = samples
        self._sample_s = sample_s
        self._candidate = value
        self._count = 0
        self._next_at = -math.inf

    def restart(self) -> None:
        """Believe nothing until there are enough new samples."""
        self.is_settled = False
        self._count = 0

    def sample(self, level: bool, now_s: float) -> None:
        """Take note of the level; a sample that comes too soon after the last one is ignored."""
        if self.is_settled and level == self.value:
            self._count = 0
            return
        if self._count and now_s < self._next_at - _EPSILON_S:
            return
        self._count = self._count + 1 if self._count and level == self._candidate else 1
        self._candidate = level
        self._next_at = now_s + self._sample_s
        if self._count >= self._samples:
            self.value, self.is_settled, self._count = level, True, 0

    def due_at(self) -> float | None:
        """When the next sample counts; None while nothing is in doubt."""
        return self._next_at if self._count else None
