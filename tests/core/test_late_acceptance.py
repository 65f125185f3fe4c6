"""The central system accepts a card after the offline rules have refused it."""

from __future__ import annotations

from agent.core import events as ev
from agent.core.authorization_outcome import CHECKS_MAX
from agent.core.authorization_request import LATE_S
from agent.core.commands import LockConnector
from tests.core.story import (
    ACCEPTED,
    BARE,
    BLOCKED,
    CARD,
    Story,
    a_charge_point,
    decisions,
    of,
    tap,
)

UNANSWERED = ev.AuthorizeFailed(CARD, "no answer")


def refused_without_an_answer(**given) -> Story:
    """Plugged in, a card presented, refused because the central system was silent."""
    story = Story(a_charge_point(**given))
    story.tell(ev.CablePluggedIn(1), tap(connectors=(1,)), UNANSWERED)
    assert story.state.waiting == ()
    return story


def begins(story: Story) -> bool:
    commands = story.tell(ev.AuthorizeAnswered(CARD.lower(), ACCEPTED))
    return bool(of(LockConnector, commands))


def test_its_plug_is_still_in_so_the_session_begins():
    story = refused_without_an_answer()
    story.wait(LATE_S)
    commands = story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert of(LockConnector, commands)
    (decision,) = decisions(commands)
    assert (decision.rule, decision.detail) == ("CENTRAL_ACCEPTED", "the answer came late")


def test_it_begins_once():
    story = refused_without_an_answer()
    assert begins(story)
    assert not begins(story)


def test_after_a_minute_nobody_waits_any_more():
    story = refused_without_an_answer()
    story.wait(LATE_S + 1)
    assert not begins(story)


def test_another_plug_is_another_person():
    story = refused_without_an_answer()
    story.wait(1)
    story.tell(ev.CableUnplugged(1))
    story.wait(1)
    assert not begins(story)
    story = refused_without_an_answer()
    story.wait(1)
    story.tell(ev.CableUnplugged(1))
    story.wait(1)
    story.tell(ev.CablePluggedIn(1))
    assert not begins(story)


def test_a_refusal_that_comes_late_begins_nothing():
    story = refused_without_an_answer()
    assert not of(LockConnector, story.tell(ev.AuthorizeAnswered(CARD, BLOCKED)))


def test_without_a_plug_or_a_plug_contact_it_is_only_remembered():
    story = Story(a_charge_point())
    story.tell(tap(connectors=(1,)), UNANSWERED)
    assert story.state.unanswered == ()
    story = Story(a_charge_point(traits=BARE))
    story.tell(tap(connectors=(1,)), UNANSWERED)
    assert story.state.unanswered == ()


def test_a_remote_start_and_a_card_for_several_connectors_are_not_kept():
    story = Story(a_charge_point(connectors=2, AuthorizeRemoteTxRequests="true"))
    story.tell(ev.CablePluggedIn(1), ev.RemoteStartRequested("r1", CARD, 1), UNANSWERED)
    assert story.state.unanswered == ()
    story = Story(a_charge_point(connectors=2))
    story.tell(tap(), UNANSWERED)
    assert story.state.unanswered == ()


def test_only_so_many_are_kept():
    story = refused_without_an_answer()
    for number in range(2 * CHECKS_MAX):
        tag = f"TAG{number}"
        story.tell(tap(tag, connectors=(1,)), ev.AuthorizeFailed(tag, "silence"))
    assert len(story.state.unanswered) == CHECKS_MAX
