"""Faults that a part reports by itself, in its own words."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core.commands import NotifyStatus, OpenContactor, ShowSignal, Signal, WithdrawOffer
from agent.core.state import Charging, Stopping
from agent.core.values import PartFault, Status, StatusReport, StopReason
from tests.core.story import (
    Story,
    a_charge_point,
    charging,
    deeds,
    finish,
    listed,
    of,
    rules_of,
    stop_of,
    tap,
)

HOT = PartFault("HighTemperature", "92 degrees at the inlet")
PRESSED = PartFault("OtherError", "button", is_emergency_stop=True)


def tell(fault: PartFault | None) -> ev.PartFaultChanged:
    return ev.PartFaultChanged(1, fault)


def reports_of(commands) -> list[StatusReport]:
    return [command.report for command in of(NotifyStatus, commands)]


def test_a_fault_of_a_part_is_reported_with_its_code_and_text_until_it_is_mended():
    story = Story(a_charge_point())
    story.tell(ev.TimePassed())
    commands = story.tell(tell(HOT))
    assert reports_of(commands) == [
        StatusReport(
            *(1, Status.FAULTED, "HighTemperature", "a part reports a fault"),
            vendor_error_code="92 degrees at the inlet",
        )
    ]
    assert of(ShowSignal, commands) == [ShowSignal(Signal.FAULT, 9)]
    assert rules_of(story.tell(tap(facts=listed()))) == ["FAULTED"]
    commands = story.tell(tell(None))
    assert reports_of(commands) == [StatusReport(1, Status.AVAILABLE)]
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]


def test_another_fault_of_a_part_takes_the_place_of_the_first():
    story = Story(a_charge_point())
    story.tell(tell(HOT))
    (report,) = reports_of(story.tell(tell(PRESSED)))
    assert (report.error_code, report.vendor_error_code) == ("OtherError", "button")
    assert reports_of(story.tell(tell(None)))[-1].status is Status.AVAILABLE


@pytest.mark.parametrize(
    ("fault", "reason"), [(HOT, StopReason.OTHER), (PRESSED, StopReason.EMERGENCY_STOP)]
)
def test_a_fault_of_a_part_opens_at_once_and_ends_the_session(fault, reason):
    story = charging()
    assert deeds(story.tell(tell(fault)))[:2] == [WithdrawOffer(1), OpenContactor(1)]
    assert isinstance(story.connector.phase, Stopping)
    assert stop_of(finish(story)).reason is reason


def test_a_fault_of_a_part_concerns_its_own_connector_only():
    story = charging(connectors=2)
    assert deeds(story.tell(ev.PartFaultChanged(2, HOT))) == []
    assert isinstance(story.connector.phase, Charging)


def test_a_graver_fault_is_reported_before_that_of_a_part():
    story = Story(a_charge_point())
    story.tell(tell(HOT))
    commands = story.tell(ev.SafetyInputTripped("emergency_stop"))
    assert {report.info for report in reports_of(commands)} == {"emergency stop pressed"}
    assert {report.vendor_error_code for report in reports_of(commands)} == {""}
