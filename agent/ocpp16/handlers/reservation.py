"""Reservation: ReserveNow and CancelReservation (OCPP 1.6, 5.1 and 5.13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.core.events import ReservationCancelRequested, ReservationRequested
from agent.core.ports import Inbox
from agent.core.state import ChargePoint
from agent.core.values import Reservation
from agent.ocpp16.confirmations import INT64_MAX, read_end_time
from agent.ocpp16.dispatch import Handler
from agent.ocppj.frames import CallRefused, Payload

_ANY_CONNECTOR = 0


def reservation_handlers(inbox: Inbox, state: Callable[[], ChargePoint]) -> Mapping[str, Handler]:
    """The handlers of this profile by action."""
    reservation = _Reservation(inbox, state)
    return {
        "CancelReservation": reservation.cancel_reservation,
        "ReserveNow": reservation.reserve_now,
    }


class _Reservation:
    def __init__(self, inbox: Inbox, state: Callable[[], ChargePoint]) -> None:
        self._inbox = inbox
        self._state = state

    async def reserve_now(self, payload: Payload) -> Payload:
        wanted = self._read(payload)
        status = await self._inbox.request(
            lambda request_id: ReservationRequested(request_id, wanted)
        )
        return {"status": status}

    async def cancel_reservation(self, payload: Payload) -> Payload:
        number = payload["reservationId"]
        status = await self._inbox.request(
            lambda request_id: ReservationCancelRequested(request_id, number)
        )
        return {"status": status}

    def _read(self, payload: Payload) -> Reservation:
        connector_id, number = payload["connectorId"], payload["reservationId"]
        if connector_id != _ANY_CONNECTOR and not self._state().has_connector(connector_id):
            raise CallRefused("PropertyConstraintViolation", "there is no such connectorId")
        if abs(number) > INT64_MAX:
            raise CallRefused("PropertyConstraintViolation", "reservationId is out of range")
        expires_at = read_end_time(payload["expiryDate"])
        if expires_at is None:
            raise CallRefused("PropertyConstraintViolation", "expiryDate is not a date and time")
        return Reservation(
            number,
            connector_id,
            payload["idTag"],
            expires_at,
            payload.get("parentIdTag") or None,
        )
