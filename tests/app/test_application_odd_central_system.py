"""The whole application against a central system that is late, confused or away."""

from __future__ import annotations

import asyncio

import pytest

from agent.platform.errors import LinkError
from tests.app.box import CARD, TRANSACTION_ID, running_box
from tests.emulators.central_system import Answer, Error, Late, Raw, Silence

GARBAGE = [
    "",
    "null",
    "[]",
    "{",
    "[3]",
    '[3, "no call of ours", {}]',
    '[4, "no call of ours"]',
    '[2, "x", "NoSuchAction", {}]',
    '[2, "x", "RemoteStartTransaction", {"idTag": 7}]',
    '[2, "x", "Reset", "Hard"]',
    '[9, "x", "Reset", {"type": "Hard"}]',
    "[" * 5000,
    "\ufffd\x00",
]


async def test_garbage_in_mid_session_disturbs_nothing(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        for text in GARBAGE:
            await box.central_system.send_raw(text)
            await asyncio.sleep(1)
        assert box.contactor.is_closed
        assert len(box.central_system.attempts) == 1  # the link held
        await asyncio.sleep(120)
        await box.finish()
        await box.central_system.received("StopTransaction")


@pytest.mark.parametrize(
    "reaction",
    [
        Raw('[3, "{id}", "what?"]'),
        Raw('[3, "{id}", {"idTagInfo": {}}]'),
        Answer({"transactionId": None, "idTagInfo": {"status": "Accepted"}}),
        Answer([]),
    ],
)
async def test_a_useless_answer_to_the_start_is_a_failed_attempt_and_is_asked_again(
    tmp_path, reaction
):
    async with running_box(tmp_path) as box:
        box.central_system.next("StartTransaction", reaction)
        await box.charge()
        await asyncio.sleep(100)
        await box.finish()
        await box.central_system.received("StopTransaction")
        starts = box.central_system.of("StartTransaction")
        assert len(starts) == 2
        assert starts[0].unique_id == starts[1].unique_id  # so it can be recognised
        assert starts[0].payload == starts[1].payload
        stop = box.central_system.of("StopTransaction")[0]
        assert stop.payload["transactionId"] == TRANSACTION_ID


async def test_a_start_that_is_answered_late_is_not_sent_twice(tmp_path):
    async with running_box(tmp_path, MessageTimeout="20") as box:
        box.central_system.next("StartTransaction", Late(delay_s=40))
        await box.charge()
        await asyncio.sleep(300)
        await box.finish()
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["transactionId"] == TRANSACTION_ID
        assert len(box.central_system.of("StartTransaction")) == 1
        values = box.central_system.of("MeterValues")
        assert len(values) == 5
        assert {call.payload["transactionId"] for call in values} == {TRANSACTION_ID}


async def test_a_start_that_is_refused_by_callerror_is_tried_three_times_then_set_aside(tmp_path):
    async with running_box(tmp_path) as box:
        box.central_system.always("StartTransaction", Error("InternalError", "not today"))
        await box.charge()
        await asyncio.sleep(600)
        status = await box.do("status")
        assert status["outbox"]["parked_count"] == 1
        parked = status["outbox"]["parked"][0]
        assert parked["action"] == "StartTransaction"
        assert "not today" in parked["problem"]
        await box.finish()
        stop = await box.central_system.received("StopTransaction")
        starts = box.central_system.of("StartTransaction")
        assert len(starts) == 3
        first, second, third = (call.at_s for call in starts)
        assert second - first == pytest.approx(60, abs=1)
        assert third - second == pytest.approx(120, abs=1)
        assert stop.payload["transactionId"] == -1
        values = box.central_system.of("MeterValues")
        assert {call.payload["transactionId"] for call in values} == {-1}
        order = box.central_system.calls
        assert order.index(values[0]) > order.index(starts[2])  # nothing overtakes the start


async def test_a_central_system_that_restarts_in_mid_session_misses_nothing(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await asyncio.sleep(70)
        box.central_system.refuse_always = LinkError("restarting")
        await box.central_system.drop()
        await asyncio.sleep(600)
        assert box.contactor.is_closed
        assert not (await box.do("status"))["online"]
        box.central_system.refuse_always = None
        await asyncio.sleep(400)
        await box.finish()
        await box.central_system.received("StopTransaction")
        assert len(box.central_system.of("BootNotification")) == 1  # a mere reconnect
        assert len(box.central_system.of("StartTransaction")) == 1
        registers = [
            int(call.payload["meterValue"][0]["sampledValue"][0]["value"])
            for call in box.central_system.of("MeterValues")
        ]
        assert len(registers) == 17
        assert registers == sorted(registers)


async def test_a_silent_central_system_leaves_the_decision_to_the_offline_rules(tmp_path):
    async with running_box(tmp_path) as box:
        box.central_system.always("Authorize", Silence())
        began_s = box.clock.now().monotonic_s
        await box.plug()
        decision = await box.tap()
        assert (decision["verdict"], decision["rule"]) == ("refused", "UNKNOWN_REFUSED")
        assert decision["detail"] == "no answer to Authorize within 5 s"
        assert box.clock.now().monotonic_s - began_s < 6


@pytest.mark.parametrize(
    "reaction",
    [
        Raw('[3, "{id}"]'),
        Raw('[3, "{id}", null]'),
        Raw('[3, "{id}", "Accepted"]'),
        Answer({}),
        Answer({"idTagInfo": {}}),
        Answer({"idTagInfo": "Accepted"}),
        Answer({"idTagInfo": {"status": 1}}),
    ],
)
async def test_an_answer_about_a_card_that_is_nonsense_gives_no_energy_away(tmp_path, reaction):
    async with running_box(tmp_path, AllowOfflineTxForUnknownId="true") as box:
        box.central_system.next("Authorize", reaction)
        await box.plug()
        decision = await box.tap()
        assert (decision["verdict"], decision["rule"]) == ("refused", "ANSWER_UNUSABLE")
        assert decision["detail"] == "the answer to Authorize has no idTagInfo with a status"
        await asyncio.sleep(60)
        assert box.state.transaction is None


@pytest.mark.parametrize("reaction", [Silence(), Error("InternalError", "not today")])
async def test_without_an_answer_an_unknown_card_charges_where_that_is_allowed(tmp_path, reaction):
    async with running_box(tmp_path, AllowOfflineTxForUnknownId="true") as box:
        box.central_system.next("Authorize", reaction)
        await box.plug()
        assert (await box.tap())["rule"] == "UNKNOWN_ALLOWED"


async def test_a_start_answered_without_a_status_keeps_its_number_and_its_session(tmp_path):
    async with running_box(tmp_path) as box:
        box.central_system.next("StartTransaction", Answer({"transactionId": 7, "idTagInfo": {}}))
        await box.charge()
        await asyncio.sleep(100)
        assert box.contactor.is_closed
        await box.finish()
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["transactionId"] == 7


PAST, SOON = "2020-01-01T00:00:00Z", "2026-03-01T13:00:00Z"  # the box lives at 12:00


@pytest.mark.parametrize(
    ("expiry", "online_again", "offline"),
    [
        (PAST, "CENTRAL_ACCEPTED", "CACHED_REFUSED"),
        (SOON, "CACHED", "CACHED_OFFLINE"),
        ("soon", "CENTRAL_ACCEPTED", "UNKNOWN_REFUSED"),
        ("", "CENTRAL_ACCEPTED", "UNKNOWN_REFUSED"),
        (1772366400, "CENTRAL_ACCEPTED", "UNKNOWN_REFUSED"),
        (None, "CACHED", "CACHED_OFFLINE"),
    ],
)
async def test_the_status_decides_and_the_date_says_how_long_it_is_remembered(
    tmp_path, expiry, online_again, offline
):
    info = {"idTagInfo": {"status": "Accepted", "expiryDate": expiry}}
    async with running_box(tmp_path, LocalPreAuthorize="true") as box:
        box.central_system.always("Authorize", Answer(info))
        box.central_system.always("StartTransaction", Answer({"transactionId": 7, **info}))
        assert (await box.tap())["rule"] == "CENTRAL_ACCEPTED"
        await asyncio.sleep(10)
        assert (await box.tap())["rule"] == "CANCELLED"
        await asyncio.sleep(10)
        assert (await box.tap())["rule"] == online_again
        await box.plug()
        await box.until(lambda: box.contactor.is_closed)
        await asyncio.sleep(100)  # the answer to the start has said it once more
        assert box.contactor.is_closed
        await box.finish()
        await box.do("sim", lever="network", is_up=False)
        await box.until(lambda: not box.application.runtime.state.online)
        assert (await box.tap())["rule"] == offline


async def test_a_card_refused_at_the_start_gets_no_energy_for_long(tmp_path):
    async with running_box(tmp_path) as box:
        refusal = {"transactionId": 7, "idTagInfo": {"status": "Blocked"}}
        box.central_system.next("StartTransaction", Answer(refusal, delay_s=5))
        await box.charge()
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["transactionId"] == 7
        assert stop.payload["reason"] == "DeAuthorized"
        assert not box.contactor.is_closed
        words = (await box.status())["in_words"]
        assert words == "session over; the cable is held until the card is shown again"
        assert (await box.tap(CARD))["rule"] == "CABLE_RELEASED"


async def test_a_central_system_that_forgot_us_is_told_anew(tmp_path):
    async with running_box(tmp_path) as box:
        box.central_system.next("Heartbeat", Error("SecurityError", "who are you?"))
        await box.central_system.received("BootNotification", 2)
        await asyncio.sleep(1)
        assert (await box.do("status"))["online"]
