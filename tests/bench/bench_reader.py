"""What looking for cards costs: the real mfrc522 package and our driver, on an emulated chip."""

from __future__ import annotations

import sys
import time

from gpiozero.pins.mock import MockFactory

from hw.mfrc522_reader import Mfrc522Reader
from hw.ports_reader import CardArrived
from hw.settings import ReaderSettings
from tests.emulators.mfrc522_chip import Card, Mfrc522Chip, install_fake_spidev

POLLS = 1000
POLL_S = 0.1
RESET_PIN = 24


class TimedChip(Mfrc522Chip):
    """Counts the processor time that the emulation itself takes."""

    own_s = 0.0
    sent_bytes = 0

    def transfer(self, sent: list[int]) -> list[int]:
        self.sent_bytes += len(sent)
        begun_s = time.thread_time()
        answer = super().transfer(sent)
        self.own_s += time.thread_time() - begun_s
        return answer


def run() -> list[tuple[str, str]]:
    """Poll an empty field, then read one card; emulated time passes, nobody sleeps."""
    chip, factory = TimedChip(), MockFactory()
    install_fake_spidev(sys.modules, chip)
    settings = ReaderSettings(driver="mfrc522", reset_pin=RESET_PIN)
    reader = Mfrc522Reader(settings, lambda: chip.now_s, factory, sleep=chip.sleep)
    try:
        return [*_empty_field(reader, chip), *_one_card(reader, chip)]
    finally:
        reader.shut_down()
        factory.close()


def _empty_field(reader: Mfrc522Reader, chip: TimedChip) -> list[tuple[str, str]]:
    reader.poll_once()  # opens the chip
    transfers, emulation_s, begun_s = chip.transfers, chip.own_s, time.thread_time()
    sent_bytes = chip.sent_bytes
    for _ in range(POLLS):
        chip.sleep(POLL_S)
        reader.poll_once()
    cpu_s = time.thread_time() - begun_s - (chip.own_s - emulation_s)
    per_poll_s = cpu_s / POLLS
    bytes_an_hour = (chip.sent_bytes - sent_bytes) / POLLS * 3600 / POLL_S
    return [
        ("SPI transfers per poll of an empty field", f"{(chip.transfers - transfers) / POLLS:.1f}"),
        ("processor time per poll, without the kernel's SPI", f"{per_poll_s * 1e6:.0f} us"),
        ("SPI bytes in an idle hour", f"{bytes_an_hour / 1e6:.2f} MB"),
        ("processor time in an idle hour", f"{per_poll_s * 3600 / POLL_S:.0f} s"),
        ("that is, ten times a second", f"{per_poll_s / POLL_S * 100:.2f} % of one core"),
    ]


def _one_card(reader: Mfrc522Reader, chip: TimedChip) -> list[tuple[str, str]]:
    chip.field.present(Card(bytes.fromhex("044943121F1A80")))
    transfers, begun_s = chip.transfers, chip.now_s
    assert any(isinstance(event, CardArrived) for event in reader.poll_once())
    return [
        ("SPI transfers to read a card of 7 bytes", f"{chip.transfers - transfers}"),
        ("emulated time to read it, at 1 MHz", f"{(chip.now_s - begun_s) * 1e3:.1f} ms"),
    ]


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
