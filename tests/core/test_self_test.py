"""The self-test keeps everybody out while it moves parts, and does not begin beside a session."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import Reply
from agent.core.faults import Fault
from agent.core.state import Finished, Idle, RestartOrder, Starting
from agent.core.values import PilotState
from tests.core.story import (
    Story,
    a_charge_point,
    a_started_story,
    charging,
    decisions,
    finish,
    listed,
    of,
    tap,
)


def _answer(story: Story) -> Reply:
    (reply,) = of(Reply, story.tell(ev.SelfTestBegan("r1")))
    return reply


def test_while_it_works_no_session_begins():
    story = Story(a_charge_point())
    assert _answer(story) == Reply("r1", "Accepted")
    commands = story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    assert [decision.rule for decision in decisions(commands)] == ["FAULTED"]
    assert isinstance(story.connector.phase, Idle)
    story.tell(ev.SelfTestEnded())
    story.tell(tap(facts=listed()))
    assert isinstance(story.connector.phase, Starting)


def test_a_second_one_is_refused():
    story = Story(a_charge_point())
    assert _answer(story).status == "Accepted"
    assert _answer(story) == Reply("r1", "Rejected", "another self-test is at work")
    assert story.state.faults == {Fault.SELF_TEST}


def test_it_does_not_begin_beside_a_session():
    for story in (charging(), a_started_story()):
        assert _answer(story) == Reply("r1", "Rejected", "connector 1: a session runs")
        assert story.state.faults == frozenset()


def test_it_does_not_begin_with_a_plug_in():
    story = charging()
    story.tell(tap())
    finish(story)
    assert isinstance(story.connector.phase, Finished)
    assert _answer(story) == Reply("r1", "Rejected", "connector 1: a plug is in")


@pytest.mark.parametrize("state", [PilotState.B, PilotState.C, PilotState.D])
def test_it_does_not_begin_while_the_pilot_shows_a_car(state: PilotState):
    story = Story(a_charge_point())
    story.tell(ev.PilotChanged(1, state))
    assert _answer(story) == Reply("r1", "Rejected", "connector 1: the pilot shows a car")


def test_it_does_not_begin_while_a_card_waits_or_is_checked():
    waiting = Story(a_charge_point())
    waiting.tell(tap(facts=listed()))
    checked = Story(a_charge_point())
    checked.tell(tap())
    for story in (waiting, checked):
        assert _answer(story) == Reply("r1", "Rejected", "a card has just been presented")


def test_it_does_not_begin_when_the_process_is_about_to_end():
    story = Story(replace(a_charge_point(), restart=RestartOrder(again=True, by_s=0.0)))
    assert _answer(story) == Reply("r1", "Rejected", "the agent is about to end")
