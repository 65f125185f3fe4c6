import math

import pytest

from hw.board import open_board
from hw.ports import (
    Board,
    ConnectorParts,
    ContactorClosed,
    ContactorOpened,
    ContactorTripped,
    LockChanged,
    LockJammed,
    LockState,
    MeterError,
    PilotState,
    Signal,
    Trip,
)
from hw.ports_reader import CardArrived, CardLeft, CodeArrived, ReaderFailed, ReaderRecovered
from hw.settings import (
    BoardSettings,
    ConnectorSettings,
    ContactorSettings,
    LockSettings,
    SimulationSettings,
)
from hw.simulated.part import HISTORY_LENGTH


class World:
    """A fully simulated box with one clock, and a card reader's ear."""

    def __init__(self, lock: str = "simulated", **board) -> None:
        self.now_s = 500.0
        connectors = tuple(
            ConnectorSettings(
                id=number,
                contactor=ContactorSettings(driver="simulated", min_off_s=0),
                lock=LockSettings(driver=lock),
            )
            for number in (1, 2)
        )
        settings = BoardSettings(connectors=connectors, **board)
        self.board: Board = open_board(settings, lambda: self.now_s, simulate=True)
        assert self.board.simulation is not None
        self.controls = self.board.simulation
        self.reader_events: list = []
        self.board.reader.start(self.reader_events.append)
        self.changes = 0
        self.controls.subscribe(self.count_change)

    def count_change(self) -> None:
        self.changes += 1

    @property
    def one(self) -> ConnectorParts:
        return self.board.connectors[0]

    def step(self) -> list:
        return [*self.one.lock.step(self.now_s), *self.one.contactor.step(self.now_s)]

    def charge(self, current_a: float = 16.0) -> None:
        self.controls.plug(1)
        self.one.lock.lock()
        self.one.pilot.offer(current_a)
        self.one.contactor.arm(self.one.contactor.trip_count)
        self.one.contactor.close(1e6)
        assert self.step() == [LockChanged(LockState.LOCKED), ContactorClosed()]


def test_a_car_is_plugged_locked_offered_current_and_charged():
    world = World()
    assert world.one.pilot.state is PilotState.A
    assert not world.one.plug.is_present
    world.controls.plug(1)
    assert world.one.plug.is_present
    assert world.one.pilot.state is PilotState.B
    world.one.pilot.offer(16)
    assert world.one.pilot.state is PilotState.C
    world.one.pilot.withdraw()
    assert world.one.pilot.state is PilotState.B


def test_a_car_asks_for_energy_only_while_it_wants_some():
    world = World()
    world.controls.energy(1, False)
    world.controls.plug(1)
    world.one.pilot.offer(16)
    assert world.one.pilot.state is PilotState.B
    world.controls.energy(1, True)
    assert world.one.pilot.state is PilotState.C
    world.controls.energy(1, False)
    world.controls.unplug(1)
    world.controls.plug(1)
    assert world.one.pilot.state is PilotState.C, "the next car wants energy again"


@pytest.mark.parametrize("current_a", [0.0, 5.9, 80.1, math.nan])
def test_a_pilot_offers_six_to_eighty_amperes(current_a):
    with pytest.raises(ValueError, match="6 to 80 A"):
        World().one.pilot.offer(current_a)


def test_the_meter_counts_power_times_time_while_closed_and_asked_for():
    world = World(simulation=SimulationSettings(meter_start_wh=1000, car_power_w=3600))
    world.now_s += 3600
    assert world.one.meter.read().import_wh == 1000
    world.charge(32)
    world.now_s += 1800
    reading = world.one.meter.read()
    assert reading.import_wh == pytest.approx(2800)
    assert reading.power_w == pytest.approx(3600)
    world.controls.energy(1, False)
    world.now_s += 3600
    world.controls.energy(1, True)
    world.now_s += 10
    assert world.one.meter.read().import_wh == pytest.approx(2810)
    world.one.contactor.open()
    world.now_s += 3600
    reading = world.one.meter.read()
    assert reading.import_wh == pytest.approx(2810)
    assert reading.power_w == 0


def test_the_meter_counts_each_change_at_its_own_time_however_late_it_is_read():
    world = World(simulation=SimulationSettings(car_power_w=100_000))
    world.charge(10)  # 2300 W
    world.now_s += 3600
    world.one.pilot.offer(20)  # 4600 W
    world.now_s += 3600
    world.one.pilot.withdraw()
    world.now_s += 3600
    assert world.one.meter.read().import_wh == pytest.approx(2300 + 4600)


