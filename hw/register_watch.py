"""Checks whether what a meter says can be true, and keeps its register from ever running back.

Money is counted with the energy register, so a reading is believed only if a real meter behind
this fuse can have produced it. The rules stand in ``RegisterWatch``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from hw.ports import EnergyMeter, MeterError, MeterReading

BACKWARDS_TOLERANCE_WH = 1.0
"""A step back of at most this much is rounding, not another meter."""

RESOLUTION_WH = 20.0
"""Always allowed as one step: meters show whole 10 Wh, and a float32 moves by 8 Wh at 100 MWh."""

CONFIRMATIONS = 3
"""So many readings in a row must agree before a register that jumped forward is believed."""


@dataclass(frozen=True, slots=True)
class _Point:
    """What the register said, as the meter counts it, and when."""

    register_wh: float
    at_s: float


class RegisterWatch:
    """Believes readings, rejects them, or mends their register. Pure: time is handed in.

    * A value that is NaN or infinite, or a negative register: rejected.
    * Back by at most 1 Wh: rounding; the register is reported as it was.
    * Back by more than 1 Wh: the meter was replaced or reset. The difference is kept as a base
      offset, so that the reported register goes on from where it was. What flowed between the
      last good reading and the change is not counted: nobody can know it.
    * Forward by more than 2 x ``max_power_w`` x elapsed time (plus 20 Wh of resolution): not
      possible, rejected. If three readings in a row agree on the new register, the meter was
      replaced by a used one: the jump goes into the base offset and is never reported.

    Registers are rounded to whole Wh before anything is computed, so sums carry no float noise.
    ``offset_wh`` may be stored, and given back after a restart, so that the reported register
    stays the same then too. One watch serves one meter and is used from one thread at a time.
    """

    def __init__(self, max_power_w: float, offset_wh: float = 0.0) -> None:
        """``max_power_w``: the most this connector can draw. ValueError unless above 0."""
        if not (math.isfinite(max_power_w) and max_power_w > 0):
            raise ValueError(f"max_power_w must be above 0, got {max_power_w}")
        self._max_power_w = max_power_w
        self._offset_wh = offset_wh
        self._last: _Point | None = None
        self._doubted: _Point | None = None
        self._agreements = 0

    @property
    def offset_wh(self) -> float:
        """What is added to the meter's own register, because of meters that came before."""
        return self._offset_wh

    def check(self, reading: MeterReading, now_s: float) -> MeterReading:
        """The reading with a register that never decreases; MeterError if it cannot be true.

        ``now_s`` is monotonic. A rejected reading changes nothing that is reported later.
        """
        _reject_nonsense(reading)
        seen = _Point(round(reading.import_wh), now_s)
        register_wh = self._believe(seen)
        return replace(reading, import_wh=register_wh + self._offset_wh)

    def _believe(self, seen: _Point) -> float:
        """The register to report, before the offset; keeps what must be remembered."""
        last = self._last
        if last is None:
            return self._accept(seen)
        step_wh = seen.register_wh - last.register_wh
        if -BACKWARDS_TOLERANCE_WH <= step_wh < 0:
            return self._accept(_Point(last.register_wh, seen.at_s))
        if step_wh < 0:
            return self._accept_other_meter(seen, last)
        if self._can_follow(seen, last):
            return self._accept(seen)
        return self._doubt(seen, last)

    def _can_follow(self, seen: _Point, earlier: _Point) -> bool:
        """Could the meter have counted from ``earlier`` to ``seen`` in the time between?"""
        elapsed_s = max(0.0, seen.at_s - earlier.at_s)
        allowed_wh = 2 * self._max_power_w * elapsed_s / 3600 + RESOLUTION_WH
        return 0 <= seen.register_wh - earlier.register_wh <= allowed_wh

    def _accept(self, seen: _Point) -> float:
        self._last = seen
        self._doubted = None
        self._agreements = 0
        return seen.register_wh

    def _accept_other_meter(self, seen: _Point, last: _Point) -> float:
        self._offset_wh += last.register_wh - seen.register_wh
        return self._accept(seen)

    def _doubt(self, seen: _Point, last: _Point) -> float:
        """Reject a forward jump, until enough readings in a row agree on it."""
        agrees = self._doubted is not None and self._can_follow(seen, self._doubted)
        self._agreements = self._agreements + 1 if agrees else 1
        self._doubted = seen
        if self._agreements >= CONFIRMATIONS:
            return self._accept_other_meter(seen, last)
        raise MeterError(
            f"the meter's register jumped from {last.register_wh:.0f} to {seen.register_wh:.0f} Wh "
            f"in {seen.at_s - last.at_s:.0f} s, more than {self._max_power_w:.0f} W can do: "
            "the reading is not used; check that the meter is the right one"
        )


def _reject_nonsense(reading: MeterReading) -> None:
    """MeterError for NaN, infinities, and a register below zero."""
    for field in fields(reading):
        value = getattr(reading, field.name)
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None and not math.isfinite(number):
                raise MeterError(f"the meter gives {number} as {field.name}: not used")
    if reading.import_wh < 0:
        raise MeterError(f"the meter's register is below zero ({reading.import_wh} Wh): not used")


class WatchedMeter:
    """An energy meter whose readings were checked. Implements ``EnergyMeter``."""

    def __init__(
        self, meter: EnergyMeter, watch: RegisterWatch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``clock`` gives monotonic seconds; it is read when an answer has come."""
        self._meter = meter
        self._watch = watch
        self._clock = clock

    def read(self) -> MeterReading:
        """Read the meter and check; MeterError if it fails or if the answer cannot be true."""
        reading = self._meter.read()
        return self._watch.check(reading, self._clock())

    def shut_down(self) -> None:
        """Close the meter's port. Safe to repeat."""
        self._meter.shut_down()
