"""What every pilot controller on a serial line has in common: the thread that talks to it.

A ``Dialogue`` knows one controller's language; ``PolledPilot`` asks it several times a second,
compares what it offers with what was ordered, and tells it the difference. So a controller that
rebooted, or was turned by hand, gets its order again without being noticed.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from hw.ports import ConfirmedOffer, PilotController, PilotError, PilotFault, PilotState

logger = logging.getLogger(__name__)

POLL_S = 0.25
SILENT_S = 3.0
"""Nothing understandable for longer than this is a fault: the vehicle may have left."""

CHANGE_S = 5.0
"""Shortest time between two duty cycles; a vehicle may take as long to follow (IEC 61851-1)."""

REPEAT_S = 1.0
"""A controller that has not carried out an order gets it again after this time."""

CURRENT_MIN_A = 6  # IEC 61851-1: nothing between 0 and 6 A can be offered; below means pause
CURRENT_MAX_A = 80
STOP_S = 2.5


@dataclass(frozen=True, slots=True)
class PilotReport:
    """What a controller said about itself in one answer."""

    state: PilotState
    is_plugged: bool
    offered_a: float  # what it is set to offer; 0: nothing
    faults: frozenset[PilotFault] = frozenset()
    cable_a: float | None = None


class Dialogue(Protocol):
    """One controller's language. Every method but ``wake`` is called from one thread only."""

    name: str

    def read(self) -> PilotReport:
        """Ask how things stand. Blocks a second at most; raises PilotError."""

    def set_current(self, current_a: int) -> float:
        """Offer this much from now on, 0: nothing; returns what it took. Raises PilotError."""

    def wait(self, for_s: float) -> None:
        """Wait, or until it says something by itself, or until ``wake``. Never raises."""

    def wake(self) -> None:
        """End ``wait`` now; from any thread."""

    def describe(self) -> str:
        """What is known about the controller, for a person."""

    def close(self) -> None:
        """Close the port. Safe to repeat, never raises."""


