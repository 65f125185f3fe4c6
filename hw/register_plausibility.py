"""Checks whether what a meter says can be true, and keeps its register from ever running back.

Money is counted with the energy register, so a register is believed only if a real meter behind
this fuse can have produced it. The rules stand in ``RegisterWatch``. What else a reading holds is
used as far as it is sound.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import takewhile

from hw.ports import EnergyMeter, MeterError, MeterReading

logger = logging.getLogger(__name__)

REGISTER_MAX_WH = 1e12
"""More than this no meter can have counted."""

LIMITS = {
    "power_w": (-1e7, 1e7),
    "voltage_v": (-1.0, 1e4),
    "current_a": (-1e5, 1e5),
    "power_phase_w": (-1e7, 1e7),
    "frequency_hz": (0.0, 1e3),
    "power_factor": (-1e3, 1e3),
}
"""What a meter can measure, by the fields of a reading. NaN is within no limits."""

BACKWARDS_TOLERANCE_WH = 1.0
"""A step back of at most this much is rounding, not another meter."""

RESOLUTION_WH = 20.0
"""Always allowed as one step: meters show whole 10 Wh, and a float32 moves by 8 Wh at 100 MWh."""

CONFIRMATIONS = 3
"""So many readings in a row must agree before a register that has jumped is believed."""


class DoubtfulRegister(MeterError):
    """The meter has answered, and its register may be believed once it is repeated."""


@dataclass(frozen=True, slots=True)
class _Point:
    register_wh: float
    at_s: float


@dataclass(frozen=True, slots=True)
class _Count:
    """One meter's counting: its last point, and what is added to it because of those before."""

    last: _Point
    offset_wh: float


class RegisterPlausibility:
    """Believes registers, rejects them, or mends them. Pure: time is handed in.

    * A register that is NaN, infinite or negative: rejected.
    * Back by at most 1 Wh: rounding; the register is reported as it was.
    * Back by more, or forward by more than 2 x ``max_power_w`` x elapsed time (plus 20 Wh of
      resolution): rejected. If three readings in a row agree on the new register, the meter was
      reset or replaced: the difference goes into the offset, and the reported register goes on
      from where it was. What flowed in between is unknown and not counted.
    * Back on the count of before, while the new one has not moved (a meter that showed 0 for a
      while): it was never another meter, and what has flowed meanwhile is counted.
    * 0 as the first answer of a meter that nothing is known of: rejected until three agree. Meters
      show it while they start.

    Registers are rounded to whole Wh before anything is computed, so sums carry no float noise.
    One watch serves one meter and is used from one thread at a time.
    """

    def __init__(self, max_power_w: float) -> None:
        """``max_power_w``: the most this connector can draw. ValueError unless above 0."""
        if not (math.isfinite(max_power_w) and max_power_w > 0):
            raise ValueError(f"max_power_w must be above 0, got {max_power_w}")
        self._max_power_w = max_power_w
        self._count: _Count | None = None
        self._before: _Count | None = None  # it may come back as long as this one stands still
        self._doubted: _Point | None = None
        self._agreements = 0

    def resume(self, reported_wh: float, offset_wh: float) -> None:
        """Go on from what an earlier process reported last; before the first ``check``.

        However much has flowed since is believed, and nothing less than that.
        """
        last = _Point(reported_wh - offset_wh, -math.inf)
        self._count = _Count(last, offset_wh)

    def check(self, reading: MeterReading, now_s: float) -> MeterReading:
        """The reading with a register that never decreases; MeterError if it cannot be true.

        ``now_s`` is monotonic. A rejected reading changes nothing that is reported later.
        """
        register_wh = reading.import_wh
        if not (math.isfinite(register_wh) and 0 <= register_wh <= REGISTER_MAX_WH):
            raise MeterError(f"the meter gives {register_wh} Wh as its register: not used")
        count = self._believe(_Point(round(register_wh), now_s))
        return replace(
            reading,
            import_wh=count.last.register_wh + count.offset_wh,
            offset_wh=count.offset_wh,
        )

    def _believe(self, seen: _Point) -> _Count:
        count, before = self._count, self._before
        if count is None:
            return self._accept(seen, 0.0) if seen.register_wh else self._doubt(seen, None)
        step_wh = seen.register_wh - count.last.register_wh
        if -BACKWARDS_TOLERANCE_WH <= step_wh < 0:
            return self._accept(_Point(count.last.register_wh, seen.at_s), count.offset_wh)
        if self._can_follow(seen, count.last):
            if step_wh > 0:
                self._before = None  # it counts: another meter indeed
            return self._accept(seen, count.offset_wh)
        if before is not None and self._can_follow(seen, before.last):
            self._before = None
            reported_wh = count.last.register_wh + count.offset_wh
            return self._accept(seen, max(before.offset_wh, reported_wh - seen.register_wh))
        return self._doubt(seen, count)

    def _can_follow(self, seen: _Point, earlier: _Point) -> bool:
        elapsed_s = max(0.0, seen.at_s - earlier.at_s)
        allowed_wh = 2 * self._max_power_w * elapsed_s / 3600 + RESOLUTION_WH
        return 0 <= seen.register_wh - earlier.register_wh <= allowed_wh

    def _accept(self, seen: _Point, offset_wh: float) -> _Count:
        self._count = _Count(seen, offset_wh)
        self._doubted = None
        self._agreements = 0
        return self._count

    def _doubt(self, seen: _Point, count: _Count | None) -> _Count:
        agrees = self._doubted is not None and self._can_follow(seen, self._doubted)
        self._agreements = self._agreements + 1 if agrees else 1
        self._doubted = seen
        if self._agreements < CONFIRMATIONS:
            raise DoubtfulRegister(self._why_doubted(seen, count))
        if count is None:
            return self._accept(seen, 0.0)
        # What an earlier process kept has no time: if it comes back, it has grown since now.
        since_s = seen.at_s if math.isinf(count.last.at_s) else count.last.at_s
        self._before = replace(count, last=replace(count.last, at_s=since_s))
        reported_wh = count.last.register_wh + count.offset_wh
        return self._accept(seen, reported_wh - seen.register_wh)

    def _why_doubted(self, seen: _Point, count: _Count | None) -> str:
        if count is None:
            return (
                "the meter's first answer is a register of 0 Wh: not used until it is repeated; "
                "a new meter says so, and one that starts"
            )
        last = count.last
        to = f"{last.register_wh:.0f} to {seen.register_wh:.0f} Wh"
        if seen.register_wh < last.register_wh:
            return (
                f"the meter's register went back from {to}: not used until it is repeated; "
                "check whether the meter was replaced or reset"
            )
        return (
            f"the meter's register jumped from {to} in {seen.at_s - last.at_s:.0f} s, more than "
            f"{self._max_power_w:.0f} W can do: the reading is not used; check that the meter is "
            "the right one"
        )


