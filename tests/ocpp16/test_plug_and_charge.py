"""Asking about the contract of a vehicle: a message of OCPP 2.0.1 inside DataTransfer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ocpp  # type: ignore[import-untyped]
import pytest
from jsonschema import Draft6Validator  # type: ignore[import-untyped]

from agent.core.commands import Authorize
from agent.core.contract import CertificateHash, Contract
from agent.core.events import AuthorizeAnswered, AuthorizeFailed
from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.ocpp16.confirmations import answered, failed
from agent.ocpp16.plug_and_charge import CERTIFICATE_STATUSES, VENDOR_ID, question
from agent.platform.errors import AnswerUnusable, CallFailed
from agent.platform.redaction import redact_frame

E_MAID = "DEABCC123ABC56"
HASH = CertificateHash("SHA256", "65df03", "d503a8", "12345", "https://ocsp.example")
CONTRACT = Contract((HASH,))
ASKED = Authorize(E_MAID, 5.0, CONTRACT)
SCHEMA = Path(ocpp.__file__).parent / "v201/schemas/AuthorizeRequest.json"


def conf(status: str = "Accepted", **content: Any) -> dict[str, Any]:
    token_info = {"idTokenInfo": {"status": "Accepted"}, **content}
    return {"status": status, "data": json.dumps(token_info)}


def info_of(payload: dict[str, Any]) -> IdTagInfo:
    event = answered(ASKED, payload)
    assert isinstance(event, AuthorizeAnswered)
    return event.info


@pytest.mark.parametrize("chain", ["", "-----BEGIN CERTIFICATE-----"])
def test_the_text_inside_is_an_authorize_of_ocpp_2_0_1(chain):
    command = Authorize(E_MAID, 5.0, Contract((HASH, HASH), chain))
    action, payload = question(command)
    assert (action, payload["vendorId"], payload["messageId"]) == (
        "DataTransfer",
        VENDOR_ID,
        "Authorize",
    )
    content = json.loads(payload["data"])
    Draft6Validator(json.loads(SCHEMA.read_text("utf-8-sig"))).validate(content)
    assert content["idToken"] == {"idToken": E_MAID, "type": "eMAID"}
    assert content["iso15118CertificateHashData"][0] == {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": "65df03",
        "issuerKeyHash": "d503a8",
        "serialNumber": "12345",
        "responderURL": "https://ocsp.example",
    }
    assert content.get("certificate", "") == chain


def test_without_a_contract_it_is_a_plain_authorize():
    assert question(Authorize(E_MAID, 5.0)) == ("Authorize", {"idTag": E_MAID})


def test_an_id_that_is_no_id_tag_is_not_sent():
    with pytest.raises(ValueError, match="idTag"):
        question(Authorize("x" * 21, 5.0, CONTRACT))


def test_an_acceptance_is_read_with_group_expiry_and_the_word_on_the_certificate():
    token_info = {
        "status": "Accepted",
        "groupIdToken": {"idToken": "FLEET", "type": "Central"},
        "cacheExpiryDateTime": "2026-05-01T00:00:00Z",
    }
    found = answered(ASKED, conf(idTokenInfo=token_info, certificateStatus="Accepted"))
    expires_at = datetime(2026, 5, 1, tzinfo=UTC)
    info = IdTagInfo(AuthorizationStatus.ACCEPTED, expires_at, "FLEET")
    assert found == AuthorizeAnswered(E_MAID, info, certificate_status="Accepted")


@pytest.mark.parametrize(
    ("status", "read_as"),
    [
        ("Blocked", AuthorizationStatus.BLOCKED),
        ("Expired", AuthorizationStatus.EXPIRED),
        ("ConcurrentTx", AuthorizationStatus.CONCURRENT_TX),
        ("Unknown", AuthorizationStatus.INVALID),
        ("NoCredit", AuthorizationStatus.INVALID),
        ("NotAtThisTime", AuthorizationStatus.INVALID),
    ],
)
def test_every_other_word_refuses(status, read_as):
    assert info_of(conf(idTokenInfo={"status": status})).status is read_as


@pytest.mark.parametrize("word", [*CERTIFICATE_STATUSES[1:], "Eaten", 5])
def test_a_certificate_that_is_not_accepted_refuses_whatever_the_id_is_worth(word):
    assert info_of(conf(certificateStatus=word)).status is AuthorizationStatus.INVALID


@pytest.mark.parametrize("status", ["Rejected", "UnknownVendorId", "UnknownMessageId"])
def test_a_question_that_is_turned_down_leaves_the_decision_to_the_offline_rules(status):
    with pytest.raises(CallFailed, match="does not take the question") as problem:
        answered(ASKED, conf(status))
    assert failed(ASKED, problem.value) == AuthorizeFailed(E_MAID, str(problem.value))


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"status": 5},
        {"status": "Accepted"},
        {"status": "Accepted", "data": "no JSON"},
        {"status": "Accepted", "data": "[]"},
        {"status": "Accepted", "data": 5},
        {"status": "Accepted", "data": "[" * 100_000},
    ],
)
def test_an_answer_that_is_nonsense_is_one_all_the_same(payload):
    with pytest.raises(AnswerUnusable, match="contract") as problem:
        answered(ASKED, payload)
    assert failed(ASKED, problem.value) == AuthorizeFailed(E_MAID, str(problem.value), True)


@pytest.mark.parametrize("token_info", [None, {}, {"status": {}}, {"status": ""}])
def test_an_answer_without_a_word_on_the_id_says_nothing(token_info):
    with pytest.raises(AnswerUnusable, match="status"):
        answered(ASKED, conf(idTokenInfo=token_info))


def test_a_certificate_that_is_not_accepted_is_a_word_on_the_id_too():
    found = info_of(conf(idTokenInfo=None, certificateStatus="CertificateRevoked"))
    assert found.status is AuthorizationStatus.INVALID


def test_the_contract_stands_in_no_log():
    _, payload = question(ASKED)
    assert E_MAID not in redact_frame(json.dumps([2, "1", "DataTransfer", payload]))
    token_info = conf(idTokenInfo={"status": "Accepted", "groupIdToken": {"idToken": "FLEET-0815"}})
    assert "FLEET-0815" not in redact_frame(json.dumps([3, "1", token_info]))
    other = [2, "1", "DataTransfer", {"vendorId": "x", "data": "ws://a:b@c 17"}]
    assert redact_frame(json.dumps(other)).endswith('"data":"ws://***@c 17"}]')
    assert redact_frame(json.dumps([3, "1", {"data": "17"}])) == '[3,"1",{"data":"17"}]'
