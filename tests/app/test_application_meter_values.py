"""Meter values by the clock and in StopTransaction, through the whole agent."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from tests.app.box import running_box
from tests.emulators.central_system import ReceivedCall

KEYS = {
    "ClockAlignedDataInterval": "60",
    "MeterValueSampleInterval": "45",
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "StopTxnAlignedData": "Power.Active.Import",
}


def aligned(calls: list[ReceivedCall]) -> list[dict[str, Any]]:
    """MeterValues with the context Sample.Clock."""
    found = []
    for call in calls:
        (meter_value,) = call.payload["meterValue"]
        if meter_value["sampledValue"][0]["context"] == "Sample.Clock":
            found.append(call.payload)
    return found


def second_of(payload: dict[str, Any]) -> float:
    at = datetime.fromisoformat(payload["meterValue"][0]["timestamp"])
    return at.second + at.microsecond / 1e6


async def test_values_come_at_full_minutes_with_the_session_that_runs_or_without(tmp_path):
    async with running_box(tmp_path, **KEYS) as box:
        await asyncio.sleep(130)
        await box.charge()
        await asyncio.sleep(130)
        told = aligned(box.central_system.of("MeterValues"))
        assert len(told) >= 4
        assert {second_of(payload) for payload in told} == {0.0}
        in_session = ["transactionId" in payload for payload in told]
        assert in_session == sorted(in_session)
        assert in_session.count(True) == 2


async def test_what_was_measured_before_a_power_cut_stands_in_the_stop(tmp_path):
    async with running_box(tmp_path, **KEYS) as box:
        await box.charge()
        await asyncio.sleep(140)
        await box.lose_power()
        await asyncio.sleep(600)
        await box.start()
        stop = await box.central_system.received("StopTransaction")
        data = stop.payload["transactionData"]
        contexts = [moment["sampledValue"][0]["context"] for moment in data]
        assert contexts[0] == "Transaction.Begin"
        assert contexts.count("Sample.Periodic") == 3
        assert contexts.count("Sample.Clock") == 2
        assert contexts[-1] == "Transaction.End"
        last = data[-1]["sampledValue"][0]
        assert last["measurand"] == "Energy.Active.Import.Register"
        assert int(last["value"]) == stop.payload["meterStop"]
        times = [moment["timestamp"] for moment in data]
        assert times == sorted(times)
