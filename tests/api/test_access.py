"""Who comes in: tokens, scopes, methods, targets; section by section as the specification says."""

from __future__ import annotations

import json
import stat

import pytest
from fastapi import FastAPI

from agent.api.app import require_scopes
from agent.api.errors import ApiError
from agent.api.tokens import KnownTokens, TokenFile, token_from_file
from agent.config.settings import ApiSettings, ApiTokenSettings
from tests.api.commands import ALL_COMMANDS, SCOPES, SINGLE, UNIFIED
from tests.api.harness import SECRET, Charger

LONG = "kx9-A7m_Qw2ZrT5yBn81"


@pytest.mark.parametrize("command", ALL_COMMANDS)
class TestEveryCommand:
    def test_needs_a_token(self, charger: Charger, command: str):
        for token in (None, "wrong-token-wrong-token", "x" * 1000):
            answer = charger.post(command, ALL_COMMANDS[command], token=token)
            assert answer.status_code == 401
            assert answer.json()["code"] == "unauthorized"
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_needs_its_scope_and_names_it(self, charger: Charger, command: str):
        others = [scope for scope in set(SCOPES.values()) | {"read"} if scope != SCOPES[command]]
        tokens = TokenFile(charger.settings.storage_path.parent)
        tokens.add("narrow", others, LONG, "")
        try:
            answer = charger.post(command, ALL_COMMANDS[command], token=LONG)
        finally:
            tokens.revoke("narrow")
        assert answer.status_code == 403
        assert SCOPES[command] in answer.json()["detail"]
        assert answer.json()["code"] == "scope_missing"

    def test_is_not_for_another_charger(self, charger: Charger, command: str):
        for other in ("dep-124", "DEP-123", "", "dep-123 "):
            target = {"charger_id": other}
            answer = charger.post(command, ALL_COMMANDS[command], target=target)
            assert answer.status_code == 404
            assert answer.json()["code"] == "unknown_charger"

    def test_has_a_body_of_its_own(self, charger: Charger, command: str):
        bad = ([], "x", 7, None, {}, {"target": None}, {"target": {"charger_id": 7}})
        with charger.client() as client:
            for body in bad:
                answer = client.post(f"/ocpp/commands/{command}", json=body)
                assert answer.status_code == 422
                for place in answer.json()["detail"]:
                    assert set(place) == {"loc", "msg", "type"}

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
    def test_is_a_post(self, charger: Charger, command: str, method: str):
        with charger.client() as client:
            answer = client.request(method, f"/ocpp/commands/{command}")
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"


def test_the_tables_of_the_tests_name_all_twenty_commands():
    assert len(ALL_COMMANDS) == len(SCOPES) == 20


@pytest.mark.parametrize("path", ["/ocpp/commands/cache/forget", "/ocpp/decisions", "/forget"])
def test_a_route_that_changes_something_and_has_no_scope_is_never_served(path: str):
    def nothing() -> None: ...

    app = FastAPI()
    app.add_api_route("/ocpp/queue/{ref}/discard", nothing, methods=["POST"])
    app.add_api_route("/ocpp/decisions", nothing, methods=["GET"])
    require_scopes(app)
    app.add_api_route(path, nothing, methods=["DELETE"])
    with pytest.raises(RuntimeError, match=f"{path} changes something and has no scope"):
        require_scopes(app)


def test_the_token_is_asked_for_before_anything_else_is_looked_at(charger: Charger):
    with charger.client(None) as client:
        for content in (b"{", b"\xff", b"x" * 3_000_000):
            answer = client.post("/ocpp/commands/plug-connector", content=content)
            assert answer.status_code == 401
        assert client.get("/ocpp/chargers/dep-123").status_code == 401
        assert client.get("/openapi.json").status_code == 401
        assert client.get("/metrics").status_code == 401
        assert client.get("/nowhere").status_code == 401
        assert client.get("/health").json() == {"status": "ok"}


