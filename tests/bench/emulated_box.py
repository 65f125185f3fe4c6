"""An agent with its real drivers on emulated parts, in a process of its own: to be measured idle.

    python -m tests.bench.emulated_box CONFIG

Real: the mfrc522 package polled by its thread, gpiozero, pymodbus and pyserial. Emulated, in the
same process: the MFRC522 chip behind spidev, the wiring behind the pins.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from agent.app.daemon import serve, set_up_logging
from agent.config.config_file import read_config
from agent.runtime.clock import SystemClock
from hw.board import open_board
from tests.box_config import config_text
from tests.emulators.mfrc522_chip import Mfrc522Chip, install_fake_spidev
from tests.emulators.wired_box import CONTACTOR, LOCK, PLUG_CONTACT, RESET, WiredBox


def emulated_config(directory: Path, url: str, meter: str) -> str:
    """The text of a configuration with one connector, every driver a real one."""
    parts = {
        "contactor": CONTACTOR,
        "lock": LOCK,
        "plug": PLUG_CONTACT,
        "meter": {"driver": "modbus_sdm630", "port": meter},
    }
    reader = {"driver": "mfrc522", "poll_ms": 100, "reset_pin": RESET}
    return config_text(directory, url, [parts], reader=reader)


class ChipInRealTime(Mfrc522Chip):
    """Its timer runs while its caller sleeps."""

    @property
    def now_s(self) -> float:
        return time.monotonic()

    @now_s.setter
    def now_s(self, value: float) -> None:
        pass  # what the emulation adds for a transfer is in the real time already


def main() -> None:
    """Run until SIGTERM."""
    set_up_logging()
    install_fake_spidev(sys.modules, ChipInRealTime())
    settings, clock, wires = read_config(Path(sys.argv[1])), SystemClock(), WiredBox()
    board = open_board(settings.board, lambda: clock.now().monotonic_s, pin_factory=wires.factory)
    from agent.app.application import Application
    from agent.app.environment import Environment

    asyncio.run(serve(Application(settings, world=Environment(clock=clock, board=board))))


if __name__ == "__main__":
    main()
