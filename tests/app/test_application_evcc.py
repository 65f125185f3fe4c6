"""evcc as the central system of a house, by the calls that it is known to make, in their order.

It sets the box up (availability, all keys, measurands one by one), asks for a boot notification and
for meter values, and then leads the session with a TxDefaultProfile at the highest stack level: 0 A
is its pause. It expects the box to begin its sessions by itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import AuthorizationSettings
from tests.app.box import TRANSACTION_ID, Box, box_settings
from tests.app.test_application_profiles import call

MEASURANDS = (
    "Power.Active.Import",
    "Energy.Active.Import.Register",
    "Current.Import",
    "Voltage",
    "Current.Offered",
    "Power.Offered",
)


async def set_up(box: Box) -> dict[str, str]:
    """What it does first; the configuration that it reads."""
    available = {"connectorId": 0, "type": "Operative"}
    assert await call(box, "ChangeAvailability", **available) == {"status": "Accepted"}
    keys = (await call(box, "GetConfiguration"))["configurationKey"]
    boot = await call(box, "TriggerMessage", requestedMessage="BootNotification")
    assert boot == {"status": "Rejected"}  # errata 3.35: it is accepted already; evcc goes on
    for measurand in MEASURANDS:
        assert await change(box, "MeterValuesSampledData", measurand) == "Accepted"
    assert await change(box, "MeterValuesSampledData", "SoC") == "Rejected"  # it goes on without
    assert await change(box, "MeterValuesSampledData", ",".join(MEASURANDS)) == "Accepted"
    values = await call(box, "TriggerMessage", requestedMessage="MeterValues")
    assert values == {"status": "Accepted"}
    await box.central_system.received("MeterValues", 1)
    assert await change(box, "MeterValueSampleInterval", "10") == "Accepted"
    assert await change(box, "WebSocketPingInterval", "30") == "Accepted"
    return {one["key"]: one.get("value", "") for one in keys}


async def change(box: Box, key: str, value: str) -> str:
    answer: dict[str, str] = await call(box, "ChangeConfiguration", key=key, value=value)
    return answer["status"]


async def lead(box: Box, limit: float, level: int, profile_id: int, connector_id: int = 1) -> None:
    """Let a session have so many amperes from now on."""
    profile: dict[str, Any] = {
        "chargingProfileId": profile_id,
        "stackLevel": level,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": box.clock.now().utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
    }
    request = {"connectorId": connector_id, "csChargingProfiles": profile}
    assert await call(box, "SetChargingProfile", **request) == {"status": "Accepted"}


def a_box(directory: Path) -> Box:
    """It charges whoever plugs in, under a tag of its own."""
    authorization = AuthorizationSettings(free_charging_id_tag="evcc")
    return Box(replace(box_settings(directory), authorization=authorization))


@pytest.mark.parametrize("connector_id", [0, 1])
async def test_it_sets_the_box_up_and_leads_a_session_that_begins_by_itself(tmp_path, connector_id):
    box = a_box(tmp_path)
    await box.start()
    keys = await set_up(box)
    # "Power" alone would make it send watts.
    assert keys["ChargingScheduleAllowedChargingRateUnit"] not in ("Power", "W")
    assert keys["NumberOfConnectors"] == "1"
    assert {"SmartCharging", "RemoteTrigger"} <= set(keys["SupportedFeatureProfiles"].split(","))
    level = int(keys["ChargeProfileMaxStackLevel"])
    profile_id = int(keys["MaxChargingProfilesInstalled"])

    await lead(box, 0, level, profile_id, connector_id)
    await box.do("sim", lever="plug", connector=1)
    await box.central_system.received("StartTransaction", 1)
    (start,) = box.central_system.of("StartTransaction")
    assert start.payload["idTag"] == "evcc"
    await asyncio.sleep(30)
    assert not box.contactor.is_closed

    assert (await box.status())["session"]["id_tag"] == "free charging"

    await lead(box, 6.5, level, profile_id, connector_id)
    await box.until(lambda: box.contactor.is_closed)
    assert box.pilot.offered_a == 6.5
    await lead(box, 16, level, profile_id, connector_id)
    await box.until(lambda: box.pilot.offered_a == 16)
    await lead(box, 0, level, profile_id, connector_id)
    await box.until(lambda: not box.contactor.is_closed)
    statuses = [call.payload["status"] for call in box.central_system.of("StatusNotification")]
    assert statuses[-1] == "SuspendedEVSE"
    assert box.central_system.of("StopTransaction") == []
    await lead(box, 10, level, profile_id, connector_id)
    await box.until(lambda: box.contactor.is_closed)
    assert box.pilot.offered_a == 10
    assert box.central_system.of("StopTransaction") == []
    await box.die()


async def test_values_that_it_asks_for_in_a_session_belong_to_that_session(tmp_path):
    box = a_box(tmp_path)
    await box.start()
    await set_up(box)
    await box.do("sim", lever="plug", connector=1)
    await box.until(lambda: box.contactor.is_closed)
    await asyncio.sleep(1)
    told = len(box.central_system.of("MeterValues"))
    request = {"requestedMessage": "MeterValues", "connectorId": 1}
    assert await call(box, "TriggerMessage", **request) == {"status": "Accepted"}
    await box.central_system.received("MeterValues", told + 1)
    values = box.central_system.of("MeterValues")[-1].payload
    assert values["transactionId"] == TRANSACTION_ID
    found = {one["measurand"] for one in values["meterValue"][0]["sampledValue"]}
    assert {"Power.Active.Import", "Energy.Active.Import.Register", "Current.Offered"} <= found
    await box.die()


async def test_where_it_begins_the_session_itself_its_own_tag_is_taken(tmp_path):
    box = Box(box_settings(tmp_path, AuthorizeRemoteTxRequests="false"))
    await box.start()
    await set_up(box)
    await box.do("sim", lever="plug", connector=1)
    start = {"idTag": "evcc", "connectorId": 1}
    assert await call(box, "RemoteStartTransaction", **start) == {"status": "Accepted"}
    await box.central_system.received("StartTransaction", 1)
    await box.until(lambda: box.contactor.is_closed)
    await box.die()
