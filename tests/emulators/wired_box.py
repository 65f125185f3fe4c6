"""The wiring of a box on gpiozero's mock pins: what hangs on which pin, and how it moves.

The contactor's auxiliary contact follows its coil, the bolt follows its solenoid; both can be made
to disobey. Pins are BCM numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from gpiozero import PinInfo
from gpiozero.pins.mock import MockFactory, MockPin

COIL, AUXILIARY, SOLENOID, BOLT, PLUG, RESET = 17, 27, 22, 23, 24, 25

# What stands about them in a configuration.
CONTACTOR = {"driver": "gpio", "pin": COIL, "feedback_pin": AUXILIARY, "min_off_s": 0}
LOCK = {"driver": "solenoid", "pin": SOLENOID, "feedback_pin": BOLT}
PLUG_CONTACT = {"driver": "gpio", "pin": PLUG}


class OutputPin(MockPin):
    """A mock pin that tells what hangs on it when its level changes."""

    def __init__(self, factory: MockFactory, info: PinInfo) -> None:
        self.follower: Callable[[bool], None] = lambda level: None
        super().__init__(factory, info)

    def _change_state(self, value: object) -> bool:
        changed: bool = super()._change_state(value)
        if changed:
            self.follower(bool(value))
        return changed


class WiredBox:
    """Contactor, lock and plug contact of one connector."""

    def __init__(self) -> None:
        self.factory = MockFactory()
        self.is_welded = False
        self.is_jammed = False
        self._coil = self.factory.pin(COIL, pin_class=OutputPin)
        self._solenoid = self.factory.pin(SOLENOID, pin_class=OutputPin)
        self._auxiliary = self.factory.pin(AUXILIARY)
        self._bolt = self.factory.pin(BOLT)
        self._plug = self.factory.pin(PLUG)
        self._coil.follower = self._coil_changed
        self._solenoid.follower = self._solenoid_changed

    def _coil_changed(self, on: bool) -> None:
        if on or not self.is_welded:
            self._drive(self._auxiliary, low=on)

    def _solenoid_changed(self, on: bool) -> None:
        if not self.is_jammed:
            self._drive(self._bolt, low=on)

    def plug_in(self) -> None:
        """A plug closes the contact to ground."""
        self._drive(self._plug, low=True)

    def unplug(self) -> None:
        """The contact opens."""
        self._drive(self._plug, low=False)

    @property
    def energy_flows(self) -> bool:
        """True while the coil is driven."""
        return bool(self._coil.state)

    @property
    def is_locked(self) -> bool:
        """True while the bolt is home."""
        return not self._bolt.state

    def coil_history(self) -> list[bool]:
        """Every level the coil's pin has had, oldest first."""
        return [state.state for state in self._coil.states]

    @staticmethod
    def _drive(pin: MockPin, low: bool) -> None:
        if pin.function != "input":
            return  # not opened yet: a pull-up decides later
        if low:
            pin.drive_low()
        else:
            pin.drive_high()

    def close(self) -> None:
        """Forget every pin."""
        self.factory.reset()
