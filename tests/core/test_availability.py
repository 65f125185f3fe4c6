"""ChangeAvailability: what is in service, what waits until somebody has left."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core.commands import Command, NotifyStatus, Reply, SaveAvailability
from agent.core.status_notification import reports
from agent.core.values import LockState, Status, Verdict
from tests.core.story import (
    BARE,
    BLOCKED,
    CARD,
    Story,
    a_charge_point,
    charging,
    decisions,
    finish,
    listed,
    of,
    reading,
    tap,
)


def change(story: Story, connector_id: int, operative: bool) -> list[Command]:
    return story.tell(ev.AvailabilityChangeRequested("r1", connector_id, operative))


def take_out(story: Story, connector_id: int = 1) -> str:
    (reply,) = of(Reply, change(story, connector_id, operative=False))
    return reply.status


def put_back(story: Story, connector_id: int = 1) -> str:
    (reply,) = of(Reply, change(story, connector_id, operative=True))
    return reply.status


def shown(story: Story) -> list[Status]:
    """The statuses of the charge point and of its connectors."""
    return [report.status for report in reports(story.state, story.now)]


def test_a_free_connector_is_taken_out_at_once_stored_and_reported():
    story = Story(a_charge_point(connectors=2))
    commands = change(story, 1, operative=False)
    assert of(Reply, commands) == [Reply("r1", "Accepted")]
    assert of(SaveAvailability, commands) == [SaveAvailability(frozenset({1}))]
    assert Status.UNAVAILABLE in [told.report.status for told in of(NotifyStatus, commands)]
    assert shown(story) == [Status.AVAILABLE, Status.UNAVAILABLE, Status.AVAILABLE]


def test_no_card_and_no_plug_begins_anything_at_a_connector_that_is_out():
    story = Story(a_charge_point())
    take_out(story)
    story.tell(ev.CablePluggedIn(1))
    (decision,) = decisions(story.tell(tap(facts=listed())))
    assert (decision.verdict, decision.rule) == (Verdict.REFUSED, "OUT_OF_SERVICE")
    assert shown(story)[1] is Status.UNAVAILABLE
    remote = story.tell(ev.RemoteStartRequested("r2", CARD, 1))
    assert of(Reply, remote) == [Reply("r2", "Rejected")]
    asked = story.tell(ev.StartRequested("r3", 1, CARD))
    assert of(Reply, asked) == [Reply("r3", "connector_unavailable")]


def test_another_connector_still_takes_the_card():
    story = Story(a_charge_point(connectors=2))
    take_out(story, 1)
    story.tell(ev.CablePluggedIn(2))
    (decision,) = decisions(story.tell(tap(facts=listed())))
    assert (decision.verdict, decision.connector_id) == (Verdict.ACCEPTED, 2)


def test_put_back_it_shows_at_once_what_has_happened_meanwhile():
    story = Story(a_charge_point())
    take_out(story)
    story.tell(ev.CablePluggedIn(1))
    assert put_back(story) == "Accepted"
    assert shown(story)[1] is Status.PREPARING
    assert story.state.inoperative == frozenset()


def told(commands: list[Command]) -> list[Status]:
    return [command.report.status for command in of(NotifyStatus, commands)]


def test_a_running_session_goes_on_and_the_change_comes_when_it_is_over():
    story = charging()
    assert take_out(story) == "Scheduled"
    assert shown(story)[1] is Status.CHARGING
    story.tell(tap(facts=listed()))
    assert shown(story)[1] is Status.FINISHING
    assert told(finish(story)) == [Status.UNAVAILABLE]
    story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    story.wait(60)
    (decision,) = decisions(story.tell(tap(facts=listed())))
    assert decision.rule == "OUT_OF_SERVICE"
    assert told(story.tell(ev.CableUnplugged(1))) == []


def test_a_plug_alone_keeps_nothing_in_service_and_what_is_told_has_a_way_there():
    story = Story(a_charge_point())
    story.tell(ev.LinkAccepted(), ev.CablePluggedIn(1))
    commands = change(story, 1, operative=False)
    assert of(Reply, commands) == [Reply("r1", "Accepted")]
    assert shown(story)[1] is Status.UNAVAILABLE
    # OCPP 1.6 knows no way from Preparing to Unavailable but over Available.
    assert told(commands) == [Status.AVAILABLE]
    assert told(story.wait(1)) == [Status.UNAVAILABLE]
    (decision,) = decisions(story.tell(tap(facts=listed())))
    assert decision.rule == "OUT_OF_SERVICE"
    assert told(change(story, 1, operative=True)) == [Status.PREPARING]
    assert decisions(story.tell(tap(facts=listed())))[0].verdict is Verdict.ACCEPTED


def test_a_cable_that_is_held_for_its_card_is_given_back_out_of_service_too():
    story = charging()
    story.tell(ev.LinkAccepted())
    story.tell(ev.MessageAnswered(1, 1, 5, BLOCKED, CARD))
    take_out(story)
    finish(story)
    assert shown(story)[1] is Status.UNAVAILABLE
    story.wait(60)
    (decision,) = decisions(story.tell(tap()))
    assert decision.rule == "CABLE_RELEASED"


def test_put_back_after_a_session_whose_plug_is_still_in_it_is_finishing_by_a_lawful_way():
    story = charging()
    story.tell(ev.LinkAccepted())
    take_out(story)
    story.tell(tap(facts=listed()))
    finish(story)
    assert told(change(story, 1, operative=True)) == [Status.PREPARING]
    assert told(story.wait(1)) == [Status.FINISHING]


def test_a_session_that_is_about_to_begin_is_let_begin():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    assert take_out(story) == "Scheduled"
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    assert story.connector.transaction is not None


def test_whoever_was_told_to_plug_in_may_still_charge():
    story = Story(a_charge_point())
    story.tell(tap(facts=listed()))
    assert take_out(story) == "Scheduled"
    story.wait(61)  # ConnectionTimeOut: he did not
    assert shown(story)[1] is Status.UNAVAILABLE


def test_a_card_that_is_being_checked_counts_as_somebody_who_is_there():
    story = Story(a_charge_point())
    story.tell(tap())
    assert take_out(story) == "Scheduled"
    story.tell(ev.AuthorizeFailed(CARD, "silence"))
    assert shown(story)[1] is Status.UNAVAILABLE


def test_a_scheduled_change_is_called_off_by_operative():
    story = charging()
    take_out(story)
    assert put_back(story) == "Accepted"
    story.tell(tap(facts=listed()))
    finish(story)
    story.tell(ev.LockChanged(1, LockState.UNLOCKED), ev.CableUnplugged(1))
    assert shown(story)[1] is Status.AVAILABLE


def test_zero_means_the_charge_point_and_every_connector():
    story = Story(a_charge_point(connectors=2))
    assert take_out(story, 0) == "Accepted"
    assert shown(story) == [Status.UNAVAILABLE] * 3
    assert put_back(story, 0) == "Accepted"
    assert shown(story) == [Status.AVAILABLE] * 3


def test_zero_is_scheduled_while_one_connector_is_in_use_and_the_free_ones_change_at_once():
    story = charging(connectors=2)
    assert take_out(story, 0) == "Scheduled"
    assert shown(story) == [Status.AVAILABLE, Status.CHARGING, Status.UNAVAILABLE]
    story.tell(tap(facts=listed(), connectors=(1,)))
    finish(story)
    story.tell(ev.LockChanged(1, LockState.UNLOCKED), ev.CableUnplugged(1))
    assert shown(story) == [Status.UNAVAILABLE] * 3


def test_with_one_connector_put_back_the_charge_point_is_in_service():
    story = Story(a_charge_point(connectors=2))
    take_out(story, 0)
    put_back(story, 2)
    assert shown(story) == [Status.AVAILABLE, Status.UNAVAILABLE, Status.AVAILABLE]


def test_what_is_so_already_is_accepted_and_not_written_again():
    story = Story(a_charge_point())
    take_out(story)
    commands = change(story, 1, operative=False)
    assert of(Reply, commands) == [Reply("r1", "Accepted")]
    assert of(SaveAvailability, commands) == []


@pytest.mark.parametrize("connector_id", [3, -1])
def test_a_connector_that_is_not_there_is_rejected(connector_id):
    story = Story(a_charge_point(connectors=2))
    assert take_out(story, connector_id) == "Rejected"
    assert story.state.inoperative == frozenset()


def test_a_fault_is_shown_before_it_and_after_the_fault_it_is_out_of_service():
    story = Story(a_charge_point())
    take_out(story)
    story.tell(ev.SafetyInputTripped("emergency_stop"))
    assert shown(story)[1] is Status.FAULTED
    story.tell(ev.SafetyInputCleared("emergency_stop"))
    assert shown(story)[1] is Status.UNAVAILABLE


def test_without_a_plug_contact_it_is_out_as_soon_as_the_session_is_over():
    story = charging(traits=BARE)
    assert take_out(story) == "Scheduled"
    story.tell(tap(facts=listed(), connectors=(1,)), ev.ContactorOpened(1))
    assert shown(story)[1] is Status.UNAVAILABLE