def test_schemes_other_than_bearer_are_refused(charger: Charger):
    with charger.client(None) as client:
        for given in (SECRET, f"Basic {SECRET}", f"Bearer{SECRET}", "Bearer", "Bearer a b"):
            answer = client.get("/ocpp/commands", headers={"Authorization": given})
            assert answer.status_code == 401
        fine = client.get("/ocpp/commands", headers={"Authorization": f"bearer {SECRET}"})
        assert fine.status_code == 200


def test_the_organization_header_is_accepted_and_ignored(charger: Charger):
    answer = charger.post("cache/reset", headers={"X-Organization-Id": "org-1"})
    assert answer.status_code == 200


def test_the_charger_may_be_named_by_its_ocpp_identity(charger: Charger):
    answer = charger.post("cache/reset", target={"charger_id": "CP-DEMO-123"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"charger_id": "dep-123", "location_id": "loc-456"},
        {"charger_ids": ["dep-123"]},
        {"charger_id": "dep-123", "charger_ids": ["dep-123"]},
        {"deployment_id": "dep-123"},
        {"identity": "CP-DEMO-123"},
        {"charger_id": None, "location_id": None},
    ],
)
def test_a_target_is_a_charger_or_a_location(charger: Charger, target: object):
    for command, event in UNIFIED.items():
        assert charger.post(command, event, target=target).status_code == 422


def test_the_later_name_of_the_event_is_not_taken(charger: Charger):
    with charger.client() as client:
        body = {"target": {"charger_id": "dep-123"}, "payload": {"id_tag": "A"}}
        assert client.post("/ocpp/commands/start-session", json=body).status_code == 422


def test_a_location_means_all_its_chargers_and_refusals_stand_among_the_failures(charger: Charger):
    plug = charger.post("plug-connector", {}, target={"location_id": "loc-456"})
    assert charger.result(plug)["status"] == "applied"
    receipt = plug.json()
    assert (receipt["targeted_count"], receipt["queued_count"], receipt["failed_count"]) == (
        1,
        1,
        0,
    )
    assert receipt["results"][0]["charger_id"] == "dep-123"
    assert receipt["results"][0]["identity"] == "CP-DEMO-123"

    again = charger.post("plug-connector", {}, target={"charger_id": "dep-123"})
    assert (again.status_code, again.json()["code"]) == (409, "already_plugged")
    failed = charger.post("plug-connector", {}, target={"location_id": "loc-456"})
    assert failed.status_code == 202
    assert failed.json() == {
        "targeted_count": 1,
        "queued_count": 0,
        "failed_count": 1,
        "results": [],
        "failed": [{"identity": "CP-DEMO-123", "error": again.json()["detail"]}],
    }


def test_chargers_of_a_location_that_are_not_here_are_failures(charger: Charger):
    target = {"location_id": "loc-456", "charger_ids": ["dep-1", "dep-123", "dep-2"]}
    receipt = charger.post("authorize-id-tag", {"id_tag": "A"}, target=target).json()
    assert (receipt["targeted_count"], receipt["queued_count"], receipt["failed_count"]) == (
        3,
        1,
        2,
    )
    assert [failure["identity"] for failure in receipt["failed"]] == [None, None]
    assert "dep-1" in receipt["failed"][0]["error"]
    nobody = {"location_id": "loc-456", "charger_ids": ["dep-1"]}
    receipt = charger.post("authorize-id-tag", {"id_tag": "A"}, target=nobody).json()
    assert (receipt["queued_count"], receipt["failed_count"]) == (0, 1)
    other = charger.post("authorize-id-tag", {"id_tag": "A"}, target={"location_id": "loc-1"})
    assert (other.status_code, other.json()["code"]) == (404, "unknown_location")


def test_a_connector_that_is_not_there_is_a_422(charger: Charger):
    for number in (0, -1, 3, 10**30, "1", 1.5, True):
        assert charger.post("plug-connector", {"connector_id": number}).status_code == 422
    answer = charger.post("plug-connector", {"connector_id": 3})
    assert answer.json()["detail"][0]["loc"] == ["body", "event", "connector_id"]
    assert charger.applied("plug-connector", {"connector_id": 2, "evse_id": 77})
    assert charger.applied("unplug-connector", {"connector_id": 2})


