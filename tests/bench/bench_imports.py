"""What importing costs, package by package: ``python -X importtime`` of what the daemon imports.

The flag itself makes everything slower, by about a third: what counts is who costs how much.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)")
_SHOWN = 8

ALWAYS = "agent.cli.main, agent.config, agent.app.daemon, agent.app.application"
WHEN_USED = {
    "sqlite_utils, when the database has a step to apply": "agent.store.schema_steps_later",
    "gpiozero, when a part has a pin": "hw.gpio, gpiozero",
    "pymodbus, when a meter is on Modbus": "hw.modbus_meter, pymodbus.client",
    "pyserial, when a reader or a meter is on a serial line": "hw.serial_reader, serial",
}


def run() -> list[tuple[str, str]]:
    """The packages that cost most at every start, then those that only some boxes need."""
    always = _self_times_us(ALWAYS)
    rows = [("imported at every start, all together", _ms(always.total()))]
    rows += [
        (f"imported at every start: {package}", _ms(spent_us))
        for package, spent_us in always.most_common(_SHOWN)
    ]
    for label, modules in WHEN_USED.items():
        both = _self_times_us(f"{ALWAYS}; import {modules}")
        added_us = sum(us for package, us in both.items() if package not in always)
        rows.append((f"imported only if needed: {label}", _ms(added_us)))
    return rows


def _self_times_us(modules: str) -> Counter[str]:
    """Microseconds of each package's own modules, without what they import in turn."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {modules}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    spent: Counter[str] = Counter()
    for own_us, module in _LINE.findall(done.stderr):
        spent[_package(module)] += int(own_us)
    return spent


def _package(module: str) -> str:
    top = module.partition(".")[0]
    return "the standard library" if top in sys.stdlib_module_names else top


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1e3:.0f} ms"


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
