"""The grid operator's contact: it limits the box, and each begin and end is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from agent.core import charge_point
from agent.core import events as ev
from agent.core.charging_profiles import RateUnit
from agent.core.commands import BeginGridLimit, EndGridLimit
from agent.core.state import ChargePoint, Rules
from agent.core.values import Boot
from tests.core.story import NOON, Story, a_charge_point, at, charging
from tests.core.test_charging_profiles_applied import offered

LIMITED, FREE = ev.GridContactChanged(True), ev.GridContactChanged(False)
BOOT = Boot(3, "boot", NOON - timedelta(seconds=1000), is_time_known=False)


def kept(commands):
    return [one for one in commands if isinstance(one, BeginGridLimit | EndGridLimit)]


def test_the_contact_limits_all_connectors_and_begin_and_end_are_kept():
    story = charging()
    commands = story.tell(LIMITED)
    assert offered(story) == 6
    assert kept(commands) == [BeginGridLimit(story.now.utc, 4200.0, RateUnit.WATT)]
    story.wait(3600)
    assert offered(story) == 6
    commands = story.tell(FREE)
    assert offered(story) == 32
    assert kept(commands) == [EndGridLimit(story.now.utc)]


def test_a_current_may_be_set_in_the_place_of_a_power():
    story = charging(rules=Rules(grid_limit=13.0, grid_limit_unit=RateUnit.AMPERE))
    assert kept(story.tell(LIMITED)) == [BeginGridLimit(story.now.utc, 13.0, RateUnit.AMPERE)]
    assert offered(story) == 13


def test_what_has_not_changed_is_not_kept_again():
    story = Story(a_charge_point())
    assert kept(story.tell(FREE)) == []
    story.tell(LIMITED)
    assert kept(story.tell(LIMITED)) == []


def test_what_an_earlier_process_left_open_is_ended_as_found():
    story = Story(replace(a_charge_point(), has_open_grid_limit=True))
    assert kept(story.tell(FREE)) == [EndGridLimit(story.now.utc, is_found=True)]
    assert kept(story.tell(FREE)) == []


def test_what_an_earlier_process_left_open_is_ended_by_a_new_begin():
    story = Story(replace(a_charge_point(), has_open_grid_limit=True))
    (begun,) = kept(story.tell(LIMITED))
    assert isinstance(begun, BeginGridLimit)
    assert kept(story.tell(FREE)) == [EndGridLimit(story.now.utc)]


def test_a_time_that_nobody_trusts_is_marked():
    state: ChargePoint = replace(a_charge_point(), boot=BOOT)
    now = replace(at(0), is_trusted=False)
    state, begun = charge_point.handle(state, LIMITED, now)
    _, ended = charge_point.handle(state, FREE, now)
    assert [one.boot for one in kept([*begun, *ended])] == [BOOT.number, BOOT.number]
