"""Tells systemd that we are ready and alive, over the socket it names (sd_notify protocol).

Called from the runtime's own turns only: a heartbeat from a helper thread would go on while the
runtime hangs.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping

START_S = (
    90.0  # from the end of the old program to READY of the new one; TimeoutStartSec of the unit
)


class ServiceManager:
    """The service manager that started us; silent when there is none."""

    def __init__(
        self, monotonic: Callable[[], float], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._monotonic = monotonic
        self._address = environment.get("NOTIFY_SOCKET", "")
        given = environment.get("WATCHDOG_USEC", "")
        interval_us = int(given) if given.isascii() and given.isdigit() else 0
        is_for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._interval_us = interval_us if is_for_us else 0  # 0: no watchdog
        # Half of the interval, as sd_watchdog_enabled(3) recommends.
        self._period_s = self._interval_us / 2e6 or None
        self._fed_at_s = float("-inf")

    @property
    def period_s(self) -> float | None:
        """How often the runtime must turn at least; None: no watchdog."""
        return self._period_s

    def ready(self) -> None:
        """Outputs are safe, the runtime turns; from now on the interval of the unit counts."""
        self._send("READY=1", self._interval_us)

    def ending(self, again: bool) -> None:
        """We are about to end; ``again``: a fresh program takes our place, as the same process.

        Then the service does not stop: after STOPPING=1 systemd kills who is still there when
        TimeoutStopSec is over. And the fresh one cannot say that it is alive before it is ready.
        """
        if not again:
            self._send("STOPPING=1")
        elif self._interval_us:
            self._send("WATCHDOG=1", round(START_S * 1e6))

    def alive(self) -> None:
        """Called after every turn; sends at most twice as often as asked for."""
        if self._period_s is None:
            return
        now_s = self._monotonic()
        if now_s - self._fed_at_s >= self._period_s / 2:
            self._fed_at_s = now_s
            self._send("WATCHDOG=1")

    def _send(self, message: str, watchdog_us: int = 0) -> None:
        """``watchdog_us``: from now on it waits so long for a sign of life; 0: as before."""
        if not self._address:
            return
        if watchdog_us:
            message += f"\nWATCHDOG_USEC={watchdog_us}"
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            ) as channel,
        ):
            channel.sendto(message.encode(), address)
