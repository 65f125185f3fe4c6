"""The language of the light: patterns, what plays when, and that every signal can be told apart."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.light_patterns import (
    CHECKING_MAX_S,
    COLOURS,
    DEFAULT_LIGHTS,
    DEFAULT_SOUNDS,
    NOTHING,
    OFF,
    Player,
    parse,
)
from hw.ports import Signal

GREEN, RED, BLUE = COLOURS["green"], COLOURS["red"], COLOURS["blue"]
LIGHTS = {signal: parse(text) for signal, text in DEFAULT_LIGHTS.items()}
SOUNDS = {signal: parse(text) for signal, text in DEFAULT_SOUNDS.items()}


def colour_at(text: str, elapsed_s: float) -> tuple[float, float, float]:
    return parse(text).at(elapsed_s)[0].colour


def test_one_colour_is_steady():
    assert parse("green").at(1e9) == (parse("green").steps[0], math.inf)


def test_steps_go_round_for_ever():
    assert [colour_at("blue 0.25, off 0.25", s) for s in (0, 0.3, 0.5, 100.2, 100.3)] == [
        BLUE,
        OFF,
        BLUE,
        BLUE,
        OFF,
    ]


def test_a_pattern_with_a_number_ends():
    assert [colour_at("Red 0.1,  off 0.1 x2", s) for s in (0.05, 0.15, 0.25, 0.35, 0.45)] == [
        RED,
        OFF,
        RED,
        OFF,
        OFF,
    ]
    assert parse("red 0.1, off 0.1 x2").lasts_s == pytest.approx(0.4)


def test_a_colour_by_its_number_and_a_tone():
    assert colour_at("#ff0000", 0) == RED
    step, _ = parse("1500Hz 0.1 x1").at(0)
    assert (step.hertz, step.colour != OFF) == (1500, True)


def test_breathing_swells_and_fades():
    levels = [colour_at("blue breathe 4", s)[2] for s in (0.05, 1.0, 2.05, 3.0, 3.95)]
    assert levels[0] < 0.1 < levels[1] < levels[2] > levels[3] > 0.1 > levels[4]


@pytest.mark.parametrize("flashes", [1, 2, 9])
def test_a_fault_flashes_its_number_then_pauses(flashes: int):
    pattern = parse("red flash").with_flashes(flashes)
    seen = [pattern.at(step / 100)[0].colour != OFF for step in range(round(pattern.round_s * 100))]
    rises = sum(now and not before for before, now in zip([False, *seen], seen, strict=False))
    assert rises == flashes
    assert not any(seen[-100:])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("grren", "'grren' is no colour"),
        ("green 1, red", "'red': a step among others needs its seconds"),
        ("green 1 x0", "1 to 50 times"),
        ("green 1 x51", "1 to 50 times"),
        ("green 0.01, off 1", "0.02 to 60 s"),
        ("green 61, off 1", "0.02 to 60 s"),
        ("9000Hz 1 x1", "50 to 8000 Hz"),
        ("red flash x3", "leave out the x"),
        ("red; green", "is no step"),
        ("red 1,", "is no step"),
        (", ".join(["red 1"] * 41), "at most 40 steps"),
    ],
)
def test_a_mistake_in_a_pattern_is_named(text: str, told: str):
    with pytest.raises(ValueError, match=told):
        parse(text)


@given(st.text(alphabet="redgnbluox #.,0123456789hHz ", max_size=60))
def test_no_text_can_upset_it(text: str):
    try:
        pattern = parse(text)
    except ValueError:
        return
    for elapsed_s in (0.0, 0.1, 3.7, 1e6):
        assert pattern.at(elapsed_s)[1] > 0


def test_an_empty_pattern_shows_nothing():
    assert parse("  ") == NOTHING


def test_every_signal_has_a_light():
    assert set(DEFAULT_LIGHTS) == set(Signal)


def rhythm(signal: Signal, flashes: int = 3) -> tuple[tuple[bool, float], ...]:
    """How long one LED without colours and shades is on and off, over and over, for 30 s."""
    pattern = LIGHTS[signal].with_flashes(flashes)
    is_on = [max(pattern.at(step / 50)[0].colour) >= 0.5 for step in range(1500)]
    runs: list[list[float]] = []
    for now in is_on:
        if runs and runs[-1][0] == now:
            runs[-1][1] += 0.02
        else:
            runs.append([now, 0.02])
    return tuple((bool(on), round(seconds, 1)) for on, seconds in runs)


@pytest.mark.parametrize(("one", "other"), list(combinations(Signal, 2)))
def test_one_led_without_colours_tells_every_two_signals_apart(one: Signal, other: Signal):
    assert rhythm(one) != rhythm(other)


def test_offline_but_usable_is_seen_and_refused_for_silence_differs_from_refused():
    assert LIGHTS[Signal.FREE_OFFLINE] != LIGHTS[Signal.FREE]
    assert LIGHTS[Signal.REFUSED_UNANSWERED].steps[0].colour != RED
    assert SOUNDS[Signal.REFUSED_UNANSWERED] != SOUNDS[Signal.REFUSED]


class Box:
    """A player and a clock."""

    def __init__(self) -> None:
        self.player = Player(LIGHTS, SOUNDS)
        self.now_s = 50.0

    def show(self, signal: Signal, flashes: int = 0) -> None:
        self.player.show(signal, flashes, self.now_s)

    def colour(self, after_s: float = 0.0):
        self.now_s += after_s
        return self.player.look(self.now_s).colour


def test_a_short_signal_falls_back_to_what_was_shown():
    box = Box()
    box.show(Signal.FREE)
    box.show(Signal.REFUSED)
    assert box.colour(0.05) == RED
    assert box.colour(1.6) == GREEN


def test_what_becomes_true_during_a_short_signal_is_shown_after_it():
    box = Box()
    box.show(Signal.ACCEPTED)
    box.show(Signal.WAITING_FOR_PLUG)
    assert box.colour(0.05) == GREEN
    assert box.colour(1.2) == COLOURS["yellow"]


def test_a_fault_ends_a_short_signal_at_once():
    box = Box()
    box.show(Signal.ACCEPTED)
    box.show(Signal.FAULT, 4)
    assert box.colour(0.05) == RED


def test_checking_goes_on_until_its_answer_but_not_for_ever():
    box = Box()
    box.show(Signal.FREE)
    box.show(Signal.CHECKING)
    assert box.colour(10.1) == BLUE
    assert box.colour(CHECKING_MAX_S) == GREEN


def test_the_same_lasting_signal_does_not_begin_anew():
    box = Box()
    box.show(Signal.WAITING_FOR_PLUG)
    box.now_s += 0.6
    box.show(Signal.WAITING_FOR_PLUG)
    assert box.colour() == OFF


def test_a_sound_without_end_ends_with_what_it_belonged_to():
    box = Box()
    box.player = Player(LIGHTS, {**SOUNDS, Signal.FAULT: parse("1000Hz 0.5, off 0.5")})
    box.show(Signal.FAULT)
    assert box.player.look(box.now_s + 60).is_sounding
    box.show(Signal.FREE)
    assert not box.player.look(box.now_s + 60).is_sounding
    box.show(Signal.ACCEPTED)
    box.show(Signal.CHARGING)
    assert box.player.look(box.now_s).is_sounding, "one that ends by itself is heard to its end"


def test_the_next_change_is_known_so_that_a_steady_light_costs_nothing():
    box = Box()
    assert box.player.look(box.now_s).for_s == math.inf
    box.show(Signal.FREE)
    assert box.player.look(box.now_s).for_s == math.inf
    box.show(Signal.CARD_READ)
    frame = box.player.look(box.now_s)
    assert (frame.is_sounding, frame.hertz, frame.for_s) == (True, 2000, 0.06)
    box.now_s += 0.07
    assert not box.player.look(box.now_s).is_sounding
