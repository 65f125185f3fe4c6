"""Our values as OCPP 1.6 payloads. The tests check them with the schemas of the ocpp package.

Written out here: the package's classes of messages take a sixth of a start and nearly 5 MiB.
"""

from __future__ import annotations

import importlib.metadata
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from agent.config.settings import ChargePointSettings
from agent.core.firmware_values import FirmwareNotice
from agent.core.id_tag import ID_TAG_MAX, is_valid_id_tag
from agent.core.outbox_row import QueuedMessage
from agent.core.own_certificates import CertificateRequest
from agent.core.security_event_values import TECH_INFO_MAX, SecurityEvent
from agent.core.values import (
    ERROR_CODES,
    NO_TRANSACTION,
    ConnectorMeasured,
    MeterSample,
    SampledValue,
    StatusReport,
    TransactionBegan,
    TransactionEnded,
)
from agent.ocppj.connect import CLOCK_TRUSTED_FROM_YEAR
from agent.ocppj.frames import Payload

NO_TRANSACTION_ID = -1
REPORTED_CODES = frozenset({*ERROR_CODES, "NoError"})  # OCPP 1.6, 7.6
_DECIMAL_NUMBER = re.compile(r"-?\d+(\.\d+)?")

logger = logging.getLogger(__name__)


def boot_notification(charge_point: ChargePointSettings) -> Payload:
    """BootNotification.req; texts are cut to the lengths of the standard."""
    serial_number = _ci_string(charge_point.serial_number, 25) or None
    return _payload(
        chargePointVendor=_ci_string(charge_point.vendor, 20),
        chargePointModel=_ci_string(charge_point.model, 20),
        chargePointSerialNumber=serial_number,
        chargeBoxSerialNumber=serial_number if charge_point.tells_charge_box else None,
        firmwareVersion=_ci_string(charge_point.firmware_version or package_version(), 50) or None,
    )


def firmware_status(notice: FirmwareNotice) -> Payload:
    """FirmwareStatusNotification.req, with a request id SignedFirmwareStatusNotification.req."""
    return _payload(status=notice.status, requestId=notice.request_id)


def upload_status(status: str, request_id: int | None = None) -> Payload:
    """DiagnosticsStatusNotification.req, with a request id LogStatusNotification.req."""
    return _payload(status=status, requestId=request_id)


def package_version() -> str:
    """The version of this package; empty when it is not installed."""
    try:
        return importlib.metadata.version("chargepoint-agent")
    except importlib.metadata.PackageNotFoundError:
        return ""


def status_notification(report: StatusReport, changed_at: datetime) -> Payload:
    """StatusNotification.req. The time is left out while the clock of the box is not set."""
    code = report.error_code if report.error_code in REPORTED_CODES else "OtherError"
    clock_is_set = changed_at.year >= CLOCK_TRUSTED_FROM_YEAR
    return _payload(
        connectorId=report.connector_id,
        errorCode=code,
        status=report.status.value,
        timestamp=timestamp(changed_at) if clock_is_set else None,
        info=_ci_string(report.info, 50) or None,
        vendorErrorCode=_ci_string(report.vendor_error_code, 50) or None,
    )


def authorize(id_tag: str) -> Payload:
    """Authorize.req. Raises ValueError when the idTag cannot be sent."""
    return _payload(idTag=_id_tag(id_tag))


def transaction_call(row: QueuedMessage) -> tuple[str, Payload]:
    """Action and payload of an outbox row. Raises ValueError when the row cannot be sent."""
    match row.message:
        case TransactionBegan():
            return "StartTransaction", _start_transaction(row.message)
        case ConnectorMeasured():
            is_in_session = row.transaction_ref != NO_TRANSACTION
            transaction_id = _transaction_id(row) if is_in_session else None
            return "MeterValues", _meter_values(row.message, transaction_id)
        case TransactionEnded():
            return "StopTransaction", _stop_transaction(row.message, _transaction_id(row))


