"""Smart charging: profiles set and cleared, and what they allow over time (OCPP 1.6, 3.13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.core.charging_profiles import (
    CHARGE_POINT,
    UNIT_NAMES,
    Criteria,
    ProfilePurpose,
    RateUnit,
)
from agent.core.charging_profiles_applied import composite_schedule
from agent.core.events_requests import ClearProfilesRequested, SetProfileRequested
from agent.core.ports import Inbox
from agent.core.state import ChargePoint
from agent.core.values import Instant
from agent.ocpp16.dispatch import Handler
from agent.ocpp16.profiles import read_profile, schedule_as_json, second_of
from agent.ocppj.frames import CallRefused, Payload
from agent.runtime.executors import OffLoop


def smart_charging_handlers(
    inbox: Inbox, state: Callable[[], ChargePoint], now: Callable[[], Instant], off_loop: OffLoop
) -> Mapping[str, Handler]:
    """The handlers of this profile by action; ``off_loop`` runs a function on another thread."""
    charging = _SmartCharging(inbox, state, now, off_loop)
    return {
        "SetChargingProfile": charging.set_charging_profile,
        "ClearChargingProfile": charging.clear_charging_profile,
        "GetCompositeSchedule": charging.get_composite_schedule,
    }


class _SmartCharging:
    def __init__(
        self,
        inbox: Inbox,
        state: Callable[[], ChargePoint],
        now: Callable[[], Instant],
        off_loop: OffLoop,
    ) -> None:
        self._inbox = inbox
        self._state = state
        self._now = now
        self._off_loop = off_loop

    async def set_charging_profile(self, payload: Payload) -> Payload:
        profile = read_profile(payload["csChargingProfiles"], "csChargingProfiles")
        status = await self._inbox.request(
            lambda request_id: SetProfileRequested(request_id, payload["connectorId"], profile)
        )
        if status == "UnknownConnector":  # errata 3.39
            raise CallRefused("PropertyConstraintViolation", "there is no such connectorId")
        return {"status": status}

    async def clear_charging_profile(self, payload: Payload) -> Payload:
        purpose = payload.get("chargingProfilePurpose")
        criteria = Criteria(
            profile_id=payload.get("id"),
            connector_id=payload.get("connectorId"),
            purpose=None if purpose is None else ProfilePurpose(purpose),
            stack_level=payload.get("stackLevel"),
        )
        status = await self._inbox.request(
            lambda request_id: ClearProfilesRequested(request_id, criteria)
        )
        return {"status": status}

    async def get_composite_schedule(self, payload: Payload) -> Payload:
        state, now = self._state(), self._now()
        connector_id, duration_s = payload["connectorId"], payload["duration"]
        unit = self._unit(state, payload.get("chargingRateUnit"))
        is_known = connector_id == CHARGE_POINT or state.has_connector(connector_id)
        if unit is None or not is_known or duration_s < 1:
            return {"status": "Rejected"}
        schedule = await self._off_loop(
            composite_schedule, state, now, connector_id, unit, duration_s
        )
        return {
            "status": "Accepted",
            "connectorId": connector_id,
            "scheduleStart": second_of(now.utc),
            "chargingSchedule": schedule_as_json(schedule),
        }

    def _unit(self, state: ChargePoint, asked: str | None) -> RateUnit | None:
        """The unit to answer in: the one asked for, else the first; None: it is not allowed."""
        names = state.configuration.text("ChargingScheduleAllowedChargingRateUnit").split(",")
        allowed = [UNIT_NAMES[name] for name in names]
        if asked is None:
            return allowed[0]
        return RateUnit(asked) if RateUnit(asked) in allowed else None
