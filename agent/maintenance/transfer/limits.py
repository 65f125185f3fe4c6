"""How long a transfer may take, how large it may be, and who can call it off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from agent.platform.errors import TransferError

SILENCE_S = 30.0  # of a server, before it counts as lost


class TransferAttempt:
    """One attempt. The thread that transfers checks it again and again; any other may end it."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        within_s: float,
        bytes_max: int,
        too_large: str = "the file is too large",
    ) -> None:
        """``too_large`` is said when there are more bytes than ``bytes_max``."""
        self._monotonic = monotonic
        self._begun_s = monotonic()
        self._within_s = within_s
        self._bytes_max = bytes_max
        self._too_large = too_large
        self._called_off = threading.Event()
        self._line: socket.socket | None = None
        self.done = 0  # bytes so far

    def call_off(self) -> None:
        """End it now: a wait for the server ends with an error."""
        self._called_off.set()
        if (line := self._line) is not None:
            with suppress(OSError):
                # Below TLS: what is sent in this moment must not leave without it.
                socket.socket.shutdown(line, socket.SHUT_RDWR)

    def uses(self, line: socket.socket | None) -> None:
        """The line to be cut when it is called off. Raises TransferError when it was already."""
        self._line = line
        self.check()

    @property
    def is_called_off(self) -> bool:
        """True once it was cancelled."""
        return self._called_off.is_set()

    def moved(self, count: int) -> None:
        """So many bytes more have passed. Raises TransferError when that is enough."""
        self.done += count
        self.check()
        if self.done > self._bytes_max:
            raise TransferError(self._too_large)

    def expects(self, size: int | None) -> None:
        """The server announces so many bytes. Raises TransferError when they are too many."""
        if size is not None and size > self._bytes_max:
            raise TransferError(f"{self._too_large} (it has {size / 1e6:.1f} MB)")

    def check(self) -> None:
        """Raises TransferError when it was called off or has taken too long."""
        if self.is_called_off:
            raise TransferError("it was called off")
        if self._monotonic() - self._begun_s > self._within_s:
            raise TransferError(f"it has taken longer than {self._within_s:g} s")

    def silence_s(self) -> float:
        """How long to wait for a sign of the server."""
        left_s = self._within_s - (self._monotonic() - self._begun_s)
        return max(0.1, min(SILENCE_S, left_s))
