"""Tokens from the bus take the way of a card: the same decision, reasons and journal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.values import AuthorizationStatus, IdTagInfo
from tests.app.box import CARD, OTHER_CARD
from tests.emulators.central_system import Answer, Late, Silence
from tests.emulators.virtual_clock import NOON
from tests.mqtt.conftest import EVSE, ISO15118, OTHER_EVSE, READER, SOON_S, station
from tests.store.builders import replace_list

BLOCKED = Answer({"idTagInfo": {"status": "Blocked"}})
MAC, CONTRACT = "FF44556670AA", "DEABCC123ABC56"
HASHES = {
    "hash_algorithm": "SHA256",
    "issuer_name_hash": "65df03",
    "issuer_key_hash": "d503a8",
    "serial_number": "12345",
    "responder_url": "https://ocsp.example",
}


def status(word: str) -> Answer:
    return Answer({"idTagInfo": {"status": word}})


# --- one request, one answer ---------------------------------------------------------------------


async def test_a_request_is_answered_on_the_mirrored_topic_under_its_own_id(tmp_path):
    async with station(tmp_path) as here:
        id = here.broker.say(
            READER, "authorization", "request", {"token_type": "ISO14443", "id_token": CARD}
        )
        topic, message = await here.broker.answer_to(id)
        assert (topic, message["name"], message["data"]) == (
            "josev/cs",
            "authorization",
            {"status": "accepted"},
        )
        await asyncio.sleep(30)
        assert len(here.broker.answers_to(id)) == 1


async def test_the_iso15118_service_is_answered_on_its_own_topic(tmp_path):
    async with station(tmp_path, rules={"autocharge": True}) as here:
        data = {"evse_id": EVSE, "id_token": MAC, "token_type": "mac_address"}
        id = here.broker.say(ISO15118, "iso15118_authorization", "request", data)
        topic, message = await here.broker.answer_to(id)
        assert (topic, message["data"]) == ("ocpp/iso15118", {"status": "accepted"})
        asked = await here.box.central_system.received("Authorize")
        assert asked.payload == {"idTag": f"VID:{MAC}"}


async def test_what_is_delivered_twice_is_done_once_and_answered_again(tmp_path):
    async with station(tmp_path) as here:
        await here.box.plug()
        data = {"token_type": "ISO14443", "id_token": CARD}
        id = here.broker.say(READER, "authorization", "request", data)
        here.broker.say(READER, "authorization", "request", data, id=id)
        await here.broker.answer_to(id)
        here.broker.say(READER, "authorization", "request", data, id=id)
        await here.box.central_system.received("StartTransaction")
        await asyncio.sleep(5)
        assert {m["data"]["status"] for _, m in here.broker.answers_to(id)} == {"accepted"}
        assert len(here.broker.answers_to(id)) == 2
        assert len(here.box.central_system.of("Authorize")) == 1
        assert len(here.box.central_system.of("StartTransaction")) == 1


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"token_type": "smoke", "id_token": "A"},
        {"token_type": "ISO14443"},
        {"token_type": "ISO14443", "id_token": 5},
        {"token_type": "ISO14443", "id_token": CARD, "evse_id": 1},
    ],
)
async def test_a_request_with_bad_data_is_rejected_and_nobody_is_asked(tmp_path, data):
    async with station(tmp_path) as here:
        answer = await here.broker.ask(READER, "authorization", data)
        assert answer == {"status": "rejected"}
        assert here.box.central_system.of("Authorize") == []


async def test_what_is_no_message_or_somebody_elses_is_passed_over(tmp_path):
    async with station(tmp_path) as here:
        before = len(here.broker.heard)
        for payload in (b"", b"\xff", b"[]", b"{}", b'{"id": "1"}', b"[" * 10_000):
            here.broker.publish(READER, payload)
        here.broker.say(READER, "slac_status", "update", {"status": "matched"})
        here.broker.say(READER, "something_else", "request", {})
        here.broker.say(READER, "authorization", "response", {"status": "accepted"})
        await asyncio.sleep(5)
        assert len(here.broker.heard) == before
        assert await here.present() == "accepted"  # and it goes on


# --- from token to decision ----------------------------------------------------------------------


@pytest.mark.parametrize("word", ["Blocked", "Expired", "Invalid", "ConcurrentTx"])
async def test_every_refusal_of_the_central_system_is_a_rejection(tmp_path, word):
    async with station(tmp_path) as here:
        here.box.central_system.next("Authorize", status(word))
        assert await here.present() == "rejected"
        assert await here.why() == "CENTRAL_REFUSED"


async def test_a_listed_token_is_accepted_without_a_question(tmp_path):
    async with station(tmp_path, CARD) as here:
        assert await here.present(CARD.lower()) == "accepted"
        assert await here.why() == "LISTED"
        assert here.box.central_system.of("Authorize") == []


@pytest.mark.parametrize(
    ("keys", "verdict", "rule"),
    [
        ({}, "accepted", "LISTED_OFFLINE"),
        ({"LocalAuthorizeOffline": "false"}, "rejected", "OFFLINE_OFF"),
        ({"LocalAuthListEnabled": "false"}, "rejected", "UNKNOWN_REFUSED"),
    ],
)
async def test_offline_the_switches_decide(tmp_path, keys, verdict, rule):
    async with station(tmp_path, CARD, is_offline=True, **keys) as here:
        assert await here.present() == verdict
        assert await here.why() == rule


async def test_offline_an_unknown_token_charges_only_if_allowed(tmp_path):
    keys = {"AllowOfflineTxForUnknownId": "true"}
    async with station(tmp_path, is_offline=True, **keys) as here:
        assert await here.present() == "accepted"


async def test_a_token_of_bad_form_is_rejected_with_its_reason(tmp_path):
    async with station(tmp_path) as here:
        assert await here.present("x" * 21, token_type="local") == "rejected"
        assert await here.why() == "BAD_TOKEN"
        assert here.box.central_system.of("Authorize") == []


async def test_a_random_uid_identifies_nobody(tmp_path):
    async with station(tmp_path) as here:
        assert await here.present("08A2B3C4") == "rejected"
        assert await here.why() == "RANDOM_UID"


async def test_autocharge_has_to_be_switched_on(tmp_path):
    async with station(tmp_path) as here:
        assert await here.present(MAC, token_type="mac_address") == "rejected"
        assert await here.why() == "AUTOCHARGE_OFF"


async def test_free_charging_has_to_be_switched_on(tmp_path):
    async with station(tmp_path) as here:
        assert await here.present(None, token_type="no_authorization") == "rejected"
        assert await here.why() == "FREE_OFF"


async def test_free_charging_asks_nobody_and_ignores_a_stray_token(tmp_path):
    async with station(tmp_path, rules={"free_charging_id_tag": "FREE"}) as here:
        assert await here.present("stray", token_type="no_authorization") == "accepted"
        await here.box.plug()
        start = await here.box.central_system.received("StartTransaction")
        assert start.payload["idTag"] == "FREE"
        assert here.box.central_system.of("Authorize") == []
        assert ("no_authorization", "", "accepted") in (await here.updates())
        assert await here.present(None, token_type="no_authorization") == "accepted"
        stop = await here.box.central_system.received("StopTransaction")
        assert stop.payload["reason"] == "Local"


async def test_a_contract_is_asked_about_under_its_number(tmp_path):
    async with station(tmp_path) as here:
        data = {
            "evse_id": EVSE,
            "id_token": "DE-ABC-C123ABC56",
            "token_type": "e_maid",
            "token_data": {"iso15118_hash_data": [HASHES]},
        }
        answer = await here.broker.ask(ISO15118, "iso15118_authorization", data)
        assert answer == {"status": "accepted"}
        asked = await here.box.central_system.received("Authorize")
        assert asked.payload == {"idTag": CONTRACT}
        await here.box.plug()
        start = await here.box.central_system.received("StartTransaction")
        assert start.payload["idTag"] == CONTRACT
        assert ("e_maid", "DE-ABC-C123ABC56", "accepted") in (await here.updates())


# --- which connector -----------------------------------------------------------------------------


async def test_card_first_the_next_plug_takes_it(tmp_path):
    async with station(tmp_path) as here:
        assert await here.present() == "accepted"
        assert (await here.updates()) == []
        await here.box.plug()
        await here.broker.told("transaction_status")
        assert (await here.updates()) == [("ISO14443", CARD, "accepted")]
        (update,) = here.broker.of("authorization", "update", "ocpp/iso15118")
        assert update["evse_id"] == EVSE


async def test_card_first_and_no_plug_in_time_is_dropped(tmp_path):
    async with station(tmp_path) as here:
        await here.present()
        await asyncio.sleep(61)
        await here.box.plug()
        await asyncio.sleep(10)
        assert here.box.central_system.of("StartTransaction") == []


async def test_the_same_token_again_before_the_plug_calls_it_off(tmp_path):
    async with station(tmp_path) as here:
        await here.present()
        assert await here.present() == "deauthorized"
        await here.box.plug()
        await asyncio.sleep(10)
        assert here.box.central_system.of("StartTransaction") == []


async def test_cable_first_with_its_evse(tmp_path):
    async with station(tmp_path, connectors=2) as here:
        await here.box.do("sim", lever="plug", connector=2)
        assert await here.present(evse_id=OTHER_EVSE) == "accepted"
        start = await here.box.central_system.received("StartTransaction")
        assert start.payload["connectorId"] == 2


async def test_an_evse_that_is_not_here_is_rejected(tmp_path):
    async with station(tmp_path) as here:
        assert await here.present(evse_id="DE*XYZ*E9") == "rejected"
        assert await here.why() == "EVSE_UNKNOWN"


async def test_without_an_evse_the_only_plug_that_waits_is_meant(tmp_path):
    async with station(tmp_path, connectors=2) as here:
        await here.box.do("sim", lever="plug", connector=2)
        assert await here.present() == "accepted"
        start = await here.box.central_system.received("StartTransaction")
        assert start.payload["connectorId"] == 2


async def test_without_an_evse_and_with_two_plugs_nobody_knows(tmp_path):
    async with station(tmp_path, connectors=2) as here:
        for connector in (1, 2):
            await here.box.do("sim", lever="plug", connector=connector)
        assert await here.present() == "rejected"
        assert await here.why() == "SEVERAL_PLUGS"


async def test_while_one_token_is_being_checked_another_is_rejected_and_the_same_hears_too(
    tmp_path,
):
    async with station(tmp_path) as here:
        here.box.central_system.next("Authorize", Late(2.0))
        await here.box.plug()
        data = {"token_type": "ISO14443", "id_token": CARD}
        first = here.broker.say(READER, "authorization", "request", data)
        second = here.broker.say(READER, "authorization", "request", data)
        other = here.broker.say(
            READER, "authorization", "request", {**data, "id_token": OTHER_CARD}
        )
        answers = [(await here.broker.answer_to(id))[1]["data"] for id in (first, second, other)]
        assert [answer["status"] for answer in answers] == ["accepted", "accepted", "rejected"]
        assert len(here.box.central_system.of("Authorize")) == 1


# --- the end of an authorization -----------------------------------------------------------------


async def test_the_token_that_began_a_session_ends_it_without_a_question(tmp_path):
    async with station(tmp_path) as here:
        await here.box.plug()
        await here.present()
        await here.box.central_system.received("StartTransaction")
        await asyncio.sleep(10)
        assert await here.present() == "accepted"
        stop = await here.box.central_system.received("StopTransaction")
        assert stop.payload["reason"] == "Local"
        await here.broker.told("transaction_status", 3)
        assert (await here.progress()) == ["started", "in_progress", "ended"]
        assert here.broker.of("stop_charging") == [{"evse_id": EVSE}]
        assert len(here.box.central_system.of("Authorize")) == 1
        assert ("ISO14443", CARD, "deauthorized") not in (await here.updates())


async def test_a_token_of_the_same_group_ends_the_session_and_a_stranger_does_not(tmp_path):
    grouped = Answer({"idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}})
    async with station(tmp_path) as here:
        here.box.central_system.always("Authorize", grouped)
        await here.box.plug()
        await here.present()
        await here.box.central_system.received("StartTransaction")
        await asyncio.sleep(10)
        here.box.central_system.always("Authorize", status("Accepted"))
        assert await here.present("04FFFFFF") == "rejected"
        here.box.central_system.always("Authorize", grouped)
        assert await here.present(OTHER_CARD) == "accepted"
        await here.box.central_system.received("StopTransaction")


async def test_a_remote_start_is_told_to_both_as_central(tmp_path):
    async with station(tmp_path) as here:
        await here.box.plug()
        start = {"idTag": "REMOTE-1", "connectorId": 1}
        await here.box.central_system.send_call("RemoteStartTransaction", start)
        await here.broker.told("transaction_status")
        wanted = {
            "evse_id": EVSE,
            "id_token": "REMOTE-1",
            "token_type": "central",
            "status": "accepted",
        }
        await asyncio.sleep(SOON_S)
        for topic in ("josev/cs", "ocpp/iso15118"):
            assert here.broker.of("authorization", "update", topic) == [wanted]
        stop = {"transactionId": 1000}
        await asyncio.sleep(5)
        await here.box.central_system.send_call("RemoteStopTransaction", stop)
        await here.broker.told("stop_charging")


@pytest.mark.parametrize("stops", ["true", "false"])
async def test_a_refusal_after_the_start_is_told_as_deauthorized(tmp_path, stops):
    async with station(tmp_path, CARD, StopTransactionOnInvalidId=stops) as here:
        refused = Answer({"transactionId": 7, "idTagInfo": {"status": "Blocked"}})
        here.box.central_system.next("StartTransaction", refused)
        await here.box.plug()
        assert await here.present() == "accepted"
        await here.broker.told("authorization", 4)
        assert (await here.updates()) == [
            ("ISO14443", CARD, "accepted"),
            ("ISO14443", CARD, "deauthorized"),
        ]
        await asyncio.sleep(20)
        assert bool(here.box.central_system.of("StopTransaction")) is (stops == "true")
        assert not here.box.contactor.is_closed


async def test_a_slow_central_system_is_answered_for_in_time_and_its_late_yes_still_counts(
    tmp_path,
):
    async with station(tmp_path) as here:
        here.box.central_system.next("Authorize", Late(20.0))
        await here.box.plug()
        begun_s = asyncio.get_running_loop().time()
        assert await here.present() == "rejected"
        assert asyncio.get_running_loop().time() - begun_s < 15
        await here.box.central_system.received("StartTransaction")
        assert ("ISO14443", CARD, "accepted") in (await here.updates())


async def test_a_late_yes_does_not_begin_for_the_next_ones_plug(tmp_path):
    async with station(tmp_path) as here:
        here.box.central_system.next("Authorize", Late(20.0))
        await here.box.plug()
        assert await here.present() == "rejected"
        await asyncio.sleep(2)
        await here.box.unplug()
        await asyncio.sleep(2)
        await here.box.plug()
        await asyncio.sleep(40)
        assert here.box.central_system.of("StartTransaction") == []


async def test_a_late_no_takes_back_what_was_accepted_for_want_of_an_answer(tmp_path):
    keys = {"LocalPreAuthorize": "false"}
    async with station(tmp_path, CARD, **keys) as here:
        here.box.central_system.next("Authorize", replace(BLOCKED, delay_s=20.0))
        assert await here.present() == "accepted"
        await here.broker.told("authorization", 3)
        assert (await here.updates()) == [("ISO14443", CARD, "deauthorized")]


# --- list and cache ------------------------------------------------------------------------------


async def test_the_list_stands_before_the_cache(tmp_path):
    async with station(tmp_path, CARD) as here:
        here.box.central_system.always("Authorize", BLOCKED)
        assert await here.present(CARD) == "accepted"
        assert await here.why() == "LISTED"
        assert here.box.central_system.of("Authorize") == []


async def test_what_was_accepted_once_is_accepted_from_the_cache(tmp_path):
    async with station(tmp_path) as here:
        assert await here.present() == "accepted"
        assert await here.present() == "deauthorized"
        await asyncio.sleep(5)
        assert await here.present() == "accepted"
        assert await here.why() == "CACHED"
        assert len(here.box.central_system.of("Authorize")) == 1


async def test_an_expired_entry_of_the_list_is_asked_about(tmp_path):
    async with station(tmp_path) as here:
        old = IdTagInfo(AuthorizationStatus.ACCEPTED, NOON - timedelta(days=1))
        replace_list(here.box.application.services.store, 7, [(CARD, old)])
        assert await here.present() == "accepted"
        assert await here.why() == "CENTRAL_ACCEPTED"
        assert len(here.box.central_system.of("Authorize")) == 1


async def test_silence_for_ever_is_a_rejection(tmp_path):
    async with station(tmp_path) as here:
        here.box.central_system.next("Authorize", Silence())
        assert await here.present() == "rejected"
        assert await here.why() == "UNKNOWN_REFUSED"
