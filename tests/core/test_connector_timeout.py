"""A plug that nobody comes to with a card: Finishing after ConnectionTimeOut (errata 3.20, B6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import connector_choice
from agent.core import events as ev
from agent.core.commands import LockConnector, NotifyStatus
from agent.core.state import Finished, Idle, Rules, Starting
from agent.core.values import LockState, Status
from tests.core.reservation_builders import a_reservation
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    NOON,
    OTHER_CARD,
    Story,
    a_charge_point,
    charging,
    deeds,
    finish,
    listed,
    of,
    replies,
    rules_of,
    statuses,
    tap,
)

PLUG, UNPLUG = ev.CablePluggedIn(1), ev.CableUnplugged(1)
HALF_A_MINUTE = {"ConnectionTimeOut": "30"}


def plugged(connectors: int = 1, **keys: str) -> Story:
    """Plugged in at connector 1 and told so, with 30 s for a card."""
    story = Story(a_charge_point(connectors, **{**HALF_A_MINUTE, **keys}))
    assert statuses(story.tell(ev.LinkAccepted(), PLUG)) == [Status.AVAILABLE, Status.PREPARING]
    return story


def left(connectors: int = 1) -> Story:
    """The same, and nobody came."""
    story = plugged(connectors)
    assert statuses(story.wait(30)) == [Status.FINISHING]
    return story


def test_it_is_finishing_when_the_time_is_over_and_not_before():
    story = plugged()
    assert statuses(story.wait(29.9)) == []
    assert statuses(story.wait(0.1)) == [Status.FINISHING]
    assert statuses(story.wait(10_000)) == []


def test_unplugging_makes_it_available_and_another_plug_is_waited_for_anew():
    story = left()
    assert statuses(story.tell(UNPLUG)) == [Status.AVAILABLE]
    assert story.connector.phase != Finished(is_unclaimed=True)
    assert statuses(story.tell(PLUG)) == [Status.PREPARING]
    assert statuses(story.wait(29.9)) == []
    assert statuses(story.wait(0.1)) == [Status.FINISHING]


def test_a_card_still_charges_on_the_only_connector_by_way_of_preparing():
    story = left()
    commands = story.tell(tap(facts=listed()))
    assert LockConnector(1) in deeds(commands)
    assert statuses(commands) == [Status.PREPARING]
    assert story.connector.phase != Finished(is_unclaimed=True)


@pytest.mark.parametrize("begun", [left, plugged])
def test_a_start_that_is_given_up_is_followed_by_another_wait(begun):
    story = begun()
    story.tell(tap(facts=listed()))
    assert statuses(story.wait(story.state.rules.start_s)) == []
    assert isinstance(story.connector.phase, Idle)
    assert statuses(story.wait(30)) == [Status.FINISHING]


@pytest.mark.parametrize(("was_left", "connector_id"), [(True, 2), (False, 1)])
def test_at_a_shared_reader_the_next_card_is_not_for_a_plug_that_may_be_forgotten(
    was_left, connector_id
):
    story = left(connectors=2) if was_left else plugged(connectors=2)
    served = story.state.connectors
    assert connector_choice.candidates(story.state, served, CARD, None) == (connector_id,)


def test_a_remote_start_that_names_it_is_accepted_and_another_takes_it_last():
    story = left(connectors=2)
    assert connector_choice.candidates(story.state, story.state.connectors, CARD, None) == (2,)
    commands = story.tell(ev.RemoteStartRequested("r1", CARD, 1))
    assert replies(commands) == [("r1", "Accepted")]
    assert statuses(commands) == [Status.PREPARING]


def test_after_a_session_a_remote_start_begins_another_by_way_of_preparing():
    story = charging()
    story.tell(ev.LinkAccepted(), tap())
    finish(story)
    assert isinstance(story.connector.phase, Finished)
    commands = story.tell(ev.RemoteStartRequested("r1", CARD, 1))
    assert replies(commands) == [("r1", "Accepted")]
    assert statuses(commands) == [Status.PREPARING]


def test_zero_waits_for_ever_even_when_the_key_is_changed_meanwhile():
    story = plugged(ConnectionTimeOut="0")
    assert statuses(story.wait(100_000)) == []
    story.tell(ev.ConfigurationChangeRequested("r1", "ConnectionTimeOut", "20"))
    assert statuses(story.wait(100)) == []
    story.tell(UNPLUG, PLUG)
    assert statuses(story.wait(20)) == [Status.FINISHING]


def test_a_new_value_counts_from_the_next_preparing():
    story = plugged()
    story.tell(ev.ConfigurationChangeRequested("r1", "ConnectionTimeOut", "500"))
    assert statuses(story.wait(30)) == [Status.FINISHING]


@pytest.mark.parametrize(("info", "after"), [(ACCEPTED, []), (BLOCKED, [Status.FINISHING])])
def test_a_card_that_is_being_asked_about_is_waited_for(info, after):
    story = plugged()
    story.wait(29)
    story.tell(tap())
    assert statuses(story.wait(2)) == []
    assert statuses(story.tell(ev.AuthorizeAnswered(CARD, info))) == after


def test_an_answer_that_comes_late_begins_on_the_plug_that_was_given_up():
    story = plugged()
    story.wait(28)
    story.tell(tap(), ev.AuthorizeFailed(CARD, "no answer"))
    assert statuses(story.wait(5)) == [Status.FINISHING]
    assert statuses(story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))) == [Status.PREPARING]


def test_offline_it_is_given_up_too_and_told_with_the_time_of_the_change():
    story = plugged()
    story.tell(ev.LinkLost("gone"))
    story.wait(100)
    told = of(NotifyStatus, story.tell(ev.LinkAccepted()))[1]
    assert told.report.status is Status.FINISHING
    assert told.changed_at == NOON + timedelta(seconds=30)


def test_after_a_fault_the_wait_begins_anew_and_a_plug_that_was_given_up_stays_so():
    story = plugged()
    story.wait(20)
    assert statuses(story.tell(ev.SafetyInputTripped("door"))) == [Status.FAULTED]
    assert statuses(story.wait(60)) == []
    assert statuses(story.tell(ev.SafetyInputCleared("door"))) == [Status.PREPARING]
    assert statuses(story.wait(29)) == []
    assert statuses(story.wait(1)) == [Status.FINISHING]
    assert statuses(story.tell(ev.SafetyInputTripped("door"))) == [Status.FAULTED]
    assert statuses(story.tell(ev.SafetyInputCleared("door"))) == [Status.FINISHING]


def test_a_plug_in_a_reserved_connector_stays_reserved():
    story = Story(a_charge_point(**HALF_A_MINUTE))
    story.tell(ev.LinkAccepted(), ev.ReservationRequested("r1", a_reservation()))
    story.tell(PLUG)
    assert statuses(story.wait(60)) == []
    assert isinstance(story.connector.phase, Idle)


def test_a_plug_that_nobody_came_for_keeps_nothing_in_service():
    story = left()
    commands = story.tell(ev.AvailabilityChangeRequested("r1", 1, operative=False))
    assert (replies(commands), statuses(commands)) == ([("r1", "Accepted")], [Status.UNAVAILABLE])
    assert rules_of(story.tell(tap(facts=listed()))) == ["OUT_OF_SERVICE"]
    assert statuses(story.tell(UNPLUG)) == []


def test_after_a_restart_a_plug_is_waited_for_from_the_beginning():
    state = a_charge_point(**HALF_A_MINUTE)
    story = Story(replace(state, is_begun=False))
    story.tell(ev.LinkAccepted(), PLUG)
    story.wait(20)
    story.tell(ev.Started())
    assert statuses(story.wait(29)) == []
    assert statuses(story.wait(1)) == [Status.FINISHING]


def test_the_card_that_ended_the_session_before_is_not_taken_for_a_second_tap():
    story = charging(rules=Rules(tap_guard_s=60.0), ConnectionTimeOut="10")
    story.wait(60)
    story.tell(tap())
    finish(story)
    story.tell(ev.LockChanged(1, LockState.UNLOCKED), UNPLUG, PLUG)
    story.wait(10)
    assert story.connector.phase == Finished(is_unclaimed=True)
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]


def test_where_charging_is_free_the_plug_is_claimed_at_once():
    rules = Rules(free_charging_id_tag="FREE")
    story = Story(a_charge_point(rules=rules, **HALF_A_MINUTE))
    story.tell(PLUG)
    assert isinstance(story.connector.phase, Starting)


def test_a_card_that_waits_for_the_other_connector_does_not_begin_on_it():
    story = left(connectors=2)
    story.tell(tap(OTHER_CARD, listed()))
    story.wait(1)
    assert story.connector.phase == Finished(is_unclaimed=True)
    story.tell(ev.CablePluggedIn(2))
    assert isinstance(story.state.connectors[1].phase, Starting)
