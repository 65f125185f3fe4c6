"""A module that stands where the mfrc522 package expects RPi.GPIO.

RPi.GPIO does not work on a Raspberry Pi 5, and refuses to be imported anywhere else. The package
uses it for one thing, the reader's RST pin; gpiozero drives that pin on every board. What is
imported through here never touches any other pin of the process.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

from hw.lines import Pin
from hw.ports import BoardError

_import_lock = threading.Lock()


class RpiGpioShim(ModuleType):
    """The part of RPi.GPIO that mfrc522 uses, on gpiozero output devices. No BOARD numbers."""

    BOARD = 10
    BCM = 11
    OUT = 0
    IN = 1
    LOW = 0
    HIGH = 1

    def __init__(self, pin_factory: Any = None) -> None:
        """``pin_factory``: a gpiozero factory; None takes gpiozero's own choice."""
        super().__init__("RPi.GPIO")
        self._pin_factory = pin_factory
        self._mode: int | None = None
        self._outputs: dict[Pin, Any] = {}

    def getmode(self) -> int | None:
        """The numbering mode; None until ``setmode``."""
        return self._mode

    def setmode(self, mode: int) -> None:
        """Choose the numbering: BCM; ValueError for anything else."""
        if mode != self.BCM:
            raise ValueError(f"pins are numbered as BCM (mode {self.BCM}), not by mode {mode}")
        self._mode = mode

    def setup(self, channel: Pin, direction: int) -> None:
        """Make the pin an output, low at first; no effect on a pin that is one already.

        Raises BoardError when the pin is in use or the board has no such pin.
        """
        if direction != self.OUT:
            raise ValueError(f"pin {channel}: only outputs are supported")
        if channel in self._outputs:
            return
        try:
            from gpiozero import DigitalOutputDevice

            device = DigitalOutputDevice(
                channel, initial_value=False, pin_factory=self._pin_factory
            )
        except Exception as cause:  # gpiozero's own tree, but lgpio and RPi.GPIO raise their own
            raise BoardError(f"pin {channel} cannot be used as an output: {cause}") from cause
        self._outputs[channel] = device

    def output(self, channel: Pin, value: int) -> None:
        """Drive the pin high (true) or low; RuntimeError before ``setup``."""
        if channel not in self._outputs:
            raise RuntimeError(f"pin {channel} was not set up as an output")
        self._outputs[channel].value = bool(value)

    def cleanup(self) -> None:
        """Release the pins that were set up here, and no others. Safe to repeat."""
        for device in self._outputs.values():
            device.close()
        self._outputs.clear()


def import_with(gpio: RpiGpioShim, name: str) -> ModuleType:
    """Import a private copy of package ``name`` that finds ``gpio`` where it looks for RPi.GPIO.

    Afterwards ``sys.modules`` is as it was, so that gpiozero still finds a real RPi.GPIO, and
    another copy of the package keeps what it had. Raises what the import raises.
    """
    package = ModuleType("RPi")
    package.__path__ = []
    package.GPIO = gpio  # type: ignore[attr-defined]
    with _import_lock:
        hidden = _take_out(name)
        sys.modules["RPi"] = package
        sys.modules["RPi.GPIO"] = gpio
        try:
            return importlib.import_module(name)
        finally:
            _take_out(name)
            sys.modules.update(hidden)


def _take_out(name: str) -> dict[str, ModuleType]:
    roots = {name, "RPi"}
    return {key: sys.modules.pop(key) for key in list(sys.modules) if key.split(".")[0] in roots}
