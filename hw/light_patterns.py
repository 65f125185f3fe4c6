"""The language of the light and the buzzer: what is shown when, as pure functions of time.

A pattern is a text: steps of a colour and seconds, for ever or so many times.

    green                            steady
    blue 0.25, off 0.25              2 Hz
    red 0.1, off 0.1 x8              eight flashes, once
    blue breathe 4                   swells and fades in 4 s
    red flash                        as many flashes as the fault has, then a pause

Colours are names, ``#rrggbb``, or for a buzzer a tone: ``1000Hz``. A single LED shows every colour
as "on": so each signal has a rhythm of its own, which also those can read who see no colours.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from hw.ports import Signal

Colour = tuple[float, float, float]  # red, green, blue: 0 to 1

OFF: Colour = (0.0, 0.0, 0.0)
COLOURS: dict[str, Colour] = {
    "off": OFF,
    "on": (1.0, 1.0, 1.0),
    "white": (1.0, 1.0, 1.0),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 0.8, 0.0),
    "amber": (1.0, 0.4, 0.0),
    "magenta": (1.0, 0.0, 1.0),
    "cyan": (0.0, 1.0, 1.0),
}
STEPS_MAX = 40
TIMES_MAX = 50
SECONDS_MAX = 60.0
HERTZ = (50, 8000)
CHECKING_MAX_S = 30.0
"""An answer that never comes does not leave the light asking for ever."""

_FLASH_S, _FLASH_PAUSE_S = 0.25, 1.5
_BREATH_STEPS = 20
_STEP = re.compile(r"(?P<what>[a-z]+|#[0-9a-f]{6}|\d{2,4}hz)( (?P<seconds>\d+(\.\d+)?))?")
_TIMES = re.compile(r"(?P<steps>.*\S) x(?P<times>\d+)")


@dataclass(frozen=True, slots=True)
class LightStep:
    """One colour for some seconds; ``hertz``: the tone of a buzzer, 0: none."""

    colour: Colour
    seconds: float
    hertz: int = 0


@dataclass(frozen=True, slots=True)
class Pattern:
    """Steps, ``times`` in a row; None: for ever. ``is_flash``: the fault says how many flashes."""

    steps: tuple[LightStep, ...]
    times: int | None = None
    is_flash: bool = False

    @property
    def lasts_s(self) -> float:
        """How long it takes; infinite for one without end."""
        return math.inf if self.times is None else self.round_s * self.times

    @property
    def round_s(self) -> float:
        """How long its steps take once."""
        return sum(step.seconds for step in self.steps)

    def at(self, elapsed_s: float) -> tuple[LightStep, float]:
        """The step at this time after the beginning, and how long it still lasts."""
        if elapsed_s >= self.lasts_s:
            return SILENCE, math.inf
        if len(self.steps) == 1 and self.times is None:
            return self.steps[0], math.inf
        left_s = elapsed_s % self.round_s
        for step in self.steps:
            if left_s < step.seconds:
                return step, step.seconds - left_s
            left_s -= step.seconds
        return self.steps[-1], 0.001  # rounding, at the very end of a round

    def with_flashes(self, count: int) -> Pattern:
        """The pattern for a fault of that number; others stay as they are."""
        if not self.is_flash:
            return self
        colour = self.steps[0].colour
        flash = (LightStep(colour, _FLASH_S), LightStep(OFF, _FLASH_S))
        return Pattern((*flash * max(1, count), LightStep(OFF, _FLASH_PAUSE_S)))


SILENCE = LightStep(OFF, math.inf)
NOTHING = Pattern((SILENCE,))


def parse(text: str) -> Pattern:
    """Read a pattern; ValueError with a sentence about what is wrong. Empty: nothing is shown."""
    words = " ".join(text.lower().split())
    if not words:
        return NOTHING
    times = None
    repeated = _TIMES.fullmatch(words)
    if repeated is not None:
        times = int(repeated["times"])
        words = repeated["steps"]
        if not 1 <= times <= TIMES_MAX:
            raise ValueError(f"x{times}: a pattern is shown 1 to {TIMES_MAX} times")
    special = _special(words)
    if special is not None:
        if times is not None:
            raise ValueError("flash and breathe go on for ever: leave out the x")
        return special
    parts = words.split(",")
    if len(parts) > STEPS_MAX:
        raise ValueError(f"a pattern has at most {STEPS_MAX} steps, got {len(parts)}")
    steps = tuple(_step(part.strip(), len(parts) == 1 and times is None) for part in parts)
    return Pattern(steps, times)


def _special(words: str) -> Pattern | None:
    found = re.fullmatch(r"(\S+) breathe (\d+(?:\.\d+)?)", words)
    if found is not None:
        colour, for_s = _colour(found[1]), _seconds(found[2])
        return Pattern(tuple(_breath(colour, for_s)))
    found = re.fullmatch(r"(\S+) flash", words)
    return (
        None if found is None else Pattern((LightStep(_colour(found[1]), math.inf),), is_flash=True)
    )


def _breath(colour: Colour, for_s: float) -> list[LightStep]:
    red, green, blue = colour
    levels = [
        (1 - math.cos(2 * math.pi * (number + 0.5) / _BREATH_STEPS)) / 2
        for number in range(_BREATH_STEPS)
    ]
    return [
        LightStep((red * level, green * level, blue * level), for_s / _BREATH_STEPS)
        for level in levels
    ]


def _step(words: str, is_alone: bool) -> LightStep:
    found = _STEP.fullmatch(words)
    if found is None:
        raise ValueError(f"{words!r} is no step: a colour or a tone, then seconds: red 0.5")
    if found["seconds"] is None and not is_alone:
        raise ValueError(f"{words!r}: a step among others needs its seconds")
    seconds = math.inf if found["seconds"] is None else _seconds(found["seconds"])
    what = found["what"]
    if what.endswith("hz"):
        hertz = int(what[:-2])
        if not HERTZ[0] <= hertz <= HERTZ[1]:
            raise ValueError(f"{what}: a tone has {HERTZ[0]} to {HERTZ[1]} Hz")
        return LightStep(COLOURS["on"], seconds, hertz)
    return LightStep(_colour(what), seconds)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.02 <= seconds <= SECONDS_MAX:
        raise ValueError(f"{text} s: a step lasts 0.02 to {SECONDS_MAX:g} s")
    return seconds


def _colour(name: str) -> Colour:
    if name.startswith("#"):
        red, green, blue = bytes.fromhex(name[1:])
        return red / 255, green / 255, blue / 255
    if name not in COLOURS:
        raise ValueError(f"{name!r} is no colour: {', '.join(COLOURS)}, or #rrggbb")
    return COLOURS[name]


DEFAULT_LIGHTS: dict[Signal, str] = {
    Signal.FREE: "green",
    Signal.FREE_OFFLINE: "green 4.7, off 0.1, amber 0.2, off 0.1",
    Signal.RESERVED: "yellow 1.4, off 0.2",
    Signal.CARD_READ: "off 0.1, white 0.3 x1",
    Signal.CHECKING: "blue 0.25, off 0.25",
    Signal.ACCEPTED: "green 0.2, off 0.2 x3",
    Signal.REFUSED: "red 0.1, off 0.1 x8",
    Signal.REFUSED_UNANSWERED: "amber 0.1, off 0.1, amber 0.1, off 0.1, amber 0.1, off 0.4 x2",
    Signal.WAITING_FOR_PLUG: "yellow 0.5, off 0.5",
    Signal.CHARGING: "blue breathe 4",
    Signal.PAUSED: "blue 2.5, off 0.2, blue 0.2, off 0.2",
    Signal.READER_FAULT: "magenta 0.2, off 2.8",
    Signal.NOT_ACCEPTED: "amber 1, off 1",
    Signal.UNAVAILABLE: "amber 0.1, off 0.2, amber 0.1, off 4.6",
    Signal.FAULT: "red flash",
    Signal.TEST: "red 0.3, green 0.3, blue 0.3, white 0.3, off 0.3 x2",
}
"""What the light shows. The rhythms differ, whatever the colours."""

DEFAULT_SOUNDS: dict[Signal, str] = {
    Signal.CARD_READ: "2000Hz 0.06 x1",
    Signal.ACCEPTED: "1000Hz 0.1, off 0.05, 1500Hz 0.1, off 0.05, 2000Hz 0.15 x1",
    Signal.REFUSED: "1500Hz 0.3, 800Hz 0.4 x1",
    Signal.REFUSED_UNANSWERED: "1500Hz 0.3, off 0.1, 1500Hz 0.3, 800Hz 0.4 x1",
    Signal.TEST: "1000Hz 0.2, off 0.1, 2000Hz 0.2 x1",
}
"""What the buzzer says: one beep read, three rising yes, falling no. One tone is enough to tell."""

SHORT = (
    Signal.CARD_READ,
    Signal.CHECKING,
    Signal.ACCEPTED,
    Signal.REFUSED,
    Signal.REFUSED_UNANSWERED,
    Signal.TEST,
)
"""Signals that end by themselves; then what was shown before comes back."""


@dataclass(frozen=True, slots=True)
class LightFrame:
    """What light and buzzer do now, and how long until that changes."""

    colour: Colour
    hertz: int
    is_sounding: bool
    for_s: float


class Player:
    """Which pattern is running. Time is handed in, so it is the same on a bench and in a test."""

    def __init__(self, lights: dict[Signal, Pattern], sounds: dict[Signal, Pattern]) -> None:
        self._lights = lights
        self._sounds = sounds
        self._lasting: Pattern = NOTHING
        self._lasting_since_s = 0.0
        self._short: Pattern | None = None
        self._short_since_s = 0.0
        self._short_until_s = 0.0
        self._sound: Pattern = NOTHING
        self._sound_since_s = 0.0

    def show(self, signal: Signal, flashes: int, now_s: float) -> None:
        """Show this from now on; a short one ends by itself, a fault ends a short one."""
        light = self._lights.get(signal, NOTHING).with_flashes(flashes)
        if signal in SHORT:
            self._short, self._short_since_s = light, now_s
            self._short_until_s = now_s + min(light.lasts_s, CHECKING_MAX_S)
        else:
            if signal is Signal.FAULT:
                self._short = None
            if light != self._lasting:
                self._lasting, self._lasting_since_s = light, now_s
                if math.isinf(self._sound.lasts_s):  # it belonged to what is over now
                    self._sound = NOTHING
        if signal in self._sounds:
            self._sound, self._sound_since_s = self._sounds[signal], now_s

    def look(self, now_s: float) -> LightFrame:
        """What to do now."""
        if self._short is not None and now_s >= self._short_until_s:
            self._short = None
        if self._short is not None:
            step, left_s = self._short.at(now_s - self._short_since_s)
            left_s = min(left_s, self._short_until_s - now_s)
        else:
            step, left_s = self._lasting.at(now_s - self._lasting_since_s)
        sound, sound_left_s = self._sound.at(now_s - self._sound_since_s)
        return LightFrame(step.colour, sound.hertz, sound.colour != OFF, min(left_s, sound_left_s))
