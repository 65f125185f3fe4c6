"""The routes below /evcharger: the same commands, other names of fields, one form of receipt."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from agent.api.tokens import TokenFile
from tests.api.commands import ALL_COMMANDS, SCOPES
from tests.api.harness import SECRET, Charger

LONG = "kx9-A7m_Qw2ZrT5yBn81"
GONE = ("unlock-connector", "skip-delay", "start-transaction", "stop-transaction", "present-card")
PAYLOADS: dict[str, Any] = {
    **{name: event for name, event in ALL_COMMANDS.items() if name not in GONE},
    "proxy-message": {"action": "Heartbeat"},
    "configuration": {"key": "HeartbeatInterval", "value": "30"},
    "local-auth-list": {"list_version": 1, "update_type": "Full", "entries": None},
}
BOX = {"identity": "CP-DEMO-123"}


def post(
    charger: Charger, command: str, payload: Any = None, target: Any = None, **how: Any
) -> httpx.Response:
    body = {"target": BOX if target is None else target}
    if payload is not None:
        body["payload"] = payload
    with charger.client(how.pop("token", SECRET)) as client:
        return client.post(f"/evcharger/commands/{command}", json=body, **how)


@pytest.mark.parametrize("command", PAYLOADS)
class TestEveryCommand:
    def test_asks_for_token_scope_and_charger_as_the_older_route_does(
        self, charger: Charger, command: str
    ):
        payload = PAYLOADS[command]
        assert post(charger, command, payload, token=None).status_code == 401
        tokens = TokenFile(charger.settings.storage_path.parent)
        others = [scope for scope in {"read", *SCOPES.values()} if scope != SCOPES[command]]
        tokens.add("narrow", others, LONG, "")
        try:
            answer = post(charger, command, payload, token=LONG)
        finally:
            tokens.revoke("narrow")
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
        for other in ({"identity": "CP-OTHER"}, {"deployment_id": "dep-124"}):
            answer = post(charger, command, payload, other)
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown_charger")

    def test_is_a_post_with_a_body_of_its_own(self, charger: Charger, command: str):
        path = f"/evcharger/commands/{command}"
        with charger.client() as client:
            assert client.get(path).status_code == 405
            for target in ({}, {"charger_id": "dep-123"}, {**BOX, "deployment_id": "dep-123"}):
                body = {"target": target, "payload": PAYLOADS[command]}
                assert client.post(path, json=body).status_code == 422
            only_old = {"target": BOX, "event": PAYLOADS[command]}
            if PAYLOADS[command]:
                assert client.post(path, json=only_old).status_code == 422


@pytest.mark.parametrize(
    "command", ["configuration", "cache/reset", "local-auth-list", "clear-local-auth-list"]
)
def test_what_is_done_at_once_has_the_receipt_of_a_queued_command(charger: Charger, command: str):
    answer = post(charger, command, PAYLOADS[command], {"location_id": "loc-456"})
    assert answer.status_code == 202
    receipt = answer.json()
    assert (receipt["targeted_count"], receipt["queued_count"], receipt["failed"]) == (1, 1, [])
    ended = charger.get(f"/evcharger/commands/{receipt['results'][0]['command']['id']}").json()
    assert ended["status"] == "applied"
    assert ended["result"]


def test_both_families_move_the_same_car_and_tell_the_same_results(charger: Charger):
    assert charger.result(post(charger, "plug-connector"))["status"] == "applied"
    answers = (charger.post("plug-connector", {}), post(charger, "plug-connector"))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (409, "already_plugged")
    }
    assert charger.applied("unplug-connector") is not None
    listed = charger.get("/evcharger/commands", identity="CP-DEMO-123", limit=2).json()
    assert listed == charger.get("/ocpp/commands", limit=2).json()
    assert [found["event_type"] for found in listed["data"]] == [
        "unplug_connector",
        "plug_connector",
    ]


def test_a_refusal_at_a_location_stands_among_the_failures(charger: Charger):
    receipt = post(charger, "clear-fault", None, {"location_id": "loc-456"}).json()
    assert (receipt["queued_count"], receipt["failed_count"]) == (0, 1)
    assert "No fault is injected" in receipt["failed"][0]["error"]


def test_what_the_charger_refuses_is_a_command_that_was_rejected(charger: Charger):
    change = {"key": "NumberOfConnectors", "value": "9"}
    ended = charger.result(post(charger, "configuration", change))
    assert ended["status"] == "rejected"
    assert ended["result"]["results"] == {"NumberOfConnectors": "Rejected"}


def test_a_mistake_is_placed_in_the_payload(charger: Charger):
    answer = post(charger, "plug-connector", {"connector_id": 3})
    assert answer.json()["detail"][0]["loc"] == ["body", "payload", "connector_id"]


def test_a_long_list_may_be_as_long_as_on_the_older_route(charger: Charger):
    entries = [{"id_tag": f"TAG-{number:016}"} for number in range(10_000)]  # 0.3 MB
    update = {"list_version": 7, "update_type": "Full", "entries": entries}
    ended = charger.result(post(charger, "local-auth-list", update))
    assert ended["result"]["entries_received"] == len(entries)
    assert charger.result(post(charger, "local-auth-list", update))["status"] == "rejected"
    assert charger.result(post(charger, "clear-local-auth-list"))["status"] == "applied"


def test_a_repeated_request_is_done_once(charger: Charger):
    key = {"Idempotency-Key": "the-same-request"}
    first, second = (post(charger, "cache/reset", headers=key) for _ in range(2))
    assert first.json() == second.json()


@pytest.mark.parametrize("command", GONE)
def test_what_the_newer_client_has_no_call_for_is_not_there(charger: Charger, command: str):
    assert post(charger, command, ALL_COMMANDS[command]).status_code == 404


def test_results_of_another_charger_are_not_here(charger: Charger):
    assert charger.get("/evcharger/commands", deployment_id="dep-124").status_code == 404
