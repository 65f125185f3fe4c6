"""Cases 017, 018, 030, 031 (UnlockConnector) and 054, 055 (TriggerMessage)."""

from __future__ import annotations

import pytest

from tests.certification.station import a_station, with_fixed_cable


async def test_case_017_1_unlock_without_a_session(tmp_path):
    async with a_station(tmp_path) as station:
        assert await station.ask("UnlockConnector", connectorId=1) == "Unlocked"


async def test_case_017_2_unlock_with_a_fixed_cable_is_not_supported(tmp_path):
    async with a_station(tmp_path, change=with_fixed_cable) as station:
        assert await station.ask("UnlockConnector", connectorId=1) == "NotSupported"


async def test_case_018_1_unlock_ends_the_session_and_frees_the_cable(tmp_path):
    async with a_station(tmp_path) as station:
        await station.charge()
        assert await station.ask("UnlockConnector", connectorId=1) == "Unlocked"
        await station.settled()
        (stop,) = station.heard("StopTransaction")
        assert stop["reason"] == "UnlockCommand"
        assert station.heard("StatusNotification")[-1]["status"] == "Finishing"
        await station.unplug()
        await station.until_heard("Available@1")


async def test_case_018_2_unlock_with_a_fixed_cable_leaves_the_session_alone(tmp_path):
    async with a_station(tmp_path, change=with_fixed_cable) as station:
        await station.charge()
        assert await station.ask("UnlockConnector", connectorId=1) == "NotSupported"
        assert await station.settled(30) == []
        assert station.box.contactor.is_closed


async def test_case_030_a_lock_that_does_not_move_is_unlock_failed(tmp_path):
    async with a_station(tmp_path) as station:
        await station.charge()
        await station.box.do("sim", lever="fault", name="lock_jam")
        assert await station.ask("UnlockConnector", connectorId=1) == "UnlockFailed"


@pytest.mark.parametrize("connector_id", [0, 2, -1])
async def test_case_031_unlock_of_an_unknown_connector_is_not_supported(tmp_path, connector_id):
    async with a_station(tmp_path) as station:
        assert await station.ask("UnlockConnector", connectorId=connector_id) == "NotSupported"


@pytest.mark.parametrize(
    ("message", "connector", "words"),
    [
        ("Heartbeat", None, ["Heartbeat"]),
        ("StatusNotification", 1, ["Available@1"]),
        ("StatusNotification", None, ["Available@0", "Available@1"]),
        ("MeterValues", 1, ["MeterValues"]),
        ("DiagnosticsStatusNotification", None, ["DiagnosticsStatusNotification"]),
        ("FirmwareStatusNotification", None, ["FirmwareStatusNotification"]),
    ],
)
async def test_case_054_first_the_answer_and_then_the_message(tmp_path, message, connector, words):
    async with a_station(tmp_path) as station:
        frames_before = len(station.system.frames)
        where = {} if connector is None else {"connectorId": connector}
        assert await station.ask("TriggerMessage", requestedMessage=message, **where) == "Accepted"
        assert await station.settled() == words
        answer, *rest = station.system.frames[frames_before:]
        assert answer.startswith("[3,")
        assert all(frame.startswith("[2,") for frame in rest)


async def test_case_055_meter_values_of_an_unknown_connector_are_rejected(tmp_path):
    async with a_station(tmp_path) as station:
        answer = await station.ask("TriggerMessage", requestedMessage="MeterValues", connectorId=2)
        assert answer == "Rejected"
