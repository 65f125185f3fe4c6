"""Cases 004 to 011 (starts and ends), 023, 024, 026, 027 (refused), 069 (a card of the group)."""

from __future__ import annotations

import asyncio

import pytest

from tests.app.box import TRANSACTION_ID
from tests.certification.station import CARD, OTHER_CARD, Station, a_station
from tests.emulators.central_system import Answer

START_TO_CHARGING = ["Preparing@1", "StartTransaction", "Charging@1"]


async def test_case_004_2_a_card_without_a_plug_gives_up_after_connection_time_out(tmp_path):
    async with a_station(tmp_path, ConnectionTimeOut="20") as station:
        assert (await station.box.tap())["verdict"] == "accepted"
        await station.until_heard("Preparing@1")
        begun_s = asyncio.get_running_loop().time()
        await station.until_heard("Available@1")
        assert asyncio.get_running_loop().time() - begun_s == pytest.approx(20, abs=1)
        await station.box.plug()
        assert "StartTransaction" not in await station.settled(30)


async def test_a_plug_without_a_card_is_finishing_after_connection_time_out(tmp_path):
    """Errata 3.20: B6. A new swipe leads back to Preparing (F2)."""
    async with a_station(tmp_path, ConnectionTimeOut="20") as station:
        await station.box.plug()
        await station.until_heard("Preparing@1")
        begun_s = asyncio.get_running_loop().time()
        assert await station.until_heard("Finishing@1") == ["Finishing@1"]
        assert asyncio.get_running_loop().time() - begun_s == pytest.approx(20, abs=1)
        words = (await station.box.status())["in_words"]
        assert words == "plugged in, and no card came in time; tap, or plug in once more"
        assert (await station.box.tap())["verdict"] == "accepted"
        news = [word for word in await station.until_heard("Charging@1") if word != "Authorize"]
        assert news == START_TO_CHARGING


