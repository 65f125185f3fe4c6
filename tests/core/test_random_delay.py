"""The random delay: starts and steps are felt later, what is asked for at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import events as ev
from agent.core.commands import CloseContactor
from agent.core.connector_situation import situation
from agent.core.limit_sources import LimitSource, prevailing_limit
from agent.core.state import Charging, Rules
from agent.core.values import AuthorizationStatus, IdTagInfo, PilotState, Status, StopReason
from tests.core.charging import a_profile
from tests.core.story import (
    ALL_PARTS,
    CARD,
    Story,
    a_charge_point,
    finish,
    listed,
    of,
    replies,
    rules_of,
    statuses,
    stop_of,
    tap,
)
from tests.core.test_charging_profiles_applied import begin, clear, offered, send
from tests.core.test_external_limits import set_limit

DELAYED = Rules(random_delay_max_s=600, random_seed=7)


def begun(rules: Rules = DELAYED, **given: object) -> Story:
    story = Story(a_charge_point(1, ALL_PARTS, rules, **given))
    begin(story, 1, CARD)
    story.wait(10)
    return story


def left_s(story: Story) -> float:
    phase = story.connector.phase
    assert isinstance(phase, Charging)
    return 0.0 if phase.delay is None else phase.delay.until_s - story.now.monotonic_s


def running(**given: object) -> Story:
    """A session whose start is not delayed any more."""
    story = begun(**given)
    story.tell(ev.RandomDelaySkipped("s", 1))
    return story


def test_a_session_begins_and_waits_for_its_delay_and_then_charges_by_itself():
    story = begun()
    wait_s = left_s(story)
    assert 0 < wait_s < 600
    assert (wait_s + 10).is_integer()
    assert of(CloseContactor, story.commands) == []
    assert statuses(story.commands)[-1] is Status.SUSPENDED_EVSE
    words = f"waits for the random delay, {wait_s:.0f} s left"
    limit = prevailing_limit(story.state, story.connector, story.now)
    assert (limit.source, limit.words) == (LimitSource.RANDOM_DELAY, f"0 A: {words}")
    assert situation(story.state, story.connector, story.now).words == words
    story.wait(wait_s - 0.5)
    assert offered(story) is None
    story.wait(0.5)
    assert offered(story) == 32
    assert len(of(CloseContactor, story.commands)) == 1


@given(st.integers(0, 2**64 - 1), st.sampled_from([1, 600, 1800]))
def test_a_delay_is_whole_seconds_and_never_longer_than_is_set(seed, most_s):
    story = Story(a_charge_point(1, ALL_PARTS, Rules(random_delay_max_s=most_s, random_seed=seed)))
    begin(story, 1, CARD)
    assert left_s(story) in range(most_s + 1)


def test_another_session_waits_another_time():
    story = begun()
    first_s = left_s(story) + 10
    story.tell(ev.StopRequested("s", 1))
    finish(story)
    story.tell(ev.CableUnplugged(1))
    story.wait(30)
    begin(story, 1, CARD)
    assert left_s(story) != first_s


def test_without_the_setting_nothing_is_delayed():
    assert offered(begun(Rules())) == 32


def test_a_step_of_a_schedule_is_felt_later_upwards_and_downwards():
    story = running()
    send(story, a_profile(1, 10, (700, 20), (2000, 8)))
    assert offered(story) == 10
    story.wait(700 - story.seconds + 1)
    assert offered(story) == 10
    assert left_s(story) > 0
    story.wait(left_s(story))
    assert offered(story) == 20
    story.wait(2001 - story.seconds)
    assert offered(story) == 20
    story.wait(left_s(story))
    assert offered(story) == 8


def test_what_the_central_system_asks_for_is_not_delayed():
    story = running()
    send(story, a_profile(1, 10))
    assert offered(story) == 10
    send(story, a_profile(1, 20))
    assert offered(story) == 20
    clear(story)
    assert offered(story) == 32
    send(story, a_profile(1, 10, (700, 20)))
    story.wait(701 - story.seconds)
    assert left_s(story) > 0
    send(story, a_profile(1, 13))
    assert (offered(story), left_s(story)) == (13, 0)


def test_a_profile_does_not_end_the_delay_of_a_start():
    story = begun()
    send(story, a_profile(1, 10))
    assert offered(story) is None
    story.wait(left_s(story))
    assert offered(story) == 10


def test_limits_from_outside_and_of_the_operator_count_at_once():
    story = running()
    set_limit(story, 8)
    assert offered(story) == 8
    set_limit(story, None)
    assert offered(story) == 32
    story.tell(ev.LimitRequested("l", 1, 9.0))
    assert offered(story) == 9


def test_a_person_skips_it_by_a_command():
    story = begun()
    assert ("x", "applied") in replies(story.tell(ev.RandomDelaySkipped("x", 1)))
    assert offered(story) == 32
    assert replies(story.tell(ev.RandomDelaySkipped("y", 1))) == [("y", "applied")]


def test_without_a_session_there_is_nothing_to_skip():
    story = Story(a_charge_point())
    assert replies(story.tell(ev.RandomDelaySkipped("x", 1))) == [("x", "applied")]


def test_the_card_again_skips_the_delay_of_a_start_and_ends_the_session_only_after_it():
    story = begun()
    assert rules_of(story.tell(tap(CARD, listed()))) == ["DELAY_SKIPPED"]
    assert offered(story) == 32
    story.tell(ev.PilotChanged(1, PilotState.C))
    story.tell(ev.ContactorClosed(1))
    story.wait(10)
    story.tell(tap(CARD, listed()))
    assert stop_of(finish(story)).reason is StopReason.LOCAL


def test_the_card_again_too_soon_skips_nothing():
    story = Story(a_charge_point(1, ALL_PARTS, DELAYED))
    begin(story, 1, CARD)
    assert rules_of(story.tell(tap(CARD, listed()))) == ["TOO_SOON"]
    assert offered(story) is None


@pytest.mark.parametrize("plugged", [True, False])
def test_pulling_the_plug_during_the_delay_ends_the_session_as_ever(plugged):
    story = begun()
    if not plugged:
        story.tell(ev.CableUnplugged(1))
    assert (story.connector.stop is None) is plugged


def test_a_session_that_is_refused_during_its_delay_has_none_any_more():
    story = begun(StopTransactionOnInvalidId="false")
    story.tell(ev.ContactorOpened(1))
    wait_s = left_s(story)
    invalid = IdTagInfo(AuthorizationStatus.INVALID)
    story.tell(ev.MessageAnswered(1, 1, 77, invalid, CARD))
    assert left_s(story) == 0
    story.wait(wait_s + 1)  # a deadline that stays in the past would be reported here
    assert offered(story) is None


def test_the_card_of_a_session_that_was_refused_during_its_delay_ends_it():
    story = begun(StopTransactionOnInvalidId="false")
    invalid = IdTagInfo(AuthorizationStatus.INVALID)
    story.tell(ev.MessageAnswered(1, 1, 77, invalid, CARD))
    story.tell(ev.ContactorOpened(1))
    assert rules_of(story.tell(tap(CARD, listed()))) == ["SAME_CARD"]
