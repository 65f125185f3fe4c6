"""Charging profiles through the whole box: from the wire to the car, and over the next start."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from hw.settings import PilotSettings
from tests.app.box import CARD, TRANSACTION_ID, Box, box_settings, running_box


def profile(profile_id: int, *limits: tuple[int, float], **fields: Any) -> dict[str, Any]:
    """A relative TxDefaultProfile in A, unless told otherwise."""
    return {
        "chargingProfileId": profile_id,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [
                {"startPeriod": start, "limit": limit} for start, limit in limits
            ],
        },
        **fields,
    }


async def call(box: Box, action: str, **payload: Any) -> Any:
    answer = await box.central_system.send_call(action, payload)
    return answer[2]


async def install(box: Box, connector_id: int, wanted: dict[str, Any]) -> str:
    request = {"connectorId": connector_id, "csChargingProfiles": wanted}
    status: str = (await call(box, "SetChargingProfile", **request))["status"]
    return status


async def allowed(box: Box, seconds: int = 600) -> list[tuple[int, float]]:
    """The periods of the composite schedule of connector 1."""
    answer = await call(box, "GetCompositeSchedule", connectorId=1, duration=seconds)
    periods = answer["chargingSchedule"]["chargingSchedulePeriod"]
    return [(period["startPeriod"], period["limit"]) for period in periods]


async def test_a_profile_reaches_the_car_and_is_told_and_cleared(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        assert box.pilot.offered_a == 32
        assert await install(box, 1, profile(1, (0, 10.5))) == "Accepted"
        assert box.pilot.offered_a == 10.5
        assert await allowed(box) == [(0, 10.5)]
        assert await call(box, "ClearChargingProfile", id=1) == {"status": "Accepted"}
        assert box.pilot.offered_a == 32
        assert await call(box, "ClearChargingProfile") == {"status": "Unknown"}


async def test_the_energy_stops_and_comes_back_by_the_schedule_alone(tmp_path):
    async with running_box(tmp_path) as box:
        await install(box, 0, profile(1, (0, 16), (120, 0), (240, 8)))
        await box.charge()
        await asyncio.sleep(60)
        assert (box.contactor.is_closed, box.pilot.offered_a) == (True, 16)
        await asyncio.sleep(80)
        assert (box.contactor.is_closed, box.pilot.offered_a) == (False, 0)
        assert (await box.status())["in_words"].startswith("paused by a limit: 0 A are allowed")
        await asyncio.sleep(120)
        assert (box.contactor.is_closed, box.pilot.offered_a) == (True, 8)
        told = [call.payload for call in box.central_system.of("StatusNotification")]
        of_connector = [one["status"] for one in told if one["connectorId"] == 1]
        # SuspendedEV: current is offered again, and the car takes its moment to ask for it.
        assert of_connector[-4:] == ["Charging", "SuspendedEVSE", "SuspendedEV", "Charging"]


async def test_a_contactor_alone_keeps_its_minimum_off_time_when_a_limit_is_lifted(tmp_path):
    bare = box_settings(tmp_path)
    connectors = tuple(replace(c, pilot=PilotSettings(driver="none")) for c in bare.connectors)
    box = Box(replace(bare, connectors=connectors))
    await box.start()
    try:
        await box.central_system.received("StatusNotification", 2)
        await box.charge()
        await install(box, 1, profile(1, (0, 5)))
        assert not box.contactor.is_closed
        opened_s = box.clock.now().monotonic_s
        await call(box, "ClearChargingProfile", id=1)
        await box.until(lambda: box.contactor.is_closed)
        assert box.clock.now().monotonic_s - opened_s >= connectors[0].contactor.min_off_s - 0.1
    finally:
        await box.die()


async def test_profiles_survive_a_power_loss_but_not_those_of_the_session_that_it_ended(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await box.until(lambda: box.state.transaction.transaction_id == TRANSACTION_ID)
        own = profile(2, (0, 8), chargingProfilePurpose="TxProfile", transactionId=TRANSACTION_ID)
        assert await install(box, 1, own) == "Accepted"
        assert await install(box, 1, profile(1, (0, 12))) == "Accepted"
        assert box.pilot.offered_a == 8
        await box.lose_power()
        await box.start()
        await box.central_system.received("StopTransaction")
        await box.until(lambda: box.state.transaction is None)
        assert await allowed(box) == [(0, 12.0)]
        await box.unplug()
        await box.charge()
        assert box.pilot.offered_a == 12
        await box.die()
        await box.start()  # what was forgotten stays so
        assert [one.profile.profile_id for one in installed(box)] == [1]


def installed(box: Box) -> tuple[Any, ...]:
    assert box.application.runtime is not None
    return box.application.runtime.state.charging_profiles


async def test_a_remote_start_brings_a_profile_for_its_session_alone(tmp_path):
    async with running_box(tmp_path) as box:
        await box.plug()
        own = profile(4, (0, 9), chargingProfilePurpose="TxProfile")
        request = {"idTag": CARD, "connectorId": 1, "chargingProfile": own}
        assert await call(box, "RemoteStartTransaction", **request) == {"status": "Accepted"}
        await box.until(lambda: box.contactor.is_closed)
        assert box.pilot.offered_a == 9
        assert await allowed(box) == [(0, 9.0)]  # certification case 059
        await asyncio.sleep(10)
        await box.finish()
        assert installed(box) == ()


async def test_a_box_without_the_profile_neither_tells_of_it_nor_keeps_to_it(tmp_path):
    async with running_box(tmp_path) as box:
        await install(box, 1, profile(1, (0, 12)))
        await box.die()
        box.settings = without_smart_charging(box.settings)
        await box.start()
        await box.central_system.received("BootNotification", 2)
        await asyncio.sleep(5)
        request = {"connectorId": 1, "duration": 60}
        assert await call(box, "GetCompositeSchedule", **request) == {"status": "Rejected"}
        await box.charge()
        assert box.pilot.offered_a == 32


def without_smart_charging(settings: Any) -> Any:
    keys = {**settings.ocpp.configuration, "SupportedFeatureProfiles": "Core"}
    return replace(settings, ocpp=replace(settings.ocpp, configuration=keys))


async def test_the_log_says_why_a_profile_is_rejected(tmp_path: Path, caplog):
    async with running_box(tmp_path) as box:
        assert await install(box, 1, profile(1, (-5, 12))) == "Rejected"
        assert "the first startPeriod is below 0" in caplog.text
        (decision,) = await box.do("why", limit=1)
        assert "the first startPeriod is below 0" in decision["detail"]
