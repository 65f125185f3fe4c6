"""Checks incoming calls against the schemas, and names the fault as OCPP-J 1.6 does.

The library's own codes are partly those of OCPP 2.0.1, so the mapping is made here. It is loaded
with the first call that is checked: with its schemas it takes a sixth of a start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from agent.ocppj.frames import CallRefused, Payload
from agent.platform.garbage_collector import resting_while_importing

# OCPP 1.6, sections 4 and 5, and those of the security white paper.
KNOWN_ACTIONS = frozenset(
    {
        "Authorize",
        "BootNotification",
        "CancelReservation",
        "CertificateSigned",
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "ClearChargingProfile",
        "DataTransfer",
        "DeleteCertificate",
        "DiagnosticsStatusNotification",
        "ExtendedTriggerMessage",
        "FirmwareStatusNotification",
        "GetCompositeSchedule",
        "GetConfiguration",
        "GetDiagnostics",
        "GetInstalledCertificateIds",
        "GetLocalListVersion",
        "GetLog",
        "Heartbeat",
        "InstallCertificate",
        "LogStatusNotification",
        "MeterValues",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ReserveNow",
        "Reset",
        "SecurityEventNotification",
        "SendLocalList",
        "SetChargingProfile",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "SignedUpdateFirmware",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
        "TriggerMessage",
        "UnlockConnector",
        "UpdateFirmware",
    }
)
# The feature profile that an action belongs to, where that is not Core (OCPP 1.6, 3.3).
PROFILE_OF: Mapping[str, str] = {
    "CancelReservation": "Reservation",
    "ClearChargingProfile": "SmartCharging",
    "GetCompositeSchedule": "SmartCharging",
    "GetDiagnostics": "FirmwareManagement",
    "GetLocalListVersion": "LocalAuthListManagement",
    "ReserveNow": "Reservation",
    "SendLocalList": "LocalAuthListManagement",
    "SetChargingProfile": "SmartCharging",
    "TriggerMessage": "RemoteTrigger",
    "UpdateFirmware": "FirmwareManagement",
}
# What a message is answered whose profile is switched off, where it has an answer that refuses.
# The others are answered with the CALLERROR NotSupported; SetChargingProfile by errata 3.39.
REFUSED_WITHOUT_PROFILE: Mapping[str, Payload] = {
    "CancelReservation": {"status": "Rejected"},
    "ClearChargingProfile": {"status": "Unknown"},
    "GetCompositeSchedule": {"status": "Rejected"},
    "GetLocalListVersion": {"listVersion": -1},  # 5.10
    "ReserveNow": {"status": "Rejected"},  # 5.13
    "SendLocalList": {"status": "NotSupported"},  # 7.47
    "TriggerMessage": {"status": "NotImplemented"},
}
# SendLocalList: its schema takes seconds for a large list, so its handler has a check of its own.
# The triggers: what the schema does not know is answered NotImplemented, not with an error.
# CertificateSigned: what is too long is Rejected, as CertificateSignedMaxChainSize says.
CHECKED_BY_HANDLER = frozenset(
    {"CertificateSigned", "SendLocalList", "TriggerMessage", "ExtendedTriggerMessage"}
)
# Their numbers have at most one decimal, which only Decimal can tell (multipleOf 0.1).
_DECIMAL_ACTIONS = frozenset({"SetChargingProfile", "RemoteStartTransaction"})
# Fields that are CiString, which is printable ASCII (OCPP 1.6 errata 3.58 to 3.62).
_PRINTABLE_FIELDS = ("idTag", "parentIdTag", "key", "value")

_CODES = {
    "type": "TypeConstraintViolation",
    "required": "ProtocolError",
    "additionalProperties": "FormationViolation",
    "enum": "PropertyConstraintViolation",
    "maxLength": "PropertyConstraintViolation",
    "multipleOf": "PropertyConstraintViolation",
    "format": "PropertyConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
    "maxItems": "OccurenceConstraintViolation",
}


@cache
def load() -> Any:
    """Load the library: once, on any thread."""
    with resting_while_importing("ocpp.messages"):
        import ocpp.messages  # type: ignore[import-untyped]

    return ocpp.messages


def is_loaded() -> bool:
    """True when a check does not load it first."""
    return load.cache_info().currsize > 0


def check_call(action: str, payload: Any) -> Payload:
    """Return the payload of an incoming call, checked. Raises CallRefused naming field and fault.

    ``action`` must be one of KNOWN_ACTIONS: it becomes part of a file name in the library.
    """
    assert action in KNOWN_ACTIONS
    if payload is None:  # OCPP-J 1.6, 4.2.1: an empty payload may be written null
        payload = {}
    if not isinstance(payload, dict):
        raise CallRefused("FormationViolation", "the payload is not an object")
    _check_schema(action, payload)
    for name in _PRINTABLE_FIELDS:
        value = payload.get(name)
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            raise CallRefused("PropertyConstraintViolation", f"{name} is not printable ASCII")
    return payload


def _check_schema(action: str, payload: dict[str, Any]) -> None:
    library = load()
    checked: Any = payload
    parse_float: Any = float
    if action in _DECIMAL_ACTIONS:
        parse_float = Decimal
        checked = json.loads(json.dumps(payload), parse_float=Decimal)
    validator = library.get_validator(
        library.MessageType.Call, action, "1.6", parse_float=parse_float
    )
    try:
        fault = next(validator.iter_errors(checked), None)
    except ArithmeticError:  # a number so large that its decimals cannot be counted
        raise CallRefused("PropertyConstraintViolation", "a number is out of range") from None
    if fault is not None:
        raise CallRefused(_CODES.get(fault.validator, "FormationViolation"), _sentence(fault))


def _sentence(fault: Any) -> str:
    # Never the value: it may be large, or a card.
    where = ".".join(str(part) for part in fault.absolute_path)[:80] or "the payload"
    match fault.validator:
        case "type":
            return f"{where} is not of type {fault.validator_value}"
        case "required":
            missing = [name for name in fault.validator_value if name not in fault.instance]
            return f"{where} lacks {', '.join(missing)}"
        case "additionalProperties":
            known = fault.schema.get("properties", {})
            extra = sorted(name for name in fault.instance if name not in known)
            return f"{where} has unknown fields: {', '.join(extra)[:120]}"
        case "maxLength":
            return f"{where} is longer than {fault.validator_value} characters"
        case _:
            return f"{where} breaks the rule {fault.validator}"
