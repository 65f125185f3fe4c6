"""Which samples are due, and what a reading becomes on the wire (OCPP 1.6 section 3.16)."""

from __future__ import annotations

from agent.core.values import Reading, SampledValue

_PHASES = ("L1", "L2", "L3")


def first_sample_s(begun_s: float, interval_s: int) -> float | None:
    """Monotonic time of the first periodic sample; None when sampling is off."""
    return None if interval_s <= 0 else begun_s + interval_s


def sample_after(due_s: float, now_s: float, interval_s: int) -> float | None:
    """The next sample on the same grid, after now: missed ones are not made up."""
    if interval_s <= 0:
        return None
    missed = max(0, int((now_s - due_s) // interval_s))
    return due_s + (missed + 1) * interval_s


def sampled_values(
    reading: Reading, measurands: tuple[str, ...], context: str = "Sample.Periodic"
) -> tuple[SampledValue, ...]:
    """The values of the configured measurands that this reading has, in their order.

    An empty list means the register alone (section 9.1.17). What the meter did not tell is left
    out.
    """
    values: list[SampledValue] = []
    for measurand in measurands or ("Energy.Active.Import.Register",):
        values.extend(_values_of(reading, measurand, context))
    return tuple(values)


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
        case "Energy.Active.Import.Register":
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
        case _:
            return []


def _number(value: float, digits: int) -> str:
    """A decimal number without exponent; minus zero is zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}"
