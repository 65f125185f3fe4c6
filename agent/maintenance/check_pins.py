"""The pins: are they there, as the service will open them; what opens a contactor without it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.config.pins import pin_uses
from agent.config.settings import Settings
from agent.maintenance.agent_user import User
from agent.maintenance.findings import Finding, failed, noted, passed
from hw.lines import Chips, LineError, Pin, parse_pin

SETTING = "parameters/persist_gpio_outputs"
# Drivers of the header's chip: Raspberry Pi 0 to 4, and 5.
DRIVERS = ("pinctrl_bcm2835", "pinctrl_rp1")


def lines_of(settings: Settings) -> list[Pin]:
    """The pins that the service opens as lines; those of SPI belong to the kernel."""
    return [use.pin for use in pin_uses(settings) if not use.role]


def look_at_pins(
    pins: Iterable[Pin], user: User, chips: Chips, dev: Path = Path("/dev")
) -> Iterator[Finding]:
    """Is each line there, and may the agent use its chip? Nothing is driven, nothing is held.

    Raises PermissionError where who asks may not look.
    """
    needed: dict[str, list[int]] = {}
    for pin in pins:
        chip, number = parse_pin(pin)
        needed.setdefault(chip, []).append(number)
    names = chips.names()
    hidden = [name for name in names if not os.access(dev / name, os.R_OK | os.W_OK)]
    if hidden:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(dev / hidden[0]))
    for chip, numbers in sorted(needed.items()):
        try:
            name = chip or chips.header()
            count = chips.lines(name)
        except LineError as problem:
            yield failed("devices", f"pins: {problem}", "is this a board with pins? gpioinfo")
            continue
        beyond = [number for number in numbers if number >= count]
        if beyond:
            words = f"pins: {name} has {count} lines, there is no line {beyond[0]}"
            yield failed("devices", words, "gpioinfo shows the lines of every chip")
        elif user.may_read(dev / name) and user.may_write(dev / name):
            yield passed("devices", f"pins: {dev / name}")
        else:
            words = f"pins: the user {user.name} may not use {dev / name}"
            yield failed("devices", words, f"put {user.name} into the group of {dev / name}")


def look_at_frozen_outputs(
    settings: Settings, modules: Path = Path("/sys/module")
) -> Iterator[Finding]:
    """Would a contactor open without the agent? Nothing to say where no real one is configured."""
    real = [one for one in settings.connectors if one.contactor.driver == "gpio"]
    for connector in real:
        if connector.contactor.heartbeat_pin is None:
            words = (
                f"connector {connector.id} has no heartbeat output: a process that is frozen keeps "
                "energy on until systemd has killed it, 5 s or more"
            )
            yield noted("frozen", words, "fit one: docs/wiring.md, The coils of the contactors")
        else:
            pin = connector.contactor.heartbeat_pin
            yield passed("frozen", f"connector {connector.id} has a heartbeat output, pin {pin}")
    if real:
        yield _kernel_setting(modules)


def _kernel_setting(modules: Path) -> Finding:
    for driver in DRIVERS:
        try:
            value = (modules / driver / SETTING).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if value == "N":
            return passed("frozen", "the kernel lets go of outputs when a process dies")
        words = "the kernel keeps an output on when the process that drove it is killed"
        return noted("frozen", words, "dtparam=strict_gpiod in config.txt, then reboot")
    words = "this kernel does not say whether it keeps an output on when its process is killed"
    return noted("frozen", words, "try it: docs/wiring.md, Before the first car, step 5")
