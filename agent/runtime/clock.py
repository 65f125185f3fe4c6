"""The only place where this agent reads a clock.

A Raspberry Pi has no battery clock: after power-on its wall clock may be years off. So waiting uses
the monotonic clock, and the wall clock is a belief until the central system says what time it is,
or the kernel's clock is synchronized. The wall clock is read once: however it jumps afterwards,
time goes on as the monotonic clock does, until the true time is known.
"""

from __future__ import annotations

import ctypes
import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.core.values import Instant

logger = logging.getLogger(__name__)

_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")  # made by systemd-timesyncd
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NOISE = timedelta(seconds=2)
_ASK_AGAIN_S = 1.0
_TIMEX_BYTES = 256  # struct timex of adjtimex(2) has 208 on 64-bit machines, 128 on 32-bit ones
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized


def _wall() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the one place


def this_boot_id() -> str:
    """The kernel's name for this boot; empty where the kernel gives none."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def is_kernel_clock_synchronized() -> bool:
    """True when a time service keeps the clock of this machine: timesyncd, chrony, ntpd."""
    return _SYNCHRONIZED.exists() or _clock_state() not in (_TIME_ERROR, -1)


def _clock_state() -> int:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        # All zero: modes = 0 reads and sets nothing.
        return int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError):
        return -1  # no such call here


class SystemClock:
    """Both clocks of this machine, corrected by what the central system says."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _wall,
        is_synchronized: Callable[[], bool] = is_kernel_clock_synchronized,
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._is_synchronized = is_synchronized
        self._asked_at_s = -math.inf
        self._was_synchronized = False
        # UTC when the monotonic clock stood at 0, and whether that is known.
        self._booted_at: datetime | None = None
        self._is_known = False

    def monotonic_s(self) -> float:
        """The clock to wait by, alone."""
        return self._monotonic()

    def now(self) -> Instant:
        """Both clocks, read together."""
        monotonic_s = self._monotonic()
        if self._is_kept(monotonic_s):
            utc = self._wall()
            booted_at = utc - timedelta(seconds=monotonic_s)
            if not self._has_jumped(booted_at) or self._is_kept(monotonic_s, ask_now=True):
                self._booted_at, self._is_known = booted_at, True
                return Instant(monotonic_s, utc)
        if self._booted_at is None:
            self._booted_at = self._wall() - timedelta(seconds=monotonic_s)
        utc = self._booted_at + timedelta(seconds=monotonic_s)
        return Instant(monotonic_s, utc, self._is_known)

    def believe(self, booted_at: datetime, is_known: bool) -> None:
        """Go on with what an earlier process of this boot, or the database, knew or believed."""
        self._booted_at, self._is_known = booted_at, is_known

    def learn(self, utc: datetime) -> None:
        """The central system says what time it is; the system's own synchronized clock wins."""
        now = self.now()
        if self._was_synchronized:
            return
        off = utc - now.utc
        if abs(off) > _NOISE:
            logger.info(
                "clock set by the central system, it was off by %.0f s", off.total_seconds()
            )
            self._booted_at = utc - timedelta(seconds=now.monotonic_s)
        self._is_known = True

    def _has_jumped(self, booted_at: datetime) -> bool:
        """The clock was set: doing that by hand takes it from the time service."""
        return self._booted_at is not None and abs(booted_at - self._booted_at) > _NOISE

    def _is_kept(self, monotonic_s: float, ask_now: bool = False) -> bool:
        """Whether the kernel's clock is synchronized; asked once a second, or now."""
        if ask_now or monotonic_s - self._asked_at_s >= _ASK_AGAIN_S:
            self._asked_at_s = monotonic_s
            self._was_synchronized = self._is_synchronized()
        return self._was_synchronized
