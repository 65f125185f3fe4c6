"""Opens every output of the box and nothing else: before the agent starts, after it died.

Needs no reader, no meter, no clock. The pins stay driven at their off level afterwards where the
kernel keeps the levels of released lines; elsewhere they become inputs, and the pull-down at the
driver decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hw.ports import BoardError
from hw.settings import BoardSettings, ConnectorSettings


@dataclass(frozen=True, slots=True)
class _Output:
    part: str
    pin: int
    off_level: bool


def open_outputs(settings: BoardSettings, pin_factory: Any = None) -> list[str]:
    """Drive every contactor coil, then every lock driver, to its off level.

    Keeps going whatever fails. Returns the problems as sentences; an empty list means that every
    output is off. Without ``pin_factory`` the board's own is opened, if a pin is named at all.
    """
    # Contactors first: a solenoid lock must not let go of a live plug.
    outputs = [*_coils(settings), *_lock_drivers(settings)]
    if not outputs:
        return []
    if pin_factory is None:
        from hw.gpio import open_pin_factory

        try:
            pin_factory = open_pin_factory()
        except BoardError as error:
            return [f"No output was switched off. {error}"]
    problems = (_switch_off(output, pin_factory) for output in outputs)
    return [problem for problem in problems if problem is not None]


def _switch_off(output: _Output, pin_factory: Any) -> str | None:
    # The bare pin, not a device: closing a device would turn the pin into an input again.
    try:
        pin_factory.pin(output.pin).output_with_state(output.off_level)
    except Exception as error:  # noqa: BLE001 - the other outputs must go off all the same
        return f"{output.part}, pin {output.pin}: not switched off: {error}"
    return None


def _coils(settings: BoardSettings) -> Iterator[_Output]:
    for connector in settings.connectors:
        contactor = connector.contactor
        if contactor.driver == "gpio" and contactor.pin is not None:
            part = f"connector {connector.id} contactor"
            yield _Output(part, contactor.pin, off_level=not contactor.active_high)


def _lock_drivers(settings: BoardSettings) -> Iterator[_Output]:
    for connector in settings.connectors:
        for pin in _lock_pins(connector):
            if pin is not None:
                yield _Output(f"connector {connector.id} lock", pin, off_level=False)


def _lock_pins(connector: ConnectorSettings) -> tuple[int | None, ...]:
    lock = connector.lock
    return {"solenoid": (lock.pin,), "motor": (lock.lock_pin, lock.unlock_pin)}.get(lock.driver, ())
