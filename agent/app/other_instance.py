"""Does another agent run on the same database? Asked before the first pin is touched."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from agent.platform.errors import StoreBusy


def refuse_beside_another(database: Path) -> None:
    """Raise StoreBusy when another process holds the database. Touches and makes nothing.

    Only looks: the store takes the lock itself, later, when its package has been imported. Whoever
    comes between gets none of our lines: the kernel gives a line to one process.
    """
    try:
        descriptor = os.open(
            database.with_name(database.name + ".lock"),
            os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
        )
    except (OSError, ValueError):
        return  # nobody has begun one, or the store will say what is wrong
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreBusy.held(database) from None
    except OSError:
        return
    finally:
        os.close(descriptor)
