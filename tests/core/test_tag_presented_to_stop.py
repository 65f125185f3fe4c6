"""Cards that end a session, and cards that come for a held cable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import (
    Authorize,
    LockConnector,
    ReadMeter,
    ShowSignal,
    Signal,
    UnlockConnector,
)
from agent.core.state import Charging, Finished, Idle, Rules, Starting, Stopping
from agent.core.values import (
    LockState,
    StopReason,
    TransactionEnded,
)
from tests.core.story import (
    ACCEPTED,
    BARE,
    BLOCKED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    a_transaction,
    cached,
    charging,
    decisions,
    deeds,
    finish,
    listed,
    messages,
    of,
    of_group,
    reading,
    rules_of,
    tap,
)

# --- to stop -------------------------------------------------------------------------------------


def test_the_card_that_started_ends_the_session_with_its_id_tag():
    story = charging()
    story.tell(tap(CARD.lower()))
    (stop,) = messages(finish(story))
    assert isinstance(stop, TransactionEnded)
    assert (stop.reason, stop.id_tag) == (StopReason.LOCAL, CARD.lower())


def test_a_second_tap_within_the_guard_time_does_not_end_what_it_began():
    story = charging(rules=Rules(tap_guard_s=10.5))
    assert rules_of(story.tell(tap())) == ["TOO_SOON"]
    story.wait(0.5)
    assert rules_of(story.tell(tap())) == ["SAME_CARD"]


def test_a_tap_while_the_session_is_being_ended_changes_nothing():
    story = charging()
    story.tell(tap())
    assert deeds(story.tell(tap())) == []
    assert isinstance(story.connector.phase, Stopping)


def test_a_group_member_found_in_the_list_ends_the_session_with_its_own_tag():
    story = charging(facts=listed(of_group("FLEET")))
    assert rules_of(story.tell(tap(OTHER_CARD, listed(of_group("FLEET"))))) == ["SAME_GROUP"]
    (stop,) = messages(finish(story))
    assert isinstance(stop, TransactionEnded)
    assert stop.id_tag == OTHER_CARD


def test_the_group_of_an_unknown_card_is_asked_for():
    story = charging(facts=listed(of_group("FLEET")))
    assert of(Authorize, story.tell(tap(OTHER_CARD))) == [Authorize(OTHER_CARD, 5.0)]
    commands = story.tell(ev.AuthorizeAnswered(OTHER_CARD, of_group("FLEET")))
    assert rules_of(commands) == ["SAME_GROUP"]
    assert isinstance(story.connector.phase, Stopping)


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (ev.AuthorizeAnswered(OTHER_CARD, of_group("OTHER")), "OTHER_GROUP"),
        (ev.AuthorizeAnswered(OTHER_CARD, BLOCKED), "CENTRAL_REFUSED"),
        (ev.AuthorizeFailed(OTHER_CARD, "no answer"), "GROUP_UNKNOWN"),
        (ev.AuthorizeFailed(OTHER_CARD, "no status", is_answer=True), "ANSWER_UNUSABLE"),
    ],
)
def test_a_card_whose_group_does_not_fit_leaves_the_session_alone(answer, rule):
    story = charging(facts=listed(of_group("FLEET")))
    story.tell(tap(OTHER_CARD))
    assert rules_of(story.tell(answer)) == [rule]
    assert isinstance(story.connector.phase, Charging)


@pytest.mark.parametrize(("parent", "rule"), [("FLEET", "SAME_GROUP"), ("OTHER", "OTHER_GROUP")])
def test_without_an_answer_the_offline_rules_decide_about_the_group(parent, rule):
    story = charging(facts=listed(of_group("FLEET")), LocalPreAuthorize="false", online=False)
    story.state = replace(story.state, online=True, registration="Accepted")
    story.tell(tap(OTHER_CARD, listed(of_group(parent))))
    (record,) = decisions(story.tell(ev.AuthorizeFailed(OTHER_CARD, "no answer")))
    assert (record.rule, record.detail) == (rule, "no answer")


def test_nonsense_as_an_answer_ends_no_session_of_the_group():
    story = charging(facts=listed(of_group("FLEET")), LocalPreAuthorize="false", online=False)
    story.state = replace(story.state, online=True, registration="Accepted")
    story.tell(tap(OTHER_CARD, listed(of_group("FLEET"))))
    nonsense = ev.AuthorizeFailed(OTHER_CARD, "no status", is_answer=True)
    assert rules_of(story.tell(nonsense)) == ["ANSWER_UNUSABLE"]
    assert isinstance(story.connector.phase, Charging)


def test_the_group_member_is_matched_with_the_right_one_of_two_sessions():
    story = charging(facts=listed(of_group("FLEET")), connectors=2)
    story.tell(ev.CablePluggedIn(2), tap("THIRD", listed(of_group("TAXI")), connectors=(2,)))
    story.tell(ev.LockChanged(2, LockState.LOCKED), ev.MeterRead(2, story.connector.reading))
    assert rules_of(story.tell(tap(OTHER_CARD, listed(of_group("TAXI"))))) == ["SAME_GROUP"]
    assert [type(c.phase) for c in story.state.connectors] == [Charging, Stopping]


# --- the card that has just ended a session ------------------------------------------------------


def just_ended(by: str = CARD, **given) -> Story:
    """A session of CARD, of the group FLEET, was ended by a card a moment ago; plug still in."""
    story = charging(facts=listed(of_group("FLEET")), **given)
    story.tell(tap(by, listed(of_group("FLEET"))))
    finish(story)
    assert isinstance(story.connector.phase, Finished)
    return story


@pytest.mark.parametrize("id_tag", [CARD, CARD.lower()])
def test_the_card_that_has_just_ended_a_session_is_refused_within_the_guard_time(id_tag):
    story = just_ended(rules=Rules(tap_guard_s=8.0))
    story.wait(7.9)
    commands = story.tell(tap(id_tag, listed()))
    assert deeds(commands) == []
    assert of(ShowSignal, commands) == [ShowSignal(Signal.REFUSED)]
    (record,) = decisions(commands)
    assert (record.purpose, record.connector_id, record.rule) == ("start", 1, "JUST_ENDED")
    assert isinstance(story.connector.phase, Finished)
    assert story.state.waiting == ()


def test_an_unknown_card_that_has_just_ended_a_session_is_not_even_asked_about():
    assert of(Authorize, just_ended().tell(tap())) == []


def test_after_the_guard_time_the_same_card_starts_anew_on_the_same_plug():
    story = just_ended(rules=Rules(tap_guard_s=8.0))
    story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    story.wait(8)
    commands = story.tell(tap(facts=listed()))
    assert rules_of(commands) == ["LISTED"]
    assert deeds(commands) == [LockConnector(1), ReadMeter(1)]
    assert isinstance(story.connector.phase, Starting)


def test_refusing_does_not_make_the_guard_time_longer():
    story = just_ended()
    story.wait(4)
    assert rules_of(story.tell(tap(facts=listed()))) == ["JUST_ENDED"]
    story.wait(1)
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]


def test_the_guard_time_runs_from_the_end_of_the_session_not_from_the_tap_that_ended_it():
    story = charging()
    story.tell(tap())
    story.wait(4)
    finish(story)
    story.wait(4.9)
    assert rules_of(story.tell(tap(facts=listed()))) == ["JUST_ENDED"]


def test_without_a_guard_time_the_same_card_starts_anew_at_once():
    story = just_ended(rules=Rules(tap_guard_s=0.0))
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]


def test_another_card_starts_at_once_where_a_session_has_just_ended():
    story = just_ended()
    assert rules_of(story.tell(tap(OTHER_CARD, listed()))) == ["LISTED"]
    assert isinstance(story.connector.phase, Starting)


def test_of_a_group_only_the_card_that_ended_the_session_is_held_off():
    story = just_ended(by=OTHER_CARD)
    assert rules_of(story.tell(tap(OTHER_CARD, listed()))) == ["JUST_ENDED"]
    assert rules_of(story.tell(tap(CARD, listed()))) == ["LISTED"]


def test_the_card_of_a_session_that_the_central_system_ended_starts_anew_at_once():
    story = charging()
    story.tell(ev.MessageAnswered(1, 1, 55, ACCEPTED, CARD))
    story.tell(ev.RemoteStopRequested("r1", 55))
    finish(story)
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]


def test_the_card_of_a_session_that_a_power_loss_ended_starts_anew_at_once():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), ev.Started((a_transaction(),)))
    story.tell(ev.MeterRead(1, reading(1500)))
    assert isinstance(story.connector.phase, Finished)
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]


def test_the_card_that_has_just_ended_a_session_starts_at_once_at_the_reader_of_another_connector():
    story = just_ended(connectors=2)
    assert rules_of(story.tell(tap(facts=listed(), connectors=(2,)))) == ["LISTED"]


def test_with_the_plug_out_the_use_is_over_and_the_same_card_may_start_the_next():
    story = just_ended()
    story.tell(ev.CableUnplugged(1))
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]


def test_a_box_without_plug_sensor_holds_the_card_off_too_instead_of_starting_again_at_once():
    story = charging(traits=BARE)
    story.tell(tap())
    story.tell(ev.ContactorOpened(1))
    assert isinstance(story.connector.phase, Idle)
    commands = story.tell(tap(facts=listed()))
    assert (rules_of(commands), deeds(commands)) == (["JUST_ENDED"], [])
    story.wait(5)
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]
    assert isinstance(story.connector.phase, Charging)
    assert rules_of(story.tell(tap())) == ["TOO_SOON"]


# --- the held cable ------------------------------------------------------------------------------


def with_held_cable(**given) -> Story:
    """The central system refused the card of a running session: the cable is held."""
    story = charging(facts=listed(of_group("FLEET")), **given)
    story.tell(ev.MessageAnswered(1, 1, 55, BLOCKED, CARD))
    finish(story)
    assert story.connector.held_for is not None
    return story


def test_the_cable_of_a_refused_card_stays_locked():
    story = with_held_cable()
    assert of(UnlockConnector, story.commands + story.wait(3600)) == []


@pytest.mark.parametrize(
    ("id_tag", "facts"),
    [
        (CARD, None),
        (CARD.lower(), listed(BLOCKED)),
        (OTHER_CARD, listed(of_group("fleet"))),
    ],
)
def test_the_same_card_or_its_group_gets_the_cable_back(id_tag, facts):
    story = with_held_cable()
    commands = story.tell(tap(id_tag, facts))
    assert deeds(commands) == [UnlockConnector(1)]
    assert rules_of(commands) == ["CABLE_RELEASED"]


def test_a_group_member_known_from_the_cache_gets_the_cable_back():
    story = with_held_cable()
    assert rules_of(story.tell(tap(OTHER_CARD, cached(of_group("FLEET"))))) == ["CABLE_RELEASED"]


def test_a_stranger_does_not_get_the_cable_and_does_not_start_on_it():
    story = with_held_cable()
    commands = story.tell(tap("STRANGER", listed()))
    assert deeds(commands) == []
    assert rules_of(commands) == ["NO_CONNECTOR"]


def test_a_box_without_plug_sensor_holds_the_cable_too():
    traits = replace(a_charge_point().connectors[0].traits, has_plug=False)
    story = with_held_cable(traits=traits)
    assert isinstance(story.connector.phase, Finished)
    assert of(UnlockConnector, story.tell(tap())) == [UnlockConnector(1)]
    assert isinstance(story.connector.phase, Idle)
