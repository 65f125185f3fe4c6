"""A connector under supervision, the parts that a test plays, and the core over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.core import charge_point
from agent.core import commands as co
from agent.core import events as ev
from agent.core.events import Event
from agent.core.state import Traits
from agent.runtime.devices import Devices
from agent.runtime.supervision import Supervisor
from hw import ports
from hw.ports import Board, ConnectorParts
from hw.settings import ContactorSettings, LockSettings, ReaderSettings
from hw.simulated.contactor import SimulatedContactor
from hw.simulated.front_panel import SimulatedIndicator
from hw.simulated.lock import SimulatedLock
from tests.core.story import ACCEPTED, BOOT_S, a_charge_point, at, listed, ready, tap

LOOK_S = 0.02
INPUTS = ("door", "emergency_stop", "residual_current")


@dataclass
class Contact:
    """A plug or a safety contact; may be unreadable."""

    is_made: bool = False
    problem: BaseException | None = None

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

    orders: int = 0

    @property
    def confirmed(self) -> ports.ConfirmedOffer:
        return ports.ConfirmedOffer(self.orders, self.offered_a)

    def describe(self) -> str:
        return "played by the test"

    def offer(self, current_a: float) -> None:
        self.offered_a, self.orders = current_a, self.orders + 1

    def withdraw(self) -> None:
        self.offered_a, self.orders = 0.0, self.orders + 1

    def shut_down(self) -> None:
        pass


@dataclass
class Bench:
    """A connector that charges: plugged, locked, pilot in C, contactor closed."""

    is_polled: bool = False
    posted: list[Event] = field(default_factory=list)
    make_pilot: Callable[[Callable[[], float]], Any] = lambda clock: Pilot(offered_a=16.0)

    def __post_init__(self) -> None:
        self.now_s = BOOT_S
        self.plug, self.pilot = Contact(True), self.make_pilot(self._clock)
        self.grid_contact = Contact()
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
            grid_contact=self.grid_contact,
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


@dataclass
class Box:
    """Core, supervision and parts of a connector; nothing between them, time by hand."""

    bench: Bench = field(default_factory=lambda: Bench(is_polled=True))
    commands: list[co.Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = a_charge_point(traits=Traits(has_meter=False))
        self.devices = Devices(
            self.bench.board,
            ReaderSettings(),
            clock=None,  # nothing is read
            post=self.bench.posted.append,
            meter_executor=None,
            look_now=lambda: None,
            reason_to_stay_open=self.bench.supervisor.reason_to_stay_open,
        )

    def charge(self) -> Box:
        self.look(2)
        self.present()
        self.look(60)
        assert self.bench.contactor.is_closed
        self.commands.clear()
        return self

    def present(self) -> None:
        """A listed card at the reader."""
        self.bench.posted.append(tap(facts=listed()))

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.bench.step(LOOK_S)
            while self.bench.posted:
                self._decide(self.bench.posted.pop(0))

    def _decide(self, event: Any) -> None:
        now = at(self.bench.now_s - BOOT_S)
        self.state, ordered = charge_point.handle(self.state, ready(event), now)
        self.commands += ordered
        for order in ordered:
            perform = self.devices.performers.get(type(order))
            if perform is not None:
                perform(order)
            if isinstance(order, co.Authorize):
                self.bench.posted.append(ev.AuthorizeAnswered(order.id_tag, ACCEPTED))

    def ordered(self, *kinds: type[co.Command]) -> list[co.Command]:
        return [command for command in self.commands if isinstance(command, kinds)]
