"""What the tests of every pilot driver need: a clock, and a driver that is opened with it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from hw.settings import PilotSettings

D = TypeVar("D")


class Time:
    """Real time, plus what the test adds and what the driver would sleep."""

    def __init__(self) -> None:
        self.added_s = 0.0

    def clock(self) -> float:
        return monotonic() + self.added_s

    def sleep(self, duration_s: float) -> None:
        self.added_s += duration_s


def opened(dialogue: Callable[..., D], driver: str, path: str, time: Time, answer_s: float) -> D:
    """The driver on this port, with this clock; it waits so long for an answer."""
    settings = PilotSettings(driver=driver, port=path)
    return dialogue(settings, time.clock, time.sleep, answer_s=answer_s)
