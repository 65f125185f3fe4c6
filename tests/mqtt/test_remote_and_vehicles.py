"""Remote starts are told to the station; vehicles ask for themselves, by address or contract."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.emulators.central_system import Answer
from tests.mqtt.conftest import EVSE, ISO15118, SOON_S, station

BLOCKED = Answer({"idTagInfo": {"status": "Blocked"}})
MAC, CONTRACT = "FF44556670AA", "DEABCC123ABC56"
HASHES = {
    "hash_algorithm": "SHA256",
    "issuer_name_hash": "65df03",
    "issuer_key_hash": "d503a8",
    "serial_number": "12345",
    "responder_url": "https://ocsp.example",
}


# --- remote starts -------------------------------------------------------------------------------


def central(word: str) -> dict[str, str]:
    return {
        "evse_id": EVSE,
        "id_token": "REMOTE-1",
        "token_type": "central",
        "status": word,
    }


@pytest.mark.parametrize("asks", ["true", "false"])
async def test_a_remote_start_is_told_before_the_plug_with_and_without_a_question(tmp_path, asks):
    async with station(tmp_path, AuthorizeRemoteTxRequests=asks) as here:
        start = {"idTag": "REMOTE-1", "connectorId": 1}
        await here.box.central_system.send_call("RemoteStartTransaction", start)
        await asyncio.sleep(5)
        for topic in ("josev/cs", "ocpp/iso15118"):
            assert here.broker.of("authorization", "update", topic) == [central("accepted")]
        assert bool(here.box.central_system.of("Authorize")) is (asks == "true")
        await here.box.plug()
        await here.broker.told("transaction_status")
        await asyncio.sleep(SOON_S)
        assert here.broker.of("authorization", "update", "josev/cs") == [central("accepted")]


async def test_a_remote_start_that_nobody_plugs_in_for_is_deauthorized(tmp_path):
    async with station(tmp_path) as here:
        start = {"idTag": "REMOTE-1", "connectorId": 1}
        await here.box.central_system.send_call("RemoteStartTransaction", start)
        await asyncio.sleep(70)
        told = here.broker.of("authorization", "update", "josev/cs")
        assert told == [central("accepted"), central("deauthorized")]


async def test_a_refused_remote_start_is_told_to_nobody(tmp_path):
    async with station(tmp_path, AuthorizeRemoteTxRequests="true") as here:
        here.box.central_system.next("Authorize", BLOCKED)
        start = {"idTag": "REMOTE-1", "connectorId": 1}
        await here.box.central_system.send_call("RemoteStartTransaction", start)
        await asyncio.sleep(5)
        assert await here.updates() == []


async def test_one_message_on_two_topics_has_one_id(tmp_path):
    async with station(tmp_path) as here:
        await here.box.charge()
        await asyncio.sleep(1)
        updates = [
            (topic, message["id"])
            for topic, message in here.broker.heard
            if (message["name"], message["type"]) == ("authorization", "update")
        ]
        assert {topic for topic, _ in updates} == {"josev/cs", "ocpp/iso15118"}
        assert len({id for _, id in updates}) == 1


# --- vehicles ------------------------------------------------------------------------------------


async def test_a_vehicle_that_asks_again_in_its_session_stays_accepted_and_ends_nothing(tmp_path):
    async with station(tmp_path, rules={"autocharge": True}) as here:
        data = {"evse_id": EVSE, "id_token": MAC, "token_type": "mac_address"}
        answer = await here.broker.ask(ISO15118, "iso15118_authorization", data)
        assert answer == {"status": "accepted"}
        answer = await here.broker.ask(ISO15118, "iso15118_authorization", data)
        assert answer == {"status": "accepted"}  # still waiting for the plug
        await here.box.plug()
        await here.box.central_system.received("StartTransaction")
        await asyncio.sleep(10)
        answer = await here.broker.ask(ISO15118, "iso15118_authorization", data)
        assert answer == {"status": "accepted"}
        await asyncio.sleep(10)
        assert here.box.central_system.of("StopTransaction") == []


def contract(**token_data: str) -> dict[str, object]:
    return {
        "evse_id": EVSE,
        "id_token": "DE-ABC-C123ABC56",
        "token_type": "e_maid",
        "token_data": {"iso15118_hash_data": [HASHES], **token_data},
    }


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Accepted", {"status": "accepted", "certificate_status": "accepted"}),
        (None, {"status": "accepted"}),
        ("CertificateRevoked", {"status": "rejected", "certificate_status": "certificate_revoked"}),
    ],
)
async def test_with_plug_and_charge_the_contract_is_asked_about(tmp_path, said, told):
    async with station(tmp_path, ISO15118PnCEnabled="true") as here:
        answer = {"idTokenInfo": {"status": "Accepted"}}
        if said is not None:
            answer["certificateStatus"] = said
        conf = Answer({"status": "Accepted", "data": json.dumps(answer)})
        here.box.central_system.next("DataTransfer", conf)
        await here.box.plug()
        got = await here.broker.ask(ISO15118, "iso15118_authorization", contract())
        assert got == told
        asked = await here.box.central_system.received("DataTransfer")
        assert asked.payload["vendorId"] == "org.openchargealliance.iso15118pnc"
        content = json.loads(asked.payload["data"])
        assert content["idToken"] == {"idToken": CONTRACT, "type": "eMAID"}
        assert content["iso15118CertificateHashData"][0]["hashAlgorithm"] == "SHA256"
        assert here.box.central_system.of("Authorize") == []
        if told["status"] == "accepted":
            start = await here.box.central_system.received("StartTransaction")
            assert start.payload["idTag"] == CONTRACT


@pytest.mark.parametrize(
    ("keys", "verdict", "rule"),
    [
        ({}, "rejected", "CONTRACT_UNCHECKED"),
        ({"ContractValidationOffline": "true"}, "accepted", "LISTED_OFFLINE"),
    ],
)
async def test_offline_a_contract_charges_only_if_it_was_checked_here(
    tmp_path, keys, verdict, rule
):
    keys = {"ISO15118PnCEnabled": "true", **keys}
    async with station(tmp_path, CONTRACT, is_offline=True, **keys) as here:
        got = await here.broker.ask(ISO15118, "iso15118_authorization", contract())
        assert got == {"status": verdict}
        assert await here.why() == rule


async def test_a_central_system_that_knows_no_contracts_leaves_it_to_the_offline_rules(tmp_path):
    async with station(tmp_path, ISO15118PnCEnabled="true") as here:
        here.box.central_system.next("DataTransfer", Answer({"status": "UnknownVendorId"}))
        got = await here.broker.ask(ISO15118, "iso15118_authorization", contract())
        assert got == {"status": "rejected"}
        assert await here.why() == "CONTRACT_UNCHECKED"


@pytest.mark.parametrize("missing", ["token_data", "evse_id", "id_token"])
async def test_a_contract_without_what_it_needs_is_rejected(tmp_path, missing):
    async with station(tmp_path) as here:
        data = contract()
        del data[missing]
        got = await here.broker.ask(ISO15118, "iso15118_authorization", data)
        assert got == {"status": "rejected"}
        assert here.box.central_system.of("Authorize") == []
