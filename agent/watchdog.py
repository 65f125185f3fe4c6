"""Tells systemd that we are ready and alive, over the socket it names (sd_notify protocol).

Called from the runtime's own turns only: a heartbeat from a helper thread would go on while the
runtime hangs.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping


class ServiceManager:
    """The service manager that started us; silent when there is none."""

    def __init__(
        self, monotonic: Callable[[], float], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._monotonic = monotonic
        self._address = environment.get("NOTIFY_SOCKET", "")
        told = environment.get("WATCHDOG_USEC", "")
        interval_us = int(told) if told.isascii() and told.isdigit() else 0
        is_for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        # Half of the interval, as sd_watchdog_enabled(3) recommends.
        self._period_s = interval_us / 2e6 if interval_us and is_for_us else None
        self._fed_at_s = float("-inf")

    @property
    def period_s(self) -> float | None:
        """How often the runtime must turn at least; None: nobody watches."""
        return self._period_s

    def ready(self) -> None:
        """Outputs are safe, the runtime turns."""
        self._send("READY=1")

    def stopping(self) -> None:
        """We are about to end."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Called after every turn; sends at most twice as often as asked for."""
        if self._period_s is None:
            return
        now_s = self._monotonic()
        if now_s - self._fed_at_s >= self._period_s / 2:
            self._fed_at_s = now_s
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            ) as channel,
        ):
            channel.sendto(message.encode(), address)
