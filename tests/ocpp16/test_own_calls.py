"""Our calls: one in flight, in order of urgency, and every outcome is posted."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools

import pytest

from agent.core.commands import Authorize, DeliverNext, NotifyStatus
from agent.core.events import (
    AuthorizeAnswered,
    AuthorizeFailed,
    DeliveryHeldBack,
    DeliveryInterrupted,
    Event,
    LinkAccepted,
    LinkLost,
    MessageAnswered,
    MessageFailed,
    OutboxWasEmpty,
)
from agent.core.values import AuthorizationStatus, IdTagInfo, Status, StatusReport
from agent.platform.errors import StoreBusy
from tests.emulators.central_system import (
    Answer,
    Error,
    FakeCentralSystem,
    HangUp,
    Late,
    Raw,
    Reaction,
    Silence,
)
from tests.ocpp16.rig import SAMPLE, START, STOP, TAG, Rig, accepted, row

ACCEPTED = IdTagInfo(AuthorizationStatus.ACCEPTED)


# --- authorize -----------------------------------------------------------------------------------


async def test_a_card_is_asked_about_and_the_answer_is_posted():
    async with accepted() as rig:
        rig.link.perform(Authorize(TAG, 5.0))
        assert await rig.inbox.posted(AuthorizeAnswered) == AuthorizeAnswered(TAG, ACCEPTED)
        assert rig.system.of("Authorize")[0].payload == {"idTag": TAG}


@pytest.mark.parametrize(
    ("reaction", "after_s"),
    [
        (Silence(), 5),
        (Error("InternalError", f"unknown {TAG}"), 0),
        (Answer({}), 0),
        (Raw('[4,"{id}"]'), 0),
        (HangUp(), 0),
    ],
)
async def test_a_card_without_usable_answer_fails_in_time(reaction: Reaction, after_s: float):
    async with accepted() as rig:
        rig.system.always("Authorize", reaction)
        begun_s = asyncio.get_running_loop().time()
        rig.link.perform(Authorize(TAG, 5.0))
        failure = await rig.inbox.posted(AuthorizeFailed)
        assert failure.id_tag == TAG
        assert TAG not in failure.problem
        assert asyncio.get_running_loop().time() - begun_s == pytest.approx(after_s, abs=0.01)


async def test_a_late_answer_about_a_card_is_still_posted():
    async with accepted() as rig:
        rig.system.always("Authorize", Late(20))
        rig.link.perform(Authorize(TAG, 5.0))
        await rig.inbox.posted(AuthorizeFailed)
        assert await rig.inbox.posted(AuthorizeAnswered) == AuthorizeAnswered(TAG, ACCEPTED)


async def test_the_time_of_a_card_runs_while_it_waits_for_its_turn():
    async with accepted() as rig:
        rig.system.always("StartTransaction", Silence())
        rig.deliver(row(1, START))
        await rig.system.received("StartTransaction")
        begun_s = asyncio.get_running_loop().time()
        rig.link.perform(Authorize(TAG, 5.0))
        await rig.inbox.posted(AuthorizeFailed)
        assert asyncio.get_running_loop().time() - begun_s == pytest.approx(5)
        await rig.inbox.posted(MessageFailed)
        await asyncio.sleep(60)
        assert rig.system.of("Authorize") == []  # nobody waits for it any more
        assert len(rig.inbox.of(AuthorizeFailed)) == 1


async def test_a_card_that_waited_has_only_the_rest_of_its_time():
    async with accepted() as rig:
        rig.system.always("StartTransaction", Late(3))
        rig.system.always("Authorize", Silence())
        rig.deliver(row(1, START))
        await rig.system.received("StartTransaction")
        begun_s = asyncio.get_running_loop().time()
        rig.link.perform(Authorize(TAG, 5.0))
        await rig.inbox.posted(AuthorizeFailed)
        assert asyncio.get_running_loop().time() - begun_s == pytest.approx(5)
        assert len(rig.system.of("Authorize")) == 1


async def test_without_link_a_card_fails_at_once():
    rig = Rig(FakeCentralSystem())
    rig.link.perform(Authorize(TAG, 5.0))
    assert rig.inbox.events == [AuthorizeFailed(TAG, "there is no link")]


async def test_more_than_eight_waiting_cards_fail_at_once():
    async with accepted() as rig:
        rig.system.always("Authorize", Silence())
        for number in range(9):
            rig.link.perform(Authorize(f"TAG{number}", 60.0))
        assert [failure.id_tag for failure in rig.inbox.of(AuthorizeFailed)] == ["TAG8"]


async def test_a_tag_that_cannot_be_sent_fails_and_the_link_stays():
    async with accepted() as rig:
        rig.link.perform(Authorize("A" * 21, 5.0))
        rig.link.perform(Authorize(TAG, 5.0))
        assert (await rig.inbox.posted(AuthorizeFailed)).id_tag == "A" * 21
        assert (await rig.inbox.posted(AuthorizeAnswered)).id_tag == TAG


async def test_all_waiting_cards_fail_at_once_when_the_link_is_lost():
    async with accepted() as rig:
        rig.system.always("Authorize", Silence())
        for tag in ("A", "B", "C"):
            rig.link.perform(Authorize(tag, 60.0))
        await rig.system.received("Authorize")
        await rig.system.drop()
        await rig.inbox.posted(LinkLost)
        assert {failure.id_tag for failure in rig.inbox.of(AuthorizeFailed)} == {"A", "B", "C"}


# --- the outbox ----------------------------------------------------------------------------------


async def test_a_row_is_sent_with_its_own_id_and_its_answer_is_posted():
    async with accepted() as rig:
        rig.deliver(row(3, START))
        assert await rig.inbox.posted(MessageAnswered) == MessageAnswered(3, 7, 1000, ACCEPTED, TAG)
        assert rig.system.of("StartTransaction")[0].unique_id == "row-3"


async def test_an_empty_outbox_is_told():
    async with accepted() as rig:
        rig.link.perform(DeliverNext(up_to=9))
        assert await rig.inbox.posted(OutboxWasEmpty) == OutboxWasEmpty(9)


@pytest.mark.parametrize(
    ("reaction", "event"),
    [
        (Error("InternalError", "database"), MessageFailed),
        (Answer({"idTagInfo": {"status": "Accepted"}}), MessageFailed),
        (Raw('[3,"{id}",null]'), MessageFailed),
        (Silence(), MessageFailed),
        (HangUp(), DeliveryInterrupted),
    ],
)
async def test_every_outcome_of_a_row_is_told_once(reaction: Reaction, event: type[Event]):
    async with accepted() as rig:
        rig.system.next("StartTransaction", reaction)
        rig.deliver(row(3, START))
        posted = await rig.inbox.posted(event)
        assert getattr(posted, "sequence", None) == 3
        await asyncio.sleep(60)
        about_rows = (MessageAnswered, MessageFailed, DeliveryInterrupted)
        assert sum(isinstance(event, about_rows) for event in rig.inbox.events) == 1


@pytest.mark.parametrize(
    "payload",
    [
        {"transactionId": "77", "idTagInfo": {"status": "Accepted", "parentIdTag": None}},
        {"transactionId": 77, "idTagInfo": {"status": "Accepted"}, "extra": [1]},
        {"transactionId": 77, "idTagInfo": {"status": "Gold"}},
    ],
)
async def test_a_sloppy_answer_does_not_cost_the_transaction_id(payload: object):
    async with accepted() as rig:
        rig.system.always("StartTransaction", Answer(payload))
        rig.deliver(row(3, START))
        assert (await rig.inbox.posted(MessageAnswered)).transaction_id == 77


async def test_a_late_answer_to_a_row_is_still_posted_and_only_once():
    async with accepted() as rig:
        rig.system.next("StartTransaction", Late(45), Late(45))
        rig.deliver(row(3, START))
        failure = await rig.inbox.posted(MessageFailed)
        assert failure == MessageFailed(3, "no answer to StartTransaction within 30 s", 0)
        rig.link.perform(
            DeliverNext(up_to=9)
        )  # the same row again, as the core would after its interval
        await rig.inbox.posted(MessageAnswered)
        await asyncio.sleep(100)
        assert len(rig.inbox.of(MessageAnswered)) == 1
        assert {call.unique_id for call in rig.system.of("StartTransaction")} == {"row-3"}


async def test_the_message_timeout_key_acts_on_the_next_call():
    async with accepted() as rig:
        rig.set_key("MessageTimeout", "7")
        rig.system.always("MeterValues", Silence())
        rig.deliver(row(3, SAMPLE, transaction_id=5))
        failure = await rig.inbox.posted(MessageFailed)
        assert failure.problem == "no answer to MeterValues within 7 s"


async def test_a_row_that_cannot_be_sent_is_told_and_the_next_one_goes():
    async with accepted() as rig:
        rig.deliver(row(3, dataclasses.replace(START, id_tag="A" * 21)))
        failure = await rig.inbox.posted(MessageFailed)
        assert failure.sequence == 3
        assert "idTag" in failure.problem
        rig.outbox.clear()
        rig.deliver(row(4, STOP, transaction_id=5))
        assert (await rig.inbox.posted(MessageAnswered)).sequence == 4


async def test_a_row_in_flight_is_interrupted_at_once_and_before_the_loss_is_told():
    async with accepted() as rig:
        rig.system.always("StartTransaction", Silence())
        rig.deliver(row(3, START))
        await rig.system.received("StartTransaction")
        await rig.system.drop()
        await rig.inbox.posted(LinkLost)
        assert [type(event) for event in rig.inbox.events[-2:]] == [DeliveryInterrupted, LinkLost]
        assert rig.inbox.at_s[-1] < 10


async def test_an_order_to_deliver_while_a_row_is_in_flight_sends_nothing_twice():
    async with accepted() as rig:
        rig.system.next("StartTransaction", Late(2))
        rig.deliver(row(3, START))
        await rig.system.received("StartTransaction")
        rig.link.perform(DeliverNext(up_to=9))
        await rig.inbox.posted(MessageAnswered)
        await asyncio.sleep(10)
        assert len(rig.system.of("StartTransaction")) == 1


async def test_an_empty_outbox_is_told_for_the_order_that_was_looked_up_and_no_newer_one():
    async with accepted() as rig:
        rig.lookup_s = 1.0
        rig.link.perform(DeliverNext(up_to=9))
        await asyncio.sleep(0.5)
        rig.link.perform(DeliverNext(up_to=10))
        await asyncio.sleep(10)
        assert rig.inbox.of(OutboxWasEmpty) == [OutboxWasEmpty(up_to=9)]


@pytest.mark.parametrize("message", [START, STOP], ids=["a start", "a stop"])
async def test_a_start_or_stop_waits_until_the_samples_before_it_are_removed(message):
    async with accepted() as rig:
        rig.outbox.append(row(3, message))
        rig.link.perform(DeliverNext(up_to=3, passed_over=(1, 2)))
        await rig.inbox.posted(DeliveryHeldBack)
        await asyncio.sleep(10)
        assert [call for call in rig.system.calls if call.unique_id == "row-3"] == []
        rig.link.perform(DeliverNext(up_to=3))
        assert (await rig.inbox.posted(MessageAnswered)).sequence == 3


async def test_a_sample_does_not_wait_for_the_removal_of_those_before_it():
    async with accepted() as rig:
        rig.outbox.append(row(3, SAMPLE))
        rig.link.perform(DeliverNext(up_to=3, passed_over=(1, 2)))
        assert (await rig.inbox.posted(MessageAnswered)).sequence == 3
        assert rig.inbox.of(DeliveryHeldBack) == []


async def test_an_outbox_that_cannot_be_read_is_tried_again():
    async with accepted() as rig:
        rig.outbox.append(StoreBusy("database is locked"))
        rig.deliver(row(3, START))
        assert (await rig.inbox.posted(MessageAnswered)).sequence == 3
        assert rig.inbox.at_s[-1] >= 5


# --- statuses, priorities, one in flight ---------------------------------------------------------


async def test_a_status_is_reported_with_the_time_of_its_change():
    async with accepted() as rig:
        rig.system.next("MeterValues", Late(10))
        rig.deliver(row(1, SAMPLE, transaction_id=5))
        await rig.system.received("MeterValues")
        changed_s = asyncio.get_running_loop().time()
        rig.link.perform(NotifyStatus(StatusReport(1, Status.CHARGING)))
        status = await rig.system.received("StatusNotification")
        assert status.at_s - changed_s == pytest.approx(10, abs=0.1)
        seconds = float(status.payload["timestamp"][-7:-1])
        assert seconds == pytest.approx(changed_s, abs=0.01)


async def test_the_most_urgent_call_goes_first_when_the_line_is_free_again():
    async with accepted() as rig:
        rig.system.next("MeterValues", Late(1))
        rig.deliver(row(1, SAMPLE, transaction_id=5))
        await rig.system.received("MeterValues")
        rig.link.perform(NotifyStatus(StatusReport(1, Status.PREPARING)))
        rig.link.perform(NotifyStatus(StatusReport(1, Status.CHARGING)))
        rig.link.perform(Authorize(TAG, 5.0))
        await rig.inbox.posted(MessageAnswered)
        rig.outbox.clear()
        rig.deliver(row(2, STOP, transaction_id=5))
        await rig.system.received("StopTransaction")
        assert [call.action for call in rig.system.calls[2:]] == [
            "Authorize",
            "StatusNotification",
            "StopTransaction",
        ]
        assert rig.system.of("StatusNotification")[0].payload["status"] == "Charging"


async def test_a_flood_of_statuses_does_not_starve_the_outbox():
    async with accepted() as rig:
        rig.system.always("StatusNotification", Late(0.01))

        async def flood() -> None:
            while True:
                for connector in (0, 1, 2):
                    rig.link.perform(NotifyStatus(StatusReport(connector, Status.AVAILABLE)))
                await asyncio.sleep(0.005)

        flooding = asyncio.ensure_future(flood())
        await asyncio.sleep(1)
        rig.deliver(row(1, START))
        before = len(rig.system.of("StatusNotification"))
        await rig.inbox.posted(MessageAnswered)
        assert len(rig.system.of("StatusNotification")) - before <= 12
        flooding.cancel()


async def test_never_more_than_one_call_of_ours_waits_for_its_answer():
    async with accepted() as rig:
        for action in ("Authorize", "StatusNotification", "StartTransaction"):
            rig.system.always(action, Late(0.5))
        for number in range(4):
            rig.link.perform(Authorize(f"TAG{number}", 60.0))
            rig.link.perform(NotifyStatus(StatusReport(number, Status.AVAILABLE)))
        rig.deliver(row(1, START))
        await rig.inbox.posted(MessageAnswered)
        times = [call.at_s for call in rig.system.calls[1:]]
        assert len(times) == 9
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert gaps == pytest.approx([0.5] * 8)


async def test_answers_to_nothing_and_second_answers_are_ignored():
    async with accepted() as rig:
        await rig.system.send_raw('[3,"nobody",{}]')
        rig.system.always("Authorize", Raw('[3,"{id}",{"idTagInfo":{"status":"Accepted"}}]'))
        rig.link.perform(Authorize(TAG, 5.0))
        await rig.inbox.posted(AuthorizeAnswered)
        unique_id = rig.system.of("Authorize")[0].unique_id
        await rig.system.send_raw(f'[3,"{unique_id}",{{"idTagInfo":{{"status":"Invalid"}}}}]')
        await asyncio.sleep(1)
        assert len(rig.inbox.of(AuthorizeAnswered)) == 1
        assert rig.link.snapshot().is_accepted


async def test_unanswered_calls_are_remembered_only_up_to_a_limit():
    async with accepted() as rig:
        rig.system.always("Authorize", Silence())
        for _ in range(60):
            rig.link.perform(Authorize(TAG, 1.0))
            await asyncio.sleep(1.5)
            await rig.system.send_raw('[3,"keeps the link alive",{}]')
        first, last = (rig.system.of("Authorize")[at].unique_id for at in (0, -1))
        for unique_id in (first, last):
            await rig.system.send_raw(f'[3,"{unique_id}",{{"idTagInfo":{{"status":"Blocked"}}}}]')
        await asyncio.sleep(1)
        assert len(rig.inbox.of(AuthorizeAnswered)) == 1


async def test_calls_that_are_left_without_any_sign_of_life_end_the_connection():
    async with accepted() as rig:
        rig.system.always("StatusNotification", Silence())
        rig.system.always("StartTransaction", Silence())
        for connector in (0, 1):
            rig.link.perform(NotifyStatus(StatusReport(connector, Status.AVAILABLE)))
        rig.deliver(row(3, START))
        lost = await rig.inbox.posted(LinkLost)
        assert "3 calls in a row without an answer" in lost.problem
        assert rig.inbox.of(DeliveryInterrupted) == [DeliveryInterrupted(3)]
        assert rig.inbox.of(MessageFailed) == []
        await rig.inbox.posted(LinkAccepted, 2)


async def test_cards_that_get_no_answer_do_not_end_the_connection():
    async with accepted() as rig:
        rig.system.always("Authorize", Silence())
        for _ in range(5):
            rig.link.perform(Authorize(TAG, 1.0))
            await asyncio.sleep(2)
        assert len(rig.inbox.of(AuthorizeFailed)) == 5
        assert rig.inbox.of(LinkLost) == []


async def test_a_central_system_that_talks_is_not_dead_when_it_leaves_calls_unanswered():
    async with accepted() as rig:
        rig.system.always("StatusNotification", Silence())
        for _ in range(5):
            rig.link.perform(NotifyStatus(StatusReport(1, Status.AVAILABLE)))
            await asyncio.sleep(10)
            await rig.system.send_call("ClearCache", {})
            await asyncio.sleep(30)
        assert rig.inbox.of(LinkLost) == []
