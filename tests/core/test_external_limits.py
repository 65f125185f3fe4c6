"""Limits of the house and of the grid operator's contact: they only lower, and run out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import charge_point, followers
from agent.core import events as ev
from agent.core.commands import LowerOffer, OpenContactor
from agent.core.external_limits import ExternalSource
from agent.core.state import Rules
from agent.core.values import PilotState, Status
from tests.core.charging import AMPERE, MAX, WATT, a_profile
from tests.core.story import (
    ALL_PARTS,
    BOOT_S,
    CARD,
    NOON,
    OTHER_CARD,
    Story,
    a_charge_point,
    charging,
    of,
    statuses,
)
from tests.core.test_charging_profiles_applied import begin, limits, offered, send

HOUSE, GRID = ExternalSource


def set_limit(story, limit, connector_id=0, source=HOUSE, unit=AMPERE, valid_for_s=None):
    event = ev.ExternalLimitSet(source, connector_id, limit, unit, valid_for_s)
    return story.tell(event)


def two_sessions(traits=ALL_PARTS, **given) -> Story:
    story = Story(a_charge_point(2, traits, **given))
    begin(story, 1, CARD)
    begin(story, 2, OTHER_CARD)
    return story


def test_a_limit_of_the_house_lowers_the_offer_at_once_and_comes_off_again():
    story = charging()
    assert of(LowerOffer, set_limit(story, 10, 1)) == [LowerOffer(1, 10.0)]
    set_limit(story, None, 1)
    assert offered(story) == 32
    assert story.state.external_limits == ()


def test_it_never_raises_what_profiles_operator_or_wiring_allow():
    story = charging()
    send(story, a_profile(1, 16))
    set_limit(story, 20)
    assert offered(story) == 16
    story.tell(ev.LimitRequested("l", 1, 12.0))
    set_limit(story, 80, 1)
    assert offered(story) == 12


@pytest.mark.parametrize("place", [0, 1])
def test_below_6_a_the_session_pauses_and_goes_on_by_itself_when_the_limit_runs_out(place):
    story = charging()
    set_limit(story, 0, place, valid_for_s=300)
    story.tell(ev.PilotChanged(1, PilotState.B))
    assert of(OpenContactor, story.commands) == [OpenContactor(1)]
    story.tell(ev.ContactorOpened(1))
    assert story.connector.transaction is not None
    assert statuses(story.commands)[-1] is Status.SUSPENDED_EVSE
    story.wait(299)
    assert offered(story) is None
    story.wait(1)
    assert offered(story) == 32
    assert story.state.external_limits == ()
    story.wait(60)
    assert story.connector.transaction is not None


def test_a_limit_runs_out_though_the_clock_jumps_back():
    story = charging()
    set_limit(story, 10, valid_for_s=300)
    due_s = followers.next_deadline_s(story.state, story.now)
    assert due_s is not None
    late = replace(story.now, monotonic_s=BOOT_S + 310, utc=NOON - timedelta(days=400))
    state, _ = charge_point.handle(story.state, ev.TimePassed(), late)
    assert state.external_limits == ()
    assert state.connectors[0].offered_a == 32


def test_a_limit_without_a_session_runs_out_at_its_own_time():
    story = Story(a_charge_point())
    set_limit(story, 10, valid_for_s=300)
    assert followers.next_deadline_s(story.state, story.now) == BOOT_S + 300
    story.wait(300)
    assert followers.next_deadline_s(story.state, story.now) is None


def test_a_new_limit_takes_the_place_of_the_old_one_of_the_same_source_and_place():
    story = charging()
    set_limit(story, 10, valid_for_s=60)
    set_limit(story, 8, source=GRID)
    set_limit(story, 20, valid_for_s=600)
    assert len(story.state.external_limits) == 2
    assert offered(story) == 8
    set_limit(story, None, source=GRID)
    assert offered(story) == 20
    story.wait(100)
    assert offered(story) == 20


def test_a_limit_of_all_connectors_is_shared_by_those_who_charge():
    story = two_sessions()
    set_limit(story, 20)
    assert (offered(story, 1), offered(story, 2)) == (10, 10)
    set_limit(story, 6, 1)
    assert (offered(story, 1), offered(story, 2)) == (6, 14)
    set_limit(story, 11)
    assert (offered(story, 1), offered(story, 2)) == (6, None)


def test_beside_the_profile_of_the_box_and_its_supply_the_lowest_counts():
    story = two_sessions(rules=Rules(supply_a=40))
    set_limit(story, 30)
    assert (offered(story, 1), offered(story, 2)) == (15, 15)
    send(story, a_profile(1, 20, purpose=MAX), 0)
    assert (offered(story, 1), offered(story, 2)) == (10, 10)
    set_limit(story, 14, source=GRID)
    assert (offered(story, 1), offered(story, 2)) == (7, 7)


@pytest.mark.parametrize(("phases", "offer_a"), [(3, 6.0), (1, 18.2)])
def test_watts_are_amperes_of_the_wired_phases(phases, offer_a):
    story = charging(traits=replace(ALL_PARTS, phases=phases))
    set_limit(story, 4200, source=GRID, unit=WATT)
    assert offered(story) == offer_a


@pytest.mark.parametrize("place", [0, 1])
def test_a_car_that_no_pilot_holds_to_a_limit_waits(place):
    story = charging(traits=replace(ALL_PARTS, has_pilot=False))
    set_limit(story, 31.9, place)
    assert not story.connector.close_ordered
    set_limit(story, 32, place)
    assert story.connector.close_ordered


def test_a_limit_for_a_connector_that_there_is_not_changes_nothing():
    story = charging()
    before = story.state.external_limits
    set_limit(story, 6, 3)
    assert story.state.external_limits == before


def test_the_composite_schedule_says_what_the_limits_leave_and_until_when():
    story = two_sessions()
    send(story, a_profile(1, 20, (120, 25)), 1)
    set_limit(story, 10, 1, valid_for_s=60.5)
    assert limits(story, 1) == [(0, 10), (61, 20), (120, 25)]
    assert limits(story, 0) == [(0, 42), (61, 52), (120, 57)]
    set_limit(story, 4200, source=GRID, unit=WATT, valid_for_s=90)
    assert limits(story, 1, WATT) == [(0, 4200), (90, 13_800), (120, 17_250)]
    assert limits(story, 2, WATT) == [(0, 4200), (90, 22_080)]
    assert limits(story, 0, WATT) == [(0, 4200), (90, 35_880), (120, 39_330)]
