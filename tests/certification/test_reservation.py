"""Cases 046, 047, 048, 050, 053: reservations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agent.ocpp16.requests import timestamp
from tests.certification.station import CARD, OTHER_CARD, Station, a_station
from tests.emulators.central_system import Answer

GROUP = {"status": "Accepted", "parentIdTag": "GROUP"}
IN_GROUP = Answer({"idTagInfo": GROUP})
STARTED_IN_GROUP = Answer({"idTagInfo": GROUP, "transactionId": 7})


async def reserve(station: Station, seconds: float = 300, **fields: Any) -> str:
    ends_at = station.box.clock.now().utc + timedelta(seconds=seconds)
    wanted = {"connectorId": 1, "idTag": CARD, "reservationId": 5, **fields}
    status: str = await station.ask("ReserveNow", expiryDate=timestamp(ends_at), **wanted)
    return status


async def test_case_046_1_a_foreign_card_is_refused_without_being_asked_about(tmp_path):
    async with a_station(tmp_path) as station:
        assert await reserve(station) == "Accepted"
        assert await station.settled() == ["Reserved@1"]
        refused = await station.box.tap(OTHER_CARD)
        assert (refused["verdict"], refused["rule"]) == ("refused", "RESERVED")
        assert await station.settled() == []
        await station.charge(CARD)
        (start,) = station.heard("StartTransaction")
        assert (start["reservationId"], start["idTag"]) == (5, CARD)


async def test_case_046_2_a_remote_start_for_the_reserved_card_carries_the_reservation(tmp_path):
    async with a_station(tmp_path) as station:
        await reserve(station)
        answer = await station.ask("RemoteStartTransaction", idTag=OTHER_CARD, connectorId=1)
        assert answer == "Rejected"
        assert await station.ask("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        await station.box.plug()
        news = await station.until_heard("Charging@1")
        assert news == ["Reserved@1", "Preparing@1", "StartTransaction", "Charging@1"]
        assert station.heard("StartTransaction")[0]["reservationId"] == 5


async def test_case_047_a_reservation_that_expires_leaves_the_connector_available(tmp_path):
    async with a_station(tmp_path) as station:
        await reserve(station, seconds=60)
        await station.until_heard("Reserved@1")
        assert await station.settled(55) == []
        assert await station.settled(10) == ["Available@1"]
        assert (await station.box.tap(OTHER_CARD))["verdict"] == "accepted"


async def test_case_048_1_a_connector_in_use_is_occupied(tmp_path):
    async with a_station(tmp_path) as station:
        await station.box.plug()
        await station.until_heard("Preparing@1")
        assert await reserve(station) == "Occupied"


async def test_case_048_2_a_reserved_connector_is_occupied(tmp_path):
    async with a_station(tmp_path) as station:
        assert await reserve(station) == "Accepted"
        assert await reserve(station, reservationId=6, idTag=OTHER_CARD) == "Occupied"


async def test_case_048_3_a_connector_out_of_service_is_unavailable(tmp_path):
    async with a_station(tmp_path) as station:
        await station.ask("ChangeAvailability", connectorId=1, type="Inoperative")
        assert await reserve(station) == "Unavailable"


async def test_case_048_4_a_broken_connector_is_faulted(tmp_path):
    async with a_station(tmp_path) as station:
        await station.box.do("sim", lever="fault", name="residual_current")
        await station.until_heard("Faulted@1")
        assert await reserve(station) == "Faulted"


async def test_case_050_1_any_connector_can_be_reserved_and_is_kept_free(tmp_path):
    async with a_station(tmp_path, connectors=2) as station:
        assert await reserve(station, connectorId=0) == "Accepted"
        await station.charge(OTHER_CARD, connector=2)
        refused = await station.box.tap("04CCCCCC")
        assert (refused["verdict"], refused["rule"]) == ("refused", "RESERVED")
        await station.charge(CARD)
        assert station.heard("StartTransaction")[-1]["reservationId"] == 5


async def test_case_050_2_where_that_is_not_supported_it_is_rejected(tmp_path):
    async with a_station(tmp_path, ReserveConnectorZeroSupported="false") as station:
        assert await reserve(station, connectorId=0) == "Rejected"


async def test_case_051_a_reservation_is_cancelled_by_its_id(tmp_path):
    async with a_station(tmp_path) as station:
        await reserve(station)
        assert await station.ask("CancelReservation", reservationId=6) == "Rejected"
        assert await station.ask("CancelReservation", reservationId=5) == "Accepted"
        assert await station.settled() == ["Reserved@1", "Available@1"]


@pytest.mark.parametrize("is_cached", [False, True])
async def test_case_053_a_card_of_the_group_charges_under_the_reservation(tmp_path, is_cached):
    async with a_station(tmp_path) as station:
        station.system.always("Authorize", IN_GROUP)
        station.system.always("StartTransaction", STARTED_IN_GROUP)
        if is_cached:
            await station.charge(OTHER_CARD)
            await station.finish(OTHER_CARD)
        before = len(station.heard("Authorize"))
        assert await reserve(station, parentIdTag="GROUP") == "Accepted"
        await station.charge(OTHER_CARD)
        assert len(station.heard("Authorize")) == before + (not is_cached)
        start = station.heard("StartTransaction")[-1]
        assert (start["idTag"], start["reservationId"]) == (OTHER_CARD, 5)


async def test_a_reservation_outlives_a_power_cut_and_expires_in_time(tmp_path):
    async with a_station(tmp_path) as station:
        await reserve(station, seconds=600)
        await station.until_heard("Reserved@1")
        await station.box.die()  # right after the answer
        await station.box.start()
        await station.until_heard("Reserved@1")
        assert (await station.box.tap(OTHER_CARD))["rule"] == "RESERVED"
        await station.box.lose_power()
        await station.box.start()
        await station.until_heard("Available@1", 660)
        assert (await station.box.tap(OTHER_CARD))["verdict"] == "accepted"
