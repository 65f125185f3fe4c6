"""The worked sequences: by hand, in one, with a fault; what the central system sees of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import Charger, api_settings, running_charger
from tests.emulators.central_system import Late, ReceivedCall

TAG = "TAG-RFID-001"


@pytest.fixture
def fresh(tmp_path):
    with running_charger(api_settings(tmp_path)) as charger:
        yield charger


def story(charger: Charger) -> list[str]:
    """Statuses of connector 1, and the other calls about charging by their action."""
    told = []
    for call in charger.central_system.calls:
        if call.action == "SecurityEventNotification":
            continue
        if call.action != "StatusNotification":
            told.append(call.action)
        elif call.payload["connectorId"] == 1:
            told.append(call.payload["status"])
    return told[told.index("Available") + 1 :]


def until_told(charger: Charger, news: str) -> None:
    """Wait for it: a status that still waits for its turn gives way to a newer one."""
    charger.until(lambda: news in story(charger)[-1:])


def last(charger: Charger, action: str) -> Any:
    return charger.central_system.of(action)[-1].payload


def test_a_charger_is_handed_to_a_test_when_all_of_its_start_is_told(tmp_path):
    charger = Charger(api_settings(tmp_path))
    start = ["BootNotification", *["StatusNotification"] * 2, *["SecurityEventNotification"] * 2]
    for action in start:
        assert not charger.has_told_its_start()
        charger.central_system.calls.append(ReceivedCall(action, {}, "", 0.0))
    assert charger.has_told_its_start()
    with running_charger(charger.settings) as running:
        assert sorted(call.action for call in running.central_system.calls) == sorted(start)


def test_a_charger_is_handed_to_a_test_when_all_of_its_start_is_answered(tmp_path):
    charger = Charger(api_settings(tmp_path))
    charger.central_system.always("SecurityEventNotification", Late(0.3))
    try:
        charger.start()
        assert charger.has_told_all()
    finally:
        charger.stop()


def test_a_by_hand(fresh: Charger):
    charger = fresh
    assert charger.applied("plug-connector") == {"pilot": "B", "status": "Preparing"}
    until_told(charger, "Preparing")
    verdict = charger.applied("authorize-id-tag", {"id_tag": TAG})
    assert verdict == {"status": "Accepted", "expiry_date": None, "parent_id_tag": None}
    started = charger.applied("start-transaction", {"id_tag": TAG})
    assert started["transaction_id"] == 1000
    asked = charger.applied("ev-requests-energy")
    assert asked == {"pilot": "C", "status": "Charging"}
    until_told(charger, "Charging")
    assert charger.applied("power-update", {"power_w": 3600}) == {"power_w": 3600}
    assert charger.applied("ev-stops-energy") == {"pilot": "B", "status": "SuspendedEV"}
    until_told(charger, "SuspendedEV")
    charger.applied("stop-transaction")
    charger.until_status("Finishing")
    until_told(charger, "StopTransaction")
    assert charger.applied("unplug-connector") == {"pilot": "A", "status": "Available"}
    until_told(charger, "Available")
    assert story(charger) == [
        "Preparing",
        "Authorize",
        "StartTransaction",
        "Charging",
        "SuspendedEV",
        "Finishing",
        "StopTransaction",
        "Available",
    ]
    assert last(charger, "StartTransaction")["idTag"] == TAG
    assert last(charger, "StopTransaction")["reason"] == "Local"


def test_b_in_one_with_a_time_limit(fresh: Charger):
    charger = fresh
    started = charger.applied("start-session", {"id_tag": TAG, "duration_seconds": 1})
    assert started["transaction_ref"] == 1
    charger.until(lambda: charger.central_system.of("StopTransaction") != [])
    finishing = charger.until_status("Finishing")
    assert finishing["transaction_id"] is None
    assert finishing["plugged"] is True
    assert last(charger, "StopTransaction")["reason"] == "Local"
    assert story(charger)[:4] == ["Preparing", "Authorize", "StartTransaction", "Charging"]
    assert charger.applied("stop-session") == {"pilot": "A", "status": "Available"}


def test_b_with_an_energy_limit(fresh: Charger):
    charger = fresh
    # 7360 W draw 3 Wh in a second and a half.
    charger.applied("start-session", {"id_tag": TAG, "target_energy_kwh": 0.003})
    charger.until_status("Finishing")
    charger.until(lambda: charger.central_system.of("StopTransaction") != [])
    assert last(charger, "StopTransaction")["meterStop"] >= 3


def test_b_refused_leaves_the_cable_in(fresh: Charger):
    charger = fresh
    charger.central_system.accepted_tags = {"SOMEBODY-ELSE"}
    ended = charger.do("start-session", {"id_tag": TAG})
    assert (ended["status"], ended["detail"]) == ("rejected", "Invalid")
    assert ended["result"]["status"] == "Invalid"
    assert charger.state.connectors[0].plugged
    assert charger.central_system.of("StartTransaction") == []
    charger.applied("stop-session")


def test_e_a_fault_ends_the_session_and_is_cleared(fresh: Charger):
    charger = fresh
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    told = charger.post("inject-fault", {"fault_type": "OverCurrent", "connector_id": 1})
    assert told.status_code == 200
    assert told.json()["fault_type"] == "OverCurrent"
    assert told.json()["status"] == "Faulted"
    contactor = charger.board.connectors[0].contactor
    charger.until(lambda: not contactor.is_closed)
    charger.until(lambda: charger.central_system.of("StopTransaction") != [])
    assert last(charger, "StopTransaction")["reason"] == "Other"
    shown = charger.until_status("Faulted")
    assert shown["error_code"] == "OverCurrentFailure"
    told = charger.post("clear-fault", {})
    assert (told.status_code, told.json()["status"]) == (200, "Finishing")
    assert charger.applied("unplug-connector")["status"] == "Available"
    statuses = [call.payload for call in charger.central_system.of("StatusNotification")]
    faulted = [status for status in statuses if status["status"] == "Faulted"]
    assert {status["errorCode"] for status in faulted} == {"OverCurrentFailure"}


def test_every_receipt_leads_to_a_final_result(fresh: Charger):
    charger = fresh
    for command, event in (
        ("plug-connector", {}),
        ("unlock-connector", {}),
        ("start-session", {"id_tag": TAG}),
        ("ev-stops-energy", {}),
        ("power-update", {"power_w": 0}),
        ("stop-session", {}),
        ("authorize-id-tag", {"id_tag": TAG}),
        ("present-card", {"uid": "044943121F1A80"}),
        (
            "proxy-message",
            {"action": "heartbeat", "ocpp_version": "ocpp1.6", "payload": {}},
        ),
    ):
        ended = charger.do(command, event)
        assert ended["status"] == "applied", (command, ended)
        assert ended["event_type"] in (command.replace("-", "_"), "heartbeat")
        assert (ended["identity"], ended["deployment_id"]) == ("CP-DEMO-123", "dep-123")
    newest = charger.get("/ocpp/commands", limit=3).json()["data"]
    assert [found["event_type"] for found in newest] == [
        "heartbeat",
        "present_card",
        "authorize_id_tag",
    ]
