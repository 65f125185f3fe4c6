"""What surrounds the simulated parts of one connector: a car, and the power that flows to it."""

from __future__ import annotations

from collections.abc import Callable

from hw.ports import (
    Contactor,
    EnergyMeter,
    Lock,
    LockState,
    PilotController,
    PilotState,
    PlugSensor,
)
from hw.settings import BoardSettings, ConnectorSettings
from hw.simulated.contactor import SimulatedContactor
from hw.simulated.lock import SimulatedLock
from hw.simulated.meter import SimulatedMeter
from hw.simulated.part import InjectedFault, SimulatedFault, SimulatedPart
from hw.simulated.vehicle import SimulatedPilot, SimulatedPlug, SimulatedVehicle


class SimulatedOutlet:
    """Makes the simulated parts of a connector and wires them to one car.

    A part that is real is set from outside, so that a simulated meter beside a real contactor
    counts while that one is closed.
    """

    def __init__(
        self,
        settings: ConnectorSettings,
        board: BoardSettings,
        clock: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        self.connector_id = settings.id
        self.vehicle = SimulatedVehicle(clock, board.simulation.car_power_w)
        self.contactor: Contactor | None = None
        self.lock: Lock | None = None
        self.plug: PlugSensor | None = None
        self.pilot: PilotController | None = None
        self.meter: EnergyMeter | None = None
        self.injected: InjectedFault | None = None
        self._settings = settings
        self._board = board
        self._clock = clock
        self._on_change = on_change

    def make_contactor(self) -> SimulatedContactor:
        """Return a contactor whose contacts count for the meter."""
        name = f"connector {self.connector_id} contactor"
        return SimulatedContactor(name, self._settings.contactor, self._clock, self.settle)

    def make_lock(self) -> SimulatedLock:
        """Return a lock that holds the car's plug."""
        return SimulatedLock(
            f"connector {self.connector_id} lock", self._settings.lock, self._clock
        )

    def make_plug(self) -> SimulatedPlug:
        """Return a sensor of the car's plug."""
        return SimulatedPlug(self._clock, self.vehicle)

    def make_pilot(self) -> SimulatedPilot:
        """Return a pilot controller that the car answers."""
        return SimulatedPilot(self._clock, self.vehicle, self.settle, self._on_change)

    def make_meter(self) -> SimulatedMeter:
        """Return a meter of what the car draws."""
        return SimulatedMeter(
            self._clock,
            self.power_w,
            self._board.simulation.meter_start_wh,
            self._board.phases,
            self._board.nominal_voltage_v,
        )

    def settle(self, at_s: float | None = None) -> None:
        """Let a simulated meter count what flowed so far, before something changes."""
        if isinstance(self.meter, SimulatedMeter):
            self.meter.settle(at_s)

    def power_w(self) -> float:
        """What the car draws now: no more than it can, and than it is offered."""
        if self.contactor is None or not self.contactor.is_closed or not self._asks_for_energy():
            return 0.0
        limit_a = self._board.max_current_a
        if isinstance(self.pilot, SimulatedPilot):
            limit_a = self.pilot.offered_a
        offered_w = limit_a * self._board.phases * self._board.nominal_voltage_v
        return float(min(self.vehicle.power_w, offered_w))

    def holds_plug(self) -> bool:
        """True while the bolt is in the plug."""
        if isinstance(self.lock, SimulatedLock):
            return self.lock.bolt.is_locked
        return self.lock is not None and self.lock.state is LockState.LOCKED

    def inject(self, fault: InjectedFault | None) -> None:
        """Report this fault from now on, on a simulated pilot too; None: all is well again."""
        self.settle()
        self.injected = fault
        if isinstance(self.pilot, SimulatedPilot):
            self.pilot.has_failed = fault is not None

    def simulated_names(self) -> frozenset[str]:
        """Which parts here are simulated: contactor, lock, plug, pilot, meter."""
        kinds = {
            "contactor": (self.contactor, SimulatedContactor),
            "lock": (self.lock, SimulatedLock),
            "plug": (self.plug, SimulatedPlug),
            "pilot": (self.pilot, SimulatedPilot),
            "meter": (self.meter, SimulatedMeter),
        }
        return frozenset(name for name, (part, kind) in kinds.items() if isinstance(part, kind))

    def part_with(self, fault: SimulatedFault) -> SimulatedPart | None:
        """The simulated part of this connector that can have this fault; None if there is none."""
        return next((part for part in self.simulated_parts() if fault in part.can_fail), None)

    def simulated_parts(self) -> list[SimulatedPart]:
        """Every simulated part here that can be broken."""
        parts: list[SimulatedPart] = []
        if isinstance(self.contactor, SimulatedContactor):
            parts.append(self.contactor.contacts)
        if isinstance(self.lock, SimulatedLock):
            parts.append(self.lock.bolt)
        if isinstance(self.pilot, SimulatedPilot):
            parts.append(self.pilot)
        if isinstance(self.meter, SimulatedMeter):
            parts.append(self.meter)
        return parts

    def _asks_for_energy(self) -> bool:
        if self.pilot is not None:
            return self.pilot.state in (PilotState.C, PilotState.D)
        return self.plug is None or self.plug.is_present
