"""Cards that end a session, and cards that come for a held cable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import (
    Authorize,
    UnlockConnector,
)
from agent.core.state import Phase, Rules
from agent.core.values import (
    LockState,
    StopReason,
    StopTransaction,
)
from tests.core.world import (
    BLOCKED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    cached,
    charging,
    decisions,
    deeds,
    finish,
    listed,
    messages,
    of,
    of_group,
    rules_of,
    tap,
)

# --- to stop -------------------------------------------------------------------------------------


def test_the_card_that_started_ends_the_session_with_its_id_tag():
    story = charging()
    story.tell(tap(CARD.lower()))
    (stop,) = messages(finish(story))
    assert isinstance(stop, StopTransaction)
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
    assert story.connector.phase is Phase.STOPPING


def test_a_group_member_found_in_the_list_ends_the_session_with_its_own_tag():
    story = charging(facts=listed(of_group("FLEET")))
    assert rules_of(story.tell(tap(OTHER_CARD, listed(of_group("FLEET"))))) == ["SAME_GROUP"]
    (stop,) = messages(finish(story))
    assert isinstance(stop, StopTransaction)
    assert stop.id_tag == OTHER_CARD


def test_the_group_of_an_unknown_card_is_asked_for():
    story = charging(facts=listed(of_group("FLEET")))
    assert of(Authorize, story.tell(tap(OTHER_CARD))) == [Authorize(OTHER_CARD, 5.0)]
    commands = story.tell(ev.AuthorizeAnswered(OTHER_CARD, of_group("FLEET")))
    assert rules_of(commands) == ["SAME_GROUP"]
    assert story.connector.phase is Phase.STOPPING


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (ev.AuthorizeAnswered(OTHER_CARD, of_group("OTHER")), "OTHER_GROUP"),
        (ev.AuthorizeAnswered(OTHER_CARD, BLOCKED), "CENTRAL_REFUSED"),
        (ev.AuthorizeFailed(OTHER_CARD, "no answer"), "GROUP_UNKNOWN"),
    ],
)
def test_a_card_whose_group_does_not_fit_leaves_the_session_alone(answer, rule):
    story = charging(facts=listed(of_group("FLEET")))
    story.tell(tap(OTHER_CARD))
    assert rules_of(story.tell(answer)) == [rule]
    assert story.connector.phase is Phase.CHARGING


@pytest.mark.parametrize(("parent", "rule"), [("FLEET", "SAME_GROUP"), ("OTHER", "OTHER_GROUP")])
def test_without_an_answer_the_offline_rules_decide_about_the_group(parent, rule):
    story = charging(facts=listed(of_group("FLEET")), LocalPreAuthorize="false", online=False)
    story.state = replace(story.state, online=True, registration="Accepted")
    story.tell(tap(OTHER_CARD, listed(of_group(parent))))
    (record,) = decisions(story.tell(ev.AuthorizeFailed(OTHER_CARD, "no answer")))
    assert (record.rule, record.detail) == (rule, "no answer")


def test_the_group_member_is_matched_with_the_right_one_of_two_sessions():
    story = charging(facts=listed(of_group("FLEET")), connectors=2)
    story.tell(ev.CablePluggedIn(2), tap("THIRD", listed(of_group("TAXI")), connectors=(2,)))
    story.tell(ev.LockChanged(2, LockState.LOCKED), ev.MeterRead(2, story.connector.reading))
    assert rules_of(story.tell(tap(OTHER_CARD, listed(of_group("TAXI"))))) == ["SAME_GROUP"]
    assert [c.phase for c in story.state.connectors] == [Phase.CHARGING, Phase.STOPPING]


# --- the held cable ------------------------------------------------------------------------------


def with_held_cable(**given) -> Story:
    """The central system refused the card of a running session: the cable is held."""
    story = charging(facts=listed(of_group("FLEET")), **given)
    story.tell(ev.MessageAnswered(1, 1, "StartTransaction", 55, BLOCKED, CARD))
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
    assert story.connector.phase is Phase.FINISHED
    assert of(UnlockConnector, story.tell(tap())) == [UnlockConnector(1)]
    assert story.connector.phase is Phase.IDLE
