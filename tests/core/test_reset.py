"""A reset that does not come about is tried again, and then given up aloud."""

from __future__ import annotations

import pytest

from agent.core import charge_point, followers
from agent.core import events as ev
from agent.core.commands import NotifyStatus, Restart
from agent.core.faults import Fault
from agent.core.values import Status
from tests.core.story import Story, a_charge_point, listed, of, tap

CHANGE = ev.ConfigurationChangeRequested("r2", "ResetRetries", "1")


def reset(**keys: str) -> Story:
    story = Story(a_charge_point(**keys))
    story.tell(ev.TimePassed(), ev.ResetRequested("r1", hard=False))
    assert of(Restart, story.commands) == [Restart(again=True)]
    story.commands.clear()
    return story


@pytest.mark.parametrize(("retries", "tries"), [("0", 0), ("1", 1), ("3", 3)])
def test_a_reset_is_tried_as_often_as_the_key_says(retries, tries):
    story = reset(ResetRetries=retries)
    assert of(Restart, story.wait(600)) == [Restart(again=True)] * tries
    assert story.state.restart is None


def test_thirty_seconds_are_waited_for_each():
    story = reset(ResetRetries="1")
    assert of(Restart, story.wait(29.9)) == []
    assert of(Restart, story.wait(0.1)) == [Restart(again=True)]
    assert of(Restart, story.wait(29.9)) == []
    assert story.state.restart is not None


def test_a_key_that_changes_meanwhile_counts():
    story = reset()
    story.tell(CHANGE)
    assert of(Restart, story.wait(600)) == [Restart(again=True)]


def test_a_reset_that_is_given_up_is_told_and_the_box_goes_on():
    story = reset()
    reports = [command.report for command in of(NotifyStatus, story.wait(30))]
    assert [(r.connector_id, r.status, r.error_code) for r in reports] == [
        (0, Status.AVAILABLE, "ResetFailure")
    ]
    assert story.state.faults == {Fault.RESET_FAILED}
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    assert story.connector.grant is not None


def test_an_order_that_the_journal_lets_go_too_late_is_not_carried_out():
    story = reset()
    assert charge_point.still_wanted(story.state, Restart(again=True))
    story.wait(30)
    assert not charge_point.still_wanted(story.state, Restart(again=True))


def test_who_was_told_to_end_is_never_told_to_go_on():
    story = Story(a_charge_point())
    story.tell(ev.ShutdownRequested())
    assert followers.next_deadline_s(story.state, story.now) is None
    story.seconds = 3600.0
    story.tell(ev.TimePassed())
    assert of(Restart, story.commands) == [Restart(again=False)]
    assert story.state.restart is not None
