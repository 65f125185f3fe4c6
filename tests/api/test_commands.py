"""Each command on simulated hardware: what it does, and when it is refused (checks 7 to 12)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import Charger, api_settings, running_charger
from tests.emulators.central_system import Answer, Error, Late

TAG = "TAG-RFID-001"
TWO = {"connector_id": 2}


def refused(answer: Any, code: str, status: int = 409) -> bool:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    return True


# --- configuration, cache ------------------------------------------------------------------------


OUT = {"connectorId": 1, "type": "Inoperative"}


def test_every_key_gets_its_verdict_and_the_good_one_is_applied(charger: Charger):
    wanted = {
        "HeartbeatInterval": "123",
        "NumberOfConnectors": "9",
        "Colour": "red",
        "localpreauthorize": "false",
    }
    told = charger.post("configuration", {"configuration": wanted}).json()
    assert told["results"] == {
        "HeartbeatInterval": "Accepted",
        "NumberOfConnectors": "Rejected",
        "Colour": "NotSupported",
        "localpreauthorize": "Accepted",
    }
    assert told["configured"] == ["HeartbeatInterval", "localpreauthorize"]
    assert told["status"] == "NotSupported"
    path = "/ocpp/chargers/dep-123/configuration"
    kept = charger.get(path, keys="HeartbeatInterval,NumberOfConnectors, LocalPreAuthorize,Colour")
    assert kept.json() == {
        "configuration": [
            {"key": "HeartbeatInterval", "value": "123", "readonly": False},
            {"key": "NumberOfConnectors", "value": "2", "readonly": True},
            {"key": "LocalPreAuthorize", "value": "false", "readonly": False},
        ],
        "unknown_keys": ["Colour"],
    }
    assert len(charger.get(path).json()["configuration"]) > 20
    charger.post("configuration", {"configuration": {"LocalPreAuthorize": "true"}})


def test_a_good_key_alone_is_accepted(charger: Charger):
    told = charger.post("configuration", {"configuration": {"HeartbeatInterval": "300"}}).json()
    assert (told["status"], told["configured"]) == ("Accepted", ["HeartbeatInterval"])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"": "1"},
        {"K" * 51: "1"},
        {"HeartbeatInterval": "x" * 501},
        {f"Key{n}": "1" for n in range(101)},
    ],
)
def test_a_map_that_cannot_be_meant_is_a_400_and_changes_nothing(charger: Charger, wrong):
    before = charger.state.configuration
    answer = charger.post("configuration", {"configuration": {**wrong}})
    assert refused(answer, "invalid_configuration", 400)
    assert charger.state.configuration == before


def test_values_are_texts(charger: Charger):
    for wrong in ({"HeartbeatInterval": 30}, {"HeartbeatInterval": None}, ["HeartbeatInterval"]):
        assert charger.post("configuration", {"configuration": wrong}).status_code == 422


def test_a_reset_cache_is_empty_and_says_how_much_it_held(charger: Charger):
    charger.post("cache/reset")
    for tag in ("A1", "A2"):
        charger.applied("authorize-id-tag", {"id_tag": tag})
    told = charger.post("cache/reset", {})
    assert told.json() == {"msg": "Authorization cache cleared", "cleared_entries": 2}
    assert charger.post("cache/reset").json()["cleared_entries"] == 0


def test_a_cache_that_is_switched_off_is_cleared_all_the_same(charger: Charger):
    charger.applied("authorize-id-tag", {"id_tag": "A1"})
    off = {"configuration": {"AuthorizationCacheEnabled": "false"}}
    on = {"configuration": {"AuthorizationCacheEnabled": "true"}}
    charger.post("configuration", off)
    try:
        assert charger.post("cache/reset").json()["cleared_entries"] == 1
        assert charger.post("cache/reset").json()["cleared_entries"] == 0
    finally:
        charger.post("configuration", on)


# --- cable and car -------------------------------------------------------------------------------


def test_cable_commands_fit_the_cable(charger: Charger):
    assert refused(charger.post("unplug-connector", {}), "not_plugged")
    assert refused(charger.post("ev-requests-energy", {}), "not_plugged")
    assert refused(charger.post("ev-stops-energy", {}), "not_plugged")
    charger.applied("plug-connector")
    assert refused(charger.post("plug-connector", {}), "already_plugged")
    assert charger.applied("ev-requests-energy")["status"] == "Preparing"
    assert charger.applied("ev-requests-energy")["status"] == "Preparing"
    assert charger.applied("ev-stops-energy")["status"] == "Preparing"


def test_commands_in_a_row_are_possible_when_the_ones_before_have_happened(charger: Charger):
    with charger.client() as client:
        receipts = []
        for command, event in (
            ("plug-connector", {}),
            ("start-transaction", {"id_tag": TAG}),
            ("ev-requests-energy", {}),
            ("stop-session", {}),
        ):
            body = {"target": {"charger_id": "dep-123"}, "event": event}
            receipts.append(client.post(f"/ocpp/commands/{command}", json=body))
    assert [charger.result(receipt)["status"] for receipt in receipts] == ["applied"] * 4


def test_unplugging_while_charging_is_the_cars_disconnect(charger: Charger):
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    count = len(charger.central_system.of("StopTransaction"))
    charger.applied("unplug-connector")
    charger.until(lambda: len(charger.central_system.of("StopTransaction")) > count)
    stop = charger.central_system.of("StopTransaction")[-1].payload
    assert stop["reason"] == "EVDisconnected"


def key(charger: Charger, name: str, value: str) -> None:
    told = charger.post("configuration", {"configuration": {name: value}}).json()
    assert told["configured"] == [name]


STOPS, UNLOCKS = "StopTransactionOnEVSideDisconnect", "UnlockConnectorOnEVSideDisconnect"


def test_a_session_that_may_go_on_is_suspended_until_the_car_is_back(charger: Charger):
    key(charger, STOPS, "false")
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    gone = charger.applied("unplug-connector")
    assert gone == {"pilot": "A", "status": "SuspendedEV"}
    assert charger.state.connectors[0].is_locked
    assert refused(charger.post("unplug-connector", {}), "not_plugged")
    assert charger.applied("plug-connector")["pilot"] == "B"
    charger.applied("ev-requests-energy")
    running = charger.until_status("Charging")
    assert running["transaction_id"] is not None
    key(charger, STOPS, "true")
    assert charger.applied("unplug-connector") == {"pilot": "A", "status": "Available"}


def test_a_cable_that_stays_locked_is_finishing_until_its_card_is_shown(charger: Charger):
    key(charger, UNLOCKS, "false")
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    assert charger.applied("unplug-connector") == {"pilot": "A", "status": "Finishing"}
    assert charger.state.connectors[0].is_locked
    charger.applied("present-card", {"id_tag": TAG})
    charger.until(lambda: not charger.state.connectors[0].is_locked)
    key(charger, UNLOCKS, "true")
    assert charger.applied("unplug-connector") == {"pilot": "A", "status": "Available"}


def test_what_the_car_draws_shows_in_the_meter(charger: Charger):
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    charger.applied("power-update", {"power_w": 2300})
    meter = charger.board.connectors[0].meter
    assert meter is not None
    assert meter.read().power_w == 2300.0
    charger.applied("power-update", {"power_w": 1_000_000})
    assert meter.read().power_w == 32 * 230.0  # no more than the charger offers
    charger.applied("power-update", {"power_w": 0})
    charger.until_status("SuspendedEV")
    charger.applied("power-update", {"power_w": 7400})
    charger.until_status("Charging")


@pytest.mark.parametrize("power", [-1, 7.5, "7400", None, True, 10**12, 2**64])
def test_a_power_that_no_car_draws_is_a_422(charger: Charger, power: object):
    assert charger.post("power-update", {"power_w": power}).status_code == 422


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault_type", "error_code", "vendor_code"),
    [
        ("OverCurrent", "OverCurrentFailure", None),
        ("overcurrentfailure", "OverCurrentFailure", None),
        ("GroundFault", "GroundFailure", None),
        ("residualcurrent", "GroundFailure", None),
        ("OverTemperature", "HighTemperature", None),
        ("LockFailure", "ConnectorLockFailure", None),
        ("MeterFailure", "PowerMeterFailure", None),
        ("ContactorFailure", "PowerSwitchFailure", None),
        ("WeldedContactor", "PowerSwitchFailure", None),
        ("EmergencyStop", "OtherError", None),
        ("WeakSignal", "WeakSignal", None),
        ("NoError", "OtherError", "NoError"),
        ("Water in the box", "OtherError", "Water in the box"),
    ],
)
def test_a_fault_type_becomes_an_error_code(charger: Charger, fault_type, error_code, vendor_code):
    before = len(charger.central_system.of("StatusNotification"))
    told = charger.post("inject-fault", {"fault_type": fault_type, "evse_id": 5})
    assert told.status_code == 200
    assert told.json()["status"] == "Faulted"
    assert (told.json()["evse_id"], told.json()["connector_id"]) == (5, 1)

    def reports() -> list[Any]:
        calls = charger.central_system.of("StatusNotification")[before:]
        return [call.payload for call in calls if call.payload["status"] == "Faulted"]

    charger.until(lambda: reports() != [])
    assert reports()[0]["errorCode"] == error_code
    assert reports()[0].get("vendorErrorCode") == vendor_code
    assert charger.post("clear-fault", {}).json()["status"] == "Available"


def test_an_emergency_stop_is_the_reason_of_the_stop(charger: Charger):
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    count = len(charger.central_system.of("StopTransaction"))
    charger.post("inject-fault", {"fault_type": "EmergencyStop"})
    charger.until(lambda: len(charger.central_system.of("StopTransaction")) > count)
    assert charger.central_system.of("StopTransaction")[-1].payload["reason"] == "EmergencyStop"


def test_a_second_fault_replaces_the_first_and_one_clear_mends_it(charger: Charger):
    charger.post("inject-fault", {"fault_type": "OverCurrent"})
    charger.post("inject-fault", {"fault_type": "HighTemperature"})
    assert charger.until_status("Faulted")["error_code"] == "HighTemperature"
    charger.post("clear-fault", {})
    assert refused(charger.post("clear-fault", {}), "no_fault_injected")


def test_nothing_begins_on_a_faulted_connector(charger: Charger):
    charger.post("inject-fault", {"fault_type": "OverCurrent"})
    assert refused(charger.post("plug-connector", {}), "connector_faulted")
    assert refused(charger.post("start-session", {"id_tag": TAG}), "connector_faulted")
    charger.applied("plug-connector", TWO)  # the other connector is well
    charger.post("clear-fault", {})
    charger.applied("plug-connector")
    charger.post("inject-fault", {"fault_type": "OverCurrent"})
    assert refused(charger.post("start-transaction", {"id_tag": TAG}), "connector_faulted")


def test_nothing_begins_on_a_connector_that_is_out_of_service(charger: Charger):
    charger.run(charger.central_system.send_call("ChangeAvailability", OUT))
    try:
        for command, event in (
            ("plug-connector", {}),
            ("start-session", {"id_tag": TAG}),
        ):
            assert refused(charger.post(command, event), "connector_unavailable")
    finally:
        back = {**OUT, "type": "Operative"}
        charger.run(charger.central_system.send_call("ChangeAvailability", back))


@pytest.mark.parametrize("fault_type", ["", "x" * 51, None, 7])
def test_a_fault_type_has_1_to_50_characters(charger: Charger, fault_type: object):
    assert charger.post("inject-fault", {"fault_type": fault_type}).status_code == 422


# --- sessions ------------------------------------------------------------------------------------


def test_a_second_session_on_a_busy_connector_is_refused(charger: Charger):
    charger.applied("start-session", {"id_tag": TAG})
    for command in ("start-session", "start-transaction"):
        assert refused(charger.post(command, {"id_tag": "OTHER"}), "transaction_active")
    charger.applied("start-session", {"id_tag": "OTHER", **TWO})


def test_a_transaction_needs_a_cable(charger: Charger):
    assert refused(charger.post("start-transaction", {"id_tag": TAG}), "not_plugged")


def test_the_central_system_may_be_tested_with_any_tag(charger: Charger):
    charger.central_system.accepted_tags = {"GOOD"}
    charger.applied("plug-connector")
    count = len(charger.central_system.of("StartTransaction"))
    ended = charger.do("start-transaction", {"id_tag": "ANY"})
    assert (ended["status"], ended["detail"]) == ("rejected", "Invalid")
    assert len(charger.central_system.of("StartTransaction")) == count + 1


def test_a_start_that_the_central_system_keeps_waiting_is_deferred_then_applied(charger: Charger):
    charger.central_system.next("StartTransaction", Late(3.0))
    charger.applied("plug-connector")
    receipt = charger.post("start-transaction", {"id_tag": TAG})
    command_id = receipt.json()["results"][0]["command"]["id"]
    seen = set()
    while "applied" not in seen:
        found = charger.get(f"/ocpp/commands/{command_id}", wait_s=0.2).json()
        seen.add(found["status"])
    assert seen == {"received", "deferred", "applied"}


@pytest.mark.parametrize(
    "limits",
    [
        {"duration_seconds": 0},
        {"duration_seconds": -5},
        {"duration_seconds": 1.5},
        {"duration_seconds": 2**64},
        {"target_energy_kwh": 0},
        {"target_energy_kwh": -1.5},
        {"target_energy_kwh": "3"},
        {"target_energy_kwh": 1e300},
    ],
)
def test_limits_that_no_session_can_have_are_a_422(charger: Charger, limits):
    assert charger.post("start-session", {"id_tag": TAG, **limits}).status_code == 422


@pytest.mark.parametrize("tag", ["", "X" * 21, "Zürich", "A\n", None, 7, ["A"]])
@pytest.mark.parametrize("command", ["start-session", "start-transaction", "authorize-id-tag"])
def test_an_id_tag_has_1_to_20_printable_characters(charger: Charger, command: str, tag: object):
    assert charger.post(command, {"id_tag": tag}).status_code == 422


def test_a_stop_names_its_transaction_or_means_the_only_one(charger: Charger):
    assert refused(charger.post("stop-transaction", {}), "no_transaction")
    assert refused(charger.post("stop-transaction", {"transaction_id": None}), "no_transaction")
    charger.applied("start-session", {"id_tag": TAG})
    for unknown in ("txn-001", "999999", "-1", "", "1e3", "9" * 19, "9" * 40, "ref:", "ref:x"):
        answer = charger.post("stop-transaction", {"transaction_id": unknown})
        assert refused(answer, "unknown_transaction", 404)
    assert charger.post("stop-transaction", {"transaction_id": 1000}).status_code == 422
    second = charger.applied("start-session", {"id_tag": "OTHER", **TWO})
    assert refused(charger.post("stop-transaction", {}), "ambiguous_transaction")
    charger.applied("stop-transaction", {"transaction_id": str(second["transaction_id"])})
    charger.until_status("Finishing", 2)
    charger.applied("stop-transaction")
    charger.until_status("Finishing", 1)


def test_our_own_number_of_a_transaction_is_taken_too(charger: Charger):
    started = charger.applied("start-session", {"id_tag": TAG})
    charger.applied("stop-transaction", {"transaction_id": str(started["transaction_ref"])})
    charger.until_status("Finishing")


def test_a_number_that_fits_two_sessions_stops_neither_and_a_ref_is_told_apart(charger: Charger):
    def numbered(number: int) -> Answer:
        accepted = {"status": "Accepted"}
        return Answer({"transactionId": number, "idTagInfo": accepted})

    first = charger.applied("start-session", {"id_tag": TAG})["transaction_ref"] + 2
    charger.applied("stop-session", {})
    charger.central_system.next("StartTransaction", numbered(first), numbered(first))
    for where in ({}, TWO):  # the second session has our ref ``first`` too
        charger.applied("start-session", {"id_tag": TAG, **where})
    refs = [running.transaction.ref for running in charger.state.connectors if running.transaction]
    assert refs[1] == first
    answer = charger.post("stop-transaction", {"transaction_id": str(first)})
    assert refused(answer, "ambiguous_transaction")
    assert f"ref:{refs[1]} (connector 2)" in answer.json()["detail"]
    charger.applied("stop-transaction", {"transaction_id": f"ref:{first}"})
    charger.until_status("Finishing", 2)
    assert charger.state.connectors[0].transaction is not None
    unknown = charger.post("stop-transaction", {"transaction_id": f"ref:{first}"})
    assert refused(unknown, "unknown_transaction", 404)  # though the other has it as its id
    charger.applied("stop-transaction", {"transaction_id": str(first)})
    charger.until_status("Finishing", 1)


def test_stopping_a_session_without_one_only_unplugs(charger: Charger):
    assert refused(charger.post("stop-session", {}), "no_transaction")
    charger.applied("plug-connector")
    assert charger.applied("stop-session")["status"] == "Available"


def test_an_unlock_without_a_session_is_applied(charger: Charger):
    assert charger.applied("unlock-connector") == {"status": "Unlocked"}


# --- authorize -----------------------------------------------------------------------------------


def test_a_question_is_asked_whatever_the_cache_says_and_starts_nothing(charger: Charger):
    charger.applied("plug-connector")
    for _ in range(2):
        count = len(charger.central_system.of("Authorize"))
        charger.applied("authorize-id-tag", {"id_tag": TAG})
        assert len(charger.central_system.of("Authorize")) == count + 1
    assert charger.state.connectors[0].transaction is None


def test_a_refused_tag_is_a_rejected_question(charger: Charger):
    charger.central_system.accepted_tags = {"GOOD"}
    ended = charger.do("authorize-id-tag", {"id_tag": "BAD"})
    assert (ended["status"], ended["detail"]) == ("rejected", "Invalid")
    assert ended["result"]["status"] == "Invalid"


def test_a_question_without_a_usable_answer_has_failed(charger: Charger):
    charger.central_system.next("Authorize", Error("InternalError"))
    ended = charger.do("authorize-id-tag", {"id_tag": "NEW"})
    assert ended["status"] == "failed"
    assert "InternalError" in ended["detail"]


# --- cards ---------------------------------------------------------------------------------------


def test_a_presented_card_takes_the_whole_way(charger: Charger):
    charger.applied("plug-connector")
    told = charger.applied("present-card", {"uid": "044943121F1A80"})
    assert (told["verdict"], told["id_tag"]) == ("accepted", "04..80")
    charger.until(lambda: charger.state.connectors[0].transaction is not None)
    running = charger.state.connectors[0].transaction
    assert running is not None
    assert running.id_tag == "044943121F1A80"


def test_a_ready_made_tag_that_looks_like_a_uid_stays_a_tag(charger: Charger):
    charger.applied("plug-connector")
    charger.applied("present-card", {"id_tag": "deadbeef", "connector_id": 1})
    charger.until(lambda: charger.state.connectors[0].transaction is not None)
    running = charger.state.connectors[0].transaction
    assert running is not None
    assert running.id_tag == "deadbeef"


@pytest.mark.parametrize(
    "event",
    [{}, {"uid": "0449"}, {"uid": "xyz"}, {"uid": "04A2B3C4", "id_tag": "A"}, {"id_tag": "X" * 21}],
)
def test_a_card_is_a_uid_or_a_tag(charger: Charger, event):
    assert charger.post("present-card", event).status_code == 422


# --- proxy-message -------------------------------------------------------------------------------


def proxy(charger: Charger, action: str, payload: Any = None, version: str = "ocpp1.6") -> Any:
    event = {"action": action, "ocpp_version": version, "payload": payload or {}}
    return charger.post("proxy-message", event)


def test_a_message_goes_out_in_camel_case_and_its_answer_is_the_result(charger: Charger):
    payload = {"charge_point_vendor": "OCPPLAB", "chargePointModel": "SDK-DC-50"}
    receipt = proxy(charger, "boot_notification", payload)
    assert receipt.status_code == 202
    told = receipt.json()
    assert (told["event_type"], told["ocpp_version"]) == ("boot_notification", "ocpp1.6")
    assert told["payload"]["payload"] == payload
    ended = charger.result(receipt)
    assert (ended["status"], ended["result"]["status"]) == ("applied", "Accepted")
    assert charger.central_system.of("BootNotification")[-1].payload == {
        "chargePointVendor": "OCPPLAB",
        "chargePointModel": "SDK-DC-50",
    }


def test_keys_inside_are_turned_too(charger: Charger):
    sampled = {"value": "1", "unit": "Wh"}
    payload = {
        "connector_id": 1,
        "meter_value": [{"timestamp": "2026-03-01T12:00:00Z", "sampled_value": [sampled]}],
    }
    assert charger.result(proxy(charger, "meter_values", payload))["status"] == "applied"
    sent = charger.central_system.of("MeterValues")[-1].payload
    assert sent["meterValue"][0]["sampledValue"] == [sampled]


def test_a_proxied_start_does_not_make_a_transaction(charger: Charger):
    payload = {
        "connector_id": 1,
        "id_tag": TAG,
        "meter_start": 0,
        "timestamp": "2026-03-01T12:00:00Z",
    }
    ended = charger.result(proxy(charger, "start_transaction", payload))
    assert ended["result"]["idTagInfo"]["status"] == "Accepted"
    assert charger.state.connectors[0].transaction is None


@pytest.mark.parametrize(
    ("action", "payload", "version"),
    [
        ("boot_notification", {}, "ocpp1.6"),
        ("boot_notification", {"charge_point_vendor": 7, "charge_point_model": "M"}, "ocpp1.6"),
        ("authorize", {"id_tag": "X" * 21}, "ocpp1.6"),
        ("authorize", {"id_tag": "A", "idTag": "B"}, "ocpp1.6"),
        ("heartbeat", {"x": 1}, "ocpp1.6"),
        ("heartbeat", {}, "ocpp2.0.1"),
        ("transaction_event", {}, "ocpp1.6"),
        ("transaction_event", {}, "ocpp2.0.1"),
        ("notify_report", {}, "ocpp1.6"),
        ("change_configuration", {}, "ocpp1.6"),
        ("Heartbeat", {}, "ocpp1.6"),
        ("../secrets", {}, "ocpp1.6"),
    ],
)
def test_what_ocpp_1_6_forbids_is_a_400_and_not_sent(charger: Charger, action, payload, version):
    before = len(charger.central_system.calls)
    assert refused(proxy(charger, action, payload, version), "invalid_message", 400)
    assert len(charger.central_system.calls) == before


def test_a_version_that_nobody_knows_is_a_422(charger: Charger):
    assert proxy(charger, "heartbeat", {}, "ocpp9").status_code == 422


def test_a_callerror_is_a_rejected_message(charger: Charger):
    charger.central_system.next("DataTransfer", Error("SecurityError", "not for you"))
    ended = charger.result(proxy(charger, "data_transfer", {"vendor_id": "v"}))
    assert (ended["status"], ended["result"]) == ("rejected", {"error_code": "SecurityError"})
    assert "not for you" in ended["detail"]


# --- without the central system ------------------------------------------------------------------


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    settings = api_settings(tmp_path_factory.mktemp("offline"))
    with running_charger(settings, is_offline=True) as charger:
        yield charger


def test_what_needs_the_central_system_is_a_503_and_leaves_nothing(offline: Charger):
    offline.at_rest()
    for answer in (
        offline.post("authorize-id-tag", {"id_tag": TAG}),
        proxy(offline, "heartbeat"),
    ):
        assert refused(answer, "csms_not_connected", 503)
        assert int(answer.headers["Retry-After"]) > 0
    offline.applied("plug-connector")
    unknown = offline.post("start-transaction", {"id_tag": "UNKNOWN"})
    assert refused(unknown, "csms_not_connected", 503)


def test_a_listed_tag_begins_offline_and_its_messages_wait(offline: Charger):
    offline.at_rest()
    entries = [{"id_tag": TAG}]
    offline.post("clear-local-auth-list")
    offline.post("local-auth-list", {"list_version": 1, "entries": entries})
    offline.applied("plug-connector")
    started = offline.applied("start-transaction", {"id_tag": TAG})
    assert started["transaction_id"] is None
    offline.applied("stop-transaction", {"transaction_id": str(started["transaction_ref"])})
    metrics = offline.get("/metrics").text
    assert 'chargepoint_outbox_messages{state="queued"} 2.0' in metrics
    assert "chargepoint_link_accepted 0.0" in metrics


def test_a_session_of_an_unknown_tag_is_rejected_offline(offline: Charger):
    offline.at_rest()
    ended = offline.do("start-session", {"id_tag": "UNKNOWN"})
    assert ended["status"] == "rejected"
    assert offline.state.connectors[0].plugged


def test_health_does_not_depend_on_the_central_system(offline: Charger):
    assert offline.get("/health").status_code == 200
    assert offline.get("/ocpp/chargers/dep-123").json()["online"] is False
