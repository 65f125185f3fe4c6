"""The reflex: opens first, tells afterwards, and opens everything when it cannot see."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from queue import Queue

import pytest

from agent.core import events as ev
from agent.core.events import Event
from agent.core.values import LockState, PilotState
from agent.runtime.plug_contact import DEBOUNCE_S
from agent.runtime.supervision import GRID_REST_S, Supervisor
from agent.runtime.supervision_loop import BLIND_S, SupervisionThread
from hw import ports
from hw.ports import ConnectorParts, ContactorRefused
from hw.settings import ContactorSettings
from hw.simulated.contactor import SimulatedContactor
from hw.simulated.part import SimulatedFault
from tests.runtime.supervised import INPUTS, Bench, Contact


def pull_plug(bench: Bench) -> None:
    bench.plug.is_made = False


def stop_asking(bench: Bench) -> None:
    bench.pilot.state = ports.PilotState.B


def short_pilot(bench: Bench) -> None:
    bench.pilot.state = ports.PilotState.E


def release_lock(bench: Bench) -> None:
    bench.lock.bolt.release_by_hand()


def trip(name: str) -> Callable[[Bench], None]:
    def trip_it(bench: Bench) -> None:
        bench.inputs[name].is_made = True

    trip_it.__name__ = name
    return trip_it


CAUSES: list[tuple[Callable[[Bench], None], Event]] = [
    (pull_plug, ev.CableUnplugged(1)),
    (stop_asking, ev.PilotChanged(1, PilotState.B)),
    (short_pilot, ev.PilotChanged(1, PilotState.E)),
    (release_lock, ev.LockChanged(1, LockState.UNLOCKED)),
    *((trip(name), ev.SafetyInputTripped(name)) for name in INPUTS),
]
by_name = pytest.mark.parametrize(("cause", "event"), CAUSES, ids=[c.__name__ for c, _ in CAUSES])


@by_name
def test_every_cause_opens_in_the_same_look_and_is_told_before_the_trip(cause, event):
    bench = Bench().charge()
    cause(bench)
    happened = bench.step()
    assert not bench.contactor.is_closed
    tripped = ev.ContactorTripped(1, "reflex", 1)
    assert event in happened
    assert happened.index(event) < happened.index(tripped)
    assert ev.ContactorOpened(1) in happened


@by_name
def test_every_cause_wins_over_a_contactor_that_is_still_closing(cause, event):
    bench = Bench()
    bench.lock.lock()
    bench.step(1.0)
    bench.contactor.contacts.close_delay_s = 0.1
    bench.contactor.arm(0)
    bench.contactor.close(3600.0)
    assert not bench.contactor.is_closed
    cause(bench)
    bench.step(0.0)
    assert not bench.contactor.contacts.is_coil_on
    bench.step(0.2)
    assert "contacts closed" not in [what for _, what in bench.contactor.contacts.history]
    with pytest.raises(ContactorRefused):
        bench.contactor.arm(0)


@by_name
def test_a_cause_that_stands_never_lets_it_close(cause, event):
    bench = Bench().charge()
    cause(bench)
    bench.step()
    for _ in range(5):  # a core that has seen every trip and does not care
        bench.contactor.arm(bench.contactor.trip_count)
        bench.contactor.close(5.0)
        bench.step(0.0)
        assert not bench.contactor.is_closed


@pytest.mark.parametrize("name", INPUTS)
def test_a_safety_input_latches_an_open_contactor_too(name):
    bench = Bench()
    bench.step()
    trip(name)(bench)
    bench.step()
    with pytest.raises(ContactorRefused, match="tripped"):
        bench.contactor.arm(0)  # ordered by a core that does not know of it yet


def test_a_safety_input_that_is_in_order_again_is_told_once():
    bench = Bench().charge()
    trip("door")(bench)
    bench.step()
    assert bench.step() == []
    bench.inputs["door"].is_made = False
    assert bench.step() == [ev.SafetyInputCleared("door")]
    assert bench.step() == []


def test_nothing_new_is_nothing_told():
    bench = Bench().charge()
    assert [bench.step() for _ in range(5)] == [[]] * 5


# --- inputs that cannot be read ------------------------------------------------------------------


def break_plug(bench: Bench) -> Contact:
    return bench.plug


def break_input(bench: Bench) -> Contact:
    return bench.inputs["emergency_stop"]


@pytest.mark.parametrize("part", [break_plug, break_input])
def test_an_input_that_cannot_be_read_opens_and_latches_until_it_can(part, caplog):
    bench = Bench().charge()
    broken = part(bench)
    broken.problem = OSError("the pin is gone")
    assert bench.step() == [ev.SafetyInputTripped("unreadable_input"), ev.ContactorOpened(1)]
    assert not bench.contactor.is_closed
    assert bench.pilot.offered_a == 0
    for _ in range(5):
        assert bench.step() == []
        with pytest.raises(ContactorRefused):
            bench.contactor.arm(0)
    assert caplog.text.count("an input cannot be read: everything is opened") == 1
    broken.problem = None
    event = bench.step()
    assert ev.ContactorTripped(1, "reflex", 1) in event
    assert event[-1] == ev.SafetyInputCleared("unreadable_input")
    bench.contactor.arm(1)
    bench.contactor.close(5.0)
    bench.step()
    assert bench.contactor.is_closed


def test_an_input_of_one_connector_that_cannot_be_read_holds_the_other_open_too():
    bench = Bench().charge()
    broken = Contact(True, OSError("the pin is gone"))
    settings = ContactorSettings(driver="simulated", min_off_s=0)
    other = SimulatedContactor("other", settings, bench._clock)
    parts = (*bench.board.connectors, ConnectorParts(2, other, plug=broken))
    supervisor = Supervisor(replace(bench.board, connectors=parts), bench.posted.append)
    for _ in range(3):
        supervisor.step(bench.now_s)
        assert not bench.contactor.is_closed
    assert [e for e in bench.posted if isinstance(e, ev.ContactorTripped)] == []
    with pytest.raises(ContactorRefused):
        bench.contactor.arm(0)


# --- the plug bounces ----------------------------------------------------------------------------


def plugs_told(bench: Bench) -> list[type[Event]]:
    kinds = (ev.CablePluggedIn, ev.CableUnplugged)
    return [type(event) for event in bench.posted if isinstance(event, kinds)]


def test_a_plug_that_bounces_is_told_once_it_rests():
    bench = Bench(is_polled=True)
    for is_made in (True, False, True, False, True, True):
        bench.plug.is_made = is_made
        bench.step(DEBOUNCE_S / 2)
    assert plugs_told(bench) == []
    bench.step(DEBOUNCE_S)
    assert plugs_told(bench) == [ev.CablePluggedIn]


def test_a_socket_that_is_empty_at_the_start_is_nothing_to_tell():
    bench = Bench(is_polled=True)
    bench.plug.is_made = False
    for _ in range(5):
        bench.step(DEBOUNCE_S)
    assert plugs_told(bench) == []


def test_while_it_charges_a_plug_that_goes_opens_at_once_and_is_told_before_the_trip():
    bench = Bench(is_polled=True)
    bench.step()
    bench.step(DEBOUNCE_S)
    bench.charge()
    pull_plug(bench)
    assert bench.step(0.001) == [ev.ContactorOpened(1)]
    assert bench.supervisor.due_at() == bench.now_s + DEBOUNCE_S
    happened = bench.step(DEBOUNCE_S)
    assert happened == [ev.CableUnplugged(1), ev.ContactorTripped(1, "reflex", 1)]


# --- the first look ------------------------------------------------------------------------------


def test_the_grid_operators_contact_is_told_when_it_changes_and_opens_nothing():
    bench = Bench().charge()
    bench.grid_contact.is_made = True
    assert bench.step() == [ev.GridContactChanged(True)]
    assert bench.step() == []
    bench.grid_contact.is_made = False
    assert bench.step() == [ev.GridContactChanged(False)]
    assert bench.contactor.is_closed


def test_a_grid_operators_contact_that_chatters_limits_until_it_rests():
    bench = Bench(is_polled=True)
    assert ev.GridContactChanged(False) in bench.step()
    told = []
    for is_made in [True, False] * 20:
        bench.grid_contact.is_made = is_made
        told += bench.step(GRID_REST_S / 2)
    told += bench.step(GRID_REST_S / 4)
    of_contact = [event for event in told if isinstance(event, ev.GridContactChanged)]
    assert of_contact == [ev.GridContactChanged(True)]
    assert bench.step(GRID_REST_S / 4) == [ev.GridContactChanged(False)]


def test_the_first_look_tells_where_everything_stands():
    bench = Bench()
    bench.supervisor.first_look(bench.now_s)
    assert bench.posted == [
        ev.LockChanged(1, LockState.UNLOCKED),
        ev.GridContactChanged(False),
        ev.OfferConfirmed(1, 16.0),
        ev.CablePluggedIn(1),
        ev.PilotChanged(1, PilotState.C),
    ]


def test_contacts_that_are_closed_at_the_first_look_are_welded():
    bench = Bench().charge()
    bench.contactor.contacts.fail(SimulatedFault.WELDED)
    settings = ContactorSettings(driver="simulated", min_off_s=0)
    contacts = bench.contactor.contacts
    anew = SimulatedContactor("contactor", settings, bench._clock)
    anew.contacts = contacts  # another process meets the same contacts
    parts = replace(bench.board.connectors[0], contactor=anew)
    posted: list[Event] = []
    supervisor = Supervisor(replace(bench.board, connectors=(parts,)), posted.append)
    supervisor.first_look(bench.now_s)
    assert ev.ContactorClosed(1) in posted
    assert [e.reason for e in posted if isinstance(e, ev.ContactorTripped)] == ["welded"]
    with pytest.raises(ContactorRefused):
        anew.arm(0)


# --- the thread ----------------------------------------------------------------------------------


class WatchedSupervisor(Supervisor):
    """Says when it has looked."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.board, bench.posted.append)
        self.looks: Queue[float] = Queue()

    def step(self, now_s: float) -> None:
        super().step(now_s)
        self.looks.put(now_s)


