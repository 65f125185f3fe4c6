"""What an answer of the central system means for the core; read leniently.

A central system that is slightly off the schema must not cost a transactionId: extra fields and
nulls are ignored, numbers may come as text, an unknown status is read as Invalid.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.core.commands import Authorize, SendCertificateRequest
from agent.core.date_time import read_date_time, read_end
from agent.core.events import (
    AuthorizeAnswered,
    AuthorizeFailed,
    DeliveryInterrupted,
    Event,
    MessageAnswered,
    MessageFailed,
)
from agent.core.id_tag import is_valid_id_tag, mask
from agent.core.outbox_row import QueuedMessage
from agent.core.own_certificates import CertificateRequestAnswered
from agent.core.values import (
    AuthorizationStatus,
    ConnectorMeasured,
    IdTagInfo,
    TransactionBegan,
    TransactionEnded,
)
from agent.ocpp16 import plug_and_charge
from agent.platform.errors import AnswerUnusable, CallFailed
from agent.platform.redaction import one_line

INT64_MAX = 2**63 - 1
_STATUSES = {status.value.lower(): status for status in AuthorizationStatus}

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BootAnswer:
    """BootNotification.conf. ``interval_s`` None: it named no usable one."""

    status: str  # Accepted, Pending or Rejected
    interval_s: int | None
    current_time: datetime | None


def answered(subject: object, payload: Any) -> Event | None:
    """The event that an answer to this call means, in time or late; None: there is none.

    Raises AnswerUnusable when the answer lacks what cannot be done without.
    """
    fields = payload if isinstance(payload, dict) else {}
    match subject:
        case Authorize(id_tag=id_tag, contract=None):
            return AuthorizeAnswered(id_tag, _authorize_info(fields, id_tag))
        case Authorize(id_tag=id_tag):
            id_tag_info, certificate_status = plug_and_charge.read_answer(fields)
            info = _authorize_info({"idTagInfo": id_tag_info}, id_tag)
            return AuthorizeAnswered(id_tag, info, certificate_status=certificate_status)
        case QueuedMessage():
            return _message_answered(subject, fields)
        case SendCertificateRequest():
            return _request_answered(subject, fields)
        case _:
            return None


def failed(subject: object, problem: CallFailed) -> Event | None:
    """The event that a refusal, a useless answer or silence on a live link means."""
    match subject:
        case Authorize(id_tag=id_tag):
            is_answer = isinstance(problem, AnswerUnusable)
            return AuthorizeFailed(id_tag, str(problem), is_answer)
        case QueuedMessage():
            return MessageFailed(subject.sequence, str(problem), subject.attempts)
        case SendCertificateRequest():
            return CertificateRequestAnswered(subject.request.key, str(problem))
        case _:
            return None


def interrupted(subject: object, problem: str) -> Event | None:
    """The event that the loss of the link means for a call that was under way."""
    match subject:
        case Authorize(id_tag=id_tag):
            return AuthorizeFailed(id_tag, problem)
        case QueuedMessage(sequence=sequence):
            return DeliveryInterrupted(sequence)
        case SendCertificateRequest():
            return CertificateRequestAnswered(subject.request.key, problem)
        case _:
            return None


def tag_of(subject: object) -> str | None:
    """The idTag that a call is about, so that it can be masked in texts of the other side."""
    match subject:
        case Authorize(id_tag=id_tag):
            return id_tag
        case QueuedMessage(message=TransactionBegan(id_tag=id_tag)):
            return id_tag
        case QueuedMessage(message=TransactionEnded(id_tag=stop_tag)):
            return stop_tag
        case _:
            return None


def _authorize_info(fields: dict[str, Any], id_tag: str) -> IdTagInfo:
    info = read_id_tag_info(fields.get("idTagInfo"), id_tag)
    if info is None:
        raise AnswerUnusable("the answer to Authorize has no idTagInfo with a status")
    return info


def _message_answered(row: QueuedMessage, fields: dict[str, Any]) -> MessageAnswered:
    info = fields.get("idTagInfo")
    match row.message:
        case TransactionBegan(id_tag=id_tag):
            number = _transaction_id(fields.get("transactionId"))
            found = read_id_tag_info(info, id_tag)
            return MessageAnswered(row.sequence, row.transaction_ref, number, found, id_tag)
        case ConnectorMeasured():
            return MessageAnswered(row.sequence, row.transaction_ref, is_sample=True)
        case TransactionEnded(id_tag=stop_tag):
            # Without idTag in the request the information is about no one.
            found = read_id_tag_info(info, stop_tag) if stop_tag else None
            return MessageAnswered(row.sequence, row.transaction_ref, None, found, stop_tag)


def _request_answered(
    command: SendCertificateRequest, fields: dict[str, Any]
) -> CertificateRequestAnswered:
    status = str(fields.get("status")).strip().capitalize()
    words = one_line(repr(fields.get("status")), 40)
    problem = "" if status == "Accepted" else f"SignCertificate was answered {words}"
    return CertificateRequestAnswered(command.request.key, problem)


def _transaction_id(value: Any) -> int:
    # OCPP 1.6 errata 3.54: any value is legal, 0 and negative ones too.
    number = _whole_number(value)
    if number is None:
        raise AnswerUnusable("the answer to StartTransaction has no usable transactionId")
    if not isinstance(value, int):
        logger.warning("The central system sent the transactionId %d in an odd form", number)
    return number


def _whole_number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and abs(value) <= INT64_MAX else None


def read_id_tag_info(value: Any, id_tag: str) -> IdTagInfo | None:
    """An idTagInfo as well as it can be read; None when there is none, or none with a status."""
    status = value.get("status") if isinstance(value, dict) else None
    if not isinstance(status, str) or not status.strip():
        return None
    expiry = value.get("expiryDate")
    expires_at = read_end_time(expiry)
    is_end_unreadable = expiry is not None and expires_at is None
    if is_end_unreadable:
        words = "The expiry date of %s cannot be read: the answer counts for this once only"
        logger.warning(words, mask(id_tag))
    return IdTagInfo(
        status=_authorization_status(status, id_tag),
        expires_at=expires_at,
        parent_id_tag=_parent(value.get("parentIdTag"), id_tag),
        is_end_unreadable=is_end_unreadable,
    )


def _authorization_status(value: str, id_tag: str) -> AuthorizationStatus:
    status = _STATUSES.get(value.strip().lower())
    if status is None:
        logger.warning(
            "The central system says %s about %s, which is no status; it is read as Invalid",
            one_line(repr(value), 40),
            mask(id_tag),
        )
        return AuthorizationStatus.INVALID
    return status


def _parent(value: Any, id_tag: str) -> str | None:
    if value is None or value == "":
        return None
    parent = str(value) if isinstance(value, str | int) else ""
    if is_valid_id_tag(parent):
        return parent
    logger.warning("The parentIdTag of %s cannot be used and is ignored", mask(id_tag))
    return None


def read_boot(payload: Any) -> BootAnswer:
    """Read BootNotification.conf. Raises AnswerUnusable when its status is none of the three."""
    fields = payload if isinstance(payload, dict) else {}
    status = str(fields.get("status")).strip().capitalize()
    if status not in ("Accepted", "Pending", "Rejected"):
        raise AnswerUnusable("the answer to BootNotification has no usable status")
    return BootAnswer(
        status=status,
        interval_s=_whole_number(fields.get("interval")),
        current_time=read_current_time(payload),
    )


def read_current_time(payload: Any) -> datetime | None:
    """The currentTime of an answer, if it is there and makes sense."""
    value = payload.get("currentTime") if isinstance(payload, dict) else None
    if value is None:
        return None
    time = read_time(value)
    if time is None or not 2024 <= time.year <= 2099:
        logger.warning("The central system's currentTime makes no sense and is ignored")
        return None
    return time


def read_time(value: Any) -> datetime | None:
    """An instant as ``read_date_time`` reads it; None for what is none."""
    return _read(read_date_time, value)


def read_end_time(value: Any) -> datetime | None:
    """An expiryDate as ``read_end`` reads it; None for what is none."""
    return _read(read_end, value)


def _read(read: Callable[[str], datetime], value: Any) -> datetime | None:
    try:
        return read(value) if isinstance(value, str) else None
    except ValueError:
        return None
