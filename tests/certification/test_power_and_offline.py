"""Cases 032, 034 (power failure) and 036 to 039 (offline)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from agent.config.settings import AuthorizationSettings, Settings
from agent.platform.errors import LinkError
from tests.app.box import seconds
from tests.certification.station import CARD, Station, a_station

OFFLINE = {"LocalAuthorizeOffline": "true", "AllowOfflineTxForUnknownId": "true"}


def resuming(settings: Settings) -> Settings:
    rules = AuthorizationSettings(resume_after_power_loss=True)
    return replace(settings, authorization=rules)


async def cut_off(station: Station) -> None:
    station.system.refuse_always = LinkError("no network")
    await station.system.drop()
    await station.settled()


async def back(station: Station) -> None:
    station.system.refuse_always = None


async def test_case_032_1_told_to_end_it_stops_the_session_before_it_goes_down(tmp_path):
    async with a_station(tmp_path) as station:
        await station.charge()
        await station.box.shut_down()
        (stop,) = station.heard("StopTransaction")
        assert stop["reason"] in ("PowerLoss", "Reboot")
        assert station.heard("StatusNotification")[-1]["status"] == "Finishing"


async def test_case_032_2_after_a_power_failure_the_session_is_closed_with_power_loss(tmp_path):
    async with a_station(tmp_path) as station:
        await station.charge()
        await station.settled(130)
        samples = len(station.heard("MeterValues"))
        await station.box.lose_power()
        station.news()
        station.box.is_plugged_at_start = True
        await station.box.start()
        news = await station.until_heard("StopTransaction")
        await station.settled()
        assert news[0] == "BootNotification"
        (stop,) = station.heard("StopTransaction")
        assert stop["reason"] == "PowerLoss"
        assert stop["meterStop"] >= station.heard("StartTransaction")[0]["meterStart"]
        assert samples == 2
        assert station.heard("StatusNotification")[-1]["status"] in ("Preparing", "Finishing")


async def test_case_034_unavailable_is_kept_over_a_power_failure(tmp_path):
    async with a_station(tmp_path) as station:
        assert await station.ask("ChangeAvailability", connectorId=0, type="Inoperative") == (
            "Accepted"
        )
        await station.box.lose_power()
        station.news()
        await station.box.start()
        assert await station.until_heard("Unavailable@1") == [
            "BootNotification",
            "Unavailable@0",
            "Unavailable@1",
        ]


def sampled_at_s(station: Station) -> list[float]:
    return [seconds(told["meterValue"][0]["timestamp"]) for told in station.heard("MeterValues")]


async def test_case_036_all_meter_values_of_the_time_offline_arrive_in_order(tmp_path):
    async with a_station(tmp_path, MeterValueSampleInterval="20") as station:
        await station.charge()
        await station.settled(50)
        await cut_off(station)
        await station.settled(200)
        offline = len(station.heard("MeterValues"))
        await back(station)
        await station.until_heard("MeterValues")
        await station.settled(60)
        taken = sampled_at_s(station)
        gaps = [later - sooner for sooner, later in itertools.pairwise(taken)]
        assert gaps == pytest.approx([20.0] * len(gaps), abs=0.5)
        assert len(taken) >= offline + 10


async def test_case_037_1_a_session_begun_offline_is_told_with_its_own_time(tmp_path):
    async with a_station(tmp_path, **OFFLINE) as station:
        await cut_off(station)
        await station.box.plug()
        assert (await station.box.tap(CARD))["verdict"] == "accepted"
        await station.box.until(lambda: station.box.contactor.is_closed)
        begun_at = station.box.state.transaction.begun_at
        await station.settled(300)
        await back(station)
        news = await station.until_heard("StartTransaction")
        assert "Charging@1" in news
        (start,) = station.heard("StartTransaction")
        assert seconds(start["timestamp"]) == pytest.approx(seconds(begun_at.isoformat()), abs=0.01)


async def test_case_038_a_session_that_ended_offline_is_told_as_it_ended(tmp_path):
    async with a_station(tmp_path, **OFFLINE) as station:
        await station.charge()
        await cut_off(station)
        await station.finish()
        await station.settled(100)
        await back(station)
        news = await station.until_heard("StopTransaction")
        (stop,) = station.heard("StopTransaction")
        assert stop.get("reason", "Local") == "Local"
        assert "Available@1" in news


async def test_case_039_a_whole_session_offline_arrives_in_its_order(tmp_path):
    async with a_station(tmp_path, MeterValueSampleInterval="30", **OFFLINE) as station:
        await cut_off(station)
        await station.box.plug()
        assert (await station.box.tap(CARD))["verdict"] == "accepted"
        await station.box.until(lambda: station.box.contactor.is_closed)
        await station.settled(100)
        await station.finish()
        await station.settled(50)
        await back(station)
        news = await station.until_heard("StopTransaction")
        messages: list[Any] = [word for word in news if "@" not in word and word != "Heartbeat"]
        assert messages == ["StartTransaction", *["MeterValues"] * 3, "StopTransaction"]
        start, stop = station.heard("StartTransaction")[0], station.heard("StopTransaction")[0]
        assert start["timestamp"] < stop["timestamp"]
        assert stop.get("reason", "Local") == "Local"


async def test_case_032_2_where_the_site_wants_it_the_session_goes_on(tmp_path):
    async with a_station(tmp_path, change=resuming) as station:
        await station.charge()
        await station.settled(30)
        register_wh = (await station.box.status())["meter"]["import_wh"]
        await station.box.lose_power()
        simulation = replace(station.box.settings.simulation, meter_start_wh=register_wh)
        station.box.settings = replace(station.box.settings, simulation=simulation)
        station.box.is_plugged_at_start = True
        await station.box.start()
        await station.box.until(lambda: station.box.contactor.is_closed)
        assert station.heard("StopTransaction") == []
