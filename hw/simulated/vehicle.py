"""A simulated car, and the two parts of the charge point that see it: plug sensor and pilot."""

from __future__ import annotations

from collections.abc import Callable

from hw.ports import ConfirmedOffer, PilotFault, PilotState
from hw.simulated.part import SimulatedFault, SimulatedPart

CURRENT_A_MIN = 6.0  # IEC 61851-1: the pilot can offer 6 to 80 A, or nothing
CURRENT_A_MAX = 80.0


class SimulatedVehicle(SimulatedPart):
    """A car that can be plugged in, and that asks for energy unless ``want_energy`` says no."""

    def __init__(self, clock: Callable[[], float], power_w: float) -> None:
        super().__init__(clock)
        self.power_w = power_w
        self.cable_a: float | None = None
        self.is_plugged = False
        self.is_cable_left = False  # in the socket, without a car
        self.wants_energy = True

    def plug(self, asks: bool = True) -> None:
        """Plug in; unless it ``asks``, it wants no energy for now."""
        self.is_cable_left = False
        self.is_plugged, self.wants_energy = True, self.wants_energy and asks
        self.note("plugged in")

    def unplug(self) -> None:
        """Pull the plug; the next car asks for energy again."""
        self.is_cable_left = False
        self.is_plugged, self.wants_energy = False, True
        self.note("unplugged")

    def drive_off(self) -> None:
        """Pull the cable off the car; its other end stays in the socket."""
        self.is_cable_left = True
        self.is_plugged, self.wants_energy = False, True
        self.note("drove off")

    def want_energy(self, wanted: bool) -> None:
        """Begin or cease to ask for energy."""
        self.wants_energy = wanted
        self.note("wants energy" if wanted else "wants no energy")

    def draw(self, power_w: float) -> None:
        """Draw this much from now on, if it may."""
        self.power_w = power_w
        self.note(f"draws {power_w:g} W")


class SimulatedPlug(SimulatedPart):
    """A contact that sees the simulated car's plug."""

    def __init__(self, clock: Callable[[], float], vehicle: SimulatedVehicle) -> None:
        super().__init__(clock)
        self._vehicle = vehicle

    @property
    def is_present(self) -> bool:
        """True while a cable is in the socket."""
        return self._vehicle.is_plugged or self._vehicle.is_cable_left

    def shut_down(self) -> None:
        """Nothing to release."""
        self.note("shut down")


class SimulatedPilot(SimulatedPart):
    """A pilot controller wired to the simulated car. ``pilot_short`` shows state E.

    ``pilot_silent``: nothing is heard from it, as when its cable is pulled. While ``has_failed`` it
    shows state F: the charge point has a fault.

    ``before_change`` is called before each change of what is offered or shown, ``on_change`` after
    the state has changed by an order.
    """

    can_fail = frozenset({SimulatedFault.PILOT_SHORT, SimulatedFault.PILOT_SILENT})

    def __init__(
        self,
        clock: Callable[[], float],
        vehicle: SimulatedVehicle,
        before_change: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(clock)
        self.offered_a = 0.0
        self._orders = 0
        self.has_failed = False
        self._vehicle = vehicle
        self._tell_before = before_change
        self._on_change = on_change

    @property
    def state(self) -> PilotState:
        """What the car shows: C as long as it asks for energy and is offered some."""
        if SimulatedFault.PILOT_SHORT in self.faults:
            return PilotState.E
        if self.has_failed or SimulatedFault.PILOT_SILENT in self.faults:
            return PilotState.F
        if not self._vehicle.is_plugged:
            return PilotState.A
        asks = self._vehicle.wants_energy and self._vehicle.power_w > 0
        return PilotState.C if self.offered_a and asks else PilotState.B

    @property
    def confirmed(self) -> ConfirmedOffer:
        """It takes every order at once, unless it is silent."""
        is_silent = SimulatedFault.PILOT_SILENT in self.faults
        return ConfirmedOffer(self._orders, 0.0 if is_silent else self.offered_a)

    @property
    def complaints(self) -> frozenset[PilotFault]:
        """What it complains about."""
        is_silent = SimulatedFault.PILOT_SILENT in self.faults
        return frozenset({PilotFault.SILENT}) if is_silent else frozenset()

    @property
    def is_plugged(self) -> bool | None:
        """True while the car is plugged in."""
        return self._vehicle.is_plugged

    @property
    def cable_a(self) -> float | None:
        """What the cable can carry; None: the car came with its own."""
        return self._vehicle.cable_a if self._vehicle.is_plugged else None

    def describe(self) -> str:
        """Who it is."""
        return "simulated"

    def offer(self, current_a: float) -> None:
        """Offer this current; ValueError outside 6 to 80 A."""
        if not CURRENT_A_MIN <= current_a <= CURRENT_A_MAX:
            raise ValueError(f"a pilot offers 6 to 80 A, not {current_a}")
        self._set_offer(current_a, f"offers {current_a:g} A")

    def withdraw(self) -> None:
        """Offer nothing."""
        self._set_offer(0.0, "offers nothing")

    def shut_down(self) -> None:
        """Withdraw. Safe to repeat."""
        self.withdraw()

    def _set_offer(self, current_a: float, what: str) -> None:
        if current_a == self.offered_a:
            return
        before = self.state
        self._tell_before()
        self.offered_a = current_a
        self._orders += 1
        self.note(what)
        if self.state is not before:
            self._on_change()

    def _before_change(self) -> None:
        self._tell_before()
