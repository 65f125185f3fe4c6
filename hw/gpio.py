"""Contactor, lock, plug and safety contacts on GPIO pins, through gpiozero.

Nothing here imports gpiozero before a pin is really needed. The pin factory is always named, never
left to gpiozero: its silent fall-back would change what happens to the contactor pin when the
process dies.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from hw.contactor import LeasedContactor
from hw.line_pins import LinePin, LinePins
from hw.lines import LineError, Pin
from hw.lock import PulsedLock, SolenoidLock
from hw.lock_sequence import LockTiming
from hw.outputs import CONTACTOR, HEARTBEAT, LOCK, Output
from hw.ports import BoardError, Lock
from hw.settings import ContactorSettings, LockSettings, PlugSettings, SafetyInputSettings

logger = logging.getLogger(__name__)

Clock = Callable[[], float]
Claim = Callable[[Output], "GpioOutput"]


def open_pin_factory() -> LinePins:
    """Return a pin factory on the kernel's lines; each line is opened when it is claimed."""
    return LinePins()


def pins_with_pwm(pin_factory: Any) -> Any:
    """Return a factory whose pins can dim a light and make a tone; BoardError, with the reason.

    The kernel's lines cannot; the library lgpio can, on a Raspberry Pi.
    """
    if not isinstance(pin_factory, LinePins):
        return pin_factory
    if pin_factory.with_tones is None:
        _check_working_directory()
        with named_part("lgpio, which dims lights and makes tones"):
            from gpiozero.pins.lgpio import LGPIOFactory

            factory = LGPIOFactory(chip=int(pin_factory.chips.header().removeprefix("gpiochip")))
            factory.board_info  # noqa: B018 - raises on a board that it does not know
            pin_factory.with_tones = factory
    return pin_factory.with_tones


def _check_working_directory() -> None:
    """Importing lgpio makes a pipe in the working directory (or LG_WD), and dies without it."""
    if "lgpio" in sys.modules:
        return
    directory = os.environ.get("LG_WD") or "."
    try:
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        place = f"LG_WD ({directory})" if directory != "." else "the working directory"
        raise BoardError(
            f"GPIO: {place} is not writable, and lgpio keeps a pipe there: start in a writable "
            f"directory, for example WorkingDirectory= of the unit ({error.strerror})"
        ) from error


@contextmanager
def named_part(part: str) -> Iterator[None]:
    """Turn what gpiozero and lgpio raise into a BoardError that names the part."""
    try:
        yield
    except BoardError:
        raise
    except ImportError as error:
        raise BoardError(f"{part}: a package is missing: {error}") from error
    except Exception as error:
        if not isinstance(error, OSError | ValueError | LineError) and not _is_gpio_error(error):
            raise
        raise BoardError(f"{part}: {error}") from error


def _is_gpio_error(error: Exception) -> bool:
    from gpiozero import GPIOZeroError

    lgpio = sys.modules.get("lgpio")
    return isinstance(error, GPIOZeroError) or (lgpio is not None and type(error) is lgpio.error)


def _close(part: str, device: Any) -> None:
    """Close a gpiozero device; a lost line must not keep the others from closing."""
    try:
        device.close()
    except Exception:
        logger.exception("%s: its pin could not be released", part)


class GpioOutput:
    """One output pin; off from the moment it is an output."""

    def __init__(
        self,
        part: str,
        pin: Pin,
        pin_factory: Any,
        active_high: bool = True,
        kind: str = "indicator",
    ) -> None:
        """Claim the pin, switched off. BoardError names ``part`` and pin."""
        self._part = part
        with named_part(f"{part}, pin {pin}"):
            from gpiozero import DigitalOutputDevice

            self._device = DigitalOutputDevice(
                pin, active_high=active_high, initial_value=False, pin_factory=pin_factory
            )
        if kind == CONTACTOR and isinstance(self._device.pin, LinePin):
            self._device.pin.go_first()

    def set(self, is_on: bool) -> None:
        """Switch on or off; raises what gpiozero raises."""
        self._device.value = is_on

    def close(self) -> None:
        """Release the pin: it becomes an input. Never raises, safe to repeat."""
        _close(self._part, self._device)


def claim_output(output: Output, pin_factory: Any) -> GpioOutput:
    """Claim an output at its off level; BoardError names its part and pin."""
    return GpioOutput(output.part, output.pin, pin_factory, not output.off_level, output.kind)


class Outputs:
    """Outputs that are claimed before anything may fail for one of them, and taken later."""

    def __init__(self, pin_factory: Any) -> None:
        self._pin_factory = pin_factory
        self._claimed: dict[Output, GpioOutput] = {}

    def claim(self, outputs: Iterable[Output]) -> list[str]:
        """Claim each of them at its off level; returns the problems as sentences."""
        problems = []
        for output in outputs:
            try:
                self._claimed[output] = claim_output(output, self._pin_factory)
            except BoardError as problem:
                problems.append(str(problem))
        return problems

    def take(self, output: Output) -> GpioOutput:
        """One that was claimed; who takes it closes it."""
        return self._claimed.pop(output)

    def close(self) -> None:
        """Release those that were not taken."""
        for claimed in self._claimed.values():
            claimed.close()
        self._claimed.clear()


