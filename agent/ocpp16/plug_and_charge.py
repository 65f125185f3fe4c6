"""Asking about the contract of an ISO 15118 vehicle: OCPP 2.0.1's Authorize inside DataTransfer.

Vendor id, message id and forms: the Open Charge Alliance's application note "ISO 15118 Plug &
Charge with OCPP 1.6". ``data`` is text that holds JSON, in both directions.
"""

from __future__ import annotations

import json
from typing import Any

from agent.core.commands import Authorize
from agent.core.contract import CertificateHash, Contract
from agent.ocpp16 import requests
from agent.ocppj.frames import Payload
from agent.platform.bounded_json import NotJson, read_json
from agent.platform.errors import AnswerUnusable, CallFailed

VENDOR_ID = "org.openchargealliance.iso15118pnc"
ACCEPTED = "Accepted"
# OCPP 2.0.1 has more (NoCredit, NotAtThisTime, Unknown ...): all of them refuse.
_STATUSES_OF_16 = (ACCEPTED, "Blocked", "Expired", "Invalid", "ConcurrentTx")
_TURNED_DOWN = ("Rejected", "UnknownVendorId", "UnknownMessageId")
CERTIFICATE_STATUSES = (
    ACCEPTED,
    "SignatureError",
    "CertificateExpired",
    "CertificateRevoked",
    "NoCertificateAvailable",
    "CertChainError",
    "ContractCancelled",
)


def question(command: Authorize) -> tuple[str, Payload]:
    """Action and payload that ask about a tag, and its contract if there is one.

    Raises ValueError when the idTag cannot be sent.
    """
    plain = requests.authorize(command.id_tag)
    if command.contract is None:
        return "Authorize", plain
    return "DataTransfer", _about_contract(command.id_tag, command.contract)


def _about_contract(id_tag: str, contract: Contract) -> Payload:
    asked: dict[str, Any] = {
        "idToken": {"idToken": id_tag, "type": "eMAID"},
        "iso15118CertificateHashData": [_hash(found) for found in contract.hashes],
    }
    if contract.certificate_chain:
        asked["certificate"] = contract.certificate_chain
    text = json.dumps(asked, separators=(",", ":"))
    return {"vendorId": VENDOR_ID, "messageId": "Authorize", "data": text}


def read_answer(fields: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What DataTransfer.conf says, as an idTagInfo of 1.6, and the certificate's status, if any.

    Raises CallFailed when the question is turned down, as by a CALLERROR, and AnswerUnusable when
    the answer is none. A certificate that is not accepted makes the contract invalid, whatever its
    id is worth.
    """
    if fields.get("status") in _TURNED_DOWN:
        raise CallFailed("the central system does not take the question about a contract")
    if fields.get("status") != ACCEPTED:
        raise AnswerUnusable("the answer about a contract has no usable status")
    content = _content(fields.get("data"))
    token_info = content.get("idTokenInfo")
    token_info = token_info if isinstance(token_info, dict) else {}
    group = token_info.get("groupIdToken")
    certificate_status = content.get("certificateStatus")
    status = token_info.get("status")
    is_refused = certificate_status is not None and certificate_status != ACCEPTED
    is_other_word = isinstance(status, str) and status not in ("", *_STATUSES_OF_16)
    info = {
        "status": "Invalid" if is_refused or is_other_word else status,
        "expiryDate": token_info.get("cacheExpiryDateTime"),
        "parentIdTag": group.get("idToken") if isinstance(group, dict) else None,
    }
    is_known = certificate_status in CERTIFICATE_STATUSES
    return info, str(certificate_status) if is_known else ""


def _hash(found: CertificateHash) -> dict[str, str]:
    return {
        "hashAlgorithm": found.algorithm,
        "issuerNameHash": found.issuer_name_hash,
        "issuerKeyHash": found.issuer_key_hash,
        "serialNumber": found.serial_number,
        "responderURL": found.responder_url,
    }


def _content(text: Any) -> dict[str, Any]:
    try:
        content = read_json(text) if isinstance(text, str) else None
    except NotJson:
        content = None
    if not isinstance(content, dict):
        raise AnswerUnusable("the answer about a contract is not JSON")
    return content
