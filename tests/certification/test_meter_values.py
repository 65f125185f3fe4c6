"""Cases 070 and 071: sampled and clock-aligned meter values."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.app.box import TRANSACTION_ID, seconds
from tests.certification.station import Station, a_station

WANTED = "Energy.Active.Import.Register,Power.Active.Import,Voltage,Current.Import"


def values(station: Station, context: str) -> list[dict[str, Any]]:
    """The messages with values of this context."""
    return [
        told
        for told in station.heard("MeterValues")
        if all(
            value.get("context", "Sample.Periodic") == context
            for value in told["meterValue"][0]["sampledValue"]
        )
    ]


def times_s(messages: list[dict[str, Any]]) -> list[float]:
    return [seconds(told["meterValue"][0]["timestamp"]) for told in messages]


def gaps(times: list[float]) -> list[float]:
    return [later - sooner for sooner, later in itertools.pairwise(times)]


async def test_case_070_sampled_values_come_evenly_with_all_measurands(tmp_path):
    async with a_station(tmp_path) as station:
        await station.configure(MeterValueSampleInterval=15, MeterValuesSampledData=WANTED)
        await station.charge()
        await station.settled(100)
        sampled = values(station, "Sample.Periodic")
        assert len(sampled) >= 6
        assert gaps(times_s(sampled)) == pytest.approx([15.0] * (len(sampled) - 1), abs=0.5)
        for told in sampled:
            assert told["transactionId"] == TRANSACTION_ID
            found = {v.get("measurand") for v in told["meterValue"][0]["sampledValue"]}
            assert found == set(WANTED.split(","))


async def test_case_071_aligned_values_come_at_the_same_moments_of_each_hour(tmp_path):
    async with a_station(tmp_path, MeterValueSampleInterval="0") as station:
        await station.settled(7)
        await station.configure(ClockAlignedDataInterval=30, MeterValuesAlignedData=WANTED)
        await station.charge()
        await station.settled(200)
        aligned = values(station, "Sample.Clock")
        of_connector = [told for told in aligned if told["connectorId"] == 1]
        assert len(of_connector) >= 6
        moments = times_s(of_connector)
        assert gaps(moments) == pytest.approx([30.0] * (len(moments) - 1), abs=0.01)
        assert [moment % 30 for moment in moments] == pytest.approx([0.0] * len(moments), abs=0.01)
