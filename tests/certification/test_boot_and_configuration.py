"""Cases 001, 002 (boot), 013, 015 (hard reset), 019, 021, 040 (configuration), 061 (cache)."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tests.app.box import Box, box_settings
from tests.certification.station import CARD, Station, a_station
from tests.emulators.central_system import Answer, FakeCentralSystem

# Required of a charge point with these profiles (chapter 9), and whether it may be read only.
REQUIRED = {
    "AuthorizeRemoteTxRequests": None,
    "ClockAlignedDataInterval": False,
    "ConnectionTimeOut": False,
    "ConnectorPhaseRotation": False,
    "GetConfigurationMaxKeys": True,
    "HeartbeatInterval": False,
    "LocalAuthListEnabled": False,
    "LocalAuthListMaxLength": True,
    "LocalAuthorizeOffline": False,
    "LocalPreAuthorize": False,
    "MeterValuesAlignedData": False,
    "MeterValuesSampledData": False,
    "MeterValueSampleInterval": False,
    "NumberOfConnectors": True,
    "ResetRetries": False,
    "SendLocalListMaxLength": True,
    "StopTransactionOnInvalidId": False,
    "StopTxnAlignedData": False,
    "StopTxnSampledData": False,
    "SupportedFeatureProfiles": True,
    "TransactionMessageAttempts": False,
    "TransactionMessageRetryInterval": False,
    "UnlockConnectorOnEVSideDisconnect": None,
}
PENDING = {"status": "Pending", "currentTime": "2026-03-01T12:00:00Z", "interval": 120}


async def test_case_001_cold_boot_reports_every_connector_and_keeps_its_heartbeat(tmp_path):
    async with a_station(tmp_path, connectors=2, HeartbeatInterval="30") as station:
        await station.settled(100)
        first = [call.action for call in station.system.calls[:4]]
        assert first == ["BootNotification", *["StatusNotification"] * 3]
        connectors = [call["connectorId"] for call in station.heard("StatusNotification")]
        assert connectors == [0, 1, 2]
        await station.configure(HeartbeatInterval=10)
        since_s = asyncio.get_running_loop().time()
        await station.settled(61)
        beats = [at_s for at_s in station.times_s("Heartbeat") if at_s > since_s]
        gaps = [later - sooner for sooner, later in itertools.pairwise(beats)]
        assert len(gaps) >= 4
        assert gaps == pytest.approx([10.0] * len(gaps), abs=0.5)


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
async def test_case_002_not_accepted_it_boots_again_after_the_interval_and_not_before(
    tmp_path, status
):
    system = FakeCentralSystem()
    system.next("BootNotification", Answer({**PENDING, "status": status}))
    box = Box(box_settings(tmp_path), central_system=system)
    station = Station(box)
    await box.start()
    await system.received("BootNotification")
    assert await station.settled(118) == ["BootNotification"]
    if status == "Pending":
        asked = await station.ask("GetConfiguration", key=["HeartbeatInterval"])
        assert asked["configurationKey"][0]["key"] == "HeartbeatInterval"
        await station.configure(MeterValueSampleInterval=30)
        assert await station.ask("RemoteStartTransaction", idTag=CARD) == "Rejected"
    news = await station.until_heard("Available@1")
    assert news == ["BootNotification", "Available@0", "Available@1"]
    first, second = station.times_s("BootNotification")
    assert second - first >= 120
    await box.die()


async def test_case_013_hard_reset_keeps_a_connector_unavailable(tmp_path):
    async with a_station(tmp_path) as station:
        assert await station.ask("ChangeAvailability", connectorId=1, type="Inoperative") == (
            "Accepted"
        )
        await station.settled()
        assert await station.ask("Reset", type="Hard") == "Accepted"
        assert await station.box.ended() is True
        station.news()
        await station.box.start()
        assert await station.until_heard("Unavailable@1") == [
            "BootNotification",
            "Available@0",
            "Unavailable@1",
        ]


async def test_case_015_hard_reset_with_a_transaction_stops_it_as_hard_reset(tmp_path):
    async with a_station(tmp_path) as station:
        await station.charge()
        assert await station.ask("Reset", type="Hard") == "Accepted"
        assert await station.box.ended() is True
        station.box.is_plugged_at_start = True
        await station.box.start()
        await station.until_heard("StopTransaction")
        await station.settled()
        (stop,) = station.heard("StopTransaction")
        assert stop["reason"] == "HardReset"
        assert station.heard("StatusNotification")[-1]["status"] in ("Preparing", "Finishing")


async def test_case_019_all_required_keys_are_there_with_the_right_access(tmp_path):
    async with a_station(tmp_path) as station:
        answer = await station.ask("GetConfiguration")
        found = {entry["key"]: entry for entry in answer["configurationKey"]}
        assert REQUIRED.keys() <= found.keys()
        for name, is_readonly in REQUIRED.items():
            assert is_readonly in (None, found[name]["readonly"]), name
        assert "Core" in found["SupportedFeatureProfiles"]["value"].split(",")


async def test_case_021_a_changed_value_is_there_at_once_and_after_a_restart(tmp_path):
    async with a_station(tmp_path) as station:
        await station.configure(MeterValueSampleInterval=17)
        for _ in range(2):
            answer = await station.ask("GetConfiguration", key=["metervaluesampleinterval"])
            assert answer["configurationKey"] == [
                {"key": "MeterValueSampleInterval", "readonly": False, "value": "17"}
            ]
            await station.box.die()
            await station.box.start()
            await station.settled()


async def test_case_040_1_an_unknown_key_is_not_supported(tmp_path):
    async with a_station(tmp_path) as station:
        status = await station.ask("ChangeConfiguration", key="NoSuchKey", value="1")
        assert status == "NotSupported"


async def test_case_040_2_a_negative_interval_is_rejected(tmp_path):
    async with a_station(tmp_path) as station:
        status = await station.ask(
            "ChangeConfiguration", key="MeterValueSampleInterval", value="-1"
        )
        assert status == "Rejected"


async def test_case_061_after_clear_cache_the_card_is_asked_about_again(tmp_path):
    async with a_station(tmp_path) as station:
        for asked_so_far in (1, 1):
            await station.charge()
            await station.finish()
            assert len(station.heard("Authorize")) == asked_so_far
        assert await station.ask("ClearCache") == "Accepted"
        await station.charge()
        assert len(station.heard("Authorize")) == 2
