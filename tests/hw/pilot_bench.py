"""What the tests of every pilot driver need: a clock, a driver opened with it, a controller."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import TypeVar

from hw.pilot import PilotReport
from hw.ports import PilotError, PilotState
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


class Controller:
    """A dialogue with a controller that the test plays."""

    name = "played"

    def __init__(self) -> None:
        self.report = PilotReport(PilotState.A, is_plugged=False, offered_a=0.0)
        self.problem: Exception | None = None
        self.refusal: PilotError | None = None
        self.smallest_a = 0
        self.told: list[int] = []
        self.woken = threading.Event()
        self.is_closed = False

    def read(self) -> PilotReport:
        if self.problem is not None:
            raise self.problem
        return self.report

    def set_current(self, current_a: int) -> float:
        self.told.append(current_a)
        if self.refusal is not None:
            raise self.refusal
        taken_a = max(current_a, self.smallest_a) if current_a else 0
        self.report = replace(self.report, offered_a=float(taken_a))
        return float(taken_a)

    def wait(self, for_s: float) -> None:
        self.woken.wait(for_s)

    def wake(self) -> None:
        self.woken.set()

    def describe(self) -> str:
        return "a played controller"

    def close(self) -> None:
        self.is_closed = True
