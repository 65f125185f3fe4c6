"""What every pilot controller obeys: limits, silence, and being told again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw.pilot import CHANGE_S, REPEAT_S, SILENT_S, PilotPlug, PolledPilot
from hw.ports import PilotError, PilotFault, PilotState
from tests.hw.pilot_bench import Controller


class Bench:
    """A controller, a clock, and the pilot between them."""

    def __init__(self, **known: object) -> None:
        self.now_s = 100.0
        self.controller = Controller()
        self.controller.report = replace(self.controller.report, **known)
        self.pilot = PolledPilot(self.controller, lambda: self.now_s)

    def step(self, after_s: float = 0.25) -> None:
        self.now_s += after_s
        self.pilot.step()

    def says(self, **news: object) -> None:
        self.controller.report = replace(self.controller.report, **news)


def test_a_controller_that_offers_by_itself_is_told_to_stop_at_the_start():
    assert Bench(offered_a=16.0).controller.told == [0]


def test_a_controller_that_offers_nothing_is_left_alone():
    bench = Bench()
    for _ in range(20):
        bench.step()
    assert bench.controller.told == []


@pytest.mark.parametrize(("ordered_a", "told"), [(16.9, [16]), (6.0, [6]), (5.9, []), (80.0, [80])])
def test_an_offer_is_whole_ampere_and_below_six_a_pause(ordered_a: float, told: list[int]):
    bench = Bench()
    bench.pilot.offer(ordered_a)
    bench.step()
    assert bench.controller.told == told


@pytest.mark.parametrize("current_a", [80.1, float("nan"), float("inf")])
def test_more_than_a_pilot_can_say_is_refused(current_a: float):
    with pytest.raises(ValueError, match="6 to 80 A"):
        Bench().pilot.offer(current_a)


def test_the_cable_limits_the_offer():
    bench = Bench(cable_a=13.0, is_plugged=True, state=PilotState.B)
    bench.pilot.offer(32)
    bench.step()
    assert bench.controller.told == [13]
    assert bench.pilot.cable_a == 13.0


def test_duty_changes_keep_their_distance():
    bench = Bench()
    bench.pilot.offer(16)
    bench.step()
    bench.pilot.offer(10)
    for _ in range(round(CHANGE_S / 0.25) - 1):
        bench.step()
        assert bench.controller.told == [16]
    bench.step()
    assert bench.controller.told == [16, 10]


def test_a_pause_is_never_held_up():
    bench = Bench()
    bench.pilot.offer(16)
    bench.step()
    bench.pilot.withdraw()
    bench.step(0.01)
    assert bench.controller.told == [16, 0]


def test_after_a_pause_the_next_offer_keeps_the_distance():
    bench = Bench()
    bench.pilot.offer(16)
    bench.step()
    bench.pilot.withdraw()
    bench.step(CHANGE_S)
    bench.pilot.offer(16)
    bench.step(CHANGE_S - 0.1)
    assert bench.controller.told == [16, 0]
    bench.step(0.2)
    assert bench.controller.told == [16, 0, 16]


def test_a_controller_that_rebooted_is_told_again_without_waiting_for_the_distance():
    bench = Bench()
    bench.pilot.offer(10)
    bench.step()
    bench.says(offered_a=32.0)  # its setting at power-on
    bench.step(REPEAT_S)
    assert bench.controller.told == [10, 10]
    assert bench.controller.report.offered_a == 10


def test_a_controller_that_took_less_than_told_is_not_told_again():
    bench = Bench()
    bench.controller.set_current = lambda current_a: bench.says(offered_a=13.0) or 13.0
    bench.pilot.offer(16)
    bench.step()
    bench.controller.set_current = Controller.set_current.__get__(bench.controller)
    bench.step(60)
    assert bench.controller.told == []


def test_a_refused_order_is_repeated_once_a_second():
    bench = Bench()
    bench.controller.refusal = PilotError("not now")
    bench.pilot.offer(16)
    for _ in range(4):
        bench.step(REPEAT_S / 4)
    assert bench.controller.told == [16]
    bench.step(REPEAT_S / 4)
    assert bench.controller.told == [16, 16]
    assert bench.pilot.complaints == frozenset()


def test_a_controller_whose_smallest_current_is_too_large_only_pauses():
    bench = Bench(is_plugged=True, state=PilotState.B)
    bench.controller.smallest_a = 10
    bench.pilot.offer(6)
    bench.step()
    assert bench.controller.told == [6, 0]
    bench.step(60)
    assert bench.controller.told == [6, 0]
    assert bench.pilot.complaints == {PilotFault.OTHER}
    assert bench.pilot.state is PilotState.F


def test_silence_is_borne_for_three_seconds_and_is_a_fault_then():
    bench = Bench(state=PilotState.C, is_plugged=True)
    bench.controller.problem = PilotError("no answer")
    bench.step(SILENT_S)
    assert (bench.pilot.state, bench.pilot.complaints) == (PilotState.C, frozenset())
    bench.now_s += 0.01  # even if nobody steps it: its thread may hang
    assert bench.pilot.state is PilotState.F
    assert bench.pilot.complaints == {PilotFault.SILENT}
    assert bench.pilot.is_plugged, "silence does not unplug a car"
    assert bench.pilot.describe() == "no answer"


def test_a_controller_that_speaks_again_is_believed_at_once():
    bench = Bench(state=PilotState.C, is_plugged=True)
    bench.controller.problem = PilotError("no answer")
    bench.step(60)
    bench.controller.problem = None
    bench.step()
    assert (bench.pilot.state, bench.pilot.complaints) == (PilotState.C, frozenset())
    assert bench.pilot.describe() == "a played controller"


def test_a_controller_that_was_never_heard_is_a_fault_from_the_beginning():
    controller = Controller()
    controller.problem = PilotError("no answer")
    pilot = PolledPilot(controller, lambda: 0.0)
    assert pilot.state is PilotState.F
    assert pilot.complaints == {PilotFault.SILENT}
    assert pilot.is_plugged is None
    assert pilot.cable_a is None
    assert not PilotPlug(pilot).is_present


def test_a_mistake_in_a_driver_counts_as_silence():
    bench = Bench(state=PilotState.C)
    bench.controller.problem = ZeroDivisionError("oops")
    bench.step(SILENT_S + 0.1)
    assert bench.pilot.complaints == {PilotFault.SILENT}
    assert "oops" in bench.pilot.describe()


def test_the_same_problem_is_logged_once(caplog: pytest.LogCaptureFixture):
    bench = Bench()
    bench.controller.problem = PilotError("no answer")
    for _ in range(10):
        bench.step()
    assert [record.getMessage() for record in caplog.records] == [
        "pilot controller played: no answer"
    ]


def test_a_fault_of_the_controller_shows_as_state_f():
    bench = Bench(state=PilotState.C, faults=frozenset({PilotFault.DIODE}))
    assert bench.pilot.state is PilotState.F
    assert bench.pilot.complaints == {PilotFault.DIODE}


@pytest.mark.parametrize(
    ("ventilation", "state", "complaints"),
    [(True, PilotState.D, set()), (False, PilotState.F, {PilotFault.VENTILATION})],
)
def test_a_car_that_needs_ventilation_charges_only_where_there_is_some(
    ventilation: bool, state: PilotState, complaints: set[PilotFault]
):
    controller = Controller()
    controller.report = replace(controller.report, state=PilotState.D, is_plugged=True)
    pilot = PolledPilot(controller, lambda: 0.0, ventilation=ventilation)
    assert (pilot.state, pilot.complaints) == (state, complaints)


def test_the_last_word_is_to_offer_nothing():
    bench = Bench()
    bench.pilot.start()
    bench.pilot.offer(16)
    while bench.controller.told != [16]:
        bench.controller.woken.wait(0.01)
    bench.pilot.shut_down()
    bench.pilot.shut_down()
    assert bench.controller.told == [16, 0]
    assert bench.controller.is_closed


def test_a_plug_is_seen_by_the_controller():
    bench = Bench()
    plug = PilotPlug(bench.pilot)
    assert not plug.is_present
    bench.says(is_plugged=True, state=PilotState.B)
    bench.step()
    assert plug.is_present
    plug.shut_down()