def test_the_thread_looks_again_and_again_until_it_is_shut_down():
    supervisor = WatchedSupervisor(Bench())
    thread = SupervisionThread(supervisor, lambda: 0.0)
    thread.start()
    for _ in range(3):
        supervisor.looks.get(timeout=5)
    thread.shut_down()
    thread.shut_down()
    assert "supervision" not in [one.name for one in threading.enumerate()]


def test_the_thread_looks_at_once_when_something_was_ordered(monkeypatch):
    monkeypatch.setattr("agent.runtime.supervision_loop.PERIOD_IDLE_S", 3600.0)
    supervisor = WatchedSupervisor(Bench())
    thread = SupervisionThread(supervisor, lambda: 0.0)
    thread.start()
    supervisor.looks.get(timeout=5)
    thread.look_now()
    supervisor.looks.get(timeout=5)
    thread.shut_down()


def test_a_thread_that_was_never_started_can_be_shut_down():
    SupervisionThread(Supervisor(Bench().board, print), lambda: 0.0).shut_down()


def test_a_thread_that_has_not_looked_for_a_while_is_not_relied_on():
    now_s = 0.0
    supervisor = WatchedSupervisor(Bench())
    thread = SupervisionThread(supervisor, lambda: now_s)
    assert thread.is_looking  # it has not begun yet
    thread.start()
    supervisor.looks.get(timeout=5)
    thread.shut_down()
    assert thread.is_looking
    now_s = BLIND_S + 0.1
    assert not thread.is_looking


def test_it_is_busy_from_the_order_to_close_on_and_not_only_once_the_contacts_have_met():
    bench = Bench()
    assert not bench.supervisor.is_busy
    bench.contactor.contacts.close_delay_s = 0.1
    bench.contactor.arm(0)
    bench.contactor.close(60.0)
    assert not bench.contactor.is_closed
    assert bench.supervisor.is_busy
