"""How long a thread is kept from the interpreter.

A thread that wants to look every millisecond notes how long it could not, as the supervising
thread would have been kept from looking. On a machine that is busy with other work the time by the
wall is no measure of a program; how much this process has computed meanwhile is.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Gap:
    """The longest time between two looks; ``processor_s`` is what this process computed in it."""

    processor_s: float = 0.0
    wall_s: float = 0.0


class Gaps:
    """Looks until it is told to stop."""

    def __init__(self) -> None:
        self._must_end = False
        self._longest = Gap()
        self._thread = threading.Thread(target=self._look, name="gaps", daemon=True)
        self._thread.start()

    def stop(self) -> Gap:
        """End, and tell the longest of each kind."""
        self._must_end = True
        self._thread.join()
        return self._longest

    def _look(self) -> None:
        processor_s, wall_s = time.process_time(), time.monotonic()
        while not self._must_end:
            time.sleep(TICK_S)
            now_processor_s, now_wall_s = time.process_time(), time.monotonic()
            self._longest = Gap(
                max(self._longest.processor_s, now_processor_s - processor_s),
                max(self._longest.wall_s, now_wall_s - wall_s),
            )
            processor_s, wall_s = now_processor_s, now_wall_s
