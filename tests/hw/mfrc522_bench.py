"""A reader on an emulated chip, for the tests of the driver."""

from __future__ import annotations

from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from hw.mfrc522_reader import Mfrc522Reader
from hw.ports_reader import ReaderEvent
from hw.settings import ReaderSettings
from hw.tap_detector import EmptyField
from tests.emulators.mfrc522_chip import Mfrc522Chip, install_fake_spidev

RST = 24


class Bench:
    """A reader on an emulated chip; emulated time passes only while it is polled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.poll_s = 0.1
        self.monkeypatch = monkeypatch
        self.chip = Mfrc522Chip()
        self.factory = MockFactory()
        self.chip.wire_reset(self.factory.pin(RST))
        install_fake_spidev(monkeypatch, self.chip)
        self.readers: list[Mfrc522Reader] = []

    def reader(self, is_clear: bool = True, **settings: Any) -> Mfrc522Reader:
        """A reader that knows its field to be empty, unless ``is_clear`` is False."""
        settings = {"driver": "mfrc522", "reset_pin": RST, **settings}
        reader = Mfrc522Reader(
            ReaderSettings(**settings),
            lambda: self.chip.now_s,
            self.factory,
            sleep=self.chip.sleep,
        )
        for number in range(-20, 0 if is_clear else -20):
            assert reader._detector.observe(EmptyField(), number / 10) == []
        self.readers.append(reader)
        return reader

    def poll(self, times: int = 1) -> list[ReaderEvent]:
        """Poll the first reader in the rhythm of ``poll_s``."""
        if not self.readers:
            self.reader()
        events: list[ReaderEvent] = []
        for _ in range(times):
            self.chip.sleep(self.poll_s)
            events += self.readers[0].poll_once()
        return events

    def poll_for(self, seconds: float) -> list[ReaderEvent]:
        end_s = self.chip.now_s + seconds
        events: list[ReaderEvent] = []
        while self.chip.now_s < end_s:
            events += self.poll()
        return events

    def shut_down(self) -> None:
        for reader in self.readers:
            reader.shut_down()
        self.factory.close()
