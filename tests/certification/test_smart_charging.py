"""Cases 058 to 060 (profiles of a session), 066, 067, 072 (put together, cleared)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.box import TRANSACTION_ID
from tests.certification.station import CARD, Station, a_station


def a_profile(
    number: int, purpose: str, *limits: tuple[int, float], stack: int = 0, **more: Any
) -> dict[str, Any]:
    periods = [{"startPeriod": start_s, "limit": limit} for start_s, limit in limits]
    return {
        "chargingProfileId": number,
        "stackLevel": stack,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative" if purpose == "TxProfile" else "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": periods,
            **({} if purpose == "TxProfile" else {"startSchedule": "2026-03-01T00:00:00Z"}),
        },
        **more,
    }


async def install(station: Station, connector_id: int, profile: dict[str, Any]) -> Any:
    return await station.ask(
        "SetChargingProfile", connectorId=connector_id, csChargingProfiles=profile
    )


async def schedule(station: Station, connector_id: int = 1, duration: int = 300) -> dict[str, Any]:
    _, _, answer = await station.system.send_call(
        "GetCompositeSchedule",
        {"connectorId": connector_id, "duration": duration, "chargingRateUnit": "A"},
    )
    assert answer["status"] == "Accepted"
    return dict(answer)


def limits(answer: dict[str, Any]) -> list[tuple[int, float]]:
    periods = answer["chargingSchedule"]["chargingSchedulePeriod"]
    return [(period["startPeriod"], period["limit"]) for period in periods]


async def test_case_058_1_a_tx_profile_without_a_transaction_is_rejected(tmp_path):
    async with a_station(tmp_path) as station:
        answer = await install(station, 1, a_profile(1, "TxProfile", (0, 10.0)))
        assert answer in ("Rejected", "PropertyConstraintViolation")


async def test_case_059_the_profile_of_a_remote_start_is_in_the_schedule(tmp_path):
    async with a_station(tmp_path) as station:
        await station.box.plug()
        status = await station.ask(
            "RemoteStartTransaction",
            idTag=CARD,
            connectorId=1,
            chargingProfile=a_profile(1, "TxProfile", (0, 9.0)),
        )
        assert status == "Accepted"
        await station.until_heard("Charging@1")
        assert limits(await schedule(station)) == [(0, 9.0)]
        assert station.box.pilot.offered_a == 9.0


@pytest.mark.parametrize("purpose", ["TxDefaultProfile", "ChargePointMaxProfile"])
async def test_case_060_a_remote_start_with_a_profile_for_something_else_is_rejected(
    tmp_path, purpose
):
    async with a_station(tmp_path) as station:
        await station.box.plug()
        answer = await station.ask(
            "RemoteStartTransaction",
            idTag=CARD,
            connectorId=1,
            chargingProfile=a_profile(1, purpose, (0, 9.0)),
        )
        assert answer in ("Rejected", "PropertyConstraintViolation")
        assert "StartTransaction" not in await station.settled(10)


async def test_case_066_purposes_are_combined_from_now_on_for_as_long_as_asked(tmp_path):
    async with a_station(tmp_path) as station:
        most = a_profile(1, "ChargePointMaxProfile", (0, 10.0))
        assert await install(station, 0, most) == "Accepted"
        assert await install(station, 1, a_profile(2, "TxDefaultProfile", (0, 6.0))) == "Accepted"
        await station.charge()
        mine = a_profile(3, "TxProfile", (0, 8.0), (60, 11.0), transactionId=TRANSACTION_ID)
        assert await install(station, 1, mine) == "Accepted"
        answer = await schedule(station, duration=350)
        assert answer["chargingSchedule"]["duration"] == 350
        assert answer["scheduleStart"].startswith("2026-03-01T12:00:")
        found = limits(answer)
        assert [limit for _, limit in found] == [8.0, 10.0]
        assert 50 <= found[1][0] <= 60


async def test_case_067_a_profile_is_cleared_by_its_id_and_others_by_what_they_are(tmp_path):
    async with a_station(tmp_path) as station:
        for number, stack in ((1, 0), (2, 1), (3, 2)):
            profile = a_profile(number, "TxDefaultProfile", (0, 6.0 + number), stack=stack)
            assert await install(station, 1, profile) == "Accepted"
        assert await station.ask("ClearChargingProfile", id=9) == "Unknown"
        assert await station.ask("ClearChargingProfile", id=3) == "Accepted"
        purpose = {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile"}
        assert await station.ask("ClearChargingProfile", stackLevel=1, **purpose) == "Accepted"
        assert await station.ask("ClearChargingProfile", **purpose) == "Accepted"
        assert await station.ask("ClearChargingProfile", **purpose) == "Unknown"


async def test_case_072_the_higher_stack_level_counts_where_both_have_a_limit(tmp_path):
    async with a_station(tmp_path) as station:
        low = a_profile(1, "TxDefaultProfile", (0, 6.0), stack=0)
        high = a_profile(2, "TxDefaultProfile", (0, 12.0), stack=1)
        high["chargingSchedule"]["startSchedule"] = "2026-03-01T12:00:00Z"
        high["chargingSchedule"]["duration"] = 120
        assert await install(station, 1, low) == "Accepted"
        assert await install(station, 1, high) == "Accepted"
        await station.charge()
        found = limits(await schedule(station))
        assert [limit for _, limit in found] == [12.0, 6.0]
        assert 100 <= found[1][0] <= 120
