"""The station's own logic may discard a tag that was accepted (process_authorized_token)."""

from __future__ import annotations

from dataclasses import replace

from agent.core import events as ev
from agent.core.authorization_outcome import CHECKS_MAX
from agent.core.commands import ShowSignal, Signal
from agent.core.followers import next_deadline_s
from agent.core.state import AuthorizationAttempt, PendingAuthorization, Purpose, Rules
from agent.core.values import TagRecord, TokenKind
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    listed,
    of,
    replies,
    rules_of,
    tap,
)

ASKS = Rules(asks_station=True)


def asked(connectors: int = 1, **keys: str) -> Story:
    """An accepted card that the station's logic is being asked about."""
    story = Story(a_charge_point(connectors=connectors, rules=ASKS, **keys))
    commands = story.tell(tap(facts=listed()))
    assert of(ShowSignal, commands) == [ShowSignal(Signal.CHECKING)]
    assert rules_of(commands) == []
    return story


def test_an_accepted_tag_waits_for_its_word():
    story = asked()
    assert story.state.waiting == ()
    assert rules_of(story.tell(ev.StationAnswered(CARD.lower(), is_wanted=True))) == ["LISTED"]
    assert story.state.checking == ()
    assert len(story.state.waiting) == 1


def test_a_tag_that_it_discards_does_not_charge():
    story = asked()
    assert rules_of(story.tell(ev.StationAnswered(CARD, is_wanted=False))) == ["DISCARDED"]
    assert story.state.waiting == ()


def test_its_silence_means_yes():
    story = asked()
    deadline_s = next_deadline_s(story.state, story.now)
    assert deadline_s == story.now.monotonic_s + ASKS.station_s
    assert rules_of(story.wait(ASKS.station_s)) == ["LISTED"]


def test_a_refused_tag_is_not_shown_to_it():
    story = Story(a_charge_point(rules=ASKS))
    story.tell(tap())
    assert rules_of(story.tell(ev.AuthorizeAnswered(CARD, BLOCKED))) == ["CENTRAL_REFUSED"]
    assert story.state.checking == ()


def test_an_answer_of_the_central_system_does_not_take_its_place():
    story = Story(a_charge_point(rules=ASKS))
    story.tell(tap())
    assert rules_of(story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))) == []
    assert rules_of(story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))) == []
    assert rules_of(story.tell(ev.AuthorizeFailed(CARD, "late"))) == []
    assert rules_of(story.tell(ev.StationAnswered(CARD, is_wanted=True))) == ["CENTRAL_ACCEPTED"]


def test_words_about_other_tags_and_tags_still_being_asked_about_change_nothing():
    story = asked()
    assert story.tell(ev.StationAnswered(OTHER_CARD, is_wanted=False)) == []
    story = Story(a_charge_point(rules=ASKS))
    story.tell(tap())
    assert story.tell(ev.StationAnswered(CARD, is_wanted=False)) == []
    assert len(story.state.checking) == 1


def test_a_remote_start_is_shown_to_it_too():
    story = Story(a_charge_point(rules=ASKS))
    commands = story.tell(ev.RemoteStartRequested("r1", CARD, 1))
    assert replies(commands) == [("r1", "Accepted")]
    assert rules_of(story.tell(ev.StationAnswered(CARD, is_wanted=False))) == ["DISCARDED"]


def test_what_the_station_has_decided_itself_is_not():
    story = Story(a_charge_point(rules=ASKS))
    decided = ev.TagPresented(CARD, (1,), claim=TokenKind.STATION)
    assert rules_of(story.tell(decided)) == ["STATION"]


def test_one_tag_that_was_accepted_twice_is_one_question():
    story = Story(a_charge_point(rules=Rules(asks_station=True, free_charging_id_tag="FREE")))
    story.tell(ev.CablePluggedIn(1))
    story.tell(ev.Started((), ""))
    assert len(story.state.checking) == 1


def test_too_many_questions_keep_nobody_from_charging():
    story = Story(a_charge_point(rules=ASKS))
    others = tuple(
        PendingAuthorization(
            AuthorizationAttempt(Purpose.AUTHORIZE_ONLY, f"TAG{number}", facts=TagRecord()),
            story.now.monotonic_s + 5,
        )
        for number in range(CHECKS_MAX)
    )
    story.state = replace(story.state, checking=others)
    assert rules_of(story.tell(tap(facts=listed()))) == ["LISTED"]
