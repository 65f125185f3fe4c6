"""Lights and a buzzer on GPIO pins, playing the patterns of ``hw.light_patterns``.

One thread sleeps until the next change; a steady light costs nothing. What the pins do wrong is
logged once, and never reaches the caller.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from typing import Any, Protocol

from hw.gpio import named_part, pins_with_pwm
from hw.light_patterns import Colour, LightFrame, Pattern, Player, parse
from hw.ports import BoardError, Signal
from hw.settings_indicator import IndicatorSettings, PatternSettings, SoundSettings

logger = logging.getLogger(__name__)

PWM_HERTZ = 200  # no flicker to be seen; software PWM can do no more
DIM = 0.5  # a light that is only on or off is on from here
STOP_S = 0.5


class Lamp(Protocol):
    """What a pattern is played on. ``set`` may raise whatever its pins raise."""

    def set(self, frame: LightFrame) -> None:
        """Show and sound this from now on."""

    def close(self) -> None:
        """Release the pins. Never raises."""


class PlayingIndicator:
    """Shows signals on a lamp. Implements ``Indicator``."""

    def __init__(self, settings: IndicatorSettings, clock: Callable[[], float], lamp: Lamp) -> None:
        """Dark until the first ``show``; ``start`` begins to play."""
        self._player = Player(patterns_of(settings.patterns), patterns_of(settings.sounds))
        self._clock = clock
        self._lamp = lamp
        self._guard = threading.Lock()
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._shown: tuple[Colour, int, bool] | None = None
        self._has_failed = False
        self._thread = threading.Thread(target=self._run, name="indicator", daemon=True)

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def show(self, signal: Signal, flashes: int = 0) -> None:
        """Show this signal from now on. Never blocks, never raises."""
        with self._guard:
            self._player.show(signal, flashes, self._clock())
        self._changed.set()

    def step(self) -> float:
        """Show what is due now; returns in how many seconds something changes. Never raises."""
        with self._guard:
            frame = self._player.look(self._clock())
        wanted = (frame.colour, frame.hertz, frame.is_sounding)
        if wanted != self._shown:
            try:
                self._lamp.set(frame)
                self._has_failed = False
            except Exception:  # a light must not cost a charging session
                if not self._has_failed:
                    logger.exception("indicator: its pins cannot be driven")
                self._has_failed = True
            self._shown = wanted
        return frame.for_s

    def shut_down(self) -> None:
        """Dark, and release the pins. Safe to repeat."""
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(STOP_S)
        self._lamp.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._changed.clear()
            for_s = self.step()
            self._changed.wait(None if math.isinf(for_s) else max(0.005, for_s))


def patterns_of(settings: PatternSettings | SoundSettings) -> dict[Signal, Pattern]:
    """The patterns by signal; what is empty is left out."""
    texts = {
        Signal[known.name.upper()]: getattr(settings, known.name) for known in fields(settings)
    }
    return {signal: parse(text) for signal, text in texts.items() if text.strip()}


def open_indicator(
    settings: IndicatorSettings, clock: Callable[[], float], pin_factory: Any
) -> PlayingIndicator:
    """Open the pins, dark; BoardError names the one that fails. Not started yet."""
    return PlayingIndicator(settings, clock, GpioLamp(settings, pin_factory))


class GpioLamp:
    """One LED or three, and a buzzer."""

    def __init__(self, settings: IndicatorSettings, pin_factory: Any) -> None:
        """Claim the pins that the settings name."""
        self._settings = settings
        self._pin_factory = pin_factory
        with ExitStack() as opened:
            is_pwm, active_high = settings.dimmable, settings.active_high
            self._leds = tuple(
                self._open(name, is_pwm, active_high, opened)
                for name in ("led_pin", "red_pin", "green_pin", "blue_pin")
            )
            self._buzzer = self._open("buzzer_pin", settings.buzzer == "tonal", True, opened)
            self._release = opened.pop_all().close

    def set(self, frame: LightFrame) -> None:
        """Light and sound."""
        red, green, blue = frame.colour
        levels = (max(frame.colour), red, green, blue)
        for led, level in zip(self._leds, levels, strict=True):
            if led is not None:
                led.value = level if hasattr(led, "frequency") else float(level >= DIM)
        if self._buzzer is not None:
            self._sound(frame)

    def close(self) -> None:
        """Release the pins: they become inputs."""
        self._release()

    def _sound(self, frame: LightFrame) -> None:
        if not hasattr(self._buzzer, "frequency"):
            self._buzzer.value = float(frame.is_sounding)
            return
        if frame.is_sounding and frame.hertz:
            self._buzzer.frequency = frame.hertz
        self._buzzer.value = 0.5 if frame.is_sounding else 0.0

    def _pins_with_tones(self, part: str) -> Any:
        try:
            return pins_with_pwm(self._pin_factory)
        except BoardError as problem:  # a light must not cost a charging session
            logger.warning("%s: only switched on and off: %s", part, problem)
            return None

    def _open(self, name: str, is_pwm: bool, active_high: bool, opened: ExitStack) -> Any:
        part, pin = f"indicator {name}", getattr(self._settings, name)
        if pin is None:
            return None
        pins_with_tones = self._pins_with_tones(part) if is_pwm else None
        with named_part(f"{part}, pin {pin}"):
            from gpiozero import DigitalOutputDevice, PWMOutputDevice

            if pins_with_tones is not None:
                device = PWMOutputDevice(
                    pin,
                    active_high=active_high,
                    initial_value=0,
                    frequency=PWM_HERTZ,
                    pin_factory=pins_with_tones,
                )
            else:
                device = DigitalOutputDevice(
                    pin,
                    active_high=active_high,
                    initial_value=False,
                    pin_factory=self._pin_factory,
                )
        opened.callback(device.close)
        return device
