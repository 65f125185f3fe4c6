"""Cases 044 (firmware) and 045 (diagnostics)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.settings import FirmwareSettings, Settings
from tests.certification.station import Station, a_station
from tests.emulators.transfers import FakeTransfers

WHERE = "https://files.example.com/in"
UPDATE = {"location": WHERE, "retrieveDate": "2026-03-01T12:00:00Z", "retries": 0}


def with_a_command(settings: Settings) -> Settings:
    return replace(settings, firmware=FirmwareSettings(install_command=("install", "{file}")))


def told(station: Station, action: str) -> list[str]:
    return [str(payload["status"]) for payload in station.heard(action)]


async def works(command: list[str], environment: Mapping[str, str], folder: Path, s: float) -> str:
    await asyncio.sleep(10)
    return ""


async def fails(command: list[str], environment: Mapping[str, str], folder: Path, s: float) -> str:
    await asyncio.sleep(10)
    return "it ended with the status 1"


async def test_case_044_1_an_update_tells_each_step_and_runs_as_the_new_version(tmp_path):
    async with a_station(tmp_path, 1, with_a_command, FakeTransfers(), works) as station:
        assert await station.ask("UpdateFirmware", **UPDATE) == {}
        assert await station.box.ended() is True
        charge_point = replace(station.box.settings.charge_point, firmware_version="2.0")
        station.box.settings = replace(station.box.settings, charge_point=charge_point)
        await station.box.start()
        await station.settled(30)
        steps = told(station, "FirmwareStatusNotification")
        assert steps == ["Downloading", "Downloaded", "Installing", "Installed"]
        assert station.heard("BootNotification")[-1]["firmwareVersion"] == "2.0"


async def test_case_044_2_a_download_that_fails_leaves_everything_as_it_was(tmp_path):
    files = FakeTransfers(problems=deque(["there is no such file"]))
    async with a_station(tmp_path, 1, with_a_command, files, works) as station:
        await station.ask("UpdateFirmware", **UPDATE)
        await station.settled(30)
        steps = told(station, "FirmwareStatusNotification")
        assert steps == ["Downloading", "DownloadFailed"]
        assert station.heard("StatusNotification")[-1]["status"] == "Available"
        assert station.box.is_running


async def test_case_044_3_an_installation_that_fails_is_told_and_charging_goes_on(tmp_path):
    async with a_station(tmp_path, 1, with_a_command, FakeTransfers(), fails) as station:
        await station.ask("UpdateFirmware", **UPDATE)
        await station.settled(30)
        steps = told(station, "FirmwareStatusNotification")
        assert steps == ["Downloading", "Downloaded", "Installing", "InstallationFailed"]
        await station.charge()


@pytest.mark.parametrize(("problem", "end"), [("", "Uploaded"), ("no such folder", "UploadFailed")])
async def test_case_045_diagnostics_are_uploaded_or_it_is_told_that_they_were_not(
    tmp_path, problem, end
):
    files = FakeTransfers(problems=deque([problem]))
    async with a_station(tmp_path, transfers=files) as station:
        answer = await station.ask("GetDiagnostics", location=WHERE, retries=0)
        await station.settled(60)
        assert told(station, "DiagnosticsStatusNotification") == ["Uploading", end]
        assert [name for _, name, _, _ in files.uploads] == [answer["fileName"]]


@pytest.mark.parametrize("action", ["GetDiagnostics", "UpdateFirmware"])
@pytest.mark.parametrize("field", ["retries", "retryInterval"])
async def test_to_try_less_often_than_never_is_no_request(tmp_path, action, field):
    transfers = FakeTransfers()
    async with a_station(tmp_path, transfers=transfers) as station:
        more = {"retrieveDate": UPDATE["retrieveDate"]} if action == "UpdateFirmware" else {}
        answer = await station.ask(action, location=WHERE, **more, **{field: -1})
        assert answer == "PropertyConstraintViolation"
        await station.settled(10)
        assert (transfers.uploads, transfers.downloads) == ([], [])
