"""SetChargingProfile, ClearChargingProfile and GetCompositeSchedule on the wire."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core.charging_profiles import (
    ChargingProfile,
    Criteria,
    Period,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    Recurrency,
    Schedule,
)
from agent.core.events import ClearProfilesRequested, RemoteStartRequested, SetProfileRequested
from agent.core.state import ChargePoint
from agent.core.values import Instant
from agent.ocpp16.handlers.smart_charging import smart_charging_handlers
from agent.ocpp16.schemas import check_call
from agent.runtime.executors import at_once
from tests.core.charging import NOON_S, installed
from tests.core.story import NOON, a_charge_point
from tests.emulators.central_system import FakeCentralSystem
from tests.ocpp16.rig import TAG, Rig, accepted

WANTED: dict[str, Any] = {
    "chargingProfileId": 5,
    "stackLevel": 2,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "validFrom": "2026-03-01T12:00:00Z",
    "validTo": "2026-03-01T14:00:00.900+01:00",
    "chargingSchedule": {
        "duration": 3600,
        "startSchedule": "2026-03-01T11:00:00",
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 16.1, "numberPhases": 3},
            {"startPeriod": 60, "limit": 6},
        ],
        "minChargingRate": 6.5,
    },
}
PROFILE = ChargingProfile(
    profile_id=5,
    stack_level=2,
    purpose=ProfilePurpose.TX_DEFAULT,
    kind=ProfileKind.RECURRING,
    recurrency=Recurrency.DAILY,
    valid_from_s=NOON_S,
    valid_to_s=NOON_S + 3600,
    schedule=Schedule(
        RateUnit.AMPERE,
        (Period(0, 16.1, 3), Period(60, 6.0)),
        duration_s=3600,
        begins_at_s=NOON_S - 3600,
        least=6.5,
    ),
)


def a_rig(state: ChargePoint | None = None, seconds: float = 0.0) -> Rig:
    rig = Rig(FakeCentralSystem())
    charge_point = state or a_charge_point(connectors=2)
    now = Instant(1000.0 + seconds, NOON + timedelta(seconds=seconds))
    rig.handlers.update(
        smart_charging_handlers(rig.inbox, lambda: charge_point, lambda: now, at_once)
    )
    return rig


def wanted(path: str = "", value: Any = None) -> dict[str, Any]:
    """The request with one field changed; a value of None takes it away."""
    request = {"connectorId": 1, "csChargingProfiles": copy.deepcopy(WANTED)}
    *way, last = path.split(".")
    place: Any = request["csChargingProfiles"]
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
    return request


async def ask(rig: Rig, action: str, payload: dict[str, Any]) -> Any:
    answer = await rig.system.send_call(action, payload)
    return answer[2]


# --- SetChargingProfile --------------------------------------------------------------------------


async def test_a_profile_becomes_an_event_and_its_reply_the_answer():
    async with accepted(a_rig()) as rig:
        for status in ("Accepted", "Rejected"):
            rig.inbox.reply = status
            assert await ask(rig, "SetChargingProfile", wanted()) == {"status": status}
        assert rig.inbox.requests[0] == SetProfileRequested("request-1", 1, PROFILE)


@pytest.mark.parametrize(
    ("path", "value", "profile"),
    [
        ("chargingProfileId", 7, replace(PROFILE, profile_id=7)),
        ("validFrom", None, replace(PROFILE, valid_from_s=None)),
        ("recurrencyKind", None, replace(PROFILE, recurrency=None)),
        ("transactionId", 9, PROFILE),  # only a TxProfile is for a transaction
        (
            "chargingProfileKind",
            "Absolute",
            replace(PROFILE, kind=ProfileKind.ABSOLUTE, recurrency=None),
        ),
        (
            "chargingProfileKind",
            "Relative",
            replace(
                PROFILE,
                kind=ProfileKind.RELATIVE,
                recurrency=None,
                schedule=replace(PROFILE.schedule, begins_at_s=None),
            ),
        ),
        (
            "chargingSchedule.minChargingRate",
            None,
            replace(PROFILE, schedule=replace(PROFILE.schedule, least=None)),
        ),
        (
            "chargingSchedule.minChargingRate",
            -1,
            replace(PROFILE, schedule=replace(PROFILE.schedule, least=0.0)),
        ),
    ],
)
async def test_what_belongs_to_another_kind_or_purpose_is_passed_over(path, value, profile):
    async with accepted(a_rig()) as rig:
        await ask(rig, "SetChargingProfile", wanted(path, value))
        (request,) = rig.inbox.requests
        assert request.profile == profile


async def test_the_number_of_the_transaction_goes_with_its_profile():
    request = wanted("chargingProfilePurpose", "TxProfile")
    request["csChargingProfiles"]["transactionId"] = 77
    async with accepted(a_rig()) as rig:
        await ask(rig, "SetChargingProfile", request)
        assert rig.inbox.requests[0].profile.transaction_id == 77


async def test_a_connector_that_there_is_not_is_an_error():
    async with accepted(a_rig()) as rig:
        rig.inbox.reply = "UnknownConnector"
        assert await ask(rig, "SetChargingProfile", wanted()) == "PropertyConstraintViolation"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("validFrom", "tomorrow"),
        ("validTo", "2026-13-01T00:00:00Z"),
        ("chargingSchedule.startSchedule", ""),
        ("chargingSchedule.chargingSchedulePeriod.0.limit", 10**12),
        ("chargingSchedule.chargingSchedulePeriod.0.limit", 10**400),
        ("chargingSchedule.chargingSchedulePeriod.0.limit", 16.11),
        ("chargingSchedule.minChargingRate", -(10**12)),
        ("chargingProfileKind", "Sometimes"),
        ("chargingSchedule.chargingRateUnit", "VA"),
    ],
)
async def test_what_nobody_can_use_is_an_error_and_nothing_happens(path, value):
    async with accepted(a_rig()) as rig:
        answer = await ask(rig, "SetChargingProfile", wanted(path, value))
        assert answer == "PropertyConstraintViolation"
        assert rig.inbox.requests == []


# --- ClearChargingProfile ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "criteria"),
    [
        ({}, Criteria()),
        ({"id": 5}, Criteria(profile_id=5)),
        (
            {"connectorId": 0, "chargingProfilePurpose": "TxProfile", "stackLevel": 0},
            Criteria(connector_id=0, purpose=ProfilePurpose.TX, stack_level=0),
        ),
    ],
)
async def test_what_is_to_be_cleared_becomes_an_event(payload, criteria):
    async with accepted(a_rig()) as rig:
        for status in ("Accepted", "Unknown"):
            rig.inbox.reply = status
            assert await ask(rig, "ClearChargingProfile", payload) == {"status": status}
        assert rig.inbox.requests[0] == ClearProfilesRequested("request-1", criteria)


# --- GetCompositeSchedule ------------------------------------------------------------------------

LIMITED = replace(
    a_charge_point(connectors=2),
    charging_profiles=(installed(1, 10, (60, 16), duration_s=120),),
)


async def test_the_schedule_begins_with_the_second_of_the_request():
    async with accepted(a_rig(LIMITED, seconds=20.7)) as rig:
        answer = await ask(rig, "GetCompositeSchedule", {"connectorId": 1, "duration": 300})
    assert answer == {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": "2026-03-01T12:00:20Z",
        "chargingSchedule": {
            "duration": 300,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [
                {"startPeriod": 0, "limit": 10.0, "numberPhases": 3},
                {"startPeriod": 40, "limit": 16.0, "numberPhases": 3},
                {"startPeriod": 100, "limit": 32.0, "numberPhases": 3},
            ],
        },
    }


async def test_the_unit_asked_for_is_the_unit_of_the_answer_also_for_the_whole_box():
    async with accepted(a_rig(LIMITED)) as rig:
        request = {"connectorId": 0, "duration": 30, "chargingRateUnit": "W"}
        answer = await ask(rig, "GetCompositeSchedule", request)
    schedule = answer["chargingSchedule"]
    assert (answer["connectorId"], schedule["chargingRateUnit"]) == (0, "W")
    assert schedule["chargingSchedulePeriod"][0]["limit"] == (10 + 32) * 690


@pytest.mark.parametrize(
    "changed",
    [{"connectorId": 3}, {"connectorId": -1}, {"duration": 0}, {"duration": -5}],
)
async def test_a_schedule_that_cannot_be_worked_out_is_rejected(changed):
    async with accepted(a_rig()) as rig:
        request = {"connectorId": 1, "duration": 60, **changed}
        assert await ask(rig, "GetCompositeSchedule", request) == {"status": "Rejected"}


async def test_a_unit_that_is_not_allowed_is_rejected_and_the_other_one_is_the_default():
    state = a_charge_point(ChargingScheduleAllowedChargingRateUnit="Power")
    async with accepted(a_rig(state)) as rig:
        request = {"connectorId": 1, "duration": 60}
        answer = await ask(rig, "GetCompositeSchedule", request)
        assert answer["chargingSchedule"]["chargingRateUnit"] == "W"
        request["chargingRateUnit"] = "A"
        assert await ask(rig, "GetCompositeSchedule", request) == {"status": "Rejected"}


# --- switched off --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("SetChargingProfile", wanted(), "NotSupported"),  # CALLERROR: errata 3.39
        ("ClearChargingProfile", {}, {"status": "Unknown"}),
        ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, {"status": "Rejected"}),
    ],
)
async def test_without_the_profile_its_messages_are_refused(action, payload, answer):
    check_call(action, payload)  # it is not the payload that is refused
    rig = a_rig()
    rig.keys = rig.keys.with_value("SupportedFeatureProfiles", "Core")
    async with accepted(rig):
        assert await ask(rig, action, payload) == answer
        assert rig.inbox.requests == []


# --- RemoteStartTransaction ----------------------------------------------------------------------


async def test_a_remote_start_brings_its_profile_where_smart_charging_is_switched_on():
    request = {"idTag": TAG, "chargingProfile": WANTED}
    async with accepted(a_rig()) as rig:
        await ask(rig, "RemoteStartTransaction", request)
        rig.keys = rig.keys.with_value("SupportedFeatureProfiles", "Core")
        await ask(rig, "RemoteStartTransaction", request)
        assert rig.inbox.requests == [
            RemoteStartRequested("request-1", TAG, profile=PROFILE),
            RemoteStartRequested("request-2", TAG),
        ]
