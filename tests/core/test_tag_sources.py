"""Each source of tags has its share, and the charger's own reader comes first."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core.authorization_outcome import CHECKS_MAX
from agent.core.authorization_reasons import Rule
from agent.core.commands import Authorize, RecordDecision, ShowSignal
from agent.core.state import Purpose, Rules
from agent.core.tag_sources import Source
from tests.core.story import (
    ACCEPTED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    listed,
    of,
    rules_of,
    tap,
)

OTHERS = [source for source in Source if source is not Source.READER]


def token(id_tag: str, connectors: tuple[int, ...] = (1,), **more: object) -> ev.TagPresented:
    return ev.TagPresented(id_tag, connectors, source=Source.STATION, **more)


def of_source(source: Source, id_tag: str) -> ev.Event:
    """Something of this source that the central system is asked about."""
    match source:
        case Source.STATION:
            return token(id_tag, (int(id_tag[1:]) + 1,))
        case Source.CENTRAL_SYSTEM:
            return ev.RemoteStartRequested(id_tag, id_tag, int(id_tag[1:]) + 1)
        case _:
            return ev.AuthorizeRequested(id_tag, id_tag)


@pytest.mark.parametrize("source", OTHERS)
def test_no_source_takes_the_places_of_the_chargers_own_reader(source):
    story = Story(a_charge_point(connectors=20, AuthorizeRemoteTxRequests="true"))
    commands = [story.tell(of_source(source, f"F{number}")) for number in range(CHECKS_MAX + 3)]
    assert [rules_of(one) for one in commands] == [[]] * CHECKS_MAX + [["TOO_MANY"]] * 3
    assert of(Authorize, story.tell(tap(CARD, connectors=(20,)))) == [Authorize(CARD, 5.0)]


@pytest.mark.parametrize("is_plugged", [True, False])
def test_a_card_at_the_own_reader_goes_before_a_token_that_is_being_checked(is_plugged):
    story = Story(a_charge_point())
    if is_plugged:
        story.tell(ev.CablePluggedIn(1))
    asked = story.tell(token(OTHER_CARD))
    assert of(Authorize, asked) == [Authorize(OTHER_CARD, 5.0, source=Source.STATION)]
    commands = story.tell(tap())
    assert of(Authorize, commands) == [Authorize(CARD, 5.0)]
    assert rules_of(commands) == ["OWN_READER_FIRST"]
    story.tell(ev.AuthorizeAnswered(OTHER_CARD, ACCEPTED))  # too late
    assert rules_of(story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))) == ["CENTRAL_ACCEPTED"]


def test_a_card_that_need_not_be_asked_about_does_too():
    story = Story(a_charge_point())
    story.tell(token(OTHER_CARD))
    assert rules_of(story.tell(tap(facts=listed()))) == ["OWN_READER_FIRST", "LISTED"]


def test_a_token_for_another_connector_goes_on():
    story = Story(a_charge_point(connectors=2))
    story.tell(ev.CablePluggedIn(1), token(OTHER_CARD, (2,)))
    assert rules_of(story.tell(tap())) == []
    story.tell(ev.AuthorizeAnswered(OTHER_CARD, ACCEPTED), ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert [grant.id_tag for grant in story.state.waiting] == [OTHER_CARD]


def test_of_two_tokens_only_the_one_that_is_in_the_way_is_given_up():
    story = Story(a_charge_point(connectors=2))
    story.tell(token(OTHER_CARD, (1,)), token("FLEET", (2,)), ev.CablePluggedIn(1))
    assert rules_of(story.tell(tap())) == ["OWN_READER_FIRST"]
    assert [check.attempt.id_tag for check in story.state.checking] == ["FLEET", CARD]


def test_the_plug_of_the_card_is_meant_and_not_the_one_that_a_token_has_left():
    story = Story(a_charge_point(connectors=2))
    story.tell(ev.CablePluggedIn(1), token(OTHER_CARD, (1,)), tap())
    (check,) = story.state.checking
    assert (check.attempt.id_tag, check.attempt.connectors) == (CARD, (1,))


def test_a_card_that_is_refused_at_once_takes_nobodys_place():
    story = Story(a_charge_point())
    story.tell(token(OTHER_CARD), ev.LinkLost("gone"))
    assert rules_of(story.tell(tap())) == ["ONE_AT_A_TIME"]
    assert [check.attempt.id_tag for check in story.state.checking] == [OTHER_CARD]


def test_tokens_do_not_push_each_other_aside_nor_a_card():
    story = Story(a_charge_point())
    story.tell(tap())
    assert rules_of(story.tell(token(OTHER_CARD))) == ["ONE_AT_A_TIME"]
    story = Story(a_charge_point())
    story.tell(token(OTHER_CARD))
    assert rules_of(story.tell(token(CARD))) == ["ONE_AT_A_TIME"]


def test_what_the_central_system_has_accepted_already_stays():
    story = Story(a_charge_point(rules=Rules(asks_station=True)))
    story.tell(token(OTHER_CARD), ev.AuthorizeAnswered(OTHER_CARD, ACCEPTED))
    assert rules_of(story.tell(tap())) == ["ONE_AT_A_TIME"]
    story.tell(ev.StationAnswered(OTHER_CARD, is_wanted=True))
    assert [grant.id_tag for grant in story.state.waiting] == [OTHER_CARD]


def test_tokens_without_end_keep_the_stations_own_logic_in_the_game():
    story = Story(a_charge_point(connectors=20, rules=Rules(asks_station=True)))
    for number in range(CHECKS_MAX):
        story.tell(token(f"F{number}", (number + 1,)))
    story.tell(tap(CARD, connectors=(20,)), ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert CARD in [check.attempt.id_tag for check in story.state.checking if check.accepted]


def test_a_late_answer_to_a_card_counts_however_many_tokens_were_not_answered_since():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(), ev.AuthorizeFailed(CARD, "silence"))
    for number in range(2 * CHECKS_MAX):
        story.tell(token(f"F{number}"), ev.AuthorizeFailed(f"F{number}", "silence"))
    assert rules_of(story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))) == ["CENTRAL_ACCEPTED"]


def test_a_request_of_an_operator_that_was_not_taken_is_recorded_and_shows_no_signal():
    event = ev.RequestNotTaken("", (1,), Rule.ONE_AT_A_TIME, Purpose.OPERATOR_START, "too many")
    commands = Story(a_charge_point()).tell(event)
    (record,) = of(RecordDecision, commands)
    assert record.record.purpose == Purpose.OPERATOR_START.value
    assert record.record.rule == Rule.ONE_AT_A_TIME.name
    assert of(ShowSignal, commands) == []
