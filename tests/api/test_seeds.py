"""The vendor's worked examples, as its pages print them: only host and token are filled in.

From the OCPPLab Gateway API pages "Send local authorization list" and "Clear local authorization
list". The first example of the former is printed without a body.
"""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.harness import SECRET, Charger

HEADERS = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}


def post(charger: Charger, path: str, payload: Any = ...) -> httpx.Response:
    """requests.post(url, json=payload, headers=headers)"""
    url = f"{charger.url}{path}"
    if payload is ...:
        return httpx.post(url, headers=HEADERS)
    return httpx.post(url, json=payload, headers=HEADERS)


def test_send_as_printed_without_a_body_does_not_fit_the_schema(charger: Charger):
    answer = post(charger, "/ocpp/commands/local-auth-list")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body"]


def test_initial_setup_then_replace_then_clear_answer_as_printed(charger: Charger):
    push = {
        "target": {"charger_id": "dep-123"},
        "event": {
            "list_version": 1,
            "entries": [{"id_tag": "TAG-RFID-001", "expiry_date": "2027-01-01T00:00:00Z"}],
        },
    }
    answer = post(charger, "/ocpp/commands/local-auth-list", push)
    assert answer.status_code == 200
    assert answer.json() == {"status": "Accepted", "list_version": 1, "entries_received": 1}

    replace = {
        "target": {"charger_id": "dep-123"},
        "event": {
            "list_version": 2,
            "entries": [
                {"id_tag": "TAG-RFID-001", "expiry_date": "2026-12-31T23:59:59Z"},
                {"id_tag": "TAG-RFID-002", "expiry_date": "2026-06-30T23:59:59Z"},
            ],
        },
    }
    answer = post(charger, "/ocpp/commands/local-auth-list", replace)
    assert answer.status_code == 200
    assert answer.json() == {"status": "Accepted", "list_version": 2, "entries_received": 2}

    clear = {"target": {"charger_id": "dep-123"}}
    answer = post(charger, "/ocpp/commands/clear-local-auth-list", clear)
    assert answer.status_code == 200
    assert answer.json() == {"msg": "Local authorization list cleared", "entries_deleted": 2}
