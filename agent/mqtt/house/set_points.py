"""A limit as the house sends it: read within bounds, refused in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from agent.config.settings import HouseSettings
from agent.core.charging_limits import CURRENT_MIN_A
from agent.core.charging_profiles import RateUnit
from agent.core.date_time import read_date_time
from agent.core.values import Instant
from agent.mqtt.broker import Received
from agent.platform.bounded_json import NotJson, read_json

BYTES_MAX = 1024
_MOST = {"A": 1000.0, "W": 1_000_000.0}  # above this it is a mistake, not a limit
_KEYS = ("limit", "unit", "valid_to")


class BadSetPoint(ValueError):
    """What came is no limit; the sentence says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class SetPoint:
    """A limit of the house."""

    limit: float | None  # None: the limit is taken back
    unit: RateUnit = RateUnit.AMPERE
    valid_for_s: float = 0.0

    def as_data(self, now: Instant) -> dict[str, Any]:
        """What is answered to who sent it."""
        if self.limit is None:
            return {"accepted": True, "limit": None, "in_words": "there is no limit of the house"}
        ends_at = now.utc + timedelta(seconds=self.valid_for_s)
        unit = self.unit.value
        words = f"at most {self.limit:g} {unit} for {self.valid_for_s:.0f} s"
        if self.limit == 0 or (self.unit is RateUnit.AMPERE and self.limit < CURRENT_MIN_A):
            words += ": charging pauses"
        return {
            "accepted": True,
            "limit": self.limit,
            "unit": unit,
            "valid_to": ends_at.isoformat(timespec="seconds"),
            "in_words": words,
        }


def read_set_point(message: Received, now: Instant, settings: HouseSettings) -> SetPoint:
    """A number (amperes), null, or an object of limit, unit and valid_to. Raises BadSetPoint."""
    content = _content(message.payload)
    fields: Mapping[str, Any] = content if isinstance(content, dict) else {"limit": content}
    unknown = [name for name in fields if name not in _KEYS]
    if unknown:
        raise BadSetPoint(f"it has keys that are not known; known are {', '.join(_KEYS)}")
    if "limit" not in fields:
        raise BadSetPoint("limit is missing: a number, or null to take the limit back")
    unit = fields.get("unit", "A")
    if unit not in ("A", "W"):
        raise BadSetPoint('unit must be "A" (per phase) or "W" (all phases together)')
    limit = _number("limit", fields["limit"], _MOST[unit], unit)
    valid_for_s = _valid_for_s(fields.get("valid_to"), message.is_kept, now, settings)
    if limit is None:
        return SetPoint(None)
    return SetPoint(limit, RateUnit(unit), valid_for_s)


def _content(payload: bytes) -> Any:
    if len(payload) > BYTES_MAX:
        raise BadSetPoint(f"it has {len(payload)} bytes; a limit has at most {BYTES_MAX}")
    try:
        return read_json(payload.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadSetPoint("it is not UTF-8") from None
    except NotJson as problem:
        raise BadSetPoint(str(problem)) from None


def _number(name: str, value: Any, most: float, unit: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadSetPoint(f"{name} must be a number")
    if not 0 <= value <= most:
        raise BadSetPoint(f"{name} must be from 0 to {most:.0f} {unit}")
    return float(value)


def _valid_for_s(valid_to: Any, is_kept: bool, now: Instant, settings: HouseSettings) -> float:
    """How long it holds, at most ``limit_valid_max_s``."""
    if is_kept and not isinstance(valid_to, str):
        raise BadSetPoint(
            "the broker had kept it, and valid_to names no date and time: it may be old"
        )
    if valid_to is None:
        return settings.limit_valid_s
    if isinstance(valid_to, str):
        left_s = _seconds_until(valid_to, now)
        if left_s <= 0:
            raise BadSetPoint("valid_to has passed")
    else:
        left_s = _number("valid_to", valid_to, 1e9, "s") or 0.0
        if left_s == 0:
            raise BadSetPoint("valid_to must be above 0 s")
    return min(left_s, settings.limit_valid_max_s)


def _seconds_until(text: str, now: Instant) -> float:
    if not now.is_trusted:
        raise BadSetPoint("this box does not know what time it is: give valid_to in seconds")
    try:
        return (read_date_time(text) - now.utc).total_seconds()
    except ValueError:
        raise BadSetPoint(
            "valid_to must be seconds, or a date and a time as 2026-05-01T12:00:00Z"
        ) from None
