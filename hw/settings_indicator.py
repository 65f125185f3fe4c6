"""Settings of light and buzzer: what is wired, and what they show and say for each signal."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from hw.light_patterns import DEFAULT_LIGHTS, DEFAULT_SOUNDS, parse
from hw.ports import Signal
from hw.setting import pin_setting, setting


def _pattern(signal: Signal, help: str) -> Any:
    return setting(DEFAULT_LIGHTS[signal], help)


def _sound(signal: Signal, help: str) -> Any:
    return setting(DEFAULT_SOUNDS.get(signal, ""), help)


def _check_patterns(settings: Any) -> None:
    problems = []
    for known in fields(settings):
        try:
            parse(getattr(settings, known.name))
        except ValueError as problem:
            problems.append(f"{known.name} cannot be read: {problem}")
    if problems:
        raise ValueError("\n".join(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternSettings:
    """What the light shows for each signal; see docs/indicator.md for the language."""

    free: str = _pattern(Signal.FREE, "free, no one is charging")
    free_offline: str = _pattern(Signal.FREE_OFFLINE, "usable; no link to the central system")
    reserved: str = _pattern(Signal.RESERVED, "reserved")
    card_read: str = _pattern(Signal.CARD_READ, "a card was read")
    checking: str = _pattern(Signal.CHECKING, "the central system is asked")
    accepted: str = _pattern(Signal.ACCEPTED, "the card may")
    refused: str = _pattern(Signal.REFUSED, "the card may not")
    refused_unanswered: str = _pattern(
        Signal.REFUSED_UNANSWERED, "the central system gave no answer"
    )
    waiting_for_plug: str = _pattern(Signal.WAITING_FOR_PLUG, "accepted: plug in")
    charging: str = _pattern(Signal.CHARGING, "energy flows")
    paused: str = _pattern(Signal.PAUSED, "a session without energy")
    reader_fault: str = _pattern(Signal.READER_FAULT, "the card reader does not work")
    not_accepted: str = _pattern(Signal.NOT_ACCEPTED, "the central system has not accepted the box")
    unavailable: str = _pattern(Signal.UNAVAILABLE, "out of service")
    fault: str = _pattern(Signal.FAULT, "flashes say which: docs/faults.md")
    test: str = _pattern(Signal.TEST, "self-test")

    def __post_init__(self) -> None:
        _check_patterns(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundSettings:
    """What the buzzer says; empty: nothing."""

    card_read: str = _sound(Signal.CARD_READ, "a card was read")
    accepted: str = _sound(Signal.ACCEPTED, "the card may")
    refused: str = _sound(Signal.REFUSED, "the card may not")
    refused_unanswered: str = _sound(Signal.REFUSED_UNANSWERED, "the central system gave no answer")
    waiting_for_plug: str = _sound(Signal.WAITING_FOR_PLUG, "accepted: plug in")
    fault: str = _sound(Signal.FAULT, "something is wrong")
    test: str = _sound(Signal.TEST, "self-test")

    def __post_init__(self) -> None:
        _check_patterns(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorSettings:
    """Light and buzzer. One LED (``led_pin``) or three (red, green, blue); both are optional."""

    driver: str = setting(
        "none", "what shows people what is going on", choices=("gpio", "simulated", "none")
    )
    led_pin: int | str | None = pin_setting(None, "one LED: its BCM pin")
    red_pin: int | str | None = pin_setting(None, "RGB LED: BCM pin of red")
    green_pin: int | str | None = pin_setting(None, "RGB LED: BCM pin of green")
    blue_pin: int | str | None = pin_setting(None, "RGB LED: BCM pin of blue")
    active_high: bool = setting(True, "false for LEDs with a common plus")
    dimmable: bool = setting(True, "false: only on and off, without software PWM")
    buzzer_pin: int | str | None = pin_setting(None, "buzzer: its BCM pin")
    buzzer: str = setting(
        "tonal",
        "active: makes its own tone; tonal: makes the one it is given",
        choices=("active", "tonal"),
    )
    patterns: PatternSettings = field(
        default=PatternSettings(), metadata={"help": "what the light shows"}
    )
    sounds: SoundSettings = field(
        default=SoundSettings(), metadata={"help": "what the buzzer says"}
    )

    def __post_init__(self) -> None:
        if self.driver != "gpio":
            return
        colours = (self.red_pin, self.green_pin, self.blue_pin)
        if self.led_pin is not None and colours != (None, None, None):
            raise ValueError("led_pin is one LED; leave it out where there are red, green and blue")
        if self.led_pin is None and self.buzzer_pin is None and colours == (None, None, None):
            raise ValueError('led_pin is missing; driver = "gpio" needs a light or a buzzer')
