"""Our values become payloads that the schemas of the ocpp package accept."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from ocpp.v16.enums import ChargePointErrorCode

from agent.config.settings import ChargePointSettings
from agent.core.values import (
    NO_TRANSACTION,
    ConnectorMeasured,
    MeterSample,
    SampledValue,
    Status,
    StatusReport,
    StopReason,
    TransactionEnded,
)
from agent.ocpp16 import requests
from agent.ocpp16.schemas import check_call
from tests.emulators.virtual_clock import NOON
from tests.ocpp16.rig import SAMPLE, START, STOP, TAG, row

PHASED = ConnectorMeasured(
    connector_id=2,
    sampled_at=NOON,
    values=(
        SampledValue("1500", "Energy.Active.Import.Register", "Wh", context="Sample.Periodic"),
        SampledValue("16.02", "Current.Import", "A", phase="L1"),
        SampledValue("50.0", "Frequency", "Hertz"),
        SampledValue("-0.98", "Power.Factor"),
    ),
)


@pytest.mark.parametrize(
    ("message", "transaction_id", "action", "payload"),
    [
        (
            START,
            None,
            "StartTransaction",
            {
                "connectorId": 1,
                "idTag": TAG,
                "meterStart": 1234,
                "timestamp": "2026-03-01T12:00:00.000Z",
            },
        ),
        (
            dataclasses.replace(START, reservation_id=0),
            None,
            "StartTransaction",
            {
                "connectorId": 1,
                "idTag": TAG,
                "meterStart": 1234,
                "timestamp": "2026-03-01T12:00:00.000Z",
                "reservationId": 0,
            },
        ),
        (
            SAMPLE,
            42,
            "MeterValues",
            {
                "connectorId": 1,
                "transactionId": 42,
                "meterValue": [
                    {
                        "timestamp": "2026-03-01T12:00:00.000Z",
                        "sampledValue": [
                            {
                                "value": "1500",
                                "context": "Sample.Periodic",
                                "measurand": "Energy.Active.Import.Register",
                                "unit": "Wh",
                            }
                        ],
                    }
                ],
            },
        ),
        (
            STOP,
            42,
            "StopTransaction",
            {
                "meterStop": 2000,
                "timestamp": "2026-03-01T12:00:00.000Z",
                "transactionId": 42,
                "reason": "Local",
                "idTag": TAG,
            },
        ),
    ],
)
def test_a_row_becomes_its_payload(
    message: Any, transaction_id: int | None, action: str, payload: dict[str, Any]
):
    built = requests.transaction_call(row(1, message, transaction_id=transaction_id))
    assert built == (action, payload)
    check_call(action, payload)


@pytest.mark.parametrize("message", [SAMPLE, STOP])
def test_without_transaction_id_the_standard_wants_minus_one(message: Any):
    _, payload = requests.transaction_call(row(1, message, transaction_id=None))
    assert payload["transactionId"] == -1


def test_clock_aligned_values_between_sessions_name_no_transaction():
    free = dataclasses.replace(row(1, PHASED), transaction_ref=NO_TRANSACTION)
    action, payload = requests.transaction_call(free)
    assert "transactionId" not in check_call(action, payload)


def test_stop_data_passes_the_schema_with_contexts_phases_and_times():
    begin = SampledValue("1000", "Energy.Active.Import.Register", "Wh", context="Transaction.Begin")
    aligned = SampledValue("16.02", "Current.Import", "A", phase="L1", context="Sample.Clock")
    unitless = SampledValue("50.00", "Frequency", context="Transaction.End")
    samples = (
        MeterSample(NOON, (begin,), 1),
        MeterSample(NOON + timedelta(minutes=15), (aligned, SampledValue("nan", "Voltage", "V"))),
        MeterSample(NOON + timedelta(minutes=20), (unitless,)),
        MeterSample(NOON + timedelta(minutes=21), (SampledValue("nan", "Voltage", "V"),)),
    )
    stop = TransactionEnded(2000, NOON, StopReason.LOCAL, samples=samples)
    action, payload = requests.transaction_call(row(1, stop, transaction_id=5))
    data = check_call(action, payload)["transactionData"]
    assert [(m["timestamp"], m["sampledValue"]) for m in data] == [
        (
            "2026-03-01T12:00:00.000Z",
            [
                {
                    "value": "1000",
                    "context": "Transaction.Begin",
                    "measurand": "Energy.Active.Import.Register",
                    "unit": "Wh",
                }
            ],
        ),
        (
            "2026-03-01T12:15:00.000Z",
            [
                {
                    "value": "16.02",
                    "context": "Sample.Clock",
                    "measurand": "Current.Import",
                    "phase": "L1",
                    "unit": "A",
                }
            ],
        ),
        (
            "2026-03-01T12:20:00.000Z",
            [{"value": "50.00", "context": "Transaction.End", "measurand": "Frequency"}],
        ),
    ]


def test_a_stop_without_stop_data_has_no_such_field():
    _, payload = requests.transaction_call(row(1, STOP, transaction_id=5))
    assert "transactionData" not in payload


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_stop_reason_passes_the_schema(reason: StopReason):
    message = TransactionEnded(meter_stop_wh=1, ended_at=NOON, reason=reason)
    action, payload = requests.transaction_call(row(1, message, transaction_id=5))
    assert "idTag" not in check_call(action, payload)


def test_phases_and_odd_units_pass_the_schema():
    action, payload = requests.transaction_call(row(1, PHASED, transaction_id=5))
    sampled = check_call(action, payload)["meterValue"][0]["sampledValue"]
    assert sampled[1] == {
        "value": "16.02",
        "context": "Sample.Periodic",
        "measurand": "Current.Import",
        "phase": "L1",
        "unit": "A",
    }
    assert len(sampled) == 4


@pytest.mark.parametrize("bad", ["nan", "1e5", "", "1,5", "0x10", "inf", "1."])
def test_a_value_that_is_no_number_is_left_out(bad: str):
    values = (SampledValue(bad, "Voltage", "V"), *SAMPLE.values)
    message = dataclasses.replace(SAMPLE, values=values)
    _, payload = requests.transaction_call(row(1, message, transaction_id=5))
    assert len(payload["meterValue"][0]["sampledValue"]) == 1


@pytest.mark.parametrize(
    "message",
    [
        dataclasses.replace(START, id_tag="A" * 21),
        dataclasses.replace(START, id_tag=""),
        dataclasses.replace(STOP, id_tag="é"),
        dataclasses.replace(START, begun_at=datetime(2026, 3, 1)),  # noqa: DTZ001 (that is the point)
        dataclasses.replace(SAMPLE, values=()),
        dataclasses.replace(SAMPLE, values=(SampledValue("nan", "Voltage", "V"),)),
    ],
)
def test_a_row_that_cannot_be_sent_raises_value_error(message: Any):
    with pytest.raises(ValueError, match="it") as problem:
        requests.transaction_call(row(1, message))
    assert "A" * 21 not in str(problem.value)


@pytest.mark.parametrize("status", list(Status))
def test_every_status_passes_the_schema(status: Status):
    payload = requests.status_notification(StatusReport(1, status), NOON)
    assert check_call("StatusNotification", payload) == {
        "connectorId": 1,
        "errorCode": "NoError",
        "status": status.value,
        "timestamp": "2026-03-01T12:00:00.000Z",
    }


def test_info_is_cut_cleaned_and_an_unknown_error_code_becomes_other_error():
    report = StatusReport(0, Status.FAULTED, "FluxCapacitor", "Kühlung: " + "x" * 60)
    payload = check_call("StatusNotification", requests.status_notification(report, NOON))
    assert payload["errorCode"] == "OtherError"
    assert payload["info"].startswith("K?hlung: xx")
    assert len(payload["info"]) == 50


def test_a_box_in_1970_leaves_the_time_of_a_status_out():
    report = StatusReport(1, Status.AVAILABLE)
    payload = requests.status_notification(report, datetime(1970, 1, 1, tzinfo=UTC))
    assert "timestamp" not in payload


def test_boot_texts_are_cut_to_the_lengths_of_the_standard():
    settings = ChargePointSettings(
        identity="CP7",
        vendor="V" * 30,
        model="Säule" + "m" * 30,
        serial_number="S" * 30,
        firmware_version="F" * 60,
    )
    payload = check_call("BootNotification", requests.boot_notification(settings))
    assert payload == {
        "chargePointVendor": "V" * 20,
        "chargePointModel": "S?ule" + "m" * 15,
        "chargePointSerialNumber": "S" * 25,
        "chargeBoxSerialNumber": "S" * 25,
        "firmwareVersion": "F" * 50,
    }


def test_the_number_is_told_in_the_old_field_too_unless_that_is_switched_off():
    settings = ChargePointSettings(identity="CP7", serial_number="12", tells_charge_box=False)
    payload = check_call("BootNotification", requests.boot_notification(settings))
    assert payload["chargePointSerialNumber"] == "12"
    assert "chargeBoxSerialNumber" not in payload


def test_what_is_empty_is_not_told_and_the_version_is_that_of_this_package(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"{name} 1.2.3")
    payload = requests.boot_notification(ChargePointSettings(identity="CP7"))
    assert "chargePointSerialNumber" not in payload
    assert payload["firmwareVersion"] == "chargepoint-agent 1.2.3"


def test_times_are_utc_with_z_and_milliseconds():
    berlin = timezone(timedelta(hours=2))
    local = datetime(2026, 7, 1, 14, 0, 0, 123999, berlin)
    assert requests.timestamp(local) == "2026-07-01T12:00:00.123Z"


def test_the_error_codes_are_those_of_the_ocpp_package():
    assert {code.value for code in ChargePointErrorCode} == requests.REPORTED_CODES
