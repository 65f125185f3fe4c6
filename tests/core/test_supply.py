"""What feeds the box is shared by those who charge, with and without charging profiles."""

from __future__ import annotations

from dataclasses import replace

from agent.core import events as ev
from agent.core.state import Rules, Traits
from agent.core.values import Status
from tests.core.charging import MAX, WATT, a_profile
from tests.core.story import ALL_PARTS, CARD, OTHER_CARD, Story, a_charge_point, finish, statuses
from tests.core.test_charging_profiles_applied import begin, limits, offered, send


def fed_with(supply_a: float, traits: Traits = ALL_PARTS) -> Story:
    """Two sockets of 32 A, and a session at the first one."""
    story = Story(a_charge_point(2, traits, Rules(supply_a=supply_a)))
    begin(story, 1, CARD)
    return story


def test_who_is_alone_has_all_of_it_and_is_not_limited():
    story = fed_with(32)
    assert offered(story, 1) == 32
    assert story.connector.allowed_a is None


def test_two_share_it_and_who_stays_has_all_of_it_again():
    story = fed_with(40)
    begin(story, 2, OTHER_CARD)
    assert (offered(story, 1), offered(story, 2)) == (20, 20)
    story.tell(ev.StopRequested("s", 1))
    assert offered(story, 2) == 20  # until the contactor of the other one is open
    finish(story)
    assert offered(story, 2) == 32
    assert story.state.connector(2).allowed_a is None


def test_what_is_too_little_for_two_goes_to_the_one_who_came_first():
    story = fed_with(11)
    begin(story, 2, OTHER_CARD)
    assert (offered(story, 1), offered(story, 2)) == (11, None)
    assert statuses(story.commands, 2)[-1] is Status.SUSPENDED_EVSE


def test_who_cannot_be_held_to_a_share_gets_all_that_he_may_draw_or_waits():
    story = fed_with(63, replace(ALL_PARTS, has_pilot=False))
    begin(story, 2, OTHER_CARD)
    first, second = story.state.connectors
    assert (first.close_ordered, second.close_ordered) == (True, False)
    assert statuses(story.commands, 2)[-1] is Status.SUSPENDED_EVSE
    assert (first.current_a, second.current_a) == (32, 0)


def test_beside_the_limit_of_the_box_the_lower_one_counts():
    story = fed_with(32)
    begin(story, 2, OTHER_CARD)
    send(story, a_profile(1, 20, purpose=MAX), 0)
    assert (offered(story, 1), offered(story, 2)) == (10, 10)
    send(story, a_profile(1, 50, purpose=MAX), 0)
    assert (offered(story, 1), offered(story, 2)) == (16, 16)


def test_the_schedule_of_the_box_is_never_above_what_feeds_it():
    story = Story(a_charge_point(2, rules=Rules(supply_a=40)))
    assert limits(story, 0) == [(0, 40)]
    assert limits(story, 0, WATT) == [(0, 40 * 690)]
    assert limits(story, 1) == [(0, 32)]
    send(story, a_profile(1, 50, (60, 30), purpose=MAX), 0)
    assert limits(story, 0) == [(0, 40), (60, 30)]
