"""One charging session as a record, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import events as ev
from agent.core.commands import EndTransaction, SaveRegister
from agent.core.transaction import belongs_to
from agent.core.values import StopReason, TransactionEnded
from tests.core.story import (
    CARD,
    NOON,
    OTHER_CARD,
    a_transaction,
    charging,
    deeds,
    finish,
    messages,
    of,
    reading,
    tap,
    with_transaction,
)


def test_record_and_message_of_the_end_stand_in_the_same_turn():
    story = charging()
    story.tell(tap())
    finish(story)
    assert [type(command) for command in deeds(story.tell(ev.TimePassed()))] == []
    kinds = [type(command).__name__ for command in deeds(story.commands)]
    assert kinds.index("QueueMessage") == kinds.index("EndTransaction") + 1


@pytest.mark.parametrize(
    ("last_sample_wh", "meter_wh", "stop_wh"),
    [
        (None, 1500, 1500),
        (1800, 1500, 1800),  # not below the last stored sample
        (None, 500, 1000),  # not below the start
    ],
)
def test_the_register_of_a_session_never_runs_backwards(last_sample_wh, meter_wh, stop_wh):
    story = charging(meter_wh=1000)
    if last_sample_wh is not None:
        story.wait(50)
        story.tell(ev.MeterRead(1, reading(last_sample_wh)))
    story.tell(tap())
    (stop,) = messages(finish(story, meter_wh))
    assert isinstance(stop, TransactionEnded)
    assert stop.meter_stop_wh == stop_wh


def test_what_is_added_to_the_meter_is_kept_when_it_changes_and_only_then():
    story = charging()
    shifted = replace(reading(1100), offset_wh=900)
    assert of(SaveRegister, story.tell(ev.MeterRead(1, reading(1050)))) == []
    assert of(SaveRegister, story.tell(ev.MeterRead(1, shifted))) == [SaveRegister(1, 1100, 900)]
    later = replace(reading(1200), offset_wh=900)
    assert of(SaveRegister, story.tell(ev.MeterRead(1, later))) == []


def test_a_clock_that_was_set_back_does_not_end_a_session_before_its_last_sample():
    story = charging()
    begun = with_transaction(story.connector, last_at=NOON + timedelta(days=1))
    story.state = replace(story.state, connectors=(begun,))
    story.tell(tap())
    (stop,) = messages(finish(story))
    assert isinstance(stop, TransactionEnded)
    assert stop.ended_at == begun.transaction.last_at


def test_a_second_order_to_stop_changes_nothing():
    story = charging()
    story.tell(tap(), ev.CableUnplugged(1))
    (stop,) = messages(finish(story))
    assert isinstance(stop, TransactionEnded)
    assert (stop.reason, len(of(EndTransaction, story.commands))) == (StopReason.LOCAL, 1)


@pytest.mark.parametrize(
    ("id_tag", "parent", "belongs"),
    [
        (CARD.lower(), None, True),
        (OTHER_CARD, "fleet", True),
        (OTHER_CARD, "OTHER", False),
        (OTHER_CARD, None, False),
    ],
)
def test_a_session_belongs_to_its_card_and_its_group(id_tag, parent, belongs):
    assert belongs_to(a_transaction(parent_id_tag="FLEET"), id_tag, parent) is belongs


def test_no_group_at_all_is_no_common_group():
    assert not belongs_to(a_transaction(), OTHER_CARD, None)
