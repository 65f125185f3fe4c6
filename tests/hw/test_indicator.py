"""Lights and buzzer on mock pins."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from hw.indicator import PlayingIndicator, open_indicator
from hw.light_patterns import LightFrame
from hw.ports import BoardError, Signal
from hw.settings_indicator import IndicatorSettings, PatternSettings, SoundSettings

LED, RED, GREEN, BLUE, BUZZER = 12, 16, 19, 20, 21
RGB = IndicatorSettings(driver="gpio", red_pin=RED, green_pin=GREEN, blue_pin=BLUE)
ONE = IndicatorSettings(driver="gpio", led_pin=LED, dimmable=False)


class Bench:
    """An indicator on mock pins, and a clock."""

    def __init__(self, factory: MockFactory, settings: IndicatorSettings) -> None:
        self.now_s = 10.0
        self.factory = factory
        self.indicator = open_indicator(settings, lambda: self.now_s, factory)

    def shown(self, *pins: int, after_s: float = 0.0) -> list[float]:
        self.now_s += after_s
        self.indicator.step()
        return [float(self.factory.pin(pin).state) for pin in pins]


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    factory = MockFactory(pin_class=MockPWMPin)
    yield factory
    factory.reset()


def test_an_rgb_led_shows_colours(factory: MockFactory):
    bench = Bench(factory, RGB)
    assert bench.shown(RED, GREEN, BLUE) == [0, 0, 0]
    bench.indicator.show(Signal.FREE)
    assert bench.shown(RED, GREEN, BLUE) == [0, 1, 0]
    bench.indicator.show(Signal.WAITING_FOR_PLUG)
    assert bench.shown(RED, GREEN, BLUE) == [1.0, 0.8, 0]
    assert bench.shown(RED, GREEN, BLUE, after_s=0.6) == [0, 0, 0]
    bench.indicator.shut_down()


def test_a_dimmable_light_breathes(factory: MockFactory):
    bench = Bench(factory, RGB)
    bench.indicator.show(Signal.CHARGING)
    levels = [bench.shown(BLUE, after_s=0.2)[0] for _ in range(10)]
    assert levels == sorted(levels)
    assert len(set(levels)) > 5
    bench.indicator.shut_down()


def test_one_led_is_on_or_off(factory: MockFactory):
    bench = Bench(factory, ONE)
    bench.indicator.show(Signal.CHARGING)
    assert {bench.shown(LED, after_s=0.1)[0] for _ in range(80)} == {0.0, 1.0}
    bench.indicator.show(Signal.FAULT, 2)
    flashes = [bench.shown(LED, after_s=0.25)[0] for _ in range(10)]
    assert flashes == [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    bench.indicator.shut_down()


def test_leds_with_a_common_plus_are_dark_with_a_high_level(factory: MockFactory):
    settings = IndicatorSettings(driver="gpio", led_pin=LED, dimmable=False, active_high=False)
    bench = Bench(factory, settings)
    assert bench.shown(LED) == [1]
    bench.indicator.show(Signal.FREE)
    assert bench.shown(LED) == [0]
    bench.indicator.shut_down()


@pytest.mark.parametrize(("kind", "level"), [("tonal", 0.5), ("active", 1.0)])
def test_a_buzzer_beeps_once_for_a_card(factory: MockFactory, kind: str, level: float):
    settings = IndicatorSettings(driver="gpio", buzzer_pin=BUZZER, buzzer=kind)
    bench = Bench(factory, settings)
    bench.indicator.show(Signal.CARD_READ)
    assert bench.shown(BUZZER) == [level]
    if kind == "tonal":
        assert factory.pin(BUZZER).frequency == 2000
    assert bench.shown(BUZZER, after_s=0.1) == [0]
    bench.indicator.shut_down()


def test_patterns_and_sounds_come_from_the_settings(factory: MockFactory):
    settings = IndicatorSettings(
        driver="gpio",
        led_pin=LED,
        dimmable=False,
        buzzer_pin=BUZZER,
        buzzer="active",
        patterns=PatternSettings(free="off"),
        sounds=SoundSettings(card_read=""),
    )
    bench = Bench(factory, settings)
    bench.indicator.show(Signal.FREE)
    assert bench.shown(LED) == [0]
    bench.indicator.show(Signal.CARD_READ)
    assert bench.shown(BUZZER) == [0]
    bench.indicator.shut_down()


def test_a_pattern_that_cannot_be_read_is_a_mistake_of_the_settings():
    with pytest.raises(ValueError, match=r"free cannot be read: 'grren' is no colour.*\ncharging"):
        PatternSettings(free="grren", charging="blue breathe")


@pytest.mark.parametrize(
    ("pins", "told"),
    [({}, "led_pin is missing"), ({"led_pin": 1, "red_pin": 2}, "led_pin is one LED")],
)
def test_settings_without_or_with_too_many_lights_are_refused(pins: dict[str, int], told: str):
    with pytest.raises(ValueError, match=told):
        IndicatorSettings(driver="gpio", **pins)


def test_the_pin_that_fails_is_named_and_the_others_are_released(factory: MockFactory):
    from gpiozero import LED as Occupied

    taken = Occupied(BLUE, pin_factory=factory)
    with pytest.raises(BoardError, match=f"indicator blue_pin, pin {BLUE}"):
        open_indicator(RGB, lambda: 0.0, factory)
    taken.close()
    open_indicator(RGB, lambda: 0.0, factory).shut_down()


class BrokenLamp:
    """Pins that are gone."""

    def __init__(self) -> None:
        self.was_set = threading.Event()
        self.is_closed = False

    def set(self, frame: LightFrame) -> None:
        self.was_set.set()
        raise OSError("no such line")

    def close(self) -> None:
        self.is_closed = True


def test_broken_pins_reach_nobody_and_are_logged_once(caplog: pytest.LogCaptureFixture):
    lamp = BrokenLamp()
    indicator = PlayingIndicator(ONE, lambda: 0.0, lamp)
    for signal in (Signal.FREE, Signal.FAULT, Signal.PAUSED):
        indicator.show(signal)
        indicator.step()
    assert len(caplog.records) == 1
    indicator.shut_down()
    assert lamp.is_closed


def test_its_thread_plays_and_ends():
    lamp = BrokenLamp()
    indicator = PlayingIndicator(ONE, lambda: 0.0, lamp)
    indicator.start()
    indicator.show(Signal.FREE)
    assert lamp.was_set.wait(5.0)
    indicator.shut_down()
    indicator.shut_down()
    assert not any(thread.name == "indicator" for thread in threading.enumerate())
