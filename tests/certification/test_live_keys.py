"""Keys that are changed in the middle of things act at once, as far as OCPP 1.6 lets them."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tests.app.box import TRANSACTION_ID, seconds
from tests.certification.station import Station, a_station

REGISTER = "Energy.Active.Import.Register"


def sampled(station: Station, context: str) -> list[float]:
    """When values of this context were measured."""
    moments = [told["meterValue"][0] for told in station.heard("MeterValues")]
    found = [one for one in moments if one["sampledValue"][0]["context"] == context]
    return [seconds(one["timestamp"]) for one in found]


def gaps(times_s: list[float]) -> list[float]:
    return [later - sooner for sooner, later in itertools.pairwise(times_s)]


@pytest.mark.parametrize(
    ("key", "context"),
    [
        ("MeterValueSampleInterval", "Sample.Periodic"),
        ("ClockAlignedDataInterval", "Sample.Clock"),
    ],
)
async def test_an_interval_of_samples_changes_in_mid_session(tmp_path, key, context):
    async with a_station(tmp_path, MeterValueSampleInterval="0") as station:
        await station.charge()
        await station.settled(100)
        assert sampled(station, context) == []
        await station.configure(**{key: 600})
        await station.settled(100)
        changed_s = seconds(station.box.clock.now().utc.isoformat())
        await station.configure(**{key: 20})
        await station.settled(70)
        found = sampled(station, context)
        assert 0 < found[0] - changed_s <= 20.5
        assert gaps(found) == pytest.approx([20.0] * (len(found) - 1), abs=0.5)
        assert len(found) >= 3
        await station.configure(**{key: 0})
        await station.settled(100)
        assert sampled(station, context) == found


async def test_what_goes_into_the_stop_and_what_a_pulled_cable_means_change_in_mid_session(
    tmp_path,
):
    async with a_station(tmp_path, MeterValueSampleInterval="30") as station:
        await station.charge()
        await station.configure(
            StopTxnSampledData=REGISTER,
            StopTxnAlignedData="Voltage",
            ClockAlignedDataInterval=60,
            StopTransactionOnEVSideDisconnect="false",
            UnlockConnectorOnEVSideDisconnect="false",
        )
        await station.settled(100)
        station.drive_off()
        await station.until_heard("SuspendedEV@1")
        await station.ask("RemoteStopTransaction", transactionId=TRANSACTION_ID)
        await station.until_heard("StopTransaction")
        (stop,) = station.heard("StopTransaction")
        found = [
            (value["context"], value["measurand"])
            for moment in stop["transactionData"]
            for value in moment["sampledValue"]
        ]
        assert found[0] == ("Transaction.Begin", REGISTER)
        assert found.count(("Sample.Periodic", REGISTER)) == 3
        assert found.count(("Sample.Clock", "Voltage")) in (1, 2)
        assert ("Transaction.End", REGISTER) in found
        assert ("Transaction.End", "Voltage") in found


async def test_a_new_connection_time_out_counts_from_the_next_card(tmp_path):
    async with a_station(tmp_path, ConnectionTimeOut="300") as station:
        await station.configure(ConnectionTimeOut=20)
        await station.box.tap()
        begun_s = asyncio.get_running_loop().time()
        await station.until_heard("Preparing@1")
        await station.configure(ConnectionTimeOut=900)
        await station.until_heard("Available@1")
        assert asyncio.get_running_loop().time() - begun_s == pytest.approx(20, abs=1)


async def test_pings_and_heartbeats_follow_their_keys_at_once(tmp_path):
    async with a_station(tmp_path) as station:
        wire = station.system.wires[-1]
        await station.configure(WebSocketPingInterval=7, HeartbeatInterval=11)
        changed_s = asyncio.get_running_loop().time()
        await station.settled(45)
        pings = [at_s - changed_s for at_s in wire.pings if at_s > changed_s]
        beats = [at_s - changed_s for at_s in station.times_s("Heartbeat") if at_s > changed_s]
        assert pings == pytest.approx([7, 14, 21, 28, 35, 42], abs=0.5)
        assert beats == pytest.approx([11, 22, 33, 44], abs=0.5)
