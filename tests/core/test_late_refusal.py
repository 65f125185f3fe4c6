"""The central system refuses a card after the offline rules have let it in."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core.commands import RecordDecision, Reply
from agent.core.values import LockState
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    listed,
    reading,
    tap,
)

UNANSWERED = ev.AuthorizeFailed(CARD, "no answer")


def let_in_without_an_answer() -> Story:
    story = Story(a_charge_point(AllowOfflineTxForUnknownId="true"))
    story.tell(tap(), UNANSWERED)
    assert len(story.state.waiting) == 1
    return story


def test_a_card_that_waits_for_its_plug_is_turned_away():
    story = let_in_without_an_answer()

    commands = story.tell(ev.AuthorizeAnswered(CARD.lower(), BLOCKED))

    assert story.state.waiting == ()
    (said,) = [command.record for command in commands if isinstance(command, RecordDecision)]
    assert said.rule == "CENTRAL_REFUSED"
    story.tell(ev.CablePluggedIn(1), ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.MeterRead(1, reading(1000)))
    assert story.connector.transaction is None


@pytest.mark.parametrize(
    "answer", [ev.AuthorizeAnswered(CARD, ACCEPTED), ev.AuthorizeAnswered(OTHER_CARD, BLOCKED)]
)
def test_a_late_yes_or_a_no_to_another_card_changes_nothing(answer):
    story = let_in_without_an_answer()

    story.tell(answer)

    assert len(story.state.waiting) == 1


def test_a_card_that_was_let_in_with_an_answer_stays():
    story = Story(a_charge_point())
    story.tell(tap(facts=listed()))

    commands = story.tell(ev.AuthorizeAnswered(CARD, BLOCKED))

    assert len(story.state.waiting) == 1
    assert not [c for c in commands if isinstance(c, RecordDecision | Reply)]
