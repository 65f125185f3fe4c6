"""The operator asks about a tag, and stops a session: one answer to each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import events as ev
from agent.core.authorization_outcome import CHECKS_MAX
from agent.core.authorization_request import PREAUTHORIZED_MAX
from agent.core.commands import (
    Authorize,
    LockConnector,
    QueueMessage,
    ReadMeter,
    RecordDecision,
    Reply,
    ShowSignal,
    Signal,
)
from agent.core.state import Charging, Idle, Starting, Stopping
from agent.core.tag_sources import Source
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    LockState,
    StopReason,
    TransactionEnded,
    Verdict,
)
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    NOON,
    OTHER_CARD,
    Story,
    a_charge_point,
    a_transaction,
    charging,
    decisions,
    deeds,
    finish,
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

CONCURRENT = IdTagInfo(AuthorizationStatus.CONCURRENT_TX)


# --- a stop --------------------------------------------------------------------------------------


def test_a_stop_is_applied_when_stop_transaction_is_stored_and_not_before():
    story = charging()
    assert replies(story.tell(ev.StopRequested("x1", 1))) == []
    assert isinstance(story.connector.phase, Stopping)
    commands = finish(story)
    assert stop_of(commands).reason is StopReason.LOCAL
    assert stop_of(commands).id_tag is None
    (queued,) = [c for c in of(QueueMessage, commands) if isinstance(c.message, TransactionEnded)]
    assert replies(commands) == [("x1", "applied")]
    assert commands.index(queued) < commands.index(Reply("x1", "applied"))


@pytest.mark.parametrize("ref", [0, 2, 99])
def test_a_stop_of_a_session_that_does_not_run_says_so(ref):
    story = charging()
    assert replies(story.tell(ev.StopRequested("x1", ref))) == [("x1", "no_transaction")]
    assert isinstance(story.connector.phase, Charging)


def test_a_stop_finds_its_session_behind_another():
    story = charging(connectors=2)
    story.tell(ev.CablePluggedIn(2), tap(OTHER_CARD, listed(), (2,)))
    story.tell(ev.LockChanged(2, LockState.LOCKED), ev.MeterRead(2, reading(0)))
    story.tell(ev.StopRequested("x1", 2))
    phases = [type(connector.phase) for connector in story.state.connectors]
    assert phases == [Charging, Stopping]


def test_a_stop_of_a_session_that_is_ending_waits_for_that_end():
    story = charging()
    story.tell(tap())
    assert replies(story.tell(ev.StopRequested("x1", 1))) == []
    commands = finish(story)
    assert stop_of(commands).id_tag == CARD
    assert replies(commands) == [("x1", "applied")]


def test_two_who_ask_for_the_same_stop_are_both_answered_once():
    story = charging()
    commands = story.tell(ev.StopRequested("x1", 1), ev.StopRequested("x2", 1))
    commands += finish(story)
    assert replies(commands) == [("x1", "applied"), ("x2", "applied")]


def test_a_stop_is_answered_also_when_the_process_ends_at_once():
    story = charging()
    story.tell(ev.StopRequested("x1", 1), ev.ShutdownRequested())
    assert replies(story.wait(2)) == [("x1", "applied")]


def test_a_stop_of_a_session_found_open_at_the_start_waits_for_its_end():
    story = Story(a_charge_point())
    story.tell(ev.Started((a_transaction(),)))
    assert replies(story.tell(ev.StopRequested("x1", 1))) == []
    assert replies(story.tell(ev.MeterRead(1, reading(1500)))) == [("x1", "applied")]


def test_one_stop_answers_who_waits_for_the_start_and_who_waits_for_the_end():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), looked_up(ev.StartRequested("s1", 1, CARD), listed()))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    commands = story.tell(ev.StopRequested("x1", 1), ev.MeterRead(1, reading(1000)))
    assert sorted(replies(commands)) == [("s1", "applied"), ("x1", "applied")]


# --- a question ----------------------------------------------------------------------------------


def test_a_question_asks_the_central_system_and_starts_nothing():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1))
    assert story.tell(ev.AuthorizeRequested("q1", CARD)) == [
        Authorize(CARD, 5.0, source=Source.OPERATOR)
    ]
    commands = story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert of(Reply, commands) == [Reply("q1", "applied", "", ACCEPTED)]
    assert of(ShowSignal, commands) == []
    (record,) = decisions(commands)
    assert (record.purpose, record.verdict) == ("question", Verdict.ACCEPTED)
    assert isinstance(story.connector.phase, Idle)


@pytest.mark.parametrize(
    "info", [replace(ACCEPTED, expires_at=NOON), replace(ACCEPTED, is_end_unreadable=True)]
)
def test_an_acceptance_for_this_once_answers_the_question_and_vouches_for_nothing(info):
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), ev.AuthorizeRequested("q1", CARD))
    commands = story.tell(ev.AuthorizeAnswered(CARD, info))
    assert of(Reply, commands) == [Reply("q1", "applied", "", info)]
    asked = story.tell(ev.StartRequested("s1", 1, CARD))
    assert of(Authorize, asked) == [Authorize(CARD, 5.0, source=Source.OPERATOR)]
    assert isinstance(story.connector.phase, Idle)


@pytest.mark.parametrize("info", [BLOCKED, CONCURRENT])
def test_a_question_about_a_tag_that_is_refused_is_answered_with_what_was_said(info):
    story = Story(a_charge_point())
    story.tell(ev.AuthorizeRequested("q1", CARD))
    commands = story.tell(ev.AuthorizeAnswered(CARD, info))
    assert of(Reply, commands) == [Reply("q1", "rejected", "", info)]
    assert story.state.preauthorized == ()


@pytest.mark.parametrize("before", [ev.LinkLost("gone"), ev.LinkPending("Pending")])
def test_a_question_without_a_link_is_answered_at_once(before):
    story = Story(a_charge_point())
    story.tell(before)
    commands = story.tell(ev.AuthorizeRequested("q1", CARD))
    assert deeds(commands) == [Reply("q1", "not_connected")]
    assert rules_of(commands) == ["NOT_CONNECTED"]


def test_a_question_that_gets_no_answer_has_failed_and_decides_nothing():
    story = Story(a_charge_point())
    story.tell(ev.AuthorizeRequested("q1", CARD))
    commands = story.wait(6)
    assert deeds(commands) == [Reply("q1", "failed", "no answer within 5 s")]
    assert rules_of(commands) == ["NO_ANSWER"]
    story.tell(ev.AuthorizeRequested("q2", CARD))
    commands = story.tell(ev.AuthorizeFailed(CARD, "link lost"))
    assert deeds(commands) == [Reply("q2", "failed", "link lost")]


def test_a_question_while_the_box_restarts_has_failed():
    story = charging()
    story.tell(ev.ResetRequested("r1", hard=False))
    commands = story.tell(ev.AuthorizeRequested("q1", CARD))
    assert replies(commands) == [("q1", "failed")]
    assert of(Authorize, commands) == []


def test_a_question_beyond_those_that_may_be_open_has_failed():
    story = Story(a_charge_point())
    for number in range(CHECKS_MAX):
        story.tell(ev.AuthorizeRequested(f"q{number}", f"CARD-{number}"))
    commands = story.tell(ev.AuthorizeRequested("q8", "ONE-MORE"))
    assert replies(commands) == [("q8", "failed")]
    assert rules_of(commands) == ["TOO_MANY"]


def test_two_questions_about_one_tag_are_asked_once_and_both_answered():
    story = Story(a_charge_point())
    commands = story.tell(
        ev.AuthorizeRequested("q1", CARD), ev.AuthorizeRequested("q2", CARD.lower())
    )
    assert of(Authorize, commands) == [Authorize(CARD, 5.0, source=Source.OPERATOR)]
    commands = story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert replies(commands) == [("q1", "applied"), ("q2", "applied")]
    assert len(story.state.preauthorized) == 1


def test_a_tag_presented_while_a_question_about_it_is_open_is_not_swallowed():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), ev.AuthorizeRequested("q1", CARD))
    commands = story.tell(tap())
    assert of(ShowSignal, commands) == [ShowSignal(Signal.CHECKING)]
    commands = story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert replies(commands) == [("q1", "applied")]
    assert isinstance(story.connector.phase, Starting)


# --- preauthorized --------------------------------------------------------------------------------


def a_preauthorized_tag(info: IdTagInfo = ACCEPTED, **given) -> Story:
    story = Story(a_charge_point(**given))
    story.tell(ev.AuthorizeRequested("q1", CARD), ev.AuthorizeAnswered(CARD, info))
    story.tell(ev.CablePluggedIn(1))
    story.commands.clear()
    return story


def asks_anew(story: Story) -> bool:
    return Authorize(CARD, 5.0, source=Source.OPERATOR) in story.tell(
        ev.StartRequested("s1", 1, CARD)
    )


def test_a_session_of_a_tag_that_was_just_accepted_is_not_asked_about_again():
    story = a_preauthorized_tag(of_group("FLEET"))
    story.wait(59)
    commands = story.tell(ev.StartRequested("s1", 1, CARD.lower()))
    assert deeds(commands) == [LockConnector(1), ReadMeter(1)]
    assert rules_of(commands) == ["VOUCHED"]
    assert story.connector.grant is not None
    assert story.connector.grant.parent_id_tag == "FLEET"


def test_an_accepted_answer_counts_no_longer_than_connection_time_out():
    story = a_preauthorized_tag(ConnectionTimeOut="30")
    story.wait(30)
    assert asks_anew(story)


def test_an_accepted_answer_does_not_count_beyond_its_own_expiry():
    story = a_preauthorized_tag(replace(ACCEPTED, expires_at=NOON + timedelta(seconds=10)))
    story.wait(10)
    assert asks_anew(story)


def test_an_accepted_answer_counts_for_its_own_tag_only():
    commands = a_preauthorized_tag().tell(ev.StartRequested("s1", 1, OTHER_CARD))
    assert of(Authorize, commands) == [Authorize(OTHER_CARD, 5.0, source=Source.OPERATOR)]


@pytest.mark.parametrize("said", [BLOCKED, CONCURRENT])
def test_an_accepted_answer_does_not_count_after_a_later_refusal(said):
    story = a_preauthorized_tag()
    story.tell(ev.AuthorizeRequested("q2", CARD), ev.AuthorizeAnswered(CARD, said))
    assert asks_anew(story)


def test_an_accepted_answer_does_not_help_a_card_that_is_presented():
    assert of(Authorize, a_preauthorized_tag().tell(tap())) == [Authorize(CARD, 5.0)]


def test_only_the_latest_accepted_answers_are_kept_in_mind():
    story = Story(a_charge_point())
    for number in range(PREAUTHORIZED_MAX + 3):
        tag = f"CARD-{number}"
        story.tell(ev.AuthorizeRequested(f"q{number}", tag), ev.AuthorizeAnswered(tag, ACCEPTED))
    assert len(story.state.preauthorized) == PREAUTHORIZED_MAX
    assert story.state.preauthorized[-1].id_tag == f"CARD-{PREAUTHORIZED_MAX + 2}"


def test_a_question_that_is_answered_late_vouches_for_nothing():
    story = Story(a_charge_point())
    story.tell(ev.AuthorizeRequested("q1", CARD))
    story.wait(6)
    commands = story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert of(RecordDecision, commands) == []
    assert story.state.preauthorized == ()
