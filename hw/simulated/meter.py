"""A simulated meter: its register rises by what the simulated car draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from threading import RLock

from hw.ports import MeterError, MeterReading
from hw.simulated.part import SimulatedFault, SimulatedPart

BACKWARDS_WH = 1000.0


class SimulatedMeter(SimulatedPart):
    """A running total of power x time, exact as long as ``settle`` is called at each change.

    The faults make it lie as a broken meter does: ``meter_silent`` raises MeterError,
    ``meter_nan`` reads not-a-number, ``meter_backwards`` reads 1000 Wh less (never below 0).
    """

    can_fail = frozenset(
        {SimulatedFault.METER_SILENT, SimulatedFault.METER_NAN, SimulatedFault.METER_BACKWARDS}
    )

    def __init__(
        self,
        clock: Callable[[], float],
        power_w: Callable[[], float],
        start_wh: float,
        phases: int,
        voltage_v: float,
    ) -> None:
        super().__init__(clock)
        self._power_w = power_w
        self._phases = phases
        self._voltage_v = voltage_v
        self._guard = RLock()  # read in a thread, settled from others
        self._register_wh = float(start_wh)
        self._settled_s = clock()

    def settle(self, at_s: float | None = None) -> None:
        """Count what flowed until ``at_s`` (default: now), at the power of the time before it."""
        with self._guard:
            at_s = self._clock() if at_s is None else at_s
            power_w = self._power_w()  # first: looking may settle what has changed on the way
            if at_s > self._settled_s:
                self._register_wh += power_w * (at_s - self._settled_s) / 3600
                self._settled_s = at_s

    def read(self) -> MeterReading:
        """Read all values; MeterError while it is silent."""
        with self._guard:
            self.settle()
            power_w = self._power_w()
            if SimulatedFault.METER_SILENT in self.faults:
                raise MeterError("the meter does not answer (simulated)")
            import_wh = self._register_wh
        if SimulatedFault.METER_NAN in self.faults:
            import_wh = power_w = math.nan
        if SimulatedFault.METER_BACKWARDS in self.faults:
            import_wh = max(0.0, import_wh - BACKWARDS_WH)
        phase_w = power_w / self._phases
        return MeterReading(
            import_wh=import_wh,
            power_w=power_w,
            voltage_v=(self._voltage_v,) * self._phases,
            current_a=(phase_w / self._voltage_v,) * self._phases,
            power_phase_w=(phase_w,) * self._phases,
            frequency_hz=50.0,
            power_factor=1.0,
        )

    def resume(self, reported_wh: float, offset_wh: float) -> None:
        """Keep the register over a restart of the process, as a real meter does."""
        with self._guard:
            self._register_wh = max(self._register_wh, reported_wh - offset_wh)

    def shut_down(self) -> None:
        """Nothing to release."""
        self.note("shut down")
