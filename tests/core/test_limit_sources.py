"""Whose limit prevails, and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.external_limits import ExternalSource
from agent.core.limit_sources import EXTERNAL_WORDS, LimitSource, prevailing_limit
from agent.core.state import Rules
from tests.core.charging import MAX, TX, a_profile
from tests.core.story import ALL_PARTS, CARD, OTHER_CARD, Story, a_charge_point, charging
from tests.core.test_charging_profiles_applied import begin, send
from tests.core.test_external_limits import GRID, HOUSE, set_limit, two_sessions


def words(story: Story, connector_id: int = 1) -> str:
    return limit(story, connector_id).words


def limit(story: Story, connector_id: int = 1):
    return prevailing_limit(story.state, story.state.connector(connector_id), story.now)


def test_the_lowest_of_all_limits_is_named_with_who_set_it():
    story = charging(rules=Rules(supply_a=31.0))
    assert words(story) == "31 A: what feeds the box"
    send(story, a_profile(1, 30, purpose=MAX, level=2), 0)
    whole = "charging profile 1 (ChargePointMaxProfile, stack level 2) of the central system"
    assert words(story) == f"30 A: {whole}"
    send(story, a_profile(3, 29, purpose=TX, level=1))
    own = "charging profile 3 (TxProfile, stack level 1) of the central system"
    assert words(story) == f"29 A: {own}"
    story.tell(ev.LimitRequested("l", 1, 28.0))
    assert words(story) == "28 A: the operator"
    story.tell(ev.CableMeasured(1, 20.0))
    assert words(story) == "20 A: the cable"
    set_limit(story, 10)
    assert words(story) == "10 A: the house's energy management"
    set_limit(story, 8, 1)
    assert words(story) == "8 A: the house's energy management"
    set_limit(story, 6, source=GRID)
    assert words(story) == "6 A: the grid operator"
    assert limit(story).source is LimitSource.GRID_OPERATOR


def test_without_any_other_limit_it_is_the_wiring():
    story = Story(a_charge_point())
    assert words(story) == "32 A: the wiring"


def test_a_free_connector_says_what_a_session_would_be_limited_to():
    story = Story(a_charge_point())
    send(story, a_profile(1, 10, purpose=MAX), 0)
    assert limit(story).current_a == 10


def test_a_share_is_named_as_one_with_the_limit_that_is_shared():
    story = two_sessions()
    set_limit(story, 20)
    assert words(story) == "10 A: a share of 20 A for all connectors: the house's energy management"
    set_limit(story, 11)
    assert words(story, 1) == "11 A: the house's energy management"
    left = "too little is left of 11 A for all connectors: the house's energy management"
    assert words(story, 2) == f"0 A: {left}"


def test_a_limit_of_all_that_is_too_low_for_one_is_no_matter_of_shares():
    story = two_sessions()
    send(story, a_profile(1, 5.9, purpose=MAX), 0)
    assert limit(story).current_a == 5.9


def test_a_car_without_a_pilot_is_told_why_it_waits():
    story = charging(traits=replace(ALL_PARTS, has_pilot=False))
    set_limit(story, 10)
    assert words(story).startswith("0 A: too little is left of 10 A for all connectors")
    set_limit(story, None)
    set_limit(story, 10, 1)
    assert words(story) == "0 A: the house's energy management"


@pytest.mark.parametrize("source", ExternalSource)
def test_every_source_from_outside_has_its_words(source):
    assert EXTERNAL_WORDS[source]
    assert LimitSource(source.value)


def test_what_is_said_is_what_is_offered():
    story = Story(a_charge_point(2, rules=Rules(supply_a=50)))
    begin(story, 1, CARD)
    begin(story, 2, OTHER_CARD)
    for current_a in (40, 33, 16, 12):
        set_limit(story, current_a, source=HOUSE)
        for connector in story.state.connectors:
            assert limit(story, connector.connector_id).current_a == connector.offered_a