def test_a_car_draws_no_more_than_it_is_offered_on_all_phases():
    world = World(phases=3, simulation=SimulationSettings(car_power_w=11_000))
    world.charge(10)
    reading = world.one.meter.read()
    assert reading.power_w == pytest.approx(10 * 3 * 230)
    assert reading.current_a == pytest.approx((10, 10, 10))
    assert reading.voltage_v == (230, 230, 230)
    assert sum(reading.power_phase_w) == pytest.approx(reading.power_w)
    world.one.pilot.offer(32)
    assert world.one.meter.read().power_w == pytest.approx(11_000)


def test_the_lease_of_a_simulated_contactor_runs_out_like_that_of_a_real_one():
    world = World()
    world.one.contactor.arm(0)
    world.one.contactor.close(5)
    world.step()
    assert world.one.contactor.due_at() == 505.0
    world.now_s = 505.0
    assert world.step() == [ContactorTripped(Trip.LEASE_EXPIRED, 1), ContactorOpened()]


def test_delayed_contacts_say_when_they_move_and_count_from_that_moment():
    world = World(simulation=SimulationSettings(car_power_w=3600))
    world.one.contactor.contacts.close_delay_s = 0.1
    world.controls.plug(1)
    world.one.pilot.offer(32)
    world.one.contactor.arm(0)
    world.one.contactor.close(1e6)
    assert world.step() == []
    assert world.one.contactor.due_at() == pytest.approx(500.1)
    world.now_s = 1500.1
    assert world.one.contactor.is_closed
    assert world.one.contactor.due_at() == pytest.approx(500.1), "nobody has stepped yet"
    assert world.one.meter.read().import_wh == pytest.approx(1000)
    assert world.step() == [ContactorClosed()]


def test_contacts_that_open_late_count_until_they_open():
    world = World(simulation=SimulationSettings(car_power_w=3600))
    world.charge(32)
    world.one.contactor.contacts.open_delay_s = 100
    world.one.contactor.open()
    world.now_s += 1000
    world.one.pilot.withdraw()
    assert world.one.meter.read().import_wh == pytest.approx(100)


def test_contacts_that_are_slower_than_the_deadline_did_not_close():
    world = World()
    world.one.contactor.contacts.close_delay_s = 1.0
    world.one.contactor.arm(0)
    world.one.contactor.close(60)
    world.step()
    world.now_s = world.one.contactor.due_at()
    assert world.step() == [ContactorTripped(Trip.DID_NOT_CLOSE, 1)]


def later(world: World, seconds: float = 1.0) -> list:
    """Step now, and once more when everything that is due has become due."""
    events = world.step()
    world.now_s += seconds
    return events + world.step()


def test_welded_contacts_stay_closed_and_go_on_counting():
    world = World(simulation=SimulationSettings(car_power_w=3600))
    world.charge(32)
    world.controls.fault(1, "welded")
    world.one.contactor.open()
    assert later(world, 1000) == [ContactorTripped(Trip.WELDED, 1)]
    assert world.one.contactor.is_closed
    assert world.one.meter.read().import_wh == pytest.approx(1000)
    world.controls.clear(1)
    assert world.step() == [ContactorOpened()]


def test_contacts_that_do_not_close_are_reported():
    world = World()
    world.controls.fault(1, "does_not_close")
    world.one.contactor.arm(0)
    world.one.contactor.close(60)
    assert later(world) == [ContactorTripped(Trip.DID_NOT_CLOSE, 1)]


def test_contacts_that_open_by_themselves_are_reported():
    world = World()
    world.charge()
    world.controls.fault(1, "opens_by_itself")
    assert later(world) == [ContactorTripped(Trip.OPENED_BY_ITSELF, 1), ContactorOpened()]


def test_a_jammed_lock_is_reported_after_its_tries_and_works_when_mended():
    world = World()
    world.controls.fault(1, "lock_jam")
    world.one.lock.lock()
    events = []
    while (due_at := world.one.lock.due_at()) is not None:
        world.now_s = max(world.now_s, due_at)
        events += world.step()
    assert events == [LockJammed(LockState.LOCKED)]
    assert 510 <= world.now_s <= 511
    world.controls.clear(1)
    world.one.lock.lock()
    assert world.step() == [LockChanged(LockState.LOCKED)]


def test_a_lock_released_by_hand_is_reported():
    world = World()
    world.one.lock.lock()
    world.step()
    world.one.lock.bolt.release_by_hand()
    assert world.step() == [LockChanged(LockState.UNLOCKED)]


