"""A tag that is presented with a request id gets exactly one TagReply, whatever becomes of it."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core import tag_presented
from agent.core.commands import TagReply
from agent.core.events import LookedUp
from agent.core.state import Rules
from agent.core.tag_sources import Source
from agent.core.values import IdTagInfo, TagRecord, TokenKind
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    a_started_story,
    charging,
    finish,
    listed,
    looked_up,
    of,
    tap,
)

FLEET = IdTagInfo(ACCEPTED.status, parent_id_tag="FLEET")


def present(
    id_tag: str = CARD,
    facts: TagRecord | None = None,
    request_id: str = "mine",
    source: Source = Source.STATION,
    claim: TokenKind = TokenKind.CARD,
    is_random: bool = False,
) -> LookedUp:
    event = ev.TagPresented(
        id_tag, (1, 2), is_random, claim=claim, source=source, request_id=request_id
    )
    return looked_up(event, facts)


def answers(story: Story) -> list[tuple[str, bool, str]]:
    """Who was answered, whether accepted, and the rule of the decision if there is one."""
    return [
        (
            reply.request_id,
            reply.is_accepted,
            "" if reply.decision is None else reply.decision.rule,
        )
        for reply in of(TagReply, story.commands)
    ]


def after(story: Story, *events: ev.Event | LookedUp) -> list[tuple[str, bool, str]]:
    story.tell(*events)
    story.wait(600)
    return answers(story)


def test_accepted_and_refused_from_the_list():
    assert after(Story(a_charge_point()), present(facts=listed())) == [("mine", True, "LISTED")]
    offline = Story(a_charge_point(online=False))
    assert after(offline, present(facts=listed(BLOCKED))) == [("mine", False, "LISTED_REFUSED")]


@pytest.mark.parametrize(
    ("info", "answer"),
    [(ACCEPTED, (True, "CENTRAL_ACCEPTED")), (BLOCKED, (False, "CENTRAL_REFUSED"))],
)
def test_after_the_central_system_has_answered(info, answer):
    story = Story(a_charge_point())
    story.tell(present())
    assert answers(story) == []
    assert after(story, ev.AuthorizeAnswered(CARD, info, "Accepted")) == [("mine", *answer)]
    (reply,) = of(TagReply, story.commands)
    assert reply.certificate_status == "Accepted"


def test_silence_is_answered_once_and_a_late_yes_not_again():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1))
    story.tell(present())
    story.wait(20)
    assert answers(story) == [("mine", False, "UNKNOWN_REFUSED")]
    story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert story.connector.grant is not None
    assert len(answers(story)) == 1


def test_no_usable_answer_and_no_look_up():
    story = Story(a_charge_point())
    story.tell(present())
    unusable = ev.AuthorizeFailed(CARD, "nonsense", is_answer=True)
    assert after(story, unusable) == [("mine", False, "ANSWER_UNUSABLE")]
    story = Story(a_charge_point())
    unreadable = LookedUp(present().event, None, "the disk")
    assert after(story, unreadable) == [("mine", False, "LOOK_UP_FAILED")]


@pytest.mark.parametrize(
    ("tag", "rule"),
    [
        (present("X" * 21), "UNTELLABLE"),
        (present("08010203", is_random=True), "RANDOM_UID"),
        (present(claim=TokenKind.FREE), "FREE_OFF"),
        (present(claim=TokenKind.AUTOCHARGE), "AUTOCHARGE_OFF"),
    ],
)
def test_what_nobody_has_to_be_asked_about(tag, rule):
    assert after(Story(a_charge_point()), tag) == [("mine", False, rule)]


def test_shutting_down_before_and_while_it_is_checked():
    story = Story(a_charge_point())
    story.tell(present())
    assert after(story, ev.ShutdownRequested()) == [("mine", False, "SHUTTING_DOWN")]
    assert after(story, present(request_id="late"))[1:] == [("late", False, "SHUTTING_DOWN")]


def test_everybody_who_presents_a_tag_that_is_being_checked_is_answered(monkeypatch):
    monkeypatch.setattr(tag_presented, "TAG_REQUESTS_MAX", 2)
    story = Story(a_charge_point())
    story.tell(present(request_id="first"), present(request_id="second"), tap())
    story.tell(present(request_id="one too many"))
    assert answers(story) == [("one too many", False, "")]
    story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    both = [("first", True, "CENTRAL_ACCEPTED"), ("second", True, "CENTRAL_ACCEPTED")]
    assert answers(story)[1:] == both


def test_a_tag_that_waits_for_its_plug_is_left_so_or_called_off():
    story = Story(a_charge_point(rules=Rules(tap_guard_s=5.0)))
    story.tell(tap(facts=listed()))
    story.tell(present(request_id="soon"))
    story.wait(6)
    story.tell(present(request_id="later"))
    assert answers(story) == [("soon", True, ""), ("later", False, "CANCELLED")]


def test_a_tag_that_is_starting_is_left_so():
    story = a_started_story()
    story.tell(present())
    assert answers(story) == [("mine", True, "")]


def test_the_tag_of_the_session_ends_it_but_not_too_soon():
    story = charging(rules=Rules(tap_guard_s=15.0))
    story.tell(present(request_id="soon"))
    story.wait(10)
    story.tell(present(request_id="later"), present(request_id="twice"))
    expected = [
        ("soon", False, "TOO_SOON"),
        ("later", True, "SAME_CARD"),
        ("twice", False, "ENDING"),
    ]
    assert answers(story) == expected
    finish(story)
    story.tell(present(request_id="over"))
    assert answers(story) == [("over", False, "JUST_ENDED")]


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_vehicle_that_is_in_its_session_is_left_so(is_refused):
    story = charging(rules=Rules(autocharge=True), StopTransactionOnInvalidId="false")
    if is_refused:
        story.tell(ev.MessageAnswered(1, 1, 7, BLOCKED))
    story.tell(present(claim=TokenKind.AUTOCHARGE))
    assert answers(story) == [("mine", not is_refused, "")]


@pytest.mark.parametrize(
    ("mine", "answer"),
    [
        (FLEET, (True, "SAME_GROUP")),
        (ACCEPTED, (False, "OTHER_GROUP")),
        (None, (False, "GROUP_UNKNOWN")),
    ],
)
def test_another_tag_may_end_a_session_of_its_group(mine, answer):
    story = charging(facts=listed(FLEET))
    story.tell(present(OTHER_CARD))
    if mine is not None:
        story.tell(ev.AuthorizeAnswered(OTHER_CARD, mine))
    assert after(story) == [("mine", *answer)]


def test_a_cable_that_is_held_is_given_back():
    story = charging()
    story.tell(ev.MessageAnswered(1, 1, 7, BLOCKED))
    finish(story)
    assert story.connector.held_for is not None
    story.wait(10)
    story.tell(present())
    assert answers(story) == [("mine", True, "CABLE_RELEASED")]


@pytest.mark.parametrize(
    ("is_wanted", "answer"),
    [(True, (True, "LISTED")), (False, (False, "DISCARDED")), (None, (True, "LISTED"))],
)
def test_the_stations_own_logic_has_the_last_word(is_wanted, answer):
    story = Story(a_charge_point(rules=Rules(asks_station=True)))
    story.tell(present(facts=listed()))
    assert answers(story) == []
    said = [] if is_wanted is None else [ev.StationAnswered(CARD, is_wanted)]
    assert after(story, *said) == [("mine", *answer)]


def test_a_card_at_the_reader_goes_first():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), present())
    story.tell(present(OTHER_CARD, listed(), request_id="reader", source=Source.READER))
    assert after(story) == [("mine", False, "OWN_READER_FIRST"), ("reader", True, "LISTED")]


def test_nothing_is_free():
    story = charging()
    story.tell(ev.MessageAnswered(1, 1, 7, ACCEPTED))
    assert after(story, present(OTHER_CARD, listed())) == [("mine", False, "OTHER_SESSION")]
    story = Story(a_charge_point())
    story.tell(ev.SafetyInputTripped("emergency_stop"))
    assert after(story, present(OTHER_CARD, listed())) == [("mine", False, "FAULTED")]


def test_what_could_not_be_read_is_answered_too():
    story = Story(a_charge_point())
    assert after(story, ev.CardNotTaken("two cards", "mine")) == [("mine", False, "")]
