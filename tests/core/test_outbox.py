"""Which message goes next, when to retry, when to park."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import (
    CacheTag,
    DeliverNext,
    DiscardMessage,
    ParkMessage,
    QueueMessage,
    RecordAttempt,
    RecordDecision,
    RemoveMessage,
    Reply,
    RequeueMessage,
    Restart,
    SetTransactionId,
)
from agent.core.followers import next_deadline_s
from agent.core.outbox import ANSWERED_MAX, REMOVE_WITHIN_S
from agent.core.state import Outbox
from tests.core.story import (
    ACCEPTED,
    CARD,
    Story,
    a_charge_point,
    charging,
    deeds,
    finish,
    of,
    tap,
)


def waiting(count: int, online: bool = True, **keys: str) -> Story:
    """A charge point with so many messages in its outbox."""
    state = a_charge_point(online=online, **keys)
    return Story(replace(state, outbox=Outbox(next_sequence=count + 1)))


def answered(sequence: int) -> ev.MessageAnswered:
    return ev.MessageAnswered(sequence, 1)


def in_flight(count: int = 2, **keys: str) -> Story:
    """The first of the messages is on its way."""
    story = waiting(count, **keys)
    assert deeds(story.tell(ev.TimePassed())) == [DeliverNext(up_to=count)]
    return story


# --- order ---------------------------------------------------------------------------------------


def test_nothing_is_delivered_while_the_link_is_down_or_not_accepted():
    story = waiting(2, online=False)
    assert deeds(story.tell(ev.TimePassed(), ev.LinkPending("Pending"))) == []
    assert of(DeliverNext, story.tell(ev.LinkAccepted())) == [DeliverNext(up_to=2)]


def test_one_message_is_in_flight_at_a_time_and_the_next_follows_its_answer():
    story = in_flight(2)
    assert deeds(story.tell(ev.TimePassed())) == []
    assert deeds(story.tell(answered(1))) == [RemoveMessage(1), DeliverNext(up_to=2)]
    assert deeds(story.tell(answered(2))) == [RemoveMessage(2)]
    assert story.state.outbox.waiting == 0


def test_after_each_answer_the_queue_goes_on_by_itself_until_it_is_empty():
    story = in_flight(4)
    for sequence in (1, 2, 3):
        commands = story.tell(answered(sequence))
        assert deeds(commands) == [RemoveMessage(sequence), DeliverNext(up_to=4)]
        assert story.state.outbox.waiting == 4 - sequence
    assert deeds(story.tell(answered(4))) == [RemoveMessage(4)]
    assert story.state.outbox == Outbox(next_sequence=5, done=4)


def test_a_delivery_names_the_newest_row_of_its_own_moment():
    story = charging()
    assert of(DeliverNext, story.tell(ev.TimePassed())) == []  # the start is on its way
    story.tell(tap())
    queued = of(QueueMessage, finish(story))
    assert [row.sequence for row in queued] == [2]
    assert of(DeliverNext, story.commands) == []
    assert deeds(story.tell(answered(1))) == [RemoveMessage(1), DeliverNext(up_to=2)]


def test_an_answer_that_comes_twice_removes_the_row_and_counts_once():
    story = in_flight(3)
    story.tell(answered(1))
    assert deeds(story.tell(answered(1))) == [RemoveMessage(1)]
    assert story.state.outbox.waiting == 2
    assert story.state.outbox.in_flight


def test_a_late_answer_counts_and_its_failure_afterwards_does_not():
    story = in_flight(2)
    story.tell(ev.MessageFailed(1, "no answer"))
    assert deeds(story.tell(answered(1))) == [RemoveMessage(1), DeliverNext(up_to=2)]
    assert deeds(story.tell(ev.MessageFailed(1, "no answer"))) == []
    assert story.state.outbox.in_flight


def test_the_answer_to_a_start_is_kept_even_when_the_start_was_parked():
    story = in_flight(2, TransactionMessageAttempts="1")
    story.tell(ev.MessageFailed(1, "CALLERROR"))
    answer = ev.MessageAnswered(1, 1, 0, ACCEPTED, CARD)
    assert deeds(story.tell(answer)) == [
        RemoveMessage(1),
        SetTransactionId(1, 0),  # errata 3.54: zero and negative ids have no special meaning
        CacheTag(CARD, ACCEPTED),
    ]
    assert story.state.outbox.waiting == 1


# --- rows that are not there ---------------------------------------------------------------------


def test_a_gap_at_the_head_of_the_queue_does_not_block_it():
    story = in_flight(4)
    assert deeds(story.tell(answered(3))) == [RemoveMessage(3), DeliverNext(up_to=4)]
    assert story.state.outbox.waiting == 1
    assert deeds(story.tell(answered(4))) == [RemoveMessage(4)]
    assert story.state.outbox.waiting == 0


def test_a_row_behind_a_gap_has_its_attempts_counted_and_is_parked_like_any_other():
    story = in_flight(4, TransactionMessageAttempts="2")
    assert deeds(story.tell(ev.MessageFailed(3, "CALLERROR"))) == [RecordAttempt(3, 1)]
    assert deeds(story.wait(60)) == [DeliverNext(up_to=4)]
    assert deeds(story.tell(ev.MessageFailed(3, "CALLERROR"))) == [
        ParkMessage(3, "CALLERROR"),
        DeliverNext(up_to=4),
    ]
    assert story.state.outbox.done == 3


def test_a_row_behind_a_gap_that_was_interrupted_goes_again():
    story = in_flight(4)
    assert deeds(story.tell(ev.DeliveryInterrupted(3))) == [DeliverNext(up_to=4)]


def test_a_gap_at_the_end_of_the_queue_is_found_out_and_ends_the_delivery():
    story = in_flight(3)
    assert deeds(story.tell(answered(1))) == [RemoveMessage(1), DeliverNext(up_to=3)]
    assert deeds(story.tell(ev.OutboxWasEmpty(up_to=3))) == []
    assert story.state.outbox == Outbox(next_sequence=4, done=3)
    assert deeds(story.tell(ev.TimePassed(), ev.LinkLost("gone"), ev.LinkAccepted())) == []


def test_an_outbox_that_turns_out_empty_is_empty():
    story = in_flight(2)
    assert deeds(story.tell(ev.OutboxWasEmpty(up_to=2))) == []
    assert story.state.outbox == Outbox(next_sequence=3, done=2)


def test_a_message_queued_while_the_outbox_was_found_empty_is_delivered():
    story = charging()
    story.tell(tap())
    finish(story)
    assert deeds(story.tell(ev.OutboxWasEmpty(up_to=1))) == [DeliverNext(up_to=2)]
    assert deeds(story.tell(answered(2))) == [RemoveMessage(2)]
    assert story.state.outbox.waiting == 0


def test_rows_that_turn_out_not_to_exist_take_their_attempts_along():
    story = in_flight(1)
    story.tell(ev.MessageFailed(1, "no answer"))
    story.wait(60)
    story.tell(ev.OutboxWasEmpty(up_to=1))
    assert story.state.outbox == Outbox(next_sequence=2, done=1)


def test_an_outbox_found_empty_when_the_link_has_gone_is_empty_all_the_same():
    story = in_flight(2)
    story.tell(ev.LinkLost("gone"))
    assert deeds(story.tell(ev.OutboxWasEmpty(up_to=2))) == []
    assert of(DeliverNext, story.tell(ev.LinkAccepted())) == []


@pytest.mark.parametrize("up_to", [0, 1])
def test_an_old_word_about_an_empty_outbox_only_ends_the_delivery(up_to):
    story = in_flight(2)
    story.tell(answered(1))
    story.tell(ev.MessageFailed(2, "no answer"))
    assert deeds(story.wait(60)) == [DeliverNext(up_to=2)]
    assert deeds(story.tell(ev.OutboxWasEmpty(up_to))) == [DeliverNext(up_to=2)]
    assert story.state.outbox == Outbox(next_sequence=3, done=1, in_flight=True, attempts=1)


def test_an_old_word_when_nothing_waits_changes_nothing():
    story = in_flight(1)
    story.tell(answered(1))
    before = story.state
    assert story.tell(ev.OutboxWasEmpty(up_to=1)) == []
    assert story.state == before


def test_a_soft_reset_does_not_wait_for_rows_that_do_not_exist():
    story = in_flight(2)
    assert of(Restart, story.tell(ev.ResetRequested("r1", hard=False))) == []
    assert of(Restart, story.tell(ev.OutboxWasEmpty(up_to=2))) == [Restart(again=True)]


# --- retry arithmetic ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "interval_s", "sent_at_s", "parked_at_s"),
    [
        ("3", "60", [0, 60, 180], 180),
        ("3", "0", [0, 0, 0], 0),
        ("1", "60", [0], 0),
        ("0", "60", [0], 0),  # not defined: taken as one transmission
        ("4", "10", [0, 10, 30, 60], 60),
    ],
)
def test_the_wait_before_each_transmission_grows_by_one_interval(
    attempts, interval_s, sent_at_s, parked_at_s
):
    story = waiting(
        1, TransactionMessageAttempts=attempts, TransactionMessageRetryInterval=interval_s
    )
    sent, commands = [], story.tell(ev.TimePassed())
    while not of(ParkMessage, commands):
        if not of(DeliverNext, commands):
            commands = story.wait(1)
            continue
        sent.append(story.seconds)
        commands = story.tell(ev.MessageFailed(1, "CALLERROR"))
    assert (sent, story.seconds) == (sent_at_s, parked_at_s)
    assert of(ParkMessage, commands) == [ParkMessage(1, "CALLERROR")]
    assert story.state.outbox.waiting == 0


def test_each_failure_is_recorded_so_that_a_restart_does_not_forget_it():
    story = in_flight(1)
    assert deeds(story.tell(ev.MessageFailed(1, "no answer"))) == [RecordAttempt(1, 1)]
    story.wait(60)
    assert deeds(story.tell(ev.MessageFailed(1, "no answer"))) == [RecordAttempt(1, 2)]


def test_the_queue_behind_a_message_waits_for_its_retry():
    story = in_flight(2)
    story.tell(ev.MessageFailed(1, "no answer"))
    assert deeds(story.wait(59.9)) == []
    assert deeds(story.wait(0.1)) == [DeliverNext(up_to=2)]


def test_a_parked_message_lets_the_next_one_go_with_its_own_count():
    story = in_flight(2, TransactionMessageAttempts="2")
    story.tell(ev.MessageFailed(1, "CALLERROR"))
    story.wait(60)
    assert deeds(story.tell(ev.MessageFailed(1, "CALLERROR"))) == [
        ParkMessage(1, "CALLERROR"),
        DeliverNext(up_to=2),
    ]
    assert deeds(story.tell(ev.MessageFailed(2, "CALLERROR"))) == [RecordAttempt(2, 1)]


def test_new_values_of_the_keys_apply_from_the_next_failure_on():
    story = in_flight(1)
    story.tell(ev.ConfigurationChangeRequested("r1", "TransactionMessageRetryInterval", "5"))
    story.tell(ev.MessageFailed(1, "no answer"))
    assert of(DeliverNext, story.wait(5)) == [DeliverNext(up_to=1)]


# --- the link goes away --------------------------------------------------------------------------


def test_a_link_that_goes_away_costs_no_attempt_and_the_message_goes_again():
    story = in_flight(2)
    story.tell(ev.DeliveryInterrupted(1), ev.LinkLost("gone"))
    assert story.state.outbox.attempts == 0
    assert of(DeliverNext, story.tell(ev.LinkAccepted())) == [DeliverNext(up_to=2)]


def test_an_interruption_of_a_message_that_was_answered_meanwhile_means_nothing():
    story = in_flight(3)
    story.tell(answered(1))
    assert deeds(story.tell(ev.DeliveryInterrupted(1))) == []
    assert story.state.outbox.in_flight


def test_the_attempts_that_the_row_says_count_and_not_those_of_the_row_before():
    story = in_flight(2, TransactionMessageAttempts="3")
    assert deeds(story.tell(ev.MessageFailed(1, "no answer", attempts=1))) == [RecordAttempt(1, 2)]
    story.wait(120)
    assert ParkMessage(1, "no answer") in story.tell(ev.MessageFailed(1, "no answer", attempts=2))
    assert deeds(story.tell(ev.MessageFailed(2, "no answer", attempts=0))) == [RecordAttempt(2, 1)]


# --- answered samples are removed together with what is written next ------------------------------


def sample_answered(sequence: int) -> ev.MessageAnswered:
    return ev.MessageAnswered(sequence, 1, is_sample=True)


def a_row() -> ev.ConfigurationChangeRequested:
    """Something that is written at once."""
    return ev.ConfigurationChangeRequested("c1", "TransactionMessageAttempts", "3")


def test_an_answered_sample_is_passed_over_before_it_is_removed():
    story = in_flight(3)
    assert deeds(story.tell(sample_answered(1))) == [DeliverNext(3, passed_over=(1,))]
    assert deeds(story.tell(sample_answered(2))) == [DeliverNext(3, passed_over=(1, 2))]
    assert story.state.outbox.waiting == 1


def test_answered_samples_are_removed_in_the_next_commit():
    story = in_flight(2)
    story.tell(sample_answered(1), sample_answered(2))
    assert of(RemoveMessage, story.tell(ev.TimePassed())) == []
    assert of(RemoveMessage, story.tell(a_row())) == [RemoveMessage(1), RemoveMessage(2)]
    assert of(RemoveMessage, story.tell(a_row())) == []


def test_an_answered_stop_is_removed_before_the_next_message_goes_and_the_samples_before_it():
    story = in_flight(3)
    story.tell(sample_answered(1))
    commands = deeds(story.tell(answered(2)))
    assert commands == [RemoveMessage(2), RemoveMessage(1), DeliverNext(3)]


def test_the_reason_of_a_decision_removes_no_sample_it_waits_for_a_session_itself():
    story = in_flight(1)
    story.tell(sample_answered(1))
    commands = story.tell(tap("0BADCAFE"), ev.AuthorizeFailed("0BADCAFE", "no answer"))
    assert of(RecordDecision, commands)
    assert of(RemoveMessage, commands) == []


def test_an_answered_sample_alone_is_removed_after_a_while():
    story = in_flight(2)
    story.tell(sample_answered(1))
    story.wait(60)
    story.tell(sample_answered(2))
    assert next_deadline_s(story.state, story.now) == story.now.monotonic_s + REMOVE_WITHIN_S - 60
    assert deeds(story.wait(REMOVE_WITHIN_S - 60.1)) == []
    assert deeds(story.wait(0.1)) == [RemoveMessage(1), RemoveMessage(2)]
    assert next_deadline_s(story.state, story.now) is None


def test_of_a_queue_of_samples_few_are_answered_before_they_are_removed_together():
    story = in_flight(ANSWERED_MAX + 1)
    for sequence in range(1, ANSWERED_MAX):
        assert of(RemoveMessage, story.tell(sample_answered(sequence))) == []
    assert deeds(story.tell(sample_answered(ANSWERED_MAX))) == [
        *(RemoveMessage(sequence) for sequence in range(1, ANSWERED_MAX + 1)),
        DeliverNext(ANSWERED_MAX + 1),
    ]


def test_answered_samples_are_removed_before_a_start_or_stop_behind_them_is_sent():
    story = in_flight(2)
    assert deeds(story.tell(sample_answered(1))) == [DeliverNext(2, passed_over=(1,))]
    assert deeds(story.tell(ev.DeliveryHeldBack())) == [RemoveMessage(1), DeliverNext(2)]


def test_a_sample_that_is_answered_twice_or_after_it_was_parked_is_removed_at_once():
    story = in_flight(2, TransactionMessageAttempts="1")
    story.tell(ev.MessageFailed(1, "no answer"))
    assert deeds(story.tell(sample_answered(1))) == [RemoveMessage(1)]
    story.tell(sample_answered(2), a_row())
    assert deeds(story.tell(sample_answered(2))) == [RemoveMessage(2)]


def test_answered_samples_are_removed_before_the_process_ends():
    story = in_flight(1)
    story.tell(sample_answered(1))
    commands = deeds(story.tell(ev.ShutdownRequested()))
    assert commands == [RemoveMessage(1), Restart(again=False)]


# --- what a person does about messages that were parked ---------------------------------------


def with_parked(*sequences: int, count: int = 5, **given) -> Story:
    """Five messages; these were parked, and everything up to the last of them has left."""
    story = waiting(count, TransactionMessageAttempts="1", **given)
    for sequence in range(1, max(sequences) + 1):
        event = ev.MessageFailed(sequence, "no") if sequence in sequences else answered(sequence)
        story.tell(event)
    return story


def test_messages_that_are_sent_once_more_go_before_everything_that_waits():
    story = with_parked(2, 3)
    assert deeds(story.tell(ev.RetryRequested("r1", (2, 3), "the page"))) == [
        RequeueMessage(2, "the page"),
        RequeueMessage(3, "the page"),
        Reply("r1", "applied"),
    ]
    assert story.state.outbox.waiting == 4
    for sequence in (4, 2, 3, 5):  # 4 was in flight already
        assert RemoveMessage(sequence) in story.tell(answered(sequence))
    assert story.state.outbox == Outbox(next_sequence=6, done=5)


def test_a_message_that_is_sent_once_more_goes_at_once_when_nothing_else_waits():
    story = with_parked(1, count=1)
    assert DeliverNext(up_to=1) in story.tell(ev.RetryRequested("r1", (1,)))
    story.tell(answered(1))
    assert story.state.outbox == Outbox(next_sequence=2, done=1)


def test_a_message_that_is_sent_once_more_has_all_its_attempts_again_and_is_parked_again():
    story = with_parked(1, count=1, TransactionMessageRetryInterval="10")
    story.tell(ev.ConfigurationChangeRequested("c1", "TransactionMessageAttempts", "2"))
    story.tell(ev.RetryRequested("r1", (1,)))
    assert deeds(story.tell(ev.MessageFailed(1, "no", attempts=0))) == [RecordAttempt(1, 1)]
    assert deeds(story.wait(10)) == [DeliverNext(up_to=1)]
    assert deeds(story.tell(ev.MessageFailed(1, "no", attempts=1))) == [ParkMessage(1, "no")]
    assert story.state.outbox.waiting == 0


def test_a_late_answer_to_a_message_that_waits_to_be_sent_once_more_counts():
    story = with_parked(1, count=2, online=False)
    story.tell(ev.RetryRequested("r1", (1,)))
    assert RemoveMessage(1) in story.tell(answered(1))
    assert story.state.outbox.retried == ()
    assert story.state.outbox.waiting == 1


def test_a_message_put_back_in_vain_is_asked_for_twice_and_no_more():
    story = with_parked(1, count=1)
    story.tell(ev.RetryRequested("r1", (1,)))
    # The store may have looked before the row was put back.
    assert deeds(story.tell(ev.OutboxWasEmpty(up_to=1))) == [DeliverNext(up_to=1)]
    assert deeds(story.tell(ev.OutboxWasEmpty(up_to=1))) == []
    assert story.state.outbox.waiting == 0


def test_an_interruption_of_a_message_that_is_sent_once_more_costs_nothing():
    story = with_parked(1, count=1)
    story.tell(ev.RetryRequested("r1", (1,)))
    assert deeds(story.tell(ev.DeliveryInterrupted(1))) == [DeliverNext(up_to=1)]


def test_a_start_sent_once_more_names_the_messages_of_its_session_that_still_wait():
    story = charging(TransactionMessageAttempts="1")
    story.tell(ev.MessageFailed(1, "CALLERROR"))
    assert story.connector.transaction.transaction_id is None
    story.tell(ev.RetryRequested("r1", (1,)))
    commands = story.tell(ev.MessageAnswered(1, 1, 42, ACCEPTED, CARD))
    assert SetTransactionId(1, 42) in commands
    assert story.connector.transaction.transaction_id == 42


def test_a_message_is_given_up_without_touching_the_queue():
    story = waiting(5, online=False)
    before = story.state.outbox
    assert deeds(story.tell(ev.DiscardRequested("r1", 3, "the page"))) == [
        DiscardMessage(3, "the page"),
        Reply("r1", "applied"),
    ]
    assert story.state.outbox == before