@pytest.mark.parametrize("command", ["cache/reset", "clear-local-auth-list"])
@pytest.mark.parametrize("event", [None, {}, {"colour": "red"}])
def test_an_event_without_fields_may_be_missing(charger: Charger, command: str, event: object):
    assert charger.post(command, event).status_code == 200


def test_an_event_with_a_field_that_must_be_given_may_not_be_missing(charger: Charger):
    for command, event in {**SINGLE, **UNIFIED}.items():
        needs_event = command == "present-card" or (event and command != "stop-transaction")
        if needs_event:
            assert charger.post(command).status_code == 422


# --- tokens --------------------------------------------------------------------------------------


def test_a_new_token_counts_at_once_and_a_revoked_one_no_more(charger: Charger):
    tokens = TokenFile(charger.settings.storage_path.parent)
    with charger.client(LONG) as client:
        assert client.get("/ocpp/commands").status_code == 401
        tokens.add("visitor", ["read"], LONG, "")
        assert client.get("/ocpp/commands").status_code == 200
        tokens.revoke("visitor")
        assert client.get("/ocpp/commands").status_code == 401


def test_a_damaged_token_file_lets_nobody_in(charger: Charger):
    tokens = TokenFile(charger.settings.storage_path.parent)
    good = tokens.path.read_bytes()
    with charger.client() as client:
        for content in (b"{", b'{"tokens": 7}', b'{"tokens": [{}]}', b"x" * 300_000, b"\xff"):
            tokens.path.write_bytes(content)
            assert client.get("/ocpp/commands").status_code == 401
        tokens.path.write_bytes(good)
        assert client.get("/ocpp/commands").status_code == 200


def test_the_token_file_holds_no_token_and_is_its_owners_alone(tmp_path):
    file = TokenFile(tmp_path)
    file.add("one", ["read"], LONG, "2026-03-01T12:00:00Z")
    content = file.path.read_text()
    assert LONG not in content
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert json.loads(content)["tokens"][0]["name"] == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["tokens.json"]


@pytest.mark.parametrize(
    ("name", "scopes", "words"),
    [
        ("", ["read"], "1 to 40"),
        ("a b", ["read"], "1 to 40"),
        ("x" * 41, ["read"], "1 to 40"),
        ("one", [], "none is given"),
        ("one", ["read", "write"], "unknown: write"),
        ("taken", ["read"], "revoke it first"),
    ],
)
def test_a_token_with_a_bad_name_or_scope_is_not_made(tmp_path, name, scopes, words):
    file = TokenFile(tmp_path)
    file.add("taken", ["read"], LONG, "")
    with pytest.raises(ApiError, match=words):
        file.add(name, scopes, LONG, "")
    assert [token.name for token in file.read()] == ["taken"]


def test_a_token_that_does_not_exist_cannot_be_revoked(tmp_path):
    with pytest.raises(ApiError, match="there is no token 'one'"):
        TokenFile(tmp_path).revoke("one")


def test_a_state_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ApiError, match=r"nowhere: there is no such file"):
        TokenFile(tmp_path / "nowhere").add("one", ["read"], LONG, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "changeme-changeme-1",
        "aaaaaaaaaaaaaaaaaaaaaa",
        "<token-token-token>",
        "two words of it",
    ],
)
def test_an_empty_short_or_default_token_is_never_used(tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text + "\n")
    given = ApiTokenSettings(name="dashboard", secret_file=str(path), scopes=("read",))
    with pytest.raises(ApiError, match="token dashboard"):
        token_from_file(given)


def test_a_token_from_a_file_counts_beside_the_others(tmp_path):
    path = tmp_path / "token"
    path.write_text(LONG + "\n")
    given = ApiTokenSettings(name="dashboard", secret_file=str(path), scopes=("read",))
    known_tokens = KnownTokens(ApiSettings(tokens=(given,)), tmp_path)
    token = known_tokens.with_text(LONG)
    assert token is not None
    assert (token.name, token.scopes) == ("dashboard", {"read"})
    assert known_tokens.with_text("\xff" * 20) is None


def test_without_any_token_the_api_does_not_begin(tmp_path):
    with pytest.raises(ApiError, match="token new"):
        KnownTokens(ApiSettings(), tmp_path)
