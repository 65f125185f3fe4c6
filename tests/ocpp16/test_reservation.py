"""ReserveNow and CancelReservation on the wire."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agent.core.events import ReservationCancelRequested, ReservationRequested
from agent.core.values import Reservation
from agent.ocpp16.confirmations import INT64_MAX
from agent.ocpp16.handlers.reservation import reservation_handlers
from tests.core.story import NOON, a_charge_point
from tests.emulators.central_system import FakeCentralSystem
from tests.ocpp16.rig import TAG, Rig, accepted

WANTED = {
    "connectorId": 1,
    "expiryDate": "2026-03-01T13:00:00Z",
    "idTag": TAG,
    "reservationId": 5,
}
IN_AN_HOUR = NOON + timedelta(hours=1)


def a_rig() -> Rig:
    rig = Rig(FakeCentralSystem())
    state = a_charge_point(connectors=2)
    rig.handlers.update(reservation_handlers(rig.inbox, lambda: state))
    return rig


@pytest.mark.parametrize(
    ("changed", "reservation"),
    [
        ({}, Reservation(5, 1, TAG, IN_AN_HOUR)),
        ({"connectorId": 0}, Reservation(5, 0, TAG, IN_AN_HOUR)),
        ({"reservationId": -1}, Reservation(-1, 1, TAG, IN_AN_HOUR)),
        ({"parentIdTag": "FLEET"}, Reservation(5, 1, TAG, IN_AN_HOUR, "FLEET")),
        ({"parentIdTag": ""}, Reservation(5, 1, TAG, IN_AN_HOUR)),
        ({"expiryDate": "2026-03-01T14:00:00.000+01:00"}, Reservation(5, 1, TAG, IN_AN_HOUR)),
    ],
)
async def test_what_is_wanted_becomes_an_event_and_its_reply_the_answer(
    changed: dict[str, Any], reservation: Reservation
):
    async with accepted(a_rig()) as rig:
        for status in ("Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"):
            rig.inbox.reply = status
            answer = await rig.system.send_call("ReserveNow", {**WANTED, **changed})
            assert answer[2] == {"status": status}
        assert rig.inbox.requests[0] == ReservationRequested("request-1", reservation)


@pytest.mark.parametrize("status", ["Accepted", "Rejected"])
async def test_a_reservation_is_cancelled_by_its_id(status: str):
    async with accepted(a_rig()) as rig:
        rig.inbox.reply = status
        answer = await rig.system.send_call("CancelReservation", {"reservationId": 5})
        assert answer[2] == {"status": status}
        assert rig.inbox.requests == [ReservationCancelRequested("request-1", 5)]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"connectorId": 3}, "PropertyConstraintViolation"),
        ({"connectorId": -1}, "PropertyConstraintViolation"),
        ({"reservationId": INT64_MAX + 1}, "PropertyConstraintViolation"),
        ({"reservationId": "5"}, "TypeConstraintViolation"),
        ({"expiryDate": "tomorrow"}, "PropertyConstraintViolation"),
        ({"expiryDate": ""}, "PropertyConstraintViolation"),
        ({"idTag": "X" * 21}, "PropertyConstraintViolation"),
        ({"parentIdTag": "Ä"}, "PropertyConstraintViolation"),
        ({"evseId": 1}, "FormationViolation"),
    ],
)
async def test_what_cannot_be_meant_is_an_error_and_changes_nothing(
    changed: dict[str, Any], code: str
):
    async with accepted(a_rig()) as rig:
        answer = await rig.system.send_call("ReserveNow", {**WANTED, **changed})
        assert (answer[0], answer[2]) == (4, code)
        assert rig.inbox.requests == []


@pytest.mark.parametrize(
    ("action", "payload"), [("ReserveNow", WANTED), ("CancelReservation", {"reservationId": 5})]
)
async def test_switched_off_in_the_configuration_its_messages_are_rejected(
    action: str, payload: dict[str, Any]
):
    rig = a_rig()
    rig.keys = rig.keys.with_value("SupportedFeatureProfiles", "Core,RemoteTrigger")
    async with accepted(rig):
        answer = await rig.system.send_call(action, payload)
        assert (answer[0], answer[2]) == (3, {"status": "Rejected"})
        assert rig.inbox.requests == []