class GpioInput:
    """One input pin, read when asked.

    Levels are polled, not taken from edges: debouncing differs between pin factories, so an edge
    can be missed.
    """

    def __init__(
        self, part: str, pin: Pin, active_level: str, pin_factory: Any, pull: str | None = None
    ) -> None:
        """Claim the pin. ``active_level`` and ``pull`` are "low"/"high" and "down"/"up".

        Without ``pull``, the pin is pulled to the level that is not active, so that a broken wire
        reads as not active. BoardError names ``part`` and pin.
        """
        self._part = part
        self._active_level = active_level == "high"
        self._has_failed = False
        pull = pull or ("up" if active_level == "low" else "down")
        with named_part(f"{part}, pin {pin}"):
            from gpiozero import InputDevice

            self._device = InputDevice(pin, pull_up=pull == "up", pin_factory=pin_factory)

    @property
    def is_active(self) -> bool:
        """True while the pin is at its active level; raises what gpiozero raises."""
        return bool(self._device.pin.state) == self._active_level

    def is_active_or(self, if_unreadable: bool) -> bool:
        """As ``is_active``, but never raises."""
        try:
            is_active = self.is_active
        except Exception:
            if not self._has_failed:  # once, not at every look
                logger.exception("%s: its pin cannot be read", self._part)
            self._has_failed = True
            return if_unreadable
        self._has_failed = False
        return is_active

    def shut_down(self) -> None:
        """Release the pin. Never raises, safe to repeat."""
        _close(self._part, self._device)


def open_contactor(
    connector_id: int,
    settings: ContactorSettings,
    clock: Clock,
    pin_factory: Any,
    claim: Claim | None = None,
) -> LeasedContactor:
    """Open the contactor of a connector, switched off; BoardError names the pin that fails.

    ``claim`` gives its outputs; without it they are claimed now.

    The feedback pin is always pulled up, for a contact to ground: a normally open one reads low
    while closed, a mirror contact (IEC 60947-4-1, annex F) reads high, and a broken wire is found
    with both: "did not close", or "welded".
    """
    part = f"connector {connector_id} contactor"
    assert settings.pin is not None
    claim = claim or partial(claim_output, pin_factory=pin_factory)
    with ExitStack() as opened:
        coil = claim(Output(CONTACTOR, settings.pin, not settings.active_high, part))
        opened.callback(coil.close)
        feedback = None
        if settings.feedback_pin is not None:
            feedback = GpioInput(
                f"{part} feedback",
                settings.feedback_pin,
                settings.feedback_closed_level,
                pin_factory,
                pull="up",
            )
            opened.callback(feedback.shut_down)
        beat = None
        if settings.heartbeat_pin is not None:
            heart = claim(Output(HEARTBEAT, settings.heartbeat_pin, False, f"{part} heartbeat"))
            opened.callback(heart.close)
            beat = heart.set
        return LeasedContactor(
            part,
            settings,
            clock,
            set_coil=coil.set,
            read_feedback=lambda: None if feedback is None else feedback.is_active,
            release=opened.pop_all().close,
            beat=beat,
        )


def open_lock(
    connector_id: int,
    settings: LockSettings,
    clock: Clock,
    pin_factory: Any,
    claim: Claim | None = None,
) -> Lock:
    """Open a motor or solenoid lock, nothing energised; BoardError names the pin that fails.

    ``claim`` gives its outputs; without it they are claimed now. The feedback pin is pulled to the
    level that means unlocked: a broken wire never confirms.
    """
    part = f"connector {connector_id} lock"
    timing = LockTiming.of(settings)
    claim = claim or partial(claim_output, pin_factory=pin_factory)
    with ExitStack() as opened:

        def output(pin: Pin | None) -> GpioOutput:
            assert pin is not None
            opened_output = claim(Output(LOCK, pin, False, part))
            opened.callback(opened_output.close)
            return opened_output

        assert settings.feedback_pin is not None
        level = settings.feedback_locked_level
        feedback = GpioInput(f"{part} feedback", settings.feedback_pin, level, pin_factory)
        opened.callback(feedback.shut_down)

        def read_locked() -> bool:
            return feedback.is_active

        if settings.driver == "solenoid":
            solenoid = output(settings.pin)
            release = opened.pop_all().close
            return SolenoidLock(part, timing, clock, solenoid.set, read_locked, release)
        locking, unlocking = output(settings.lock_pin), output(settings.unlock_pin)
        release = opened.pop_all().close
        return PulsedLock(
            part, timing, clock, locking.set, unlocking.set, read_locked, call_later, release
        )


def call_later(delay_s: float, function: Callable[[], None]) -> Callable[[], None]:
    """Call ``function`` from a thread of its own after the delay; returns what cancels it."""
    timer = threading.Timer(delay_s, function)
    timer.daemon = True
    timer.start()
    return timer.cancel


class GpioPlugSensor(GpioInput):
    """The contact that tells whether a plug is in; a broken wire means no plug."""

    def __init__(self, connector_id: int, settings: PlugSettings, pin_factory: Any) -> None:
        """Claim the pin; BoardError names it."""
        assert settings.pin is not None
        part = f"connector {connector_id} plug"
        super().__init__(part, settings.pin, settings.present_level, pin_factory)

    @property
    def is_present(self) -> bool:
        """True while a plug is in; False when the contact cannot be read."""
        return self.is_active_or(if_unreadable=False)


class GpioSafetyInput(GpioInput):
    """A contact to ground that means "open now"; a normally closed one trips on a broken wire."""

    def __init__(self, name: str, settings: SafetyInputSettings, pin_factory: Any) -> None:
        """Claim the pin; BoardError names it."""
        assert settings.pin is not None
        tripped_level = "high" if settings.normally_closed else "low"
        super().__init__(f"input {name}", settings.pin, tripped_level, pin_factory, "up")

    @property
    def is_tripped(self) -> bool:
        """True while the contact asks to open, or cannot be read."""
        return self.is_active_or(if_unreadable=True)
