"""Calls that an operator wants to send as the charge point, checked before they go out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.ocpp16.schemas import check_call
from agent.ocppj.frames import CallRefused, Payload

VERSION = "ocpp1.6"
ACTIONS: Mapping[str, str] = {
    "authorize": "Authorize",
    "boot_notification": "BootNotification",
    "data_transfer": "DataTransfer",
    "diagnostics_status_notification": "DiagnosticsStatusNotification",
    "firmware_status_notification": "FirmwareStatusNotification",
    "heartbeat": "Heartbeat",
    "log_status_notification": "LogStatusNotification",
    "meter_values": "MeterValues",
    "security_event_notification": "SecurityEventNotification",
    "signed_firmware_status_notification": "SignedFirmwareStatusNotification",
    "start_transaction": "StartTransaction",
    "status_notification": "StatusNotification",
    "stop_transaction": "StopTransaction",
}
ACTIONS_OF_OTHER_VERSIONS = frozenset(
    {
        "notify_customer_information",
        "notify_event",
        "notify_report",
        "publish_firmware_status_notification",
        "report_charging_profiles",
        "reservation_status_update",
        "transaction_event",
    }
)
# What carries money or safety facts comes from the state machine, on real hardware.
AS_GIVEN = frozenset({"heartbeat", "data_transfer", "security_event_notification"})
ONLY_TRUE = frozenset(
    {
        "boot_notification",
        "status_notification",
        "meter_values",
        "diagnostics_status_notification",
        "firmware_status_notification",
        "log_status_notification",
        "signed_firmware_status_notification",
    }
)


def check_action(action: str, version: str) -> None:
    """Raises ValueError, with a sentence, for what OCPP 1.6 does not know."""
    if version != VERSION:
        raise ValueError(f"this charge point speaks {VERSION}, not {version}")
    if action in ACTIONS_OF_OTHER_VERSIONS:
        raise ValueError(f"{action} does not exist in OCPP 1.6")
    if action not in ACTIONS:
        raise ValueError(f"unknown action; known are {', '.join(sorted(ACTIONS))}")


def proxied_call(action: str, payload: Mapping[str, Any]) -> tuple[str, Payload]:
    """Action and payload as OCPP spells them; ValueError for what the schema forbids."""
    try:
        return ACTIONS[action], check_call(ACTIONS[action], _camel_case(payload))
    except CallRefused as refusal:
        raise ValueError(refusal.description) from None


def _camel_case(value: Any) -> Any:
    """Keys in snake_case become camelCase, at every depth; ValueError when two become the same."""
    if isinstance(value, list):
        return [_camel_case(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    renamed: dict[str, Any] = {}
    for name, inner in value.items():
        first, *others = name.split("_")
        camel = first + "".join(other[:1].upper() + other[1:] for other in others)
        if camel in renamed:
            raise ValueError(f"{camel[:50]} stands twice in the payload")
        renamed[camel] = _camel_case(inner)
    return renamed
