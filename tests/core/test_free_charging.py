"""Free charging: the plug takes the place of the card, where the configuration says so."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core.commands import Authorize, LockConnector, ReadMeter
from agent.core.state import Finished, Rules
from agent.core.values import LockState, TransactionBegan
from tests.core.story import (
    ACCEPTED,
    CARD,
    Story,
    a_charge_point,
    decisions,
    deeds,
    finish,
    listed,
    messages,
    reading,
    rules_of,
    tap,
)

FREE = Rules(free_charging_id_tag="FREE")
PLUG = ev.CablePluggedIn(1)


def a_free_story(**given) -> Story:
    return Story(a_charge_point(rules=FREE, **given))


@pytest.mark.parametrize("online", [True, False])
def test_whoever_plugs_in_charges_under_the_tag_of_the_house_and_nobody_is_asked(online):
    story = a_free_story(online=online)
    commands = story.tell(PLUG)
    assert deeds(commands) == [LockConnector(1), ReadMeter(1)]
    (record,) = decisions(commands)
    assert (record.rule, record.id_tag, record.connector_id) == ("FREE", "FREE", 1)
    commands = story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    (start,) = messages(commands)
    assert isinstance(start, TransactionBegan)
    assert (start.connector_id, start.id_tag) == (1, "FREE")


def test_without_the_setting_a_plug_starts_nothing():
    assert decisions(Story(a_charge_point()).tell(PLUG)) == []


def test_a_plug_that_is_in_when_the_process_starts_charges_too():
    story = a_free_story()
    assert rules_of(story.tell(ev.Started(), PLUG)) == ["FREE"]


def test_a_plug_that_stays_after_its_session_does_not_begin_another_until_it_comes_anew():
    story = a_free_story()
    story.tell(PLUG, ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    story.tell(ev.StopRequested("x1", 1))
    finish(story)
    story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    story.wait(3600)
    assert decisions(story.tell(PLUG)) == []  # told once more, but it never went
    assert isinstance(story.connector.phase, Finished)
    story.tell(ev.CableUnplugged(1))
    assert rules_of(story.tell(PLUG)) == ["FREE"]


def test_a_card_that_was_accepted_first_charges_on_its_own_account():
    story = a_free_story()
    story.tell(tap(facts=listed()))
    commands = story.tell(PLUG)
    assert decisions(commands) == []
    assert story.connector.grant is not None
    assert story.connector.grant.id_tag == CARD


def test_a_card_that_waits_for_either_plug_takes_the_first():
    story = a_free_story(connectors=2)
    story.tell(tap(facts=listed()))
    assert decisions(story.tell(ev.CablePluggedIn(2))) == []
    assert rules_of(story.tell(PLUG)) == ["FREE"]


def test_a_card_that_is_still_being_asked_about_comes_too_late():
    story = a_free_story()
    assert Authorize(CARD, 5.0) in story.tell(tap())
    assert rules_of(story.tell(PLUG)) == ["FREE"]
    assert rules_of(story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))) == ["NO_CONNECTOR"]


@pytest.mark.parametrize(
    "before",
    [
        ev.SafetyInputTripped("door"),
        ev.LockJammed(1, LockState.LOCKED),
        ev.JournalFailed("full"),
        ev.ShutdownRequested(),
    ],
)
def test_nothing_begins_where_nothing_may_begin(before):
    story = a_free_story()
    story.tell(before)
    assert decisions(story.tell(PLUG)) == []
    assert story.connector.grant is None
