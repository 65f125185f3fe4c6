"""Charging profiles on the wire: from JSON that fits the schema, and schedules back to JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agent.core.charging_profiles import (
    ChargingProfile,
    Period,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    Recurrency,
    Schedule,
)
from agent.ocpp16.confirmations import read_time
from agent.ocppj.frames import CallRefused, Payload

_RATE_MAX = 1e9


def read_profile(fields: Mapping[str, Any], where: str) -> ChargingProfile:
    """Read a profile that fits its schema; ``where`` is its name in the payload.

    What belongs to another kind or purpose than its own is passed over (errata 3.56). Raises
    CallRefused for a time or a number that is of no use.
    """
    kind = ProfileKind(fields["chargingProfileKind"])
    purpose = ProfilePurpose(fields["chargingProfilePurpose"])
    is_for_one = purpose is ProfilePurpose.TX
    recurrency = fields.get("recurrencyKind") if kind is ProfileKind.RECURRING else None
    schedule = f"{where}.chargingSchedule"
    return ChargingProfile(
        profile_id=fields["chargingProfileId"],
        stack_level=fields["stackLevel"],
        purpose=purpose,
        kind=kind,
        schedule=_schedule(fields["chargingSchedule"], schedule, kind),
        recurrency=None if recurrency is None else Recurrency(recurrency),
        valid_from_s=_seconds(fields.get("validFrom"), f"{where}.validFrom"),
        valid_to_s=_seconds(fields.get("validTo"), f"{where}.validTo"),
        transaction_id=fields.get("transactionId") if is_for_one else None,
    )


def _schedule(fields: Mapping[str, Any], where: str, kind: ProfileKind) -> Schedule:
    begins_at = None if kind is ProfileKind.RELATIVE else fields.get("startSchedule")
    least = fields.get("minChargingRate")
    return Schedule(
        unit=RateUnit(fields["chargingRateUnit"]),
        periods=tuple(
            Period(
                starts_s=period["startPeriod"],
                limit=_rate(period["limit"], f"{where}.limit"),
                phases=period.get("numberPhases"),
            )
            for period in fields["chargingSchedulePeriod"]
        ),
        duration_s=fields.get("duration"),
        begins_at_s=_seconds(begins_at, f"{where}.startSchedule"),
        least=None if least is None else max(0.0, _rate(least, f"{where}.minChargingRate")),
    )


def _seconds(value: Any, where: str) -> int | None:
    """A time as whole seconds since 1970; fractions are left out."""
    if value is None:
        return None
    instant = read_time(value)
    if instant is None:
        raise CallRefused("PropertyConstraintViolation", f"{where} is not a date and time")
    return math.floor(instant.timestamp())


def _rate(value: float, where: str) -> float:
    if abs(value) > _RATE_MAX:
        raise CallRefused("PropertyConstraintViolation", f"{where} is out of range")
    return float(value)


def schedule_as_json(schedule: Schedule) -> Payload:
    """A composite schedule. Errata 3.57: startSchedule is left out, scheduleStart says it."""
    return {
        "duration": schedule.duration_s,
        "chargingRateUnit": schedule.unit.value,
        "chargingSchedulePeriod": [
            {"startPeriod": p.starts_s, "limit": p.limit, "numberPhases": p.phases}
            for p in schedule.periods
        ],
    }


def second_of(instant: datetime) -> str:
    """The whole second in which an instant lies, as OCPP writes it."""
    whole = datetime.fromtimestamp(math.floor(instant.timestamp()), UTC)
    return whole.isoformat(timespec="seconds").replace("+00:00", "Z")
