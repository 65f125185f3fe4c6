"""What opens a contactor when the process is frozen or dead: its heartbeat, and the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.doctor.findings import Finding, noted, passed
from agent.settings import Settings

SETTING = "parameters/persist_gpio_outputs"
# Drivers of the header's chip: Raspberry Pi 0 to 4, and 5.
DRIVERS = ("pinctrl_bcm2835", "pinctrl_rp1")


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
