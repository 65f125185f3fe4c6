"""A connector under supervision, and the parts that a test plays."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.core.events import Event
from agent.supervision import Supervisor
from hw import ports
from hw.ports import Board, ConnectorParts
from hw.settings import ContactorSettings, LockSettings
from hw.simulated.contactor import SimulatedContactor
from hw.simulated.lock import SimulatedLock
from hw.simulated.panel import SimulatedIndicator

INPUTS = ("door", "emergency_stop", "residual_current")


@dataclass
class Contact:
    """A plug or a safety contact; may be unreadable."""

    is_made: bool = False
    problem: Exception | None = None

    @property
    def is_present(self) -> bool:
        if self.problem is not None:
            raise self.problem
        return self.is_made

    is_tripped = is_present

    def shut_down(self) -> None:
        pass


@dataclass
class Pilot:
    """A pilot controller whose vehicle is played by the test."""

    state: ports.PilotState = ports.PilotState.C
    offered_a: float = 0.0
    complaints: frozenset[ports.PilotFault] = frozenset()
    is_plugged: bool | None = True
    cable_a: float | None = None

    def describe(self) -> str:
        return "played by the test"

    def offer(self, current_a: float) -> None:
        self.offered_a = current_a

    def withdraw(self) -> None:
        self.offered_a = 0.0

    def shut_down(self) -> None:
        pass


@dataclass
class Bench:
    """A connector that charges: plugged, locked, pilot in C, contactor closed."""

    is_polled: bool = False
    posted: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now_s = 1000.0
        self.plug, self.pilot = Contact(True), Pilot(offered_a=16.0)
        self.inputs = {name: Contact() for name in INPUTS}
        settings = ContactorSettings(driver="simulated", min_off_s=0)
        self.contactor = SimulatedContactor("contactor", settings, self._clock)
        self.lock = SimulatedLock("lock", LockSettings(driver="simulated"), self._clock)
        parts = ConnectorParts(1, self.contactor, self.lock, self.plug, self.pilot)
        self.board = Board(
            connectors=(parts,),
            reader=None,
            safety_inputs=dict(self.inputs),
            indicator=SimulatedIndicator(self._clock),
            is_polled=self.is_polled,
        )
        self.supervisor = Supervisor(self.board, self.posted.append)

    def charge(self) -> Bench:
        self.lock.lock()
        self.step(1.0)
        self.contactor.arm(0)
        self.contactor.close(3600.0)
        self.step()
        assert self.contactor.is_closed
        self.posted.clear()
        return self

    def step(self, after_s: float = 0.02) -> list[Event]:
        """Time passes, one look; returns what was posted because of it."""
        before = len(self.posted)
        self.now_s += after_s
        self.supervisor.step(self.now_s)
        return self.posted[before:]

    def _clock(self) -> float:
        return self.now_s
