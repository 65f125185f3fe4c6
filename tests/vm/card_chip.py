"""The chip of a card reader behind the kernel's ``/dev/spidev0.0``; runs in the guest.

It answers what ``spi_bus.c`` hands over. The cards in its field are in a file, one number in hex
digits a line.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.emulators.mfrc522_chip import Card, Mfrc522Chip

CARDS = Path("/var/lib/card-chip/cards")  # a card lies there with and without power
LONGEST_TRANSFER = 4096


def play(bus: int) -> None:
    """Answer each transfer. Time is real: the driver waits for the chip's timer."""
    chip = Mfrc522Chip()
    laid = None
    while True:
        sent = os.read(bus, LONGEST_TRANSFER)
        chip.now_s = time.monotonic()
        status = CARDS.stat()
        if laid != (laid := (status.st_ino, status.st_mtime_ns)):
            chip.field.remove_all()
            chip.field.present(*(Card(bytes.fromhex(uid)) for uid in CARDS.read_text().split()))
        os.write(bus, bytes(chip.transfer(list(sent))))


if __name__ == "__main__":
    CARDS.parent.mkdir(exist_ok=True)
    CARDS.touch()
    play(os.open("/dev/spi-chip", os.O_RDWR))
