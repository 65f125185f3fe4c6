"""Levers of the simulated world that the control API pulls: faults in words, power, force."""

from __future__ import annotations

import pytest

from hw.board import open_board
from hw.ports import InjectedFault, LockState, PilotState
from hw.ports_reader import CardArrived, CardLeft, CodeArrived
from hw.settings import BoardSettings, ConnectorSettings, ContactorSettings, PilotSettings
from tests.hw.test_simulated import World

HOT = InjectedFault("HighTemperature", "92 degrees")


@pytest.fixture
def world():
    return World()


def test_a_cable_can_be_seated_before_the_car_asks(world):
    world.controls.plug(1, asks=False)
    world.one.pilot.offer(16.0)
    assert world.one.plug.is_present
    assert world.one.pilot.state is PilotState.B
    world.controls.energy(1, True)
    assert world.one.pilot.state is PilotState.C


def test_the_next_car_asks_by_itself_again(world):
    world.controls.plug(1, asks=False)
    world.controls.unplug(1)
    world.controls.plug(1)
    world.one.pilot.offer(16.0)
    assert world.one.pilot.state is PilotState.C


def test_force_pulls_the_plug_out_of_a_lock(world):
    world.charge()
    with pytest.raises(ValueError, match="the lock holds the plug"):
        world.controls.unplug(1)
    world.controls.unplug(1, by_force=True)
    assert world.one.pilot.state is PilotState.A
    assert world.one.lock.state is LockState.LOCKED


def test_a_car_draws_what_it_is_told_and_no_more_than_offered(world):
    world.charge(16.0)
    world.controls.power(1, 1000.0)
    assert world.one.meter.read().power_w == 1000.0
    world.now_s += 3600
    assert world.one.meter.read().import_wh == pytest.approx(1000.0)
    world.controls.power(1, 1e6)
    assert world.one.meter.read().power_w == 16 * 230.0


def test_a_car_that_draws_nothing_does_not_ask(world):
    world.charge()
    world.controls.power(1, 0.0)
    assert world.one.pilot.state is PilotState.B
    world.controls.power(1, 7000.0)
    assert world.one.pilot.state is PilotState.C


def test_a_car_does_not_draw_less_than_nothing(world):
    with pytest.raises(ValueError, match="0 W or more"):
        world.controls.power(1, -1.0)


def test_a_tag_that_looks_like_a_uid_can_be_presented_as_a_tag(world):
    world.controls.tap("DEADBEEF")
    world.controls.tap("DEADBEEF", is_code=True)
    assert world.reader_events == [
        CardArrived(bytes.fromhex("DEADBEEF")),
        CardLeft(),
        CodeArrived("DEADBEEF"),
    ]


def test_an_injected_fault_shows_on_the_pilot_until_it_is_cleared(world):
    world.controls.plug(1)
    assert world.controls.injected(1) is None
    assert not world.controls.is_broken(1)
    changes = world.changes
    world.controls.inject(1, HOT)
    assert world.changes == changes + 1
    assert world.controls.injected(1) == HOT
    assert world.controls.injected(2) is None
    assert world.controls.is_broken(1)
    assert not world.controls.is_broken(2)
    assert world.one.pilot.state is PilotState.F
    world.controls.clear(1)
    assert world.controls.injected(1) is None
    assert world.one.pilot.state is PilotState.B


def test_a_second_injection_replaces_the_first(world):
    world.controls.inject(1, HOT)
    pressed = InjectedFault("OtherError", is_emergency_stop=True)
    world.controls.inject(1, pressed)
    assert world.controls.injected(1) == pressed


def test_any_other_fault_can_be_cleared_too(world):
    world.controls.fault(1, "welded")
    assert world.controls.is_broken(1)
    world.controls.clear(1)
    assert not world.controls.is_broken(1)


def test_the_box_tells_which_parts_are_simulated(world):
    parts = {"contactor", "lock", "plug", "pilot", "meter", "reader"}
    assert world.controls.simulated_parts(1) == parts
    assert World(lock="none").controls.simulated_parts(1) == parts - {"lock"}


def test_a_real_contactor_gets_no_injected_fault():
    from gpiozero.pins.mock import MockFactory

    connector = ConnectorSettings(
        id=1,
        contactor=ContactorSettings(driver="gpio", pin=17),
        pilot=PilotSettings(driver="simulated"),
    )
    factory = MockFactory()
    board = open_board(BoardSettings(connectors=(connector,)), lambda: 0.0, pin_factory=factory)
    assert board.simulation is not None
    assert board.simulation.simulated_parts(1) == {"pilot"}
    with pytest.raises(ValueError, match="its contactor is not simulated"):
        board.simulation.inject(1, HOT)
    board.shut_down()
    factory.reset()


@pytest.mark.parametrize("lever", ["injected", "is_broken", "simulated_parts"])
def test_an_unknown_connector_is_named(world, lever):
    with pytest.raises(ValueError, match="there is no connector 9"):
        getattr(world.controls, lever)(9)
