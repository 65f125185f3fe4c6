"""What charge points get wrong in the field, one test each."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from agent.config.settings import AuthorizationSettings, Settings
from agent.platform.errors import LinkError
from tests.app.box import Box, box_settings
from tests.certification.station import CARD, OTHER_CARD, Station, a_station
from tests.emulators.central_system import Answer, Error, FakeCentralSystem, Late, Silence

SAME_ID = Answer({"transactionId": 7, "idTagInfo": {"status": "Accepted"}})
OK = {"idTagInfo": {"status": "Accepted"}}
BOOTED = {"currentTime": "2026-03-01T12:00:00Z", "interval": 30}


async def test_two_sessions_with_the_same_transaction_id_are_kept_apart(tmp_path):
    async with a_station(tmp_path, connectors=2) as station:
        station.system.always("StartTransaction", SAME_ID)
        await station.charge(CARD, connector=1)
        await station.charge(OTHER_CARD, connector=2)
        await station.settled(70)
        assert await station.ask("RemoteStopTransaction", transactionId=7) == "Accepted"
        assert "Finishing@1" in await station.until_heard("StopTransaction")
        assert "Finishing@2" not in await station.settled(10)
        assert await station.ask("RemoteStopTransaction", transactionId=7) == "Accepted"
        assert "Finishing@2" in await station.until_heard("StopTransaction")
        assert await station.ask("RemoteStopTransaction", transactionId=7) == "Rejected"
        starts, stops = station.heard("StartTransaction"), station.heard("StopTransaction")
        assert [start["connectorId"] for start in starts] == [1, 2]
        assert [stop["transactionId"] for stop in stops] == [7, 7]


async def test_start_transaction_goes_out_before_charging_is_told(tmp_path):
    async with a_station(tmp_path) as station:
        station.system.next("StatusNotification", Late(5.0))  # Preparing is answered slowly
        await station.box.plug()
        await station.box.tap()
        news = await station.until_heard("Charging@1")
        assert news.index("StartTransaction") < news.index("Charging@1")


async def test_a_second_card_shown_while_the_first_is_asked_about_is_not_lost(tmp_path):
    async with a_station(tmp_path, connectors=2) as station:
        station.system.next("Authorize", Answer(OK, delay_s=3.0), Answer(OK))
        first = asyncio.ensure_future(station.box.tap(CARD))
        await asyncio.sleep(0.5)
        second = await station.box.tap(OTHER_CARD)
        assert (await first)["verdict"] == second["verdict"] == "accepted"
        for connector in (1, 2):
            await station.box.do("sim", lever="plug", connector=connector)
        await station.until_heard("Charging@2")
        tags = {start["idTag"] for start in station.heard("StartTransaction")}
        assert tags == {CARD, OTHER_CARD}


async def test_a_request_in_flight_when_the_link_dies_does_not_hold_the_queue(tmp_path):
    async with a_station(tmp_path, MessageTimeout="300") as station:
        station.system.next("StartTransaction", Silence())
        await station.box.plug()
        await station.box.tap()
        await station.until_heard("StartTransaction")
        await station.system.drop()
        died_s = asyncio.get_running_loop().time()
        await station.until_heard("StartTransaction")
        assert asyncio.get_running_loop().time() - died_s < 5
        first, second = station.system.of("StartTransaction")
        assert (first.unique_id, first.payload) == (second.unique_id, second.payload)


async def test_a_status_that_changed_offline_is_told_with_its_own_time_after_reconnecting(tmp_path):
    async with a_station(tmp_path, ConnectionTimeOut="0") as station:
        station.system.refuse_always = LinkError("no network")
        await station.system.drop()
        await station.settled(10)
        plugged_at = station.box.clock.now().utc
        await station.box.plug()
        await station.settled(600)
        station.system.refuse_always = None
        news = await station.until_heard("Preparing@1")
        assert news == ["Available@0", "Preparing@1"]
        told = station.heard("StatusNotification")[-1]
        assert told["timestamp"][:19] == plugged_at.isoformat()[:19]


async def test_the_first_try_to_reconnect_comes_within_two_seconds(tmp_path):
    async with a_station(tmp_path) as station:
        await station.settled(120)
        tries = len(station.system.attempts)
        await station.system.drop()
        died_s = asyncio.get_running_loop().time()
        await station.settled(2.1)
        assert station.system.attempts[tries].at_s - died_s <= 2.0


async def test_what_is_out_of_service_stays_so_through_a_kill_right_after_the_answer(tmp_path):
    async with a_station(tmp_path) as station:
        assert await station.ask("ChangeAvailability", connectorId=1, type="Inoperative") == (
            "Accepted"
        )
        await station.box.die()
        station.news()
        await station.box.start()
        await station.until_heard("Unavailable@1")


async def test_a_change_of_availability_that_is_scheduled_comes_with_the_end_of_the_session(
    tmp_path,
):
    async with a_station(tmp_path) as station:
        await station.charge()
        status = await station.ask("ChangeAvailability", connectorId=1, type="Inoperative")
        assert status == "Scheduled"
        await station.settled(10)
        await station.box.tap()
        news = await station.until_heard("StopTransaction")
        assert "Unavailable@1" in [*news, *await station.settled(5)]
        await station.unplug()
        assert "Available@1" not in await station.settled(30)


async def test_a_plug_without_a_session_keeps_no_connector_in_service(tmp_path):
    async with a_station(tmp_path) as station:
        await station.box.plug()
        await station.until_heard("Preparing@1", 5)
        status = await station.ask("ChangeAvailability", connectorId=1, type="Inoperative")
        assert status == "Accepted"
        await station.until_heard("Unavailable@1", 5)
        assert (await station.box.tap())["rule"] == "OUT_OF_SERVICE"
        assert (
            await station.ask("ChangeAvailability", connectorId=1, type="Operative") == "Accepted"
        )
        await station.until_heard("Preparing@1", 5)


@pytest.mark.parametrize("said_by", ["Authorize", "StartTransaction"])
async def test_the_group_of_a_card_may_be_told_by_either_answer(tmp_path, said_by):
    group = {"status": "Accepted", "parentIdTag": "GROUP"}
    plain = {"status": "Accepted"}
    async with a_station(tmp_path, LocalPreAuthorize="false") as station:
        first = group if said_by == "Authorize" else plain
        station.system.next("Authorize", Answer({"idTagInfo": first}))
        second = group if said_by == "StartTransaction" else plain
        station.system.next("StartTransaction", Answer({"idTagInfo": second, "transactionId": 7}))
        await station.charge()
        station.system.next("Authorize", Answer({"idTagInfo": group}))
        assert (await station.box.tap(OTHER_CARD))["rule"] == "SAME_GROUP"


async def test_the_switches_of_list_and_cache_act_without_a_restart(tmp_path):
    async with a_station(tmp_path) as station:
        entry = {"idTag": CARD, "idTagInfo": {"status": "Accepted"}}
        await station.ask(
            "SendLocalList", listVersion=1, updateType="Full", localAuthorizationList=[entry]
        )

        async def rule_of(card: str) -> Any:
            """Show the card, and show it again to call the start off."""
            decision = await station.box.tap(card)
            await asyncio.sleep(6)
            await station.box.tap(card)
            await asyncio.sleep(6)
            return decision["rule"]

        assert await rule_of(CARD) == "LISTED"
        await station.configure(LocalAuthListEnabled="false")
        assert await rule_of(CARD) == "CENTRAL_ACCEPTED"
        await station.configure(LocalAuthListEnabled="true")
        assert await rule_of(CARD) == "LISTED"
        assert await rule_of(OTHER_CARD) == "CENTRAL_ACCEPTED"
        assert await rule_of(OTHER_CARD) == "CACHED"
        await station.configure(AuthorizationCacheEnabled="false")
        assert await rule_of(OTHER_CARD) == "CENTRAL_ACCEPTED"
        assert await station.ask("ClearCache") == "Rejected"


@pytest.mark.parametrize(("way", "status"), [("first", "Accepted"), ("reject", "Rejected")])
async def test_a_remote_start_without_connector_goes_by_the_setting(tmp_path, way, status):
    def change(settings: Settings) -> Settings:
        rules = AuthorizationSettings(remote_start_without_connector=way)
        return replace(settings, authorization=rules)

    async with a_station(tmp_path, connectors=2, change=change) as station:
        await station.box.do("sim", lever="plug", connector=2)
        assert await station.ask("RemoteStartTransaction", idTag=CARD) == status
        started = [word for word in await station.settled(10) if word == "Charging@2"]
        assert started == (["Charging@2"] if status == "Accepted" else [])


@pytest.mark.parametrize(
    "reaction",
    [
        Answer({"status": "Rejected", **BOOTED}),
        Answer({"status": "Pending", **BOOTED}),
        Answer({"status": "Odd", **BOOTED}),
        Error("InternalError"),
        Silence(),
    ],
    ids=["rejected", "pending", "nonsense", "callerror", "silence"],
)
async def test_boot_notification_goes_on_whatever_the_answer(tmp_path, reaction):
    system = FakeCentralSystem()
    system.next("BootNotification", reaction, reaction)
    box = Box(box_settings(tmp_path), central_system=system)
    await box.start()
    await system.received("BootNotification", 3)
    await system.received("StatusNotification", 2)
    assert await Station(box).ask("GetLocalListVersion") == {"listVersion": 0}
    await box.die()


# --- [ocpp.configuration] ------------------------------------------------------------------------


LATER = "2026-03-01T13:00:00Z"
LIMIT = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {
        "startSchedule": "2026-03-01T12:00:00Z",
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}],
    },
}
WITHOUT_PROFILE: list[tuple[str, dict[str, Any], Any]] = [
    ("GetLocalListVersion", {}, {"listVersion": -1}),
    ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, "NotSupported in its conf"),
    (
        "ReserveNow",
        {"connectorId": 1, "expiryDate": LATER, "idTag": "A", "reservationId": 1},
        "Rejected",
    ),
    ("CancelReservation", {"reservationId": 1}, "Rejected"),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": LIMIT}, "NotSupported"),
    ("ClearChargingProfile", {}, "Unknown"),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, "Rejected"),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, "NotImplemented"),
    ("GetDiagnostics", {"location": "nowhere"}, "NotSupported"),
    ("UpdateFirmware", {"location": "nowhere", "retrieveDate": LATER}, "NotSupported"),
]
KEYS_OF_PROFILES = [
    *("LocalAuthListEnabled", "LocalAuthListMaxLength", "SendLocalListMaxLength"),
    "ReserveConnectorZeroSupported",
    *("ChargeProfileMaxStackLevel", "ChargingScheduleAllowedChargingRateUnit"),
    *("ChargingScheduleMaxPeriods", "ConnectorSwitch3to1PhaseSupported"),
    "MaxChargingProfilesInstalled",
]


async def test_a_profile_that_the_file_leaves_out_is_switched_off(tmp_path):
    async with a_station(tmp_path, SupportedFeatureProfiles="Core") as station:
        for action, payload, answer in WITHOUT_PROFILE:
            frame = await station.box.central_system.send_call(action, payload)
            told = frame[2].get("status", frame[2]) if frame[0] == 3 else frame[2]
            in_conf = f"{told} in its conf" if frame[0] == 3 and told == "NotSupported" else told
            assert in_conf == answer, action
        assert await station.ask("ClearCache") == "Accepted"
    (tmp_path / "all").mkdir()
    async with a_station(tmp_path / "all") as station:
        for action, payload, _ in WITHOUT_PROFILE:
            assert await station.ask(action, **payload) != "NotSupported", action


async def test_nobody_knows_of_the_keys_of_a_profile_that_is_switched_off(tmp_path):
    async with a_station(tmp_path, SupportedFeatureProfiles="Core") as station:
        found = await station.ask("GetConfiguration", key=[*KEYS_OF_PROFILES, "LocalPreAuthorize"])
        assert found["unknownKey"] == KEYS_OF_PROFILES
        assert [one["key"] for one in found["configurationKey"]] == ["LocalPreAuthorize"]
        everything = await station.ask("GetConfiguration")
        assert {one["key"] for one in everything["configurationKey"]}.isdisjoint(KEYS_OF_PROFILES)
        for key in KEYS_OF_PROFILES:
            answer = await station.ask("ChangeConfiguration", key=key.lower(), value="false")
            assert answer == "NotSupported", key
    (tmp_path / "all").mkdir()
    async with a_station(tmp_path / "all") as station:
        found = await station.ask("GetConfiguration", key=KEYS_OF_PROFILES)
        assert [one["key"] for one in found["configurationKey"]] == KEYS_OF_PROFILES


async def test_limits_that_the_file_lowers_are_kept(tmp_path):
    limits = {
        "GetConfigurationMaxKeys": "2",
        "SendLocalListMaxLength": "1",
        "LocalAuthListMaxLength": "1",
    }
    async with a_station(tmp_path, **limits) as station:
        names = list(limits)
        assert await station.ask("GetConfiguration", key=names) == "OccurenceConstraintViolation"
        everything = await station.ask("GetConfiguration")
        assert len(everything["configurationKey"]) > 2
        entries = [{"idTag": tag, "idTagInfo": {"status": "Accepted"}} for tag in ("A", "B")]
        for sent, status in ((entries, "Failed"), (entries[:1], "Accepted")):
            answer = await station.ask(
                "SendLocalList", listVersion=1, updateType="Full", localAuthorizationList=sent
            )
            assert answer == status


async def test_minimum_status_duration_acts_at_once_and_hides_what_is_short(tmp_path):
    async with a_station(tmp_path) as station:
        await station.configure(MinimumStatusDuration=10)
        await station.box.plug()
        await station.settled(5)
        await station.unplug()
        assert await station.settled(30) == []
        plugged_at = station.box.clock.now().utc
        await station.box.plug()
        assert await station.settled(9) == []
        assert await station.settled(2) == ["Preparing@1"]
        told = station.heard("StatusNotification")[-1]
        assert told["timestamp"][:19] == plugged_at.isoformat()[:19]