class WatchedMeter:
    """An energy meter whose readings were checked. Implements ``EnergyMeter``."""

    def __init__(
        self,
        name: str,
        meter: EnergyMeter,
        watch: RegisterPlausibility,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``name`` says in the log which meter; ``clock``: monotonic, read when it has answered."""
        self._name = name
        self._meter = meter
        self._watch = watch
        self._clock = clock
        self._said: set[str] = set()  # what was left out before

    def resume(self, reported_wh: float, offset_wh: float) -> None:
        """Go on from what an earlier process reported last; before the first ``read``."""
        self._meter.resume(reported_wh, offset_wh)
        self._watch.resume(reported_wh, offset_wh)

    def read(self) -> MeterReading:
        """Read the meter and check; MeterError if it fails or if its register cannot be true.

        A doubtful register is asked for once more at once: no start and no sample fails for one
        odd answer.
        """
        try:
            reading = self._watch.check(self._meter.read(), self._clock())
        except DoubtfulRegister:
            reading = self._watch.check(self._meter.read(), self._clock())
        return replace(
            reading,
            power_w=self._sound_one(reading.power_w, "power_w"),
            voltage_v=self._sound(reading.voltage_v, "voltage_v"),
            current_a=self._sound(reading.current_a, "current_a"),
            power_phase_w=self._sound(reading.power_phase_w, "power_phase_w"),
            frequency_hz=self._sound_one(reading.frequency_hz, "frequency_hz"),
            power_factor=self._sound_one(reading.power_factor, "power_factor"),
        )

    def _sound_one(self, value: float | None, name: str) -> float | None:
        return None if value is None else next(iter(self._sound((value,), name)), None)

    def _sound(self, values: tuple[float, ...], name: str) -> tuple[float, ...]:
        """The phases before the first that is unsound: their place says which they are."""
        low, high = LIMITS[name]
        sound = tuple(takewhile(lambda value: low <= value <= high, values))
        if len(sound) < len(values) and name not in self._said:
            self._said.add(name)
            logger.warning(
                "%s: gives %g as %s: left out, the energy is used; check that the meter is of "
                "the type in the settings",
                self._name,
                values[len(sound)],
                name,
            )
        return sound

    def shut_down(self) -> None:
        """Close the meter's port. Safe to repeat."""
        self._meter.shut_down()
