"""The only place where this agent reads a clock.

A Raspberry Pi has no battery clock: after power-on its wall clock may be years off. So waiting uses
the monotonic clock, and the wall clock is replaced by what the central system says until the system
itself is synchronized.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.core.values import Instant

logger = logging.getLogger(__name__)

_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")  # made by systemd-timesyncd
_NOISE = timedelta(seconds=2)


def _wall() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the one place


class SystemClock:
    """Both clocks of this machine, corrected by what the central system says."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _wall,
        is_synchronized: Callable[[], bool] = _SYNCHRONIZED.exists,
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._is_synchronized = is_synchronized
        self._learned: tuple[float, datetime] | None = None  # monotonic time and UTC of one moment

    def now(self) -> Instant:
        """Both clocks, read together."""
        monotonic_s = self._monotonic()
        if self._learned is None:
            return Instant(monotonic_s, self._wall())
        then_s, utc = self._learned
        return Instant(monotonic_s, utc + timedelta(seconds=monotonic_s - then_s))

    def learn(self, utc: datetime) -> None:
        """The central system says what time it is; the system's own synchronized clock wins."""
        if self._is_synchronized():
            self._learned = None
            return
        now = self.now()
        off = utc - now.utc
        if abs(off) <= _NOISE:
            # Confirmed: from here on the monotonic clock carries it, however the wall clock jumps.
            self._learned = self._learned or (now.monotonic_s, now.utc)
            return
        logger.info("clock set by the central system, it was off by %.0f s", off.total_seconds())
        self._learned = (now.monotonic_s, utc)