def _transaction_id(row: QueuedMessage) -> int:
    # OCPP 1.6 errata 3.18: messages of a transaction whose id never arrived carry -1.
    return NO_TRANSACTION_ID if row.transaction_id is None else int(row.transaction_id)


def _start_transaction(message: TransactionBegan) -> Payload:
    return _payload(
        connectorId=int(message.connector_id),
        idTag=_id_tag(message.id_tag),
        meterStart=int(message.meter_start_wh),
        timestamp=timestamp(message.begun_at),
        reservationId=message.reservation_id,
    )


def _stop_transaction(message: TransactionEnded, transaction_id: int) -> Payload:
    return _payload(
        meterStop=int(message.meter_stop_wh),
        timestamp=timestamp(message.ended_at),
        transactionId=transaction_id,
        reason=message.reason.value,
        idTag=None if message.id_tag is None else _id_tag(message.id_tag),
        transactionData=_transaction_data(message.samples),
    )


def _transaction_data(samples: Sequence[MeterSample]) -> list[Payload] | None:
    """What can be sent of the stop data; None: nothing. A stop is never held up by it."""
    data = []
    for sample in samples:
        values = [_sampled_value(value) for value in sample.values if _is_number(value)]
        if values:
            at = timestamp(sample.sampled_at)
            data.append(_payload(timestamp=at, sampledValue=values))
    return data or None


def security_event_notification(event: SecurityEvent) -> Payload:
    """SecurityEventNotification.req."""
    return _payload(
        type=event.type.value,
        timestamp=timestamp(event.at),
        techInfo=_ci_string(event.tech_info, TECH_INFO_MAX) or None,
    )


def sign_certificate(request: CertificateRequest) -> Payload:
    """SignCertificate.req."""
    return _payload(csr=request.csr)


def meter_values_now(message: ConnectorMeasured, transaction_id: int | None) -> Payload:
    """MeterValues.req that is not stored; without transaction if there is none, or no id of it."""
    return _meter_values(message, transaction_id)


def _meter_values(message: ConnectorMeasured, transaction_id: int | None) -> Payload:
    sampled = [_sampled_value(value) for value in message.values if _is_number(value)]
    if not sampled:
        raise ValueError("none of its meter values is a number")
    return _payload(
        connectorId=int(message.connector_id),
        meterValue=[_payload(timestamp=timestamp(message.sampled_at), sampledValue=sampled)],
        transactionId=transaction_id,
    )


def _is_number(value: SampledValue) -> bool:
    # OCPP 1.6, 7.43: a decimal number, no exponent, no NaN. A missing reading is left out.
    if _DECIMAL_NUMBER.fullmatch(value.value):
        return True
    logger.warning("A meter value of %s is not a number; it is left out", value.measurand)
    return False


def _sampled_value(value: SampledValue) -> Payload:
    return _payload(
        value=value.value,
        context=value.context,
        measurand=value.measurand,
        phase=value.phase,
        unit=value.unit,
    )


def timestamp(utc: datetime) -> str:
    """An instant as OCPP writes it: ISO 8601, UTC with Z, milliseconds. It must know its zone."""
    if utc.tzinfo is None:
        raise ValueError("a time without zone cannot be sent")
    return utc.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _id_tag(id_tag: str) -> str:
    if not is_valid_id_tag(id_tag):
        raise ValueError(f"its idTag must be 1 to {ID_TAG_MAX} printable characters")
    return id_tag


def _ci_string(text: str, at_most: int) -> str:
    # CiString is printable ASCII (OCPP 1.6 errata 3.58): anything else would be refused.
    return "".join(
        char if char.isascii() and char.isprintable() else "?" for char in text[:at_most]
    )


def _payload(**fields: Any) -> Payload:
    """The fields by their names on the wire; those without a value are left out."""
    return {name: value for name, value in fields.items() if value is not None}
