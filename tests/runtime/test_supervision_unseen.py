"""What cannot be seen is opened: at every look, whichever other part fails too."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from queue import Queue

import pytest

from agent.core import events as ev
from agent.core.events import Event
from agent.core.values import LockState
from agent.runtime.supervision import UNREADABLE, Supervisor
from agent.runtime.supervision_loop import SupervisionThread
from hw import ports
from hw.contactor import LeasedContactor
from hw.ports import Board, ConnectorParts, ContactorRefused
from hw.settings import ContactorSettings
from hw.simulated.front_panel import SimulatedIndicator
from tests.runtime.supervised import Bench, Contact


class Output:
    """A coil whose output can be lost, with the chip that drives it."""

    def __init__(self) -> None:
        self.is_on = False
        self.is_lost = False
        self.tries = 0

    def set(self, is_on: bool) -> None:
        self.tries += 1
        if self.is_lost:
            raise OSError("the chip is gone")
        self.is_on = is_on


class Failing:
    """A part that raises whatever it is asked to do; what it says can be read."""

    state = ports.LockState.LOCKED

    def __getattr__(self, name: str) -> object:
        raise OSError("the chip is gone")


@dataclass
class TwoConnectors:
    """Both closed: one whose other parts may fail, and one whose coil may."""

    has_feedback: bool = False

    def __post_init__(self) -> None:
        self.now_s, self.posted = 1000.0, list[Event]()
        self.coils, self.plug = (Output(), Output()), Contact(True)
        self.first, self.second = (self._contactor(coil) for coil in self.coils)
        parts = (
            ConnectorParts(1, self.first, plug=Contact(True)),
            ConnectorParts(2, self.second, plug=self.plug),
        )
        self.board = Board(parts, None, {}, SimulatedIndicator(self._clock))
        self.supervisor = Supervisor(self.board, self.posted.append)
        self.step()
        for contactor in (self.first, self.second):
            contactor.arm(0)
            contactor.close(3600.0)
        self.step()
        assert all(coil.is_on for coil in self.coils)
        self.posted.clear()

    def _contactor(self, coil: Output) -> LeasedContactor:
        settings = ContactorSettings(driver="simulated", min_off_s=0)
        read = (lambda: coil.is_on) if self.has_feedback else (lambda: None)
        return LeasedContactor("contactor", settings, self._clock, coil.set, read)

    def _clock(self) -> float:
        return self.now_s

    def step(self, after_s: float = 0.02) -> list[Event]:
        before = len(self.posted)
        self.now_s += after_s
        self.supervisor.step(self.now_s)
        return self.posted[before:]


def tripped(events: list[Event]) -> list[tuple[str, int]]:
    return [(e.reason, e.trip_count) for e in events if isinstance(e, ev.ContactorTripped)]


@pytest.mark.parametrize("has_feedback", [True, False])
def test_an_output_that_fails_while_nothing_can_be_read_is_tried_again_at_every_look(has_feedback):
    box = TwoConnectors(has_feedback)
    coil = box.coils[1]
    coil.is_lost, box.plug.problem = True, OSError("the pin is gone")
    events = box.step()
    assert not box.coils[0].is_on
    assert ev.ContactorOpened(1) in events
    assert ev.ContactorOpened(2) not in events  # nobody knows that it is
    for _ in range(20):
        tries = coil.tries
        events += box.step()
        assert coil.tries > tries
    assert tripped(events) == [("welded", 2)], "reported, although nothing can be read"
    coil.is_lost = False
    assert ev.ContactorOpened(2) in box.step()
    assert not coil.is_on
    for _ in range(3):  # latched beyond what was reported
        with pytest.raises(ContactorRefused):
            box.second.arm(2)
        assert box.step() == []
    box.plug.problem = None
    events = box.step()
    assert tripped(events) == [("reflex", 1), ("reflex", 3)]
    assert events[-1] == ev.SafetyInputCleared("unreadable_input")
    box.second.arm(3)


@pytest.mark.parametrize("part", ["contactor", "lock", "pilot"])
def test_a_part_that_raises_at_every_look_keeps_no_other_from_opening(part, caplog):
    box = TwoConnectors()
    coil = box.coils[1]
    failing = replace(box.board.connectors[0], **{part: Failing()})
    parts = (failing, box.board.connectors[1])
    supervisor = Supervisor(replace(box.board, connectors=parts), box.posted.append)
    coil.is_lost = True
    for _ in range(5):
        supervisor.step(box.now_s)
    coil.is_lost = False
    supervisor.step(box.now_s)
    assert [one.is_on for one in box.coils] == [part == "contactor", False]
    assert caplog.text.count("a part fails too") == 1


def test_a_safety_input_is_told_once_while_a_part_raises_at_every_look():
    bench = Bench()
    bench.step()
    parts = replace(bench.board.connectors[0], lock=Failing())
    supervisor = Supervisor(replace(bench.board, connectors=(parts,)), bench.posted.append)
    bench.inputs["door"].is_made = True
    bench.posted.clear()
    for _ in range(5):
        supervisor.step(bench.now_s)
    inputs = [e.name for e in bench.posted if isinstance(e, ev.SafetyInputTripped)]
    assert inputs == ["door", "unreadable_input"]
    assert len(bench.posted) <= 4  # the grid operator's contact, told once at the start, too


def test_nothing_is_due_while_nothing_can_be_read_and_everything_is_open():
    bench = Bench().charge()
    bench.plug.problem = OSError("the pin is gone")
    bench.step()
    assert bench.supervisor.due_at() is None  # else the thread would look a thousand times a second
    assert bench.supervisor.reason_to_stay_open(1) == "an input cannot be read"


def test_a_lock_ends_its_move_while_an_input_cannot_be_read():
    bench = Bench().charge()
    bench.plug.problem = OSError("the pin is gone")
    bench.step()
    bench.lock.unlock()
    assert ev.LockChanged(1, LockState.UNLOCKED) in [*bench.step(1.0), *bench.step(1.0)]


def test_a_trip_of_the_look_that_sees_again_is_not_followed_by_an_earlier_one():
    bench = Bench().charge()
    bench.plug.problem = OSError("the pin is gone")
    bench.step()
    bench.plug.problem, bench.inputs["door"].is_made = None, True
    assert tripped(bench.step()) == [("reflex", 2)]  # the core acknowledges the last that it hears


def test_the_thread_goes_on_looking_whatever_a_part_raises():
    box = TwoConnectors()
    failing = replace(box.board.connectors[0], lock=Failing())
    looks: Queue[float] = Queue()
    supervisor = Supervisor(replace(box.board, connectors=(failing,)), box.posted.append)
    with pytest.raises(OSError, match="the chip is gone"):
        supervisor.due_at()
    step = supervisor.step

    def watched_step(now_s: float) -> None:
        step(now_s)
        looks.put(now_s)

    supervisor.step = watched_step
    thread = SupervisionThread(supervisor, box._clock)
    thread.start()
    for _ in range(3):
        looks.get(timeout=5)
    thread.shut_down()


def test_a_board_opens_every_contactor_before_it_asks_any_pilot():
    box = TwoConnectors()
    failing = replace(box.board.connectors[0], pilot=Failing())
    board = replace(box.board, connectors=(failing, box.board.connectors[1]))
    with contextlib.suppress(OSError):
        board.make_safe()
    assert [coil.is_on for coil in box.coils] == [False, False]


ANY = [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), BaseException("odd"), MemoryError()]


@pytest.mark.parametrize("problem", ANY, ids=lambda problem: type(problem).__name__)
def test_an_exception_of_any_kind_opens_everything_and_the_looking_goes_on(problem):
    box = TwoConnectors()
    box.plug.problem = problem
    events = box.step()
    assert [coil.is_on for coil in box.coils] == [False, False]
    assert events[0] == ev.SafetyInputTripped(UNREADABLE)
    box.plug.problem = None
    assert ev.SafetyInputCleared(UNREADABLE) in box.step()


@pytest.mark.parametrize("problem", ANY, ids=lambda problem: type(problem).__name__)
def test_an_exception_of_any_kind_while_opening_keeps_no_other_contactor(problem, monkeypatch):
    box = TwoConnectors()
    box.plug.problem = OSError("the pin is gone")

    def broken(reason: ports.Trip) -> None:
        raise problem

    monkeypatch.setattr(box.first, "trip", broken)
    box.step()
    assert not box.coils[1].is_on


def test_when_nobody_can_be_told_any_more_everything_is_open_all_the_same():
    """The event loop is closed, say: every word to it raises."""
    box = TwoConnectors()

    def nobody(event: Event) -> None:
        raise RuntimeError("Event loop is closed")

    supervisor = Supervisor(box.board, nobody)
    box.plug.problem = OSError("the pin is gone")
    with pytest.raises(RuntimeError):
        supervisor.step(box.now_s)
    assert [coil.is_on for coil in box.coils] == [False, False]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_by_itself_leaves_everything_open_and_is_not_relied_on(monkeypatch):
    box = TwoConnectors()
    thread = SupervisionThread(box.supervisor, box._clock)

    def ends() -> float:
        raise SystemError("no memory for a number")

    monkeypatch.setattr(thread, "_rest_s", ends)
    thread.start()
    thread._thread.join(timeout=30)
    assert not thread._thread.is_alive()
    assert [coil.is_on for coil in box.coils] == [False, False]
    assert not thread.is_looking
