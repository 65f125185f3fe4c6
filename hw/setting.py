"""One setting: a field of a dataclass with its documentation and its limits."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    is_pin: bool = False,
) -> Any:
    """A dataclass field that carries its own documentation and limits.

    ``low`` and ``high`` are inclusive. ``is_pin`` marks a pin, so that two devices on one pin are
    found; the limits are those of a number on the header (BCM counting). ``default`` is ``...`` for
    a setting that must be given.
    """
    metadata = {"help": help, "low": low, "high": high, "choices": choices, "is_pin": is_pin}
    if default is ...:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def pin_setting(default: int | None, help: str) -> Any:
    """The number of a pin, or its name (see ``agent.config``); None: there is none."""
    return setting(default, help, low=0, high=53, is_pin=True)
