"""A contactor closes only on an offer that the pilot controller has confirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import commands as co
from hw.pilot import POLL_S, SILENT_S, PilotReport, PolledPilot
from hw.ports import NO_OFFER, ConfirmedOffer, PilotError, PilotFault, PilotState
from tests.hw.pilot_bench import Controller
from tests.runtime.supervised import LOOK_S, Bench, Box


class Car(Controller):
    """A controller with a car that asks for energy as long as it is offered some."""

    def __init__(self) -> None:
        super().__init__()
        self.report = PilotReport(PilotState.B, is_plugged=True, offered_a=0.0)

    def read(self) -> PilotReport:
        asks = self.report.offered_a > 0 and not self.report.faults
        self.report = replace(self.report, state=PilotState.C if asks else PilotState.B)
        return super().read()


class Wallbox(Box):
    """With a real ``PolledPilot`` in front of the played controller."""

    def __init__(self) -> None:
        self.car = Car()
        super().__init__(
            Bench(is_polled=True, make_pilot=lambda clock: PolledPilot(self.car, clock))
        )

    def poll(self, times: int = 1) -> None:
        """The controller is asked, and the supervision looks until it is asked again."""
        for _ in range(times):
            self.bench.pilot.step()
            self.look(int(POLL_S / LOOK_S))

    def charge(self) -> Wallbox:
        self.look(2)
        self.present()
        self.poll(30)
        assert self.bench.contactor.is_closed
        self.commands.clear()
        return self


def test_a_controller_that_answers_again_is_told_first_and_closed_over_afterwards():
    box = Wallbox().charge()
    box.car.problem = PilotError("silent")
    box.poll(int(SILENT_S / POLL_S) + 2)
    assert not box.bench.contactor.is_closed
    before = len(list(box.bench.contactor.contacts.history))
    told = len(box.car.told)
    box.car.problem = None  # it still offers 32 A, and the car still asks
    for _ in range(40):
        box.poll()
        if box.bench.contactor.is_closed:
            break
    assert box.bench.contactor.is_closed
    closings = [w for _, w in list(box.bench.contactor.contacts.history)[before:] if "closed" in w]
    assert closings == ["contacts closed"]
    assert box.car.told[told:][-1] == 32
    assert box.bench.pilot.confirmed.current_a == 32


@pytest.mark.parametrize("offered_a", [6.0, 32.0])
def test_a_controller_that_offers_what_nobody_ordered_is_not_closed_over(offered_a: float):
    box = Wallbox()
    box.look(2)
    box.car.refusal = PilotError("refused")
    box.car.report = replace(box.car.report, offered_a=offered_a)
    box.present()
    box.poll(30)
    assert not box.bench.contactor.is_closed
    assert box.ordered(co.CloseContactor) == []
    box.car.refusal = None
    box.poll(30)
    assert box.bench.contactor.is_closed


def test_another_order_is_another_confirmation():
    box = Wallbox().charge()
    pilot, before = box.bench.pilot, box.bench.pilot.confirmed
    pilot.withdraw()
    pilot.offer(before.current_a)
    assert pilot.confirmed == ConfirmedOffer(before.order + 2, 0.0)
    pilot.step()
    assert pilot.confirmed == ConfirmedOffer(before.order + 2, before.current_a)
    box.car.report = replace(box.car.report, faults=frozenset({PilotFault.DIODE}))
    pilot.step()
    assert pilot.confirmed.current_a == NO_OFFER.current_a
