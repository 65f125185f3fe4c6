"""An MFRC522 on the bench: the chip, cards in its field, and the ``spidev`` module in front of it.

Models the chip at the level of SPI bytes, so that the real ``mfrc522`` package runs on it. Sources:
NXP's data sheet MFRC522 (registers and their values after reset in chapter 9, commands in 10, the
SPI frame in 8.1.2), and ``MFRC522.h`` of github.com/miguelbalboa/rfid.
Levers: ``field.present``, ``field.remove_all``, ``at_exchange``, ``brown_out``, ``bus_stuck_at``.
Memory: ``transfers``, ``frames``, ``opened``, ``open_devices``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tests.emulators.iso14443_cards import Bits, Card, Field, to_bits, to_bytes

__all__ = ["Card", "Field", "Mfrc522Chip", "fake_spidev", "install_fake_spidev"]

CLOCK_HZ = 13_560_000
SPI_BYTE_S = 8e-6  # at 1 MHz
LOOK_S = 0.0005  # emulated time that passes at each look at ComIrqReg, as if the caller had slept

COMMAND, COM_IRQ, DIV_IRQ, ERROR, STATUS2 = 0x01, 0x04, 0x05, 0x06, 0x08
FIFO_DATA, FIFO_LEVEL, CONTROL, BIT_FRAMING, COLL = 0x09, 0x0A, 0x0C, 0x0D, 0x0E
MODE, TX_CONTROL, CRC_HIGH, CRC_LOW = 0x11, 0x14, 0x21, 0x22
T_MODE, T_PRESCALER, T_RELOAD_HIGH, T_RELOAD_LOW, VERSION = 0x2A, 0x2B, 0x2C, 0x2D, 0x37

IDLE, CALC_CRC, NO_CHANGE, TRANSCEIVE, SOFT_RESET = 0x0, 0x3, 0x7, 0xC, 0xF

AFTER_RESET = {
    0x01: 0x20, 0x02: 0x80, 0x04: 0x14, 0x07: 0x21, 0x0B: 0x08, 0x0C: 0x10, 0x0E: 0xA0,
    0x11: 0x3F, 0x14: 0x80, 0x16: 0x10, 0x17: 0x84, 0x18: 0x84, 0x19: 0x4D, 0x1C: 0x62,
    0x1F: 0xEB, 0x21: 0xFF, 0x22: 0xFF, 0x24: 0x26, 0x26: 0x48, 0x27: 0x88, 0x28: 0x20,
    0x29: 0x20, 0x33: 0x80, 0x36: 0x40,
}  # fmt: skip


class Mfrc522Chip:
    """The chip behind its SPI pins."""

    def __init__(self, version: int = 0x92) -> None:
        self.version = version
        self.field = Field()
        self.bus_stuck_at: int | None = None  # 0x00 or 0xFF: a dead bus
        self.open_error: OSError | None = None  # raised instead of opening /dev/spidev
        self.next_error = 0x00  # ErrorReg bits of the next exchange: 02 parity, 01 protocol
        self.is_hot = False
        self.is_deaf_until: str | None = None  # "soft", "rst", "reopen": what cures a hung chip
        self.transfers = 0
        self.opened = 0
        self.open_devices = 0
        self.frames: list[str] = []  # hex of each frame sent to the cards
        self.now_s = 0.0
        self._planned: dict[int, Callable[[], object]] = {}
        self._reset_pin: Any = None
        self._reset_states_seen = 0
        self.brown_out()

    # --- levers

    def at_exchange(self, count: int, action: Callable[[], object]) -> None:
        """Do ``action`` just before the ``count``-th exchange from now on (0 = the next)."""
        self._planned[len(self.frames) + count] = action

    def brown_out(self) -> None:
        """All registers fall back to their reset values; the field goes off."""
        self.registers = bytearray(64)
        for register, value in AFTER_RESET.items():
            self.registers[register] = value
        self.fifo = bytearray()
        self._timer_due_s: float | None = None
        self._looks_until_ready = 2
        for card in self.field.cards:
            card.power_up()

    def wire_reset(self, pin: Any) -> None:
        """Connect RST to a gpiozero ``MockPin``."""
        self._reset_pin = pin

    def sleep(self, seconds: float) -> None:
        """Let emulated time pass: to be given to a driver instead of ``time.sleep``."""
        self.now_s += seconds

    # --- SPI

    def transfer(self, sent: list[int]) -> list[int]:
        """One transfer, chip select low to high."""
        self.transfers += 1
        self.now_s += SPI_BYTE_S * len(sent)
        if not self._is_out_of_reset():
            return [0x00] * len(sent)
        if self.bus_stuck_at is not None:
            return [self.bus_stuck_at] * len(sent)
        register = sent[0] >> 1 & 0x3F
        if not sent[0] & 0x80:
            for value in sent[1:]:
                self._write(register, value)
            return [0x00] * len(sent)
        return [0x00, *(self._read(byte >> 1 & 0x3F) for byte in sent[:-1])]

    def was_opened(self) -> None:
        """The SPI device was opened."""
        self.opened += 1
        self.open_devices += 1
        if self.is_deaf_until == "reopen":
            self.is_deaf_until = None

    def _is_out_of_reset(self) -> bool:
        if self._reset_pin is None:
            return True
        states = [entry.state for entry in self._reset_pin.states]
        was_low = not all(states[self._reset_states_seen :])
        self._reset_states_seen = len(states)
        if was_low:
            self.brown_out()
            if self.is_deaf_until == "rst":
                self.is_deaf_until = None
        return bool(self._reset_pin.state)

    def _read(self, register: int) -> int:
        match register:
            case 0x01:
                return self._read_command()
            case 0x04:
                self.now_s += LOOK_S
                if self._timer_due_s is not None and self.now_s >= self._timer_due_s:
                    self._timer_due_s = None
                    self.registers[COM_IRQ] |= 0x01
                return self.registers[COM_IRQ]
            case 0x06:
                return self.registers[ERROR] | (0x40 if self.is_hot else 0x00)
            case 0x09:
                return self.fifo.pop(0) if self.fifo else 0
            case 0x0A:
                return len(self.fifo)
            case 0x37:
                return self.version
        return self.registers[register]

    def _read_command(self) -> int:
        if self._looks_until_ready > 0:
            self._looks_until_ready -= 1
            return self.registers[COMMAND] | 0x10
        return self.registers[COMMAND]

    def _write(self, register: int, value: int) -> None:
        match register:
            case 0x01:
                self._command(value)
            case 0x04 | 0x05:
                marked = value & 0x7F
                old = self.registers[register]
                self.registers[register] = old | marked if value & 0x80 else old & ~marked
            case 0x06 | 0x07 | 0x37 | 0x21 | 0x22:
                pass  # read only
            case 0x09:
                self._fill(value)
            case 0x0A:
                if value & 0x80:
                    self.fifo.clear()
                    self.registers[ERROR] &= ~0x10
            case 0x0D:
                self.registers[BIT_FRAMING] = value
                if value & 0x80 and self.registers[COMMAND] & 0x0F == TRANSCEIVE:
                    self._exchange()
            case 0x14:
                self.registers[TX_CONTROL] = value
                if value & 0x03 == 0:
                    for card in self.field.cards:
                        card.power_up()
            case _:
                self.registers[register] = value

    def _fill(self, value: int) -> None:
        if len(self.fifo) == 64:
            self.registers[ERROR] |= 0x10
        else:
            self.fifo.append(value)

    def _command(self, value: int) -> None:
        command = value & 0x0F
        if command == SOFT_RESET:
            self.brown_out()
            if self.is_deaf_until == "soft":
                self.is_deaf_until = None
            return
        if command != NO_CHANGE:
            self.registers[COMMAND] = value & 0x3F
        if command == CALC_CRC:
            self._calculate_crc()

    def _calculate_crc(self) -> None:
        crc = (0x0000, 0x6363, 0xA671, 0xFFFF)[self.registers[MODE] & 0x03]
        for byte in self.fifo:
            crc ^= byte
            for _ in range(8):
                crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
        self.fifo.clear()
        self.registers[CRC_HIGH], self.registers[CRC_LOW] = crc >> 8, crc & 0xFF
        self.registers[DIV_IRQ] |= 0x04

    # --- the air

    def _exchange(self) -> None:
        if action := self._planned.pop(len(self.frames), None):
            action()
        if self.is_deaf_until is not None:
            return  # the receiver hangs: neither an answer nor the timer
        frame, last_bits = bytes(self.fifo), self.registers[BIT_FRAMING] & 0x07
        self.fifo.clear()
        self.frames.append(frame.hex())
        bits = to_bits(frame)
        if last_bits:
            bits = bits[: len(bits) - 8 + last_bits]
        self.registers[ERROR] = 0x00
        self.registers[COM_IRQ] |= 0x40
        is_field_on = self.registers[TX_CONTROL] & 0x03 == 0x03
        self._start_timer()
        answers = self.field.hear(bits) if is_field_on else []
        if answers or self.next_error:
            self._receive(answers)

    def _start_timer(self) -> None:
        registers = self.registers
        if not registers[T_MODE] & 0x80:
            return
        prescaler = (registers[T_MODE] & 0x0F) << 8 | registers[T_PRESCALER]
        reload = registers[T_RELOAD_HIGH] << 8 | registers[T_RELOAD_LOW]
        self._timer_due_s = self.now_s + (2 * prescaler + 1) * (reload + 1) / CLOCK_HZ

    def _receive(self, answers: list[Bits]) -> None:
        self._timer_due_s = None
        align = self.registers[BIT_FRAMING] >> 4 & 0x07
        bits, collision = _merge(answers)
        self.registers[ERROR] |= self.next_error
        self.next_error = 0x00
        if collision is not None:
            self.registers[ERROR] |= 0x08
            self.registers[COLL] = self.registers[COLL] & 0x80 | (collision + align + 1) & 0x1F
            if not self.registers[COLL] & 0x80:
                bits = bits[:collision] + [0] * (len(bits) - collision)
        if self.registers[ERROR]:
            self.registers[COM_IRQ] |= 0x02
        bits = [0] * align + bits
        self.fifo[:] = to_bytes(bits)
        self.registers[CONTROL] = self.registers[CONTROL] & 0xF8 | len(bits) % 8
        self.registers[COM_IRQ] |= 0x20


def _merge(answers: list[Bits]) -> tuple[Bits, int | None]:
    """What the receiver makes of several answers, and where they collide first."""
    merged: Bits = []
    collision = None
    for place in range(max(map(len, answers), default=0)):
        heard = {answer[place] for answer in answers if place < len(answer)}
        if len(heard) > 1 and collision is None:
            collision = place
        merged.append(max(heard))
    return merged, collision


# --- spidev ---------------------------------------------------------------------------------


def fake_spidev(chip: Mfrc522Chip, bus: int = 0, device: int = 0) -> ModuleType:
    """A module like ``spidev`` with ``chip`` on one chip select and nothing on the others."""

    class SpiDev:
        max_speed_hz = 500_000
        mode = 0
        bits_per_word = 8
        is_open = False

        def open(self, wanted_bus: int, wanted_device: int) -> None:
            if (wanted_bus, wanted_device) != (bus, device):
                raise FileNotFoundError(2, "No such file or directory")
            if chip.open_error is not None:
                raise chip.open_error
            self.is_open = True
            chip.was_opened()

        def xfer2(self, sent: list[int]) -> list[int]:
            if not self.is_open:
                raise OSError(9, "Bad file descriptor")
            return chip.transfer(sent)

        xfer = xfer2

        def close(self) -> None:
            chip.open_devices -= self.is_open
            self.is_open = False

    module = ModuleType("spidev")
    module.SpiDev = SpiDev  # type: ignore[attr-defined]
    return module


def install_fake_spidev(where: Any, chip: Mfrc522Chip, bus: int = 0, device: int = 0) -> None:
    """Make ``import spidev`` find ``chip``. ``where``: pytest's monkeypatch, or ``sys.modules``."""
    module = fake_spidev(chip, bus, device)
    if hasattr(where, "setitem"):
        where.setitem(sys.modules, "spidev", module)
    else:
        where["spidev"] = module