async def test_a_remote_start_comes_in_time_for_a_plug_that_was_given_up(tmp_path):
    async with a_station(tmp_path, ConnectionTimeOut="20") as station:
        await station.box.plug()
        await station.until_heard("Finishing@1")
        assert await station.ask("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        assert await station.until_heard("Charging@1") == START_TO_CHARGING


async def ev_side(station: Station, unlocks: bool) -> list[str]:
    await station.configure(
        StopTransactionOnEVSideDisconnect="true",
        UnlockConnectorOnEVSideDisconnect="true" if unlocks else "false",
    )
    await station.charge()
    station.drive_off()
    return await station.settled(10)


async def test_case_005_1_ev_side_disconnect_stops_and_unlocks(tmp_path):
    async with a_station(tmp_path) as station:
        news = await ev_side(station, unlocks=True)
        (stop,) = station.heard("StopTransaction")
        assert (stop["reason"], stop["transactionId"]) == ("EVDisconnected", TRANSACTION_ID)
        assert "Finishing@1" in news
        assert (await station.box.status())["lock"] == "unlocked"


async def test_case_005_2_ev_side_disconnect_stops_and_keeps_the_cable(tmp_path):
    async with a_station(tmp_path) as station:
        news = await ev_side(station, unlocks=False)
        (stop,) = station.heard("StopTransaction")
        assert stop["reason"] == "EVDisconnected"
        assert "Finishing@1" in news
        assert (await station.box.status())["lock"] == "locked"


async def test_case_005_3_ev_side_disconnect_suspends_until_a_remote_stop(tmp_path):
    async with a_station(tmp_path) as station:
        await station.configure(StopTransactionOnEVSideDisconnect="false")
        await station.charge()
        station.drive_off()
        await station.until_heard("SuspendedEV@1")
        assert station.heard("StopTransaction") == []
        assert (await station.box.status())["lock"] == "locked"
        status = await station.ask("RemoteStopTransaction", transactionId=TRANSACTION_ID)
        assert status == "Accepted"
        await station.until_heard("StopTransaction")
        assert station.heard("StopTransaction")[0]["reason"] == "Remote"


async def test_case_007_a_cached_card_charges_without_being_asked_about(tmp_path):
    async with a_station(tmp_path, LocalPreAuthorize="true") as station:
        await station.charge()
        await station.finish()
        station.news()
        assert await station.charge() == START_TO_CHARGING


async def test_case_008_a_listed_card_charges_without_being_asked_about(tmp_path):
    async with a_station(tmp_path, LocalPreAuthorize="true") as station:
        listed = [{"idTag": CARD, "idTagInfo": {"status": "Accepted"}}]
        status = await station.ask(
            "SendLocalList", listVersion=1, updateType="Full", localAuthorizationList=listed
        )
        assert status == "Accepted"
        assert await station.charge() == START_TO_CHARGING


@pytest.mark.parametrize("is_plugged_first", [True, False])
@pytest.mark.parametrize("is_asked", [True, False])
async def test_case_010_a_remote_start_is_authorized_as_the_key_says(
    tmp_path, is_plugged_first, is_asked
):
    key = str(is_asked).lower()
    async with a_station(tmp_path, AuthorizeRemoteTxRequests=key) as station:
        if is_plugged_first:
            await station.box.plug()
        assert await station.ask("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        if not is_plugged_first:
            await station.until_heard("Preparing@1")
            await station.box.plug()
        await station.until_heard("Charging@1")
        assert len(station.heard("Authorize")) == is_asked
        (start,) = station.heard("StartTransaction")
        assert start["idTag"] == CARD
        await station.ask("RemoteStopTransaction", transactionId=TRANSACTION_ID)
        assert "Finishing@1" in await station.until_heard("StopTransaction")
        assert station.heard("StopTransaction")[0]["reason"] == "Remote"


async def test_case_011_1_a_remote_start_is_asked_about_when_the_key_says_so(tmp_path):
    async with a_station(tmp_path, AuthorizeRemoteTxRequests="true") as station:
        station.knows(CARD, "Invalid")
        await station.box.plug()
        assert await station.ask("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        news = await station.settled(60)
        assert "Authorize" in news
        assert "StartTransaction" not in news


async def test_case_011_2_a_remote_start_without_a_plug_gives_up_after_the_time_out(tmp_path):
    async with a_station(tmp_path, ConnectionTimeOut="15") as station:
        assert await station.ask("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        await station.until_heard("Preparing@1")
        await station.until_heard("Available@1", 17)
        assert station.heard("StartTransaction") == []


async def test_case_023_an_invalid_card_is_asked_about_and_plugging_in_starts_nothing(tmp_path):
    async with a_station(tmp_path) as station:
        station.knows(CARD, "Invalid")
        assert (await station.box.tap())["verdict"] == "refused"
        assert station.news() == ["Authorize"]
        await station.box.plug()
        assert await station.settled(30) == ["Preparing@1"]


async def test_case_024_a_lock_that_does_not_hold_is_told_and_no_transaction_begins(tmp_path):
    async with a_station(tmp_path) as station:
        await station.box.do("sim", lever="fault", name="lock_jam")
        await station.box.plug()
        assert (await station.box.tap())["verdict"] == "accepted"
        await station.until_heard("Faulted@1")
        told = station.heard("StatusNotification")[-1]
        assert told["errorCode"] == "ConnectorLockFailure"
        assert station.heard("StartTransaction") == []


async def test_case_026_a_remote_start_is_rejected_while_a_transaction_runs_there(tmp_path):
    async with a_station(tmp_path) as station:
        await station.charge()
        status = await station.ask("RemoteStartTransaction", idTag=OTHER_CARD, connectorId=1)
        assert status == "Rejected"


@pytest.mark.parametrize("connector_id", [0, 2])
async def test_case_027_a_remote_start_for_connector_0_or_an_unknown_one_is_rejected(
    tmp_path, connector_id
):
    async with a_station(tmp_path) as station:
        answer = await station.ask("RemoteStartTransaction", idTag=CARD, connectorId=connector_id)
        assert answer == "Rejected"


async def test_case_069_another_card_of_the_group_ends_the_session(tmp_path):
    async with a_station(tmp_path, LocalPreAuthorize="false") as station:
        group = Answer({"idTagInfo": {"status": "Accepted", "parentIdTag": "GROUP"}})
        station.system.always("Authorize", group)
        await station.charge()
        assert (await station.box.tap(OTHER_CARD))["verdict"] == "accepted"
        news = await station.until_heard("StopTransaction")
        assert news == ["Authorize", "Finishing@1", "StopTransaction"]
        (stop,) = station.heard("StopTransaction")
        assert (stop["idTag"], stop["reason"]) == (OTHER_CARD, "Local")
