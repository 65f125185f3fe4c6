"""The bus as a neighbour: facts, broker trouble, floods, openings that are closed by default."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from agent.mqtt import client, limits, outgoing
from tests.app.box import CARD, OTHER_CARD
from tests.mqtt.conftest import EVSE, ISO15118, OTHER_EVSE, READER, SOON_S, Station, station

ACCEPTED_UPDATE = {
    "evse_id": EVSE,
    "id_token": CARD,
    "token_type": "ISO14443",
    "status": "accepted",
}


async def logins_that_failed(here: Station) -> list[str]:
    lines = await here.box.do("security-log", order="show")
    return [one["techInfo"] for one in lines if one["type"] == "MaintenanceLoginFailed"]


# --- the broker ----------------------------------------------------------------------------------


async def test_a_broker_that_goes_and_comes_back_is_told_what_stands(tmp_path):
    async with station(tmp_path) as here:
        await here.box.charge()
        here.broker.break_off()
        await here.box.until(lambda: not here.broker.is_connected)
        here.broker.heard.clear()
        await here.box.until(lambda: here.broker.is_connected, within_s=400)
        await here.broker.told("connector_and_charging")
        assert here.box.contactor.is_closed  # charging went on
        assert (await here.updates()) == [("ISO14443", CARD, "accepted")]
        assert (await here.progress()) == ["in_progress"]
        assert here.broker.of("service_status")[0]["status"] == "ready"
        assert here.broker.of("websocket_status") == [{"status": "connected"}]


async def test_a_broker_that_refuses_is_tried_again_with_growing_waits_and_one_warning(
    tmp_path, caplog
):
    async with station(tmp_path) as here:
        here.broker.refusal = "refuses us: check mqtt.username and mqtt.password_file"
        here.broker.break_off()
        await asyncio.sleep(3600)
        status = await here.box.do("status")
        assert status["bus"]["connected"] is False
        assert status["bus"]["problem"] == here.broker.refusal
        warnings = [r for r in caplog.records if "station bus is away" in r.getMessage()]
        assert len(warnings) <= 2
        assert await logins_that_failed(here) == [f"the station bus: {here.broker.refusal}"]
        assert here.broker.connections == 1
        here.broker.refusal = ""
        await here.box.until(lambda: here.broker.is_connected, within_s=400)
        assert (await here.box.do("status"))["bus"]["connected"] is True


async def test_what_was_not_sent_before_the_break_is_not_sent_after_it(tmp_path):
    async with station(tmp_path) as here:
        await asyncio.sleep(60)
        here.broker.slow_s = 1000.0
        await here.box.charge()
        here.broker.break_off()
        await here.box.until(lambda: not here.broker.is_connected)
        here.broker.slow_s = 0.0
        here.broker.heard.clear()
        await here.box.until(lambda: here.broker.is_connected, within_s=400)
        await here.broker.told("connector_and_charging")
        assert (await here.progress()) == ["in_progress"]  # the present, not the past


async def test_a_broker_that_takes_nothing_loses_the_oldest_messages_and_says_so(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(outgoing, "OUTGOING_MAX", 20)
    async with station(tmp_path) as here:
        await asyncio.sleep(60)
        here.broker.slow_s = 10_000.0
        for _ in range(30):
            here.broker.say("josev/cs", "device_model", "request", {})
        await asyncio.sleep(1)
        dropped = (await here.box.do("status"))["bus"]["dropped"]
        assert dropped["messages that wait for the broker"] >= 10
        assert "messages that wait for the broker are dropped" in caplog.text


async def test_a_flood_of_requests_is_answered_to_the_last_one(tmp_path):
    async with station(tmp_path, CARD) as here:
        data = {"token_type": "ISO14443", "id_token": OTHER_CARD, "evse_id": "DE*XYZ*E9"}
        ids = [here.broker.say(READER, "authorization", "request", data) for _ in range(1000)]
        answers = [await here.broker.answer_to(id) for id in ids]
        assert {message["data"]["status"] for _, message in answers} == {"rejected"}
        in_order = [m["id"] for _, m in here.broker.heard if m["type"] == "response"]
        assert in_order == ids  # as they came, each once


async def test_requests_beyond_what_may_wait_are_rejected_at_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(client, "REQUESTS_MAX", 5)
    async with station(tmp_path, CARD) as here:
        data = {"token_type": "ISO14443", "id_token": OTHER_CARD}
        ids = [here.broker.say(READER, "authorization", "request", data) for _ in range(50)]
        for id in ids:
            await here.broker.answer_to(id)
        assert "requests that wait for their turn are dropped" in caplog.text


async def test_a_flood_on_one_topic_silences_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "REQUESTS_MAX", 5)
    async with station(tmp_path, rules={"autocharge": True}) as here:
        here.box.central_system.accepted_tags.add("VID:0123456789AB")
        await here.box.plug()
        data = {"token_type": "ISO14443", "id_token": "zz"}
        for _ in range(50):
            here.broker.say(READER, "authorization", "request", data)
        vehicle = {"token_type": "mac_address", "id_token": "01:23:45:67:89:AB", "evse_id": EVSE}
        answer = await here.broker.ask(ISO15118, "iso15118_authorization", vehicle)
        assert answer["status"] == "accepted"


async def test_ids_are_not_remembered_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "SEEN_MAX", 10)
    async with station(tmp_path) as here:
        data = {"token_type": "ISO14443", "id_token": "zz"}
        for _ in range(30):
            await here.broker.ask(READER, "authorization", data)
        first = here.broker.heard[-30][1]["id"]
        here.broker.say(READER, "authorization", "request", data, id=first)
        await asyncio.sleep(1)
        assert len(here.broker.answers_to(first)) >= 1


# --- facts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("cs_status_and_limits", "evses"),
        ("cs_parameters", "number_of_evses"),
        ("device_model", "evses"),
        ("meter_values", "total_active_energy_imported"),
        ("cs_connector", "status"),
    ],
)
async def test_facts_are_told_to_those_who_ask(tmp_path, name, fact):
    async with station(tmp_path) as here:
        id = here.broker.say("josev/cs", name, "request", {"evse_id": EVSE, "action": "status"})
        topic, message = await here.broker.answer_to(id)
        assert topic == "cs/josev"
        assert fact in message["data"]


async def test_nothing_secret_stands_in_the_device_model(tmp_path):
    async with station(tmp_path) as here:
        told = await here.broker.ask("josev/cs", "device_model", {})
        assert "password" not in json.dumps(told)
        assert "ws://" not in json.dumps(told)
        assert told["evses"][0]["iso15118_id"] == EVSE


async def test_a_lock_is_told_about_and_never_moved(tmp_path):
    async with station(tmp_path) as here:
        await here.box.charge()
        ask = {"evse_id": EVSE, "action": "unlock"}
        told = await here.broker.ask("josev/cs", "cs_connector", ask)
        assert told["status"] == "locked"
        assert here.box.state.is_locked
        told = await here.broker.ask("josev/cs", "cs_connector", {"evse_id": "nowhere"})
        assert told["status"] == "error"
        told = await here.broker.ask("josev/cs", "meter_values", {"evse_id": "nowhere"})
        assert told == {}


async def test_who_asks_how_the_service_is_gets_an_answer(tmp_path):
    async with station(tmp_path) as here:
        told = await here.broker.ask(READER, "service_status", {"service": "ocpp"})
        assert (told["service"], told["status"]) == ("ocpp", "ready")


async def test_what_the_parts_do_is_told(tmp_path):
    async with station(tmp_path) as here:
        await here.box.charge()
        await here.broker.told("cs_contactor_status")
        assert here.broker.of("cs_contactor_status") == [{"evse_id": EVSE, "status": "closed"}]
        states = [data["state"] for data in here.broker.of("cp_status")]
        assert states[-1] == "C2"
        assert set(states) <= {"A1", "B1", "B2", "C1", "C2"}
        charging = here.broker.of("connector_and_charging")[-1]
        assert (charging["connector_status"], charging["charging_status"]) == (
            "occupied",
            "charging",
        )
        await here.box.do("sim", lever="fault", name="emergency_stop")
        fault = await here.broker.told("hardware_fault")
        assert (fault["evse_id"], fault["fault_name"]) == (EVSE, "emergency_stop")


async def test_while_the_car_speaks_iso15118_it_is_told_to_stop(tmp_path):
    async with station(tmp_path) as here:
        info = {"evse_id": EVSE, "session_status": "ChargingStatus"}
        here.broker.say("iso15118/ocpp", "iso15118_state_info", "update", info)
        await here.box.charge()
        await asyncio.sleep(10)
        await here.present()
        await here.broker.told("stop_charging")
        assert here.broker.of("stop_charging", "request", "ocpp/iso15118") == [{"evse_id": EVSE}]
        over = {**info, "session_status": "SessionStop"}
        here.broker.say("iso15118/ocpp", "iso15118_state_info", "update", over)
        here.broker.say("iso15118/ocpp", "iso15118_state_info", "update", {"evse_id": 5})
        await asyncio.sleep(1)


# --- openings ------------------------------------------------------------------------------------


async def test_an_update_of_the_station_is_ignored_by_default(tmp_path, caplog):
    async with station(tmp_path) as here:
        await here.box.plug()
        here.broker.say(READER, "authorization", "update", ACCEPTED_UPDATE)
        await asyncio.sleep(10)
        assert here.box.central_system.of("StartTransaction") == []
        assert "mqtt.accept_cs_updates is false" in caplog.text


async def test_where_it_is_allowed_an_update_begins_and_ends_a_session(tmp_path):
    async with station(tmp_path, mqtt={"accept_cs_updates": True}) as here:
        await here.box.plug()
        here.broker.say(READER, "authorization", "update", ACCEPTED_UPDATE)
        await here.box.central_system.received("StartTransaction")
        assert here.box.central_system.of("Authorize") == []
        assert await here.why() == "STATION"
        over = {**ACCEPTED_UPDATE, "status": "deauthorized"}
        here.broker.say(READER, "authorization", "update", over)
        await here.box.central_system.received("StopTransaction")
        # Nothing to end, nowhere, and bad data: said, and no more.
        for data in (over, {**over, "evse_id": "nowhere"}, {"status": "accepted"}):
            here.broker.say(READER, "authorization", "update", data)
        for data in (
            {**ACCEPTED_UPDATE, "evse_id": "nowhere"},
            {**ACCEPTED_UPDATE, "id_token": "not hex"},
        ):
            here.broker.say(READER, "authorization", "update", data)
        await asyncio.sleep(5)
        assert len(here.box.central_system.of("StartTransaction")) == 1


@pytest.mark.parametrize(
    ("answer", "verdict"), [("accepted", "accepted"), ("discarded", "rejected"), ("", "accepted")]
)
async def test_the_stations_own_logic_may_discard_a_token(tmp_path, answer, verdict):
    async with station(tmp_path, mqtt={"process_authorized_token": True}) as here:
        asked = asyncio.ensure_future(here.present())
        await here.broker.told("process_authorized_token")
        (id,) = [m["id"] for _, m in here.broker.heard if m["name"] == "process_authorized_token"]
        if answer:
            for data in ({"status": "perhaps"}, {"status": answer}, {"status": answer}):
                here.broker.say(READER, "process_authorized_token", "response", data, id=id)
        assert await asked == verdict
        assert len(here.box.central_system.of("Authorize")) == 1  # only what was accepted is shown
        assert await here.why() == ("DISCARDED" if answer == "discarded" else "CENTRAL_ACCEPTED")


async def test_codes_and_tokens_stand_in_no_log(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with station(tmp_path, rules={"autocharge": True}) as here:
        await here.present("135792468", token_type="key_code")
        await here.present("FF44556670AA", token_type="mac_address")
        await here.present("13579!", token_type="key_code")
        why = json.dumps(await here.box.do("why", limit=5))
        for text in (caplog.text, why):
            assert "13579" not in text
            assert "445566" not in text
        assert "PIN:.." in why


async def test_what_is_open_is_shown(tmp_path):
    rules = {"autocharge": True, "free_charging_id_tag": "FREE"}
    async with station(tmp_path, rules=rules) as here:
        bus = (await here.box.do("status"))["bus"]
        assert (bus["autocharge"], bus["no_authorization"]) == (True, True)


async def test_a_topic_prefix_stands_before_every_topic(tmp_path):
    async with station(tmp_path, mqtt={"topic_prefix": "site/7/"}) as here:
        data = {"token_type": "ISO14443", "id_token": CARD}
        id = here.broker.say("site/7/cs/josev", "authorization", "request", data)
        assert (await here.broker.answer_to(id))[0] == "site/7/josev/cs"


# --- what follows from what the central system does ----------------------------------------------


async def test_a_change_of_availability_is_passed_on_to_the_hardware(tmp_path):
    async with station(tmp_path, connectors=2) as here:
        for connector_id, kind in ((2, "Inoperative"), (2, "Operative"), (0, "Inoperative")):
            change = {"connectorId": connector_id, "type": kind}
            await here.box.central_system.send_call("ChangeAvailability", change)
            await asyncio.sleep(1)
        assert here.broker.of("change_availability", "request", "josev/cs") == [
            {"operational_status": "inoperative", "evse_id": OTHER_EVSE},
            {"operational_status": "operative", "evse_id": OTHER_EVSE},
            {"operational_status": "inoperative"},
        ]
        limits = here.broker.of("cs_status_and_limits", "update", "cs/josev")[-1]
        codes = [evse["status_code"] for evse in limits["evses"]]
        assert codes == ["evse_not_ready", "evse_not_ready"]


async def test_a_reset_is_passed_on_and_the_last_word_is_that_the_service_stops(tmp_path):
    async with station(tmp_path) as here:
        await here.box.central_system.send_call("Reset", {"type": "Soft"})
        await here.broker.told("reset")
        assert here.broker.of("reset", "request", "josev/cs") == [{}]
        await here.box.until(lambda: not here.broker.is_connected)
        assert here.broker.of("service_status")[-1]["status"] == "stopping"


async def test_the_limits_are_told_anew_when_something_breaks(tmp_path):
    async with station(tmp_path) as here:
        await here.box.do("sim", lever="fault", name="emergency_stop")
        await here.broker.told("hardware_fault")
        await asyncio.sleep(SOON_S)
        limits = here.broker.of("cs_status_and_limits", "update")[-1]
        assert limits["evses"][0]["status_code"] == "evse_emergency_shutdown"
        await here.box.do("sim", lever="clear")
        await asyncio.sleep(5)
        limits = here.broker.of("cs_status_and_limits", "update")[-1]
        assert limits["evses"][0]["status_code"] == "evse_ready"


async def test_a_station_with_two_connectors_sends_no_message_that_names_none(tmp_path):
    async with station(tmp_path, connectors=2) as here:
        await here.box.plug()
        await here.broker.told("cp_status", 3)
        assert here.broker.of("connector_and_charging") == []


async def test_who_asks_for_another_service_is_not_answered_by_this_one(tmp_path):
    async with station(tmp_path) as here:
        id = here.broker.say(READER, "service_status", "request", {"service": "slac"})
        await asyncio.sleep(5)
        assert here.broker.answers_to(id) == []


# --- free charging -------------------------------------------------------------------------------


async def test_a_plug_where_charging_is_free_is_told_as_no_authorization(tmp_path):
    async with station(tmp_path, rules={"free_charging_id_tag": "FREE"}) as here:
        await here.box.plug()
        await here.broker.told("transaction_status")
        await asyncio.sleep(SOON_S)
        (update,) = here.broker.of("authorization", "update", "josev/cs")
        assert update == {"evse_id": EVSE, "token_type": "no_authorization", "status": "accepted"}


async def test_a_reader_that_asks_for_free_charging_at_the_same_plug_ends_nothing(tmp_path):
    rules = {"free_charging_id_tag": "FREE", "tap_guard_s": 5}
    async with station(tmp_path, rules=rules) as here:
        await here.box.plug()
        assert await here.present(None, token_type="no_authorization") == "accepted"
        await here.box.central_system.received("StartTransaction")
        assert await here.present(None, token_type="no_authorization") == "accepted"
        await asyncio.sleep(5)
        assert here.box.central_system.of("StopTransaction") == []


# --- what must not be lost, doubled or told ------------------------------------------------------


async def test_an_answer_that_the_broken_line_kept_back_is_given_over_the_next_one(tmp_path):
    async with station(tmp_path) as here:
        await asyncio.sleep(60)
        here.broker.slow_s = 1000.0
        data = {"token_type": "ISO14443", "id_token": CARD}
        id = here.broker.say(READER, "authorization", "request", data)
        await asyncio.sleep(1)
        here.broker.break_off()
        await here.box.until(lambda: not here.broker.is_connected)
        here.broker.slow_s = 0.0
        topic, message = await here.broker.answer_to(id)
        assert (topic, message["data"]) == ("josev/cs", {"status": "accepted"})


async def test_an_update_that_is_delivered_twice_begins_one_session_and_ends_none(tmp_path):
    async with station(tmp_path, mqtt={"accept_cs_updates": True}) as here:
        await here.box.plug()
        id = here.broker.say(READER, "authorization", "update", ACCEPTED_UPDATE)
        await here.box.central_system.received("StartTransaction")
        await asyncio.sleep(10)
        here.broker.say(READER, "authorization", "update", ACCEPTED_UPDATE, id=id)
        here.broker.say(READER, "authorization", "update", ACCEPTED_UPDATE)
        await asyncio.sleep(10)
        assert len(here.box.central_system.of("StartTransaction")) == 1
        assert here.box.central_system.of("StopTransaction") == []


async def test_an_update_without_its_contract_data_is_taken_all_the_same(tmp_path):
    async with station(tmp_path, mqtt={"accept_cs_updates": True}) as here:
        await here.box.plug()
        update = {**ACCEPTED_UPDATE, "token_type": "e_maid", "id_token": "DEABCC123ABC56"}
        here.broker.say(READER, "authorization", "update", update)
        start = await here.box.central_system.received("StartTransaction")
        assert start.payload["idTag"] == "DEABCC123ABC56"


async def test_the_stations_logic_is_not_waited_for_while_the_broker_is_away(tmp_path):
    async with station(tmp_path, CARD, mqtt={"process_authorized_token": True}) as here:
        here.broker.refusal = "away"
        here.broker.break_off()
        await here.box.until(lambda: not here.broker.is_connected)
        await here.box.plug()
        begun_s = asyncio.get_running_loop().time()
        await here.box.tap(CARD)
        await here.box.central_system.received("StartTransaction")
        assert asyncio.get_running_loop().time() - begun_s < 4


async def test_a_flood_that_never_ends_writes_only_so_many_decisions(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "REQUESTS_MAX", 20)
    async with station(tmp_path, CARD) as here:
        data = {"token_type": "ISO14443", "id_token": OTHER_CARD, "evse_id": "DE*XYZ*E9"}
        for _ in range(10):
            for _ in range(20):
                id = here.broker.say(READER, "authorization", "request", data)
            await asyncio.sleep(1)
        await here.broker.answer_to(id)
        why = await here.box.do("why", limit=100)
        assert 20 < len(why) <= 20 + 10 * client.REQUESTS_PER_S


async def test_a_flood_of_what_is_no_message_fills_no_log(tmp_path, caplog):
    async with station(tmp_path) as here:
        for _ in range(1000):
            here.broker.publish(READER, b"noise")
        await asyncio.sleep(10)
        assert caplog.text.count("it is not JSON") == 1
        assert await here.present() == "accepted"


async def test_no_token_stands_in_a_log_of_any_level(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    rules = {"autocharge": True}
    async with station(tmp_path, rules=rules, ISO15118PnCEnabled="true") as here:
        await here.present("044943121F1A80")
        await here.present("135792468", token_type="key_code")
        await here.present("FF44556670AA", token_type="mac_address")
        await here.present("x" * 21, token_type="local")
        hashes = {
            "hash_algorithm": "SHA256",
            "issuer_name_hash": "aa",
            "issuer_key_hash": "bb",
            "serial_number": "1",
            "responder_url": "https://ocsp.example",
        }
        data = {
            "evse_id": EVSE,
            "id_token": "DEABCC123ABC56",
            "token_type": "e_maid",
            "token_data": {"iso15118_hash_data": [hashes]},
        }
        await here.broker.ask("iso15118/ocpp", "iso15118_authorization", data)
        frames = here.box.application.services.frame_log.frames()
        told = caplog.text + "".join(frame.message for frame in frames)
    for text in ("044943121F1A80", "13579", "FF4455", "xxx", "DEABCC123ABC56"):
        assert text not in told
    assert "PIN:.." in told
