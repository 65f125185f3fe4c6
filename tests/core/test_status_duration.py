"""MinimumStatusDuration: what does not last is not told, faults are told at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.core import events as ev
from agent.core.commands import NotifyStatus
from agent.core.status_notification import is_way
from agent.core.values import LockState, PilotState, Status
from tests.core.story import (
    NOON,
    Story,
    a_charge_point,
    charging,
    finish,
    listed,
    of,
    reading,
    statuses,
    tap,
)
from tests.core.transitions import LEGAL

TEN = {"MinimumStatusDuration": "10"}


def idle(**keys: str) -> Story:
    story = Story(a_charge_point(**keys))
    story.tell(ev.TimePassed())
    return story


def test_a_status_is_told_when_it_has_lasted_with_the_time_it_began():
    story = idle(**TEN)
    story.seconds = 5.0
    assert statuses(story.tell(ev.CablePluggedIn(1))) == []
    assert statuses(story.wait(9.9)) == []
    (told,) = of(NotifyStatus, story.wait(0.1))
    assert told.report.status is Status.PREPARING
    assert told.changed_at == NOON + timedelta(seconds=5)


def test_a_status_that_does_not_last_is_not_told():
    story = idle(**TEN)
    story.tell(ev.CablePluggedIn(1))
    story.wait(9)
    story.tell(ev.CableUnplugged(1))
    story.wait(60)
    assert statuses(story.commands) == [Status.AVAILABLE]  # the very first


def test_a_fault_is_told_at_once():
    story = idle(**TEN)
    assert statuses(story.tell(ev.SafetyInputTripped("door"))) == [Status.FAULTED]


def test_a_fault_that_has_gone_is_told_when_that_has_lasted():
    story = idle(**TEN)
    story.tell(ev.SafetyInputTripped("door"))
    assert statuses(story.tell(ev.SafetyInputCleared("door"))) == []
    assert statuses(story.wait(10)) == [Status.AVAILABLE]


def test_zero_tells_everything_at_once():
    assert statuses(idle().tell(ev.CablePluggedIn(1))) == [Status.PREPARING]


def test_a_shorter_duration_counts_at_once():
    story = idle(MinimumStatusDuration="600")
    story.tell(ev.CablePluggedIn(1))
    story.wait(20)
    change = ev.ConfigurationChangeRequested("r1", "MinimumStatusDuration", "10")
    assert statuses(story.tell(change)) == [Status.PREPARING]


def test_what_is_told_first_over_a_link_does_not_wait():
    story = idle(**TEN)
    story.tell(ev.CablePluggedIn(1), ev.LinkLost("gone"))
    assert statuses(story.wait(50)) == []
    assert statuses(story.tell(ev.LinkAccepted())) == [Status.PREPARING]


def test_a_way_that_is_not_in_the_matrix_is_told_step_by_step():
    story = charging(**TEN)
    story.wait(60)
    assert story.state.reported[1].status is Status.CHARGING
    story.tell(tap())
    story.commands.clear()
    finish(story)
    story.tell(ev.LockChanged(1, LockState.UNLOCKED), ev.CableUnplugged(1))
    assert statuses(story.commands) == []
    story.tell(ev.CablePluggedIn(1))
    assert statuses(story.commands) == [Status.AVAILABLE]
    assert statuses(story.wait(10)) == [Status.PREPARING]


def test_where_the_matrix_has_no_way_it_has_one_over_available_or_for_finishing_over_preparing():
    idle_statuses = set(Status) - {Status.CHARGING, Status.SUSPENDED_EV, Status.SUSPENDED_EVSE}
    for before in idle_statuses:
        for after in set(Status) - {before}:
            between = Status.PREPARING if after is Status.FINISHING else Status.AVAILABLE
            assert (before, after) in LEGAL or {(before, between), (between, after)} <= LEGAL


def test_a_way_that_is_in_the_matrix_skips_what_did_not_last():
    story = idle(**TEN)
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()), ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.MeterRead(1, reading(1000)), ev.PilotChanged(1, PilotState.C))
    assert statuses(story.commands) == [Status.AVAILABLE]  # the very first
    story.tell(ev.ContactorClosed(1))
    assert statuses(story.wait(10)) == [Status.CHARGING]


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_the_ways_are_those_of_the_standard(before, after):
    assert is_way(before, after) is (before is after or (before, after) in LEGAL)
