"""No energy flows for a tag that the central system could not be told of, whoever sends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.core import authorization_outcome
from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import Authorize
from agent.core.events import Event
from agent.core.state import AuthorizationAttempt, Charging, Idle, Purpose, Rules
from agent.core.turn import Turn
from agent.core.values import StopReason, TagRecord, TokenKind, Verdict
from tests.core.story import (
    CARD,
    Story,
    a_charge_point,
    a_transaction,
    at,
    charging,
    listed,
    looked_up,
    of,
    of_group,
    reading,
    replies,
    rules_of,
    stop_of,
    tap,
)

UNTELLABLE = ["", "X" * 21, "K\u00c4TE", "A\x00B", "A\nB"]
PLUG = ev.CablePluggedIn(1)

WAYS: dict[str, Callable[[str], Event]] = {
    "a card": lambda tag: tap(tag, listed()),
    "a vehicle": lambda tag: looked_up(
        ev.TagPresented(tag, (1,), claim=TokenKind.AUTOCHARGE), listed()
    ),
    "the station": lambda tag: ev.TagPresented(tag, (1,), claim=TokenKind.STATION),
    "a remote start": lambda tag: looked_up(ev.RemoteStartRequested("r1", tag, 1), listed()),
    "the operator": lambda tag: looked_up(ev.StartRequested("r1", 1, tag), listed()),
    "a trusted operator": lambda tag: ev.StartRequested("r1", 1, tag, is_trusted=True),
    "a question": lambda tag: ev.AuthorizeRequested("r1", tag),
}


@pytest.mark.parametrize("authorizes_remote", ["true", "false"])
@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tag", UNTELLABLE)
def test_it_starts_nothing_and_nobody_is_asked_about_it(tag, way, online, authorizes_remote):
    keys = {
        "AllowOfflineTxForUnknownId": "true",
        "AuthorizeRemoteTxRequests": authorizes_remote,
    }
    story = Story(a_charge_point(online=online, rules=Rules(autocharge=True), **keys))
    story.tell(PLUG)
    commands = story.tell(WAYS[way](tag))
    assert story.state.waiting == ()
    assert isinstance(story.connector.phase, Idle)
    assert of(Authorize, commands) == []
    assert not {"Accepted", "applied"}.intersection(status for _, status in replies(commands))


@pytest.mark.parametrize("tag", UNTELLABLE)
def test_a_remote_start_for_it_is_rejected(tag):
    story = Story(a_charge_point())
    story.tell(PLUG)
    assert replies(story.tell(ev.RemoteStartRequested("r1", tag, 1))) == [("r1", "Rejected")]


def test_a_card_that_cannot_be_told_is_refused_with_its_reason():
    assert rules_of(Story(a_charge_point()).tell(tap(""))) == [Rule.UNTELLABLE.name]


@pytest.mark.parametrize("tag", UNTELLABLE)
def test_it_ends_no_session_of_its_group_because_the_stop_could_not_name_it(tag):
    story = charging(facts=listed(of_group("FLEET")))
    commands = story.tell(tap(tag, listed(of_group("FLEET"))))
    assert rules_of(commands) == [Rule.UNTELLABLE.name]
    assert isinstance(story.connector.phase, Charging)


def test_a_question_about_it_is_answered_that_nothing_came_of_it():
    story = Story(a_charge_point())
    assert replies(story.tell(ev.AuthorizeRequested("q1", "X" * 21))) == [("q1", "failed")]


def test_free_charging_under_such_a_tag_begins_nothing():
    story = Story(a_charge_point(rules=Rules(free_charging_id_tag="X" * 21)))
    assert rules_of(story.tell(PLUG)) == [Rule.UNTELLABLE.name]
    assert isinstance(story.connector.phase, Idle)


def test_the_last_gate_refuses_whoever_has_got_that_far():
    accepted = Decision(Verdict.ACCEPTED, Rule.TRUSTED, "test")
    turn = Turn(a_charge_point(), at(0))
    authorization_outcome.wait_for_plug(
        turn, AuthorizationAttempt(Purpose.START, "", (1,), facts=TagRecord()), accepted
    )
    assert turn.state.waiting == ()
    assert rules_of(turn.commands) == [Rule.UNTELLABLE.name]


def test_a_session_found_open_under_such_a_tag_does_not_go_on():
    rules = Rules(resume_after_power_loss=True)
    for tag, goes_on in ((CARD, True), ("", False)):
        story = Story(a_charge_point(rules=rules, online=False))
        story.tell(ev.Started((a_transaction(id_tag=tag),)), PLUG)
        commands = story.tell(ev.MeterRead(1, reading(1010)))
        assert (isinstance(story.connector.phase, Charging)) is goes_on
        if not goes_on:
            assert stop_of(commands).reason is StopReason.POWER_LOSS
