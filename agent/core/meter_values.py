"""Which samples are due, and what a reading becomes on the wire (OCPP 1.6 section 3.16).

One rounding rule: energy is whole Wh, rounded down where the meter is read; everything else is
rounded here, to the digits that a meter of this class is good for.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.core.values import Reading, SampledValue

REGISTER = "Energy.Active.Import.Register"
PERIODIC, CLOCK = "Sample.Periodic", "Sample.Clock"
_PHASES = ("L1", "L2", "L3")
_DAY_S = 86_400


def first_sample_s(begun_s: float, interval_s: int) -> float | None:
    """Monotonic time of the first periodic sample; None when sampling is off."""
    return None if interval_s <= 0 else begun_s + interval_s


def sample_after(due_s: float, now_s: float, interval_s: int) -> float | None:
    """The next sample on the same grid, after now: missed ones are not made up."""
    if interval_s <= 0:
        return None
    missed = max(0, int((now_s - due_s) // interval_s))
    return due_s + (missed + 1) * interval_s


def next_boundary(utc: datetime, interval_s: int) -> datetime:
    """The first full multiple of the interval after this instant, counted from midnight UTC.

    An interval that does not divide a day begins anew at midnight (section 9.1.5 leaves it open).
    """
    midnight = utc.replace(hour=0, minute=0, second=0, microsecond=0)
    passed_s = int((utc - midnight).total_seconds())
    since_midnight_s = (passed_s // interval_s + 1) * interval_s
    return midnight + timedelta(seconds=min(since_midnight_s, _DAY_S))


def sampled_values(
    reading: Reading, measurands: tuple[str, ...], context: str = PERIODIC
) -> tuple[SampledValue, ...]:
    """As ``values_of``; an empty list means the register alone (section 9.1.17)."""
    return values_of(reading, measurands or (REGISTER,), context)


def values_of(
    reading: Reading, measurands: tuple[str, ...], context: str
) -> tuple[SampledValue, ...]:
    """The values of these measurands that this reading has, in their order, each once.

    What the meter did not tell is left out.
    """
    values: list[SampledValue] = []
    for measurand in measurands:
        values.extend(_values_of(reading, measurand, context))
    return tuple(dict.fromkeys(values))


def _values_of(reading: Reading, measurand: str, context: str) -> list[SampledValue]:
    base, _, phase = measurand.rpartition(".")
    if phase in _PHASES:
        return [v for v in _values_of(reading, base, context) if v.phase in (phase, f"{phase}-N")]

    def one(value: float | None, digits: int, unit: str | None) -> list[SampledValue]:
        if value is None:
            return []
        return [SampledValue(_number(value, digits), measurand, unit, None, context)]

    def by_phase(
        values: tuple[float, ...], digits: int, unit: str, suffix: str = ""
    ) -> list[SampledValue]:
        return [
            SampledValue(_number(value, digits), measurand, unit, name + suffix, context)
            for name, value in zip(_PHASES, values, strict=False)
        ]

    match measurand:
        case "Energy.Active.Import.Register":  # REGISTER
            return one(reading.import_wh, 0, "Wh")
        case "Power.Active.Import":
            return one(reading.power_w, 0, "W") + by_phase(reading.power_phase_w, 0, "W")
        case "Current.Import":
            return by_phase(reading.current_a, 2, "A")
        case "Voltage":
            return by_phase(reading.voltage_v, 1, "V", "-N")
        case "Frequency":
            return one(reading.frequency_hz, 2, None)  # 1.6 has no agreed unit for it
        case "Power.Factor":
            return one(reading.power_factor, 3, None)
        case "Current.Offered":
            return one(reading.offered_a, 2, "A")
        case "Power.Offered":
            return one(reading.offered_w, 0, "W")
        case _:
            return []


def _number(value: float, digits: int) -> str:
    """A decimal number without exponent; minus zero is zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}"
