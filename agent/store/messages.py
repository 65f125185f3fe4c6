"""Outbox messages as the JSON that the database keeps, and back.

Keys are the names of the fields; a field that is None, or has its usual value, is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from agent.core.id_tag import mask
from agent.core.values import (
    ConnectorMeasured,
    MeterSample,
    SampledValue,
    StopReason,
    TransactionBegan,
    TransactionEnded,
    TransactionMessage,
)
from agent.store.instants import instant_of, instant_text

_USUAL_CONTEXT = "Sample.Periodic"
_INSTANTS = ("begun_at", "sampled_at", "ended_at")


# The outbox keeps messages under the names of OCPP 1.6.
_ACTIONS: dict[type[TransactionMessage], str] = {
    TransactionBegan: "StartTransaction",
    ConnectorMeasured: "MeterValues",
    TransactionEnded: "StopTransaction",
}


def action_of(message: TransactionMessage) -> str:
    """Name the OCPP action that carries this message."""
    return _ACTIONS[type(message)]


def encode_message(message: TransactionMessage) -> str:
    """Write a message down as compact JSON, ASCII only."""
    return json.dumps(_fields(message), separators=(",", ":"))


def decode_message(action: str, payload: str) -> TransactionMessage:
    """Read a message back. Raises ValueError when action or payload is not one of ours."""
    try:
        return _DECODERS[action](json.loads(payload))
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not a readable {action} message: {problem!r}") from problem


def time_of(payload: str) -> datetime | None:
    """The instant that a written message is about; None when it is unreadable."""
    try:
        fields = json.loads(payload)
        return next(instant_of(fields[name]) for name in _INSTANTS if name in fields)
    except (ValueError, TypeError, StopIteration):
        return None


def in_words(payload: str) -> str:
    """The written message for people to read, its idTag masked."""
    try:
        fields = json.loads(payload)
        if "id_tag" in fields:
            fields["id_tag"] = mask(fields["id_tag"])
        return json.dumps(fields)
    except (ValueError, TypeError):
        return "unreadable"


def shifted(payload: str, shift: timedelta) -> str:
    """The same message at another time; unchanged when it is unreadable."""
    try:
        fields = json.loads(payload)
        _shift(fields, shift)
        for sample in fields.get("samples", ()):
            if sample.pop("boot", 0):  # the others have true times
                _shift(sample, shift)
        return json.dumps(fields, separators=(",", ":"))
    except (ValueError, TypeError, OverflowError):
        return payload


def _shift(fields: dict[str, Any], shift: timedelta) -> None:
    for name in _INSTANTS:
        if name in fields:
            fields[name] = instant_text(instant_of(fields[name]) + shift)


def _fields(message: object) -> dict[str, Any]:
    match message:
        case TransactionBegan():
            fields: dict[str, Any] = {
                "connector_id": message.connector_id,
                "id_tag": message.id_tag,
                "meter_start_wh": message.meter_start_wh,
                "begun_at": instant_text(message.begun_at),
            }
            if message.reservation_id is not None:
                fields["reservation_id"] = message.reservation_id
        case ConnectorMeasured():
            fields = {
                "connector_id": message.connector_id,
                "sampled_at": instant_text(message.sampled_at),
                "values": [_sampled_fields(sampled) for sampled in message.values],
            }
        case TransactionEnded():
            fields = {
                "meter_stop_wh": message.meter_stop_wh,
                "ended_at": instant_text(message.ended_at),
                "reason": message.reason.value,
            }
            if message.id_tag is not None:
                fields["id_tag"] = message.id_tag
            if message.samples:
                fields["samples"] = [sample_fields(sample) for sample in message.samples]
        case _:
            raise TypeError(f"not an outbox message: {message!r}")
    return fields


def sample_fields(sample: MeterSample) -> dict[str, Any]:
    """A sample that waits for its StopTransaction, without its number."""
    fields: dict[str, Any] = {
        "sampled_at": instant_text(sample.sampled_at),
        "values": [_sampled_fields(value) for value in sample.values],
    }
    if sample.boot:
        fields["boot"] = sample.boot
    return fields


def sample_of(fields: dict[str, Any], number: int = 0) -> MeterSample:
    """Read such a sample back. Raises KeyError, TypeError, AttributeError or ValueError."""
    return MeterSample(
        sampled_at=instant_of(fields["sampled_at"]),
        values=_sampled_values(fields["values"]),
        number=number,
        boot=int(fields.get("boot", 0)),
    )


def _sampled_fields(sampled: SampledValue) -> dict[str, str]:
    fields = {"value": sampled.value, "measurand": sampled.measurand}
    if sampled.unit is not None:
        fields["unit"] = sampled.unit
    if sampled.phase is not None:
        fields["phase"] = sampled.phase
    if sampled.context != _USUAL_CONTEXT:
        fields["context"] = sampled.context
    return fields


def _start_transaction(fields: dict[str, Any]) -> TransactionBegan:
    return TransactionBegan(
        connector_id=fields["connector_id"],
        id_tag=fields["id_tag"],
        meter_start_wh=fields["meter_start_wh"],
        begun_at=instant_of(fields["begun_at"]),
        reservation_id=fields.get("reservation_id"),
    )


def _meter_values(fields: dict[str, Any]) -> ConnectorMeasured:
    return ConnectorMeasured(
        connector_id=fields["connector_id"],
        sampled_at=instant_of(fields["sampled_at"]),
        values=_sampled_values(fields["values"]),
    )


def _sampled_values(values: list[dict[str, Any]]) -> tuple[SampledValue, ...]:
    return tuple(
        SampledValue(
            value=sampled["value"],
            measurand=sampled["measurand"],
            unit=sampled.get("unit"),
            phase=sampled.get("phase"),
            context=sampled.get("context", _USUAL_CONTEXT),
        )
        for sampled in values
    )


def _stop_transaction(fields: dict[str, Any]) -> TransactionEnded:
    return TransactionEnded(
        meter_stop_wh=fields["meter_stop_wh"],
        ended_at=instant_of(fields["ended_at"]),
        reason=StopReason(fields["reason"]),
        id_tag=fields.get("id_tag"),
        samples=tuple(sample_of(sample) for sample in fields.get("samples", ())),
    )


_DECODERS: dict[str, Callable[[dict[str, Any]], TransactionMessage]] = {
    "StartTransaction": _start_transaction,
    "MeterValues": _meter_values,
    "StopTransaction": _stop_transaction,
}
