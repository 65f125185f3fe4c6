"""What the pilot controller complains about, and what the cable can carry."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core.commands import NotifyStatus, OfferCurrent, OpenContactor
from agent.core.faults import PILOT, RULES, Fault
from agent.core.state import Charging, Stopping
from agent.core.values import PilotState, Status, StopReason
from hw.ports import PilotFault
from tests.core.story import (
    Story,
    a_charge_point,
    charging,
    finish,
    listed,
    of,
    rules_of,
    stop_of,
    tap,
)

ENDS = [name for name, fault in PILOT.items() if RULES[fault].stop_reason is not None]


def complain(*names: str) -> ev.PilotComplained:
    return ev.PilotComplained(1, names)


def test_every_complaint_of_a_controller_is_a_fault_of_the_table():
    assert set(PILOT) == {fault.value for fault in PilotFault}


@pytest.mark.parametrize("name", ENDS)
def test_a_fault_of_the_controller_ends_the_session(name: str):
    story = charging()
    story.tell(complain(name), ev.PilotChanged(1, PilotState.F))
    assert isinstance(story.connector.phase, Stopping)
    assert stop_of(finish(story)).reason is StopReason.OTHER


@pytest.mark.parametrize("name", sorted(set(PILOT) - set(ENDS)))
def test_silence_and_heat_only_pause_it(name: str):
    story = charging()
    ordered = story.tell(complain(name), ev.PilotChanged(1, PilotState.F))
    assert OpenContactor(1) in ordered
    (report,) = [c.report for c in of(NotifyStatus, ordered)]
    assert (report.status, report.error_code) == (
        Status.SUSPENDED_EVSE,
        RULES[PILOT[name]].error_code,
    )
    story.tell(ev.ContactorOpened(1), complain(), ev.PilotChanged(1, PilotState.C))
    assert isinstance(story.connector.phase, Charging)
    assert story.connector.close_ordered


def test_heat_in_the_box_pauses_a_session_and_it_goes_on_when_it_is_cooler():
    story = charging()
    story.tell(ev.SafetyInputTripped("temperature"), ev.ContactorTripped(1, "reflex", 1))
    story.tell(ev.ContactorOpened(1))
    story.wait(600)
    assert (type(story.connector.phase), story.connector.close_ordered) == (Charging, False)
    story.tell(ev.SafetyInputCleared("temperature"))
    assert story.connector.close_ordered


@pytest.mark.parametrize("name", PILOT)
def test_no_session_begins_over_a_complaint_and_the_next_one_after_it_does(name: str):
    story = Story(a_charge_point())
    story.tell(complain(name))
    assert rules_of(story.tell(tap(facts=listed()))) == ["FAULTED"]
    story.tell(complain())
    assert story.connector.faults == frozenset()
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]


def test_one_complaint_may_go_while_another_stays_and_other_faults_are_left_alone():
    story = Story(a_charge_point())
    story.tell(ev.MeterFailed(1, "silent"), complain("heat", "diode"), complain("diode"))
    assert story.connector.faults == {Fault.METER, Fault.PILOT_DIODE}


def test_the_cable_limits_what_is_offered():
    story = charging()
    assert of(OfferCurrent, story.tell(ev.CableMeasured(1, 20.0))) == [OfferCurrent(1, 20.0)]
    assert of(OfferCurrent, story.tell(ev.CableMeasured(1, None))) == [OfferCurrent(1, 32.0)]
