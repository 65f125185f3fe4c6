"""Ports for what tests listen on, or for what nobody listens on."""

from __future__ import annotations

import itertools
import os
import socket

# Below those that the system gives to outgoing connections, and from another one in each process: a
# port that was free a moment ago must still be free when it is used, by tests side by side too.
_FIRST = 10_000
_COUNT = 22_000
_next = itertools.count(os.getpid() * 1009)


def free_port() -> int:
    """Return a TCP port on which nobody listens; each call gives another one."""
    for number in itertools.islice(_next, _COUNT):
        port = _FIRST + number % _COUNT
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