class PolledPilot:
    """A pilot controller behind a dialogue. Implements ``PilotController``."""

    def __init__(
        self, dialogue: Dialogue, clock: Callable[[], float], ventilation: bool = False
    ) -> None:
        """Make it, asking the controller once, so that a vehicle that is there is known.

        ``ventilation``: the place is ventilated, state D may charge.
        """
        self._dialogue = dialogue
        self._clock = clock
        self._ventilation = ventilation
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        # Shared, under the guard.
        self._wanted_a = 0
        self._confirmed = ConfirmedOffer()
        self._report: PilotReport | None = None
        self._heard_at_s = -math.inf
        self._was_plugged: bool | None = None
        # Of the thread alone.
        self._ordered_a: int | None = None  # the last order
        self._heard_a: int | None = None  # the same, once it has said that it heard
        self._taken_a = 0.0  # what it made of that
        self._ordered_at_s = -math.inf
        self._problem = ""  # empty: it answers
        self._complaint = ""  # what was logged last
        self._offers_too_much = False
        self.step()

    def start(self) -> None:
        """Begin to talk to it several times a second."""
        name = f"pilot {self._dialogue.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # --- orders ------------------------------------------------------------------------------

    def offer(self, current_a: float) -> None:
        """Offer this current, in whole ampere; below 6 A nothing. ValueError above 80 A."""
        if not current_a <= CURRENT_MAX_A:
            raise ValueError(f"a pilot offers 6 to 80 A, not {current_a}")
        self._want(math.floor(current_a) if current_a >= CURRENT_MIN_A else 0)

    def withdraw(self) -> None:
        """Offer nothing any more. Never raises."""
        self._want(0)

    def _want(self, current_a: int) -> None:
        with self._guard:
            is_new, self._wanted_a = current_a != self._wanted_a, current_a
            if is_new:
                self._confirmed = ConfirmedOffer(self._confirmed.order + 1)
        if is_new:
            self._dialogue.wake()

    # --- what it says ------------------------------------------------------------------------

    @property
    def state(self) -> PilotState:
        """What the vehicle shows; F while the controller is silent or has a fault."""
        with self._guard:
            if self._report is None or self._is_silent() or self._report.faults:
                return PilotState.F
            return self._report.state

    @property
    def confirmed(self) -> ConfirmedOffer:
        """By its answer to a question after the order; nothing while it is silent or faulty."""
        with self._guard:
            is_known = self._report is not None and not self._report.faults
            if not is_known or self._is_silent() or self._wanted_a == 0:
                return ConfirmedOffer(self._confirmed.order)
            return self._confirmed

    @property
    def complaints(self) -> frozenset[PilotFault]:
        """What is wrong."""
        with self._guard:
            if self._report is None or self._is_silent():
                return frozenset({PilotFault.SILENT})
            return self._report.faults

    @property
    def is_plugged(self) -> bool | None:
        """As it said last; silence does not unplug a vehicle."""
        with self._guard:
            return self._was_plugged

    @property
    def cable_a(self) -> float | None:
        """What the cable can carry."""
        with self._guard:
            return None if self._report is None else self._report.cable_a

    def describe(self) -> str:
        """What is known about the controller, or why it is silent."""
        return self._problem or self._dialogue.describe()

    def _is_silent(self) -> bool:
        return self._clock() - self._heard_at_s > SILENT_S

    # --- talking to it -----------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.step()
            self._dialogue.wait(POLL_S)

    def step(self) -> None:
        """Ask it once, and tell it what it does not do yet. Never raises."""
        try:
            report = self._dialogue.read()
        except PilotError as problem:
            self._problem = self._complain(str(problem))
            return
        except Exception as mistake:  # noqa: BLE001 - it is asked again, and counts as silent
            self._problem = self._complain(f"its driver failed: {mistake!r}")
            return
        self._take(report)
        try:
            self._correct(report)
        except PilotError as problem:
            self._complain(str(problem))

    def _take(self, report: PilotReport) -> None:
        if report.state is PilotState.D and not self._ventilation:
            report = replace(report, faults=report.faults | {PilotFault.VENTILATION})
        if self._offers_too_much:
            report = replace(report, faults=report.faults | {PilotFault.OTHER})
        with self._guard:
            self._report = report
            offered_a = report.offered_a if self._does_as_told(report) else 0.0
            self._confirmed = replace(self._confirmed, current_a=offered_a)
            self._heard_at_s = self._clock()
            self._was_plugged = report.is_plugged
        if self._problem:
            logger.info("pilot controller %s: it answers", self._dialogue.name)
            self._problem = self._complaint = ""

    def _complain(self, problem: str) -> str:
        if problem != self._complaint:
            logger.warning("pilot controller %s: %s", self._dialogue.name, problem)
        self._complaint = problem
        return problem

    def _correct(self, report: PilotReport) -> None:
        wanted_a = self._wanted(report)
        does_as_told = self._does_as_told(report)
        if does_as_told and wanted_a == self._heard_a:
            return
        if wanted_a == report.offered_a == 0:
            self._heard_a, self._taken_a = 0, 0.0
            return
        # A pause is never held up. What was not ordered (a reboot, a knob) is corrected soon.
        since_s = self._clock() - self._ordered_at_s
        is_new_pause = wanted_a == 0 and self._ordered_a != 0
        if is_new_pause or since_s >= (CHANGE_S if does_as_told else REPEAT_S):
            self._tell(wanted_a)

    def _does_as_told(self, report: PilotReport) -> bool:
        return self._heard_a is not None and report.offered_a == self._taken_a

    def _wanted(self, report: PilotReport) -> int:
        with self._guard:
            wanted_a = self._wanted_a
        if report.cable_a is not None:
            wanted_a = min(wanted_a, math.floor(report.cable_a))
        return wanted_a if wanted_a >= CURRENT_MIN_A and not self._offers_too_much else 0

    def _tell(self, wanted_a: int) -> None:
        self._ordered_at_s, self._ordered_a = self._clock(), wanted_a
        self._heard_a = None  # unknown until it has answered
        with self._guard:
            self._confirmed = replace(self._confirmed, current_a=0.0)
        self._taken_a = self._dialogue.set_current(wanted_a)
        self._heard_a = wanted_a
        if self._taken_a > wanted_a:
            # Its own minimum is higher: it can only pause, until this process ends.
            logger.error(
                "pilot controller %s: ordered to offer %d A it offers %g A: it is paused; "
                "set its smallest current to 6 A, or update its firmware",
                self._dialogue.name,
                wanted_a,
                self._taken_a,
            )
            self._offers_too_much = True
            self._taken_a = self._dialogue.set_current(0)
            self._heard_a = 0

    def shut_down(self) -> None:
        """Withdraw, end the thread and close the port. Safe to repeat."""
        self._stopping.set()
        self.withdraw()
        self._dialogue.wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                logger.warning("pilot controller %s: its thread has not ended", self._dialogue.name)
                return
        self.step()  # the last word: offer nothing
        self._dialogue.close()


class PilotPlug:
    """A plug sensor for a box without a contact: the pilot controller sees the plug."""

    def __init__(self, pilot: PilotController) -> None:
        """``pilot`` belongs to the same connector, and is shut down by itself."""
        self._pilot = pilot

    @property
    def is_present(self) -> bool:
        """True while the controller sees a vehicle; while it is silent, as it said last."""
        return self._pilot.is_plugged is True

    def shut_down(self) -> None:
        """Nothing to release."""
