"""Which pin is used by which key: for the check of the file, the self-test, the documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.config.mistakes import KeyPath, key_name
from agent.config.settings import Settings
from hw.lines import Pin, parse_pin
from hw.settings import (
    ContactorSettings,
    GridLimitSettings,
    LockSettings,
    PlugSettings,
    ReaderSettings,
    SafetyInputSettings,
)
from hw.settings_indicator import IndicatorSettings

PINS_OF_DRIVERS: dict[type[Any], dict[str, tuple[str, ...]]] = {
    ReaderSettings: {"mfrc522": ("reset_pin",)},
    ContactorSettings: {"gpio": ("pin", "feedback_pin", "heartbeat_pin")},
    LockSettings: {
        "solenoid": ("pin", "feedback_pin"),
        "motor": ("lock_pin", "unlock_pin", "feedback_pin"),
    },
    PlugSettings: {"gpio": ("pin",)},
    SafetyInputSettings: {"gpio": ("pin",)},
    GridLimitSettings: {"gpio": ("pin",)},
    IndicatorSettings: {"gpio": ("led_pin", "red_pin", "green_pin", "blue_pin", "buzzer_pin")},
}
"""The pin keys that each driver really uses; those of other drivers may stay in the file."""

OUTPUT_KEYS = {
    (ContactorSettings, "pin"),
    (ContactorSettings, "heartbeat_pin"),
    (LockSettings, "pin"),
    (LockSettings, "lock_pin"),
    (LockSettings, "unlock_pin"),
    (IndicatorSettings, "buzzer_pin"),
}

SPI_DATA_PINS = {
    0: {9: "MISO", 10: "MOSI", 11: "SCLK"},
    1: {19: "MISO", 20: "MOSI", 21: "SCLK"},
}
SPI_CHIP_SELECT_PINS = {0: (8, 7), 1: (18, 17, 16)}
"""Raspberry Pi header: chip select 0, 1 (2) of each SPI bus."""


@dataclass(frozen=True, slots=True)
class PinUse:
    """One pin and the key that claims it; ``role`` is set for a pin that the key only implies."""

    pin: Pin
    path: KeyPath
    role: str = ""
    is_output: bool = False


def pin_table(settings: Settings) -> list[tuple[Pin, str]]:
    """Every pin in use with the key that uses it, by pin: ``(17, "connectors[id=1]....")``."""
    ids = [connector.id for connector in settings.connectors]
    uses = sorted(pin_uses(settings), key=lambda use: (pin_order(use.pin), use_name(use, ids)))
    return [(use.pin, use_name(use, ids)) for use in uses]


def pin_order(pin: Pin) -> tuple[str, int]:
    """Pins of the header first, then chip by chip."""
    return parse_pin(pin)


def use_name(use: PinUse, connector_ids: list[int] | list[object]) -> str:
    """The key of a pin, with what the pin does there when the key does not tell."""
    name = key_name(use.path, connector_ids)
    return f"{name} ({use.role})" if use.role else name


def pin_uses(settings: Settings) -> Iterator[PinUse]:
    """The pins of all drivers in use, in the order of the file."""
    yield from _pins_of(settings.reader, ("reader",))
    yield from _spi_pins(settings.reader)
    for index, connector in enumerate(settings.connectors):
        for name in ("contactor", "lock", "plug"):
            yield from _pins_of(getattr(connector, name), ("connectors", index, name))
    for name in ("emergency_stop", "residual_current", "door", "grid_limit"):
        yield from _pins_of(getattr(settings.inputs, name), ("inputs", name))
    yield from _pins_of(settings.indicator, ("indicator",))


def _pins_of(device: Any, path: KeyPath) -> Iterator[PinUse]:
    if device is None:
        return
    for key in PINS_OF_DRIVERS[type(device)].get(device.driver, ()):
        pin = getattr(device, key)
        if pin is not None:
            yield PinUse(pin, (*path, key), is_output=(type(device), key) in OUTPUT_KEYS)


def _spi_pins(reader: ReaderSettings) -> Iterator[PinUse]:
    if reader.driver != "mfrc522":
        return
    for pin, role in SPI_DATA_PINS.get(reader.spi_bus, {}).items():
        yield PinUse(pin, ("reader", "spi_bus"), role)
    selects = SPI_CHIP_SELECT_PINS.get(reader.spi_bus, ())
    if reader.spi_device < len(selects):
        role = f"CE{reader.spi_device}"
        yield PinUse(selects[reader.spi_device], ("reader", "spi_device"), role)
