"""What the answer to StartTransaction makes of a session."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import SaveTransaction, SetTransactionId, UnlockConnector
from agent.core.state import Charging, Stopping
from agent.core.values import AuthorizationStatus, IdTagInfo, StopReason, TransactionEnded
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    charging,
    finish,
    listed,
    messages,
    of,
    of_group,
    tap,
)


def start_answered(info: IdTagInfo | None, transaction_id: int = 55) -> ev.MessageAnswered:
    return ev.MessageAnswered(1, 1, transaction_id, info, CARD)


def test_the_answer_to_the_start_names_the_transaction_and_its_group():
    story = charging(facts=listed(of_group("OLD")))
    commands = story.tell(start_answered(of_group("NEW")))
    (saved,) = of(SaveTransaction, commands)
    assert saved.transaction == story.connector.transaction
    assert (saved.transaction.transaction_id, saved.transaction.parent_id_tag) == (55, "NEW")
    assert SetTransactionId(1, 55) in commands


def test_an_answer_without_a_group_leaves_the_known_one():
    story = charging(facts=listed(of_group("OLD")))
    story.tell(start_answered(ACCEPTED))
    assert story.connector.transaction is not None
    assert story.connector.transaction.parent_id_tag == "OLD"


@pytest.mark.parametrize(
    "status",
    [status for status in AuthorizationStatus if status is not AuthorizationStatus.ACCEPTED],
)
def test_a_card_that_the_central_system_refuses_afterwards_ends_its_session(status):
    story = charging()
    story.tell(start_answered(IdTagInfo(status)))
    assert isinstance(story.connector.phase, Stopping)
    (stop,) = messages(finish(story))
    assert isinstance(stop, TransactionEnded)
    assert (stop.reason, stop.id_tag) == (StopReason.DE_AUTHORIZED, None)
    assert of(UnlockConnector, story.commands) == []


def test_where_the_key_says_so_a_refused_card_only_loses_its_energy():
    story = charging(StopTransactionOnInvalidId="false")
    story.tell(start_answered(BLOCKED))
    assert isinstance(story.connector.phase, Charging)
    assert story.connector.transaction is not None
    assert story.connector.transaction.deauthorized
    assert not story.connector.close_ordered
    story.tell(tap())
    (stop,) = messages(finish(story))
    assert isinstance(stop, TransactionEnded)
    assert stop.reason is StopReason.LOCAL


def test_a_second_answer_that_says_nothing_about_the_card_does_not_forgive_it():
    story = charging(StopTransactionOnInvalidId="false")
    story.tell(start_answered(BLOCKED), start_answered(None))
    assert story.connector.transaction is not None
    assert story.connector.transaction.deauthorized


def test_an_answer_that_comes_after_the_session_names_it_for_its_messages_only():
    story = charging()
    story.tell(tap())
    finish(story)
    commands = story.tell(start_answered(BLOCKED))
    assert SetTransactionId(1, 55) in commands
    assert of(SaveTransaction, commands) == []
    assert story.connector.held_for is None


def test_an_answer_while_the_session_is_being_ended_does_not_change_the_reason():
    story = charging()
    story.tell(tap(), start_answered(BLOCKED))
    (stop,) = messages(finish(story))
    assert isinstance(stop, TransactionEnded)
    assert stop.reason is StopReason.LOCAL


def test_a_box_without_lock_holds_no_cable_of_a_refused_card():
    traits = replace(charging().connector.traits, has_lock=False)
    story = charging(traits=traits)
    story.tell(start_answered(BLOCKED))
    finish(story)
    assert story.connector.held_for is None
