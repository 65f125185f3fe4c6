"""A pin factory for gpiozero on the kernel's own lines: works on every board that has some.

gpiozero's own factories know Raspberry Pis only. What its devices ask of a factory and a pin is
little, and stands here; pins are held as ``hw.lines`` says, and become outputs at their level in
one step.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hw.lines import Chips, LineError, Pin

# When a process dies the kernel lets go of its files one by one, the one of the highest number
# first (task_work_run, since Linux 4.3; seen with 6.1 and 6.18). A line can take milliseconds.
FIRST_TO_GO_FROM = 256


@dataclass(frozen=True, slots=True)
class PinInfo:
    """What gpiozero asks about a pin."""

    name: str
    pull: str = ""  # none that is fixed


class LinePin:
    """One pin; no line is held until its function is set. Errors are LineError and OSError."""

    def __init__(self, chips: Chips, pin: Pin) -> None:
        self.info = PinInfo(str(pin))
        self._chips = chips
        self._pin = pin
        self._line: int | None = None
        self._function = "input"
        self._pull = "floating"

    def output_with_state(self, state: bool) -> None:
        """Become an output that is at this level from the first moment on."""
        if self._line is None:
            self._line = self._chips.output(self._pin, bool(state))
        else:
            self._chips.make_output(self._line, bool(state))
        self._function = "output"

    def input_with_pull(self, pull: str) -> None:
        """Become an input; ``pull`` is "up", "down" or "floating"."""
        if self._line is None:
            self._line = self._chips.input(self._pin, pull)
        else:
            self._chips.make_input(self._line, pull)
        self._function, self._pull = "input", pull

    @property
    def function(self) -> str:
        """ "input" or "output"; an output that is asked for so begins low."""
        return self._function

    @function.setter
    def function(self, value: str) -> None:
        if value == "output":
            self.output_with_state(False)
        else:
            self.input_with_pull(self._pull)

    @property
    def pull(self) -> str:
        """The pull of an input."""
        return self._pull

    @pull.setter
    def pull(self, value: str) -> None:
        self.input_with_pull(value)

    @property
    def state(self) -> bool:
        """The level."""
        return self._chips.get(self._held())

    @state.setter
    def state(self, value: float) -> None:
        self._chips.set(self._held(), value >= 0.5)

    @property
    def frequency(self) -> None:
        """Always None: the kernel's lines make no tones."""
        return None

    def go_first(self) -> None:
        """When the process dies, be let go before the others: a contactor opens before a lock."""
        with suppress(OSError):  # few descriptors are allowed: then it goes when it goes
            higher = fcntl.fcntl(self._held(), fcntl.F_DUPFD_CLOEXEC, FIRST_TO_GO_FROM)
            os.close(self._held())
            self._line = higher

    def close(self) -> None:
        """Become an input and let go of the line. Safe to repeat."""
        line, self._line = self._line, None
        if line is None:
            return
        try:
            self._chips.make_input(line, "floating")
        finally:
            os.close(line)
        self._function, self._pull = "input", "floating"

    def _held(self) -> int:
        if self._line is None:
            raise LineError(f"pin {self._pin} is not in use")
        return self._line


class LinePins:
    """The factory. Two devices on one line are an error: the kernel gives it to one of them."""

    def __init__(self, chips: Chips | None = None) -> None:
        self.chips = chips or Chips()
        self.with_tones: Any = None  # another factory for pins with PWM, once one was needed
        self._pins: list[LinePin] = []

    def pin(self, name: Pin) -> LinePin:
        """A pin of this name, which holds nothing yet."""
        pin = LinePin(self.chips, name)
        self._pins.append(pin)
        return pin

    def reserve_pins(self, requester: object, *names: object) -> None:
        """Nothing: the kernel keeps a line for its holder."""

    def release_pins(self, reserver: object, *names: object) -> None:
        """Nothing: closing a pin lets go of it."""

    def close(self) -> None:
        """Let go of every line. Safe to repeat."""
        if self.with_tones is not None:
            self.with_tones.close()
            self.with_tones = None
        pins, self._pins = self._pins, []
        for pin in pins:
            with suppress(OSError):
                pin.close()
