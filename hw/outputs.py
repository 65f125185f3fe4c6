"""Which outputs a box has, and which level of each is the safe one.

Read from plain tables, as they stand in the configuration file, whatever else is wrong with them:
the last defence must find a pin even in a file that is otherwise unusable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hw.lines import Pin, parse_pin

CONTACTOR, HEARTBEAT, LOCK, INDICATOR = "contactor", "heartbeat", "lock", "indicator"
# In this order they are switched off: a solenoid lock must not let go of a live plug.
KINDS = (CONTACTOR, HEARTBEAT, LOCK, INDICATOR)

_LOCK_PINS = {"solenoid": ("pin",), "motor": ("lock_pin", "unlock_pin"), "none": ()}
_LIGHTS = ("led_pin", "red_pin", "green_pin", "blue_pin")
_NOT_REAL = ("simulated", "none")
_DEPTH_MAX = 8


@dataclass(frozen=True, slots=True)
class Output:
    """One output pin: what it drives, and the level at which that is off."""

    kind: str  # one of KINDS
    pin: Pin
    off_level: bool
    part: str  # for people: "connector 1 contactor"


def outputs_of(tables: Mapping[str, Any]) -> tuple[list[Output], list[str]]:
    """The outputs of a box by its tables, contactors first.

    A ``contactor`` and a ``lock`` count wherever they stand: a header that is missing or misspelt
    puts them into another table. Also returns what there seems to be and cannot be used, one
    sentence each. Never raises.
    """
    problems: list[str] = []
    found = [*_of_connectors(tables, "a connector", _DEPTH_MAX, problems)]
    found += _of_indicator(_table(tables.get("indicator")), problems)
    return sorted(found, key=lambda output: KINDS.index(output.kind)), problems


def _of_connectors(value: Any, name: str, depth: int, problems: list[str]) -> Iterator[Output]:
    if depth == 0:
        return
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _of_connectors(item, f"connector {index + 1}", depth - 1, problems)
    elif isinstance(value, Mapping):
        if isinstance(value.get("id"), int):
            name = f"connector {value['id']}"
        for key, inner in value.items():
            if key == "contactor":
                yield from _of_contactor(_table(inner), f"{name} contactor", problems)
            elif key == "lock":
                yield from _of_lock(_table(inner), f"{name} lock", problems)
            yield from _of_connectors(inner, name, depth - 1, problems)


def _of_contactor(table: Mapping[str, Any], part: str, problems: list[str]) -> Iterator[Output]:
    if table.get("driver") in _NOT_REAL:
        return
    active_high = table.get("active_high", True)
    if isinstance(active_high, bool):
        yield from _output(CONTACTOR, table.get("pin"), not active_high, part, problems)
    elif table.get("pin") is not None:
        # Guessed wrongly, this would close it.
        problems.append(f"{part}: not switched off: its active_high is neither true nor false")
    pin = table.get("heartbeat_pin")
    yield from _output(HEARTBEAT, pin, False, f"{part} heartbeat", problems)


def _of_lock(table: Mapping[str, Any], part: str, problems: list[str]) -> Iterator[Output]:
    driver = table.get("driver", "none")
    if driver in _NOT_REAL:
        return
    # With an unknown driver, each pin that is named may be the one.
    every = ("pin", "lock_pin", "unlock_pin")
    for key in _LOCK_PINS.get(driver, every) if isinstance(driver, str) else every:
        yield from _output(LOCK, table.get(key), False, part, problems)


def _of_indicator(table: Mapping[str, Any], problems: list[str]) -> Iterator[Output]:
    if table.get("driver", "none") in _NOT_REAL:
        return
    active_high = table.get("active_high", True)
    for key in _LIGHTS:
        level = active_high is False
        yield from _output(INDICATOR, table.get(key), level, f"indicator {key}", problems)
    pin = table.get("buzzer_pin")
    yield from _output(INDICATOR, pin, False, "indicator buzzer_pin", problems)


def _output(
    kind: str, pin: Any, off_level: bool, part: str, problems: list[str]
) -> Iterator[Output]:
    if pin is None:
        return
    if isinstance(pin, str) and pin.isascii() and pin.isdigit():
        pin = int(pin[:4])  # a number in quotes: a mistake, and still plain what is meant
    try:
        parse_pin(pin)
    except ValueError as problem:
        problems.append(f"{part}: not switched off: its pin {problem}, not {str(pin)[:40]!r}")
        return
    yield Output(kind, pin, off_level, part)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