def test_a_slow_bolt_says_when_it_arrives():
    world = World()
    world.one.lock.bolt.travel_s = 0.3
    world.one.lock.lock()
    assert world.one.lock.bolt.position.due_at() == pytest.approx(500.3)
    assert not world.one.lock.bolt.is_locked
    world.now_s += 0.3
    assert world.one.lock.bolt.is_locked


def test_a_locked_plug_cannot_be_pulled():
    world = World()
    world.controls.plug(1)
    world.one.lock.lock()
    with pytest.raises(ValueError, match="connector 1: the lock holds the plug"):
        world.controls.unplug(1)
    assert world.one.plug.is_present
    world.one.lock.unlock()
    world.controls.unplug(1)
    assert not world.one.plug.is_present


def test_without_a_lock_the_plug_can_be_pulled_while_charging():
    world = World(lock="none")
    assert world.one.lock is None
    world.controls.plug(1)
    world.one.pilot.offer(16)
    world.controls.unplug(1)
    assert world.one.pilot.state is PilotState.A


def test_a_shorted_pilot_shows_e_and_stops_the_flow():
    world = World()
    world.charge()
    world.controls.fault(1, "pilot_short")
    assert world.one.pilot.state is PilotState.E
    assert world.one.meter.read().power_w == 0
    world.controls.clear(1)
    assert world.one.pilot.state is PilotState.C


def test_a_silent_meter_raises_and_counts_on():
    world = World(simulation=SimulationSettings(car_power_w=3600))
    world.charge(32)
    world.controls.fault(1, "meter_silent")
    with pytest.raises(MeterError, match="does not answer"):
        world.one.meter.read()
    world.now_s += 1000
    world.controls.clear(1)
    assert world.one.meter.read().import_wh == pytest.approx(1000)


def test_a_lying_meter_is_caught_by_the_watch_that_every_board_puts_on_its_meters():
    world = World(simulation=SimulationSettings(meter_start_wh=5000))
    assert world.one.meter.read().import_wh == 5000
    world.controls.fault(1, "meter_nan")
    with pytest.raises(MeterError, match="nan"):
        world.one.meter.read()
    world.controls.clear(1)
    world.controls.fault(1, "meter_backwards")
    with pytest.raises(MeterError, match="went back"):
        world.one.meter.read()  # asks twice; the third answer is believed
    assert world.one.meter.read().import_wh == 5000


@pytest.mark.parametrize(
    ("typed", "events"),
    [
        ("DEADBEEF", [CardArrived(bytes.fromhex("deadbeef")), CardLeft()]),
        ("044943121F1A80", [CardArrived(bytes.fromhex("044943121f1a80")), CardLeft()]),
        ("00112233445566778899", [CardArrived(bytes(range(0, 0xAA, 0x11))), CardLeft()]),
        ("deadbeef", [CardArrived(bytes.fromhex("deadbeef")), CardLeft()]),
        ("TAG-RFID-001", [CodeArrived("TAG-RFID-001")]),
        ("DEADBEE", [CodeArrived("DEADBEE")]),
        ("x" * 20, [CodeArrived("x" * 20)]),
    ],
)
def test_a_card_or_a_ready_tag_is_seen(typed, events):
    world = World()
    world.controls.tap(typed)
    assert world.reader_events == events


@pytest.mark.parametrize("typed", ["", " ", "x" * 21, "TAG\n", "TÄG", "٠١٢٣٤٥٦٧"])
def test_what_no_card_can_be_is_refused(typed):
    world = World()
    with pytest.raises(ValueError, match="a card is a UID"):
        world.controls.tap(typed)
    assert world.reader_events == []


def test_a_reader_that_hangs_says_so_sees_nothing_and_recovers():
    world = World()
    world.controls.fault(1, "reader_hang")
    world.controls.tap("DEADBEEF")
    world.controls.clear(1)
    world.controls.tap("TAG")
    failed, recovered, code = world.reader_events
    assert isinstance(failed, ReaderFailed)
    assert (recovered, code) == (ReaderRecovered(), CodeArrived("TAG"))


def test_a_reader_that_is_not_started_cannot_be_tapped():
    world = World()
    world.board.reader.shut_down()
    with pytest.raises(ValueError, match="the reader is not started"):
        world.controls.tap("DEADBEEF")


@pytest.mark.parametrize("name", ["emergency_stop", "residual_current", "door"])
def test_a_simulated_box_has_every_safety_contact(name):
    world = World()
    safety_input = world.board.safety_inputs[name]
    assert not safety_input.is_tripped
    world.controls.fault(2, name)
    assert safety_input.is_tripped
    assert sum(contact.is_tripped for contact in world.board.safety_inputs.values()) == 1
    world.controls.clear(1)
    assert not safety_input.is_tripped


