"""Whatever about charging is refused over the control API leaves its reason, as a card's does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import Charger
from tests.emulators.central_system import Answer

TAG = "TAG-RFID-001"
# As control-api.md and docs/control-api.md print it.
PRINTED = {
    "list_version": 2,
    "entries": [
        {"id_tag": TAG, "expiry_date": "2099-12-31T23:59:59Z"},
        {"id_tag": "TAG-RFID-002", "expiry_date": "2099-06-30T23:59:59Z"},
    ],
}
UNKNOWN_CONNECTOR = {"connector_id": 9}


def newest(charger: Charger) -> dict[str, Any]:
    """The newest decision, as GET /ocpp/decisions tells it."""
    found: dict[str, Any] = charger.get("/ocpp/decisions", limit=1).json()["data"][0]
    return found


@pytest.mark.parametrize(
    ("command", "event", "purpose", "rule"),
    [
        ("start-transaction", {"id_tag": TAG}, "operator start", "NOT_PLUGGED"),
        (
            "start-session",
            {"id_tag": TAG, **UNKNOWN_CONNECTOR},
            "operator start",
            "UNKNOWN_CONNECTOR",
        ),
        ("stop-transaction", {}, "operator stop", "NO_SESSION"),
        ("stop-transaction", {"transaction_id": "77"}, "operator stop", "NO_SESSION"),
        ("stop-session", {}, "operator stop", "NO_SESSION"),
        ("unlock-connector", UNKNOWN_CONNECTOR, "unlock", "UNKNOWN_CONNECTOR"),
    ],
)
def test_a_command_that_is_refused_at_once_leaves_its_reason(
    charger: Charger, command: str, event: dict[str, Any], purpose: str, rule: str
):
    assert charger.post(command, event).status_code in (404, 409, 422)
    reason = newest(charger)
    assert (reason["purpose"], reason["rule"]) == (purpose, rule)
    assert reason["verdict"] == "refused"
    assert reason["next"]


def test_a_start_where_a_session_runs_leaves_its_reason(charger: Charger):
    charger.applied("start-session", {"id_tag": TAG})
    refused = charger.post("start-session", {"id_tag": "OTHER"})
    assert (refused.status_code, refused.json()["code"]) == (409, "transaction_active")
    reason = newest(charger)
    assert (reason["rule"], reason["purpose"]) == ("NO_CONNECTOR", "operator start")


def test_a_start_on_a_broken_connector_leaves_its_reason(charger: Charger):
    charger.post("inject-fault", {"fault_type": "OverCurrent"})
    assert charger.post("start-session", {"id_tag": TAG}).json()["code"] == "connector_faulted"
    assert newest(charger)["rule"] == "FAULTED"


def test_what_is_not_about_charging_leaves_none(charger: Charger):
    charger.applied("plug-connector")
    before = newest(charger)
    assert charger.post("plug-connector", {}).status_code == 409
    assert newest(charger) == before


def test_the_printed_tag_of_the_list_is_accepted_without_a_question(charger: Charger):
    """Online with LocalPreAuthorize: the list decides, whatever the central system would say."""
    invalid = Answer({"idTagInfo": {"status": "Invalid"}})
    charger.central_system.always("Authorize", invalid)
    try:
        charger.post("clear-local-auth-list")
        answer = charger.post("local-auth-list", PRINTED).json()
        assert (answer["status"], answer["entries_received"]) == ("Accepted", 2)
        asked = len(charger.central_system.of("Authorize"))
        charger.applied("start-session", {"id_tag": TAG})
        reason = newest(charger)
        assert (reason["rule"], reason["purpose"]) == ("LISTED", "operator start")
        assert len(charger.central_system.of("Authorize")) == asked
    finally:
        charger.central_system.always("Authorize", None)
