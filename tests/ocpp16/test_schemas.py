"""Incoming payloads are checked, and the fault has the name that OCPP-J 1.6 gives it."""

from __future__ import annotations

from typing import Any

import pytest
from ocpp.v16.enums import Action

from agent.ocpp16.schemas import KNOWN_ACTIONS, check_call
from agent.ocppj.frames import CallRefused

PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}],
    },
}


def _profile(limit: float) -> dict[str, Any]:
    period = {"startPeriod": 0, "limit": limit}
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    return {"idTag": "A", "chargingProfile": {**PROFILE, "chargingSchedule": schedule}}


@pytest.mark.parametrize(
    ("action", "payload", "code", "words"),
    [
        ("Reset", {}, "ProtocolError", "lacks type"),
        ("Reset", {"type": "Soft", "when": 1}, "FormationViolation", "unknown fields: when"),
        ("Reset", {"type": "soft"}, "PropertyConstraintViolation", "type"),
        ("Reset", {"type": 5}, "TypeConstraintViolation", "type is not of type string"),
        ("Reset", [], "FormationViolation", "not an object"),
        ("Reset", "Hard", "FormationViolation", "not an object"),
        ("Reset", None, "ProtocolError", "lacks type"),
        ("UnlockConnector", {"connectorId": "1"}, "TypeConstraintViolation", "connectorId"),
        ("UnlockConnector", {"connectorId": True}, "TypeConstraintViolation", "connectorId"),
        ("UnlockConnector", {"connectorId": None}, "TypeConstraintViolation", "connectorId"),
        ("UnlockConnector", {"connectorId": 1.5}, "TypeConstraintViolation", "connectorId"),
        (
            "RemoteStartTransaction",
            {"idTag": "A" * 21},
            "PropertyConstraintViolation",
            "idTag is longer than 20",
        ),
        (
            "RemoteStartTransaction",
            {"idTag": "Ä"},
            "PropertyConstraintViolation",
            "idTag is not printable ASCII",
        ),
        ("RemoteStartTransaction", _profile(21.44), "PropertyConstraintViolation", "multipleOf"),
        ("RemoteStartTransaction", _profile(1e300), "PropertyConstraintViolation", "out of range"),
        ("GetConfiguration", {"key": ["x" * 51]}, "PropertyConstraintViolation", "key.0"),
        ("GetConfiguration", {"key": "x"}, "TypeConstraintViolation", "key"),
    ],
)
def test_a_bad_payload_is_refused_with_code_and_place(
    action: str, payload: Any, code: str, words: str
):
    with pytest.raises(CallRefused) as refusal:
        check_call(action, payload)
    assert refusal.value.code == code
    assert words in refusal.value.description


def test_a_refusal_never_repeats_the_value():
    with pytest.raises(CallRefused) as refusal:
        check_call("RemoteStartTransaction", {"idTag": "044943121F1A80044943121F1A80"})
    assert "0449" not in str(refusal.value)


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ClearCache", {}),
        ("ClearCache", None),
        ("GetConfiguration", {"key": []}),
        ("RemoteStartTransaction", _profile(21.4)),
        ("RemoteStartTransaction", {"idTag": "A" * 20, "connectorId": 1}),
        ("RemoteStopTransaction", {"transactionId": -1}),
    ],
)
def test_a_good_payload_passes(action: str, payload: Any):
    assert check_call(action, payload) == (payload or {})


def test_every_action_of_the_library_has_a_schema_that_loads():
    for action in KNOWN_ACTIONS:
        with pytest.raises(CallRefused) as refusal:
            check_call(action, {"": ""})
        assert refusal.value.code in ("ProtocolError", "FormationViolation")


def test_the_actions_are_those_of_the_ocpp_package():
    assert {action.value for action in Action} == KNOWN_ACTIONS