def test_the_faults_have_exactly_these_names():
    assert World().controls.fault_names == (
        "welded",
        "does_not_close",
        "opens_by_itself",
        "lock_jam",
        "meter_silent",
        "meter_nan",
        "meter_backwards",
        "pilot_short",
        "pilot_silent",
        "reader_hang",
        "emergency_stop",
        "residual_current",
        "door",
    )


def test_each_fault_can_be_pulled_and_cleared_again():
    world = World()
    for name in world.controls.fault_names:
        world.controls.fault(1, name)
    world.controls.clear(1)
    world.charge()
    assert world.one.meter.read().power_w > 0


def test_a_fault_of_one_connector_leaves_the_other_alone():
    world = World()
    world.controls.fault(2, "pilot_short")
    assert world.one.pilot.state is PilotState.A
    world.controls.clear(1)
    assert world.board.connectors[1].pilot.state is PilotState.E


@pytest.mark.parametrize(
    "pull",
    [
        lambda controls: controls.plug(3),
        lambda controls: controls.unplug(0),
        lambda controls: controls.energy(3, True),
        lambda controls: controls.fault(3, "welded"),
        lambda controls: controls.clear(-1),
    ],
)
def test_an_unknown_connector_is_named_with_those_that_exist(pull):
    with pytest.raises(ValueError, match=r"there is no connector -?\d; this box has 1, 2"):
        pull(World().controls)


def test_an_unknown_fault_is_named_with_those_that_exist():
    with pytest.raises(ValueError, match="no fault 'moonlight'; the faults are welded, "):
        World().controls.fault(1, "moonlight")


def test_a_fault_of_a_part_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="connector 1: no simulated part of it"):
        World(lock="none").controls.fault(1, "lock_jam")


@pytest.mark.parametrize(
    "pull",
    [
        lambda controls: controls.plug(1),
        lambda controls: controls.unplug(1),
        lambda controls: controls.energy(1, False),
        lambda controls: controls.tap("DEADBEEF"),
        lambda controls: controls.fault(1, "door"),
        lambda controls: controls.clear(1),
    ],
)
def test_every_lever_tells_the_subscribers(pull):
    world = World()
    pull(world.controls)
    assert world.changes == 1


def test_an_order_that_changes_what_the_car_shows_tells_the_subscribers():
    world = World()
    world.controls.plug(1)
    world.changes = 0
    world.one.pilot.offer(16)
    assert world.changes == 1
    world.one.pilot.offer(16)
    world.one.pilot.offer(20)
    assert world.changes == 1, "the car showed C all the time"
    world.one.pilot.withdraw()
    assert world.changes == 2


def test_an_idle_simulated_box_plans_nothing():
    world = World()
    for parts in world.board.connectors:
        assert parts.contactor.due_at() is None
        assert parts.lock.due_at() is None


def test_the_indicator_remembers_what_it_showed_but_not_for_ever():
    world = World()
    for _ in range(HISTORY_LENGTH):
        world.board.indicator.show(Signal.FREE)
    world.board.indicator.show(Signal.CHARGING)
    assert len(world.board.indicator.history) == HISTORY_LENGTH
    assert world.board.indicator.history[-1] == (500.0, "charging")
    assert world.board.indicator.signal is Signal.CHARGING


def test_parts_remember_what_happened_to_them():
    world = World()
    world.charge()
    world.controls.fault(1, "opens_by_itself")
    history = [what for _, what in world.one.contactor.contacts.history]
    assert history == ["coil on", "contacts closed", "fault opens_by_itself", "contacts open"]


def test_shutting_the_box_down_opens_and_lets_go():
    world = World()
    world.charge()
    world.board.shut_down()
    world.board.shut_down()
    assert not world.one.contactor.contacts.is_closed
    assert world.one.pilot.offered_a == 0
    assert not world.one.lock.bolt.is_locked


def test_the_grid_operators_contact_limits_by_its_own_lever_and_is_no_fault():
    world = World()
    contact = world.board.grid_contact
    assert world.controls.is_grid_limited is False
    world.controls.grid_limit(True)
    world.controls.grid_limit(True)
    assert contact.is_tripped
    world.controls.clear(1)
    assert contact.is_tripped
    world.controls.grid_limit(False)
    assert not contact.is_tripped
    world.board.shut_down()
    assert [what for _, what in contact.history] == ["limits", "limits no more", "shut down"]
