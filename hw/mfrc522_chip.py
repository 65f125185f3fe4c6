"""The MFRC522 chip: the ``mfrc522`` package with a right exchange, a right start and a check.

Section numbers in comments are those of the NXP data sheet MFRC522 rev. 3.9, chapters 8 and 9.
The package's own ``MFRC522_ToCard`` looks at the chip two thousand times when no card is there,
because it ignores the chip's timer; its start waits for nothing; it knows one cascade level.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hw.iso14443 import CardAnswer, CardFrame, ExchangeResult
from hw.ports import BoardError, HardwareError
from hw.rpi_gpio_shim import RpiGpioShim, import_with
from hw.settings import ReaderSettings

logger = logging.getLogger(__name__)

MI_COLLISION = 3  # beside the package's MI_OK 0, MI_NOTAGERR 1 (no answer), MI_ERR 2

LOOK_S = 0.001  # between two looks at ComIrqReg
# A card answers 0.1 ms after the frame (ISO 14443-3, 6.2.1), the chip's timer speaks after 5 ms. So
# one early look for the answer, one late look for the silence: an empty field costs two, not six.
SILENCE_S = 0.0045
LOOKS = 40  # a chip still silent after 40 looks is dead
READY_LOOKS = 50  # oscillator start after a reset (8.8): generous
FIELD_ON_S = 0.005  # cards need up to 5 ms of field before they listen (ISO 14443-3)
RESET_LOW_S = 0.01
RESET_WAKE_S = 0.05
FIFO_BYTES = 64

IRQ_SET1 = 0x80  # write only, reads 0: a 1 means that the bus is stuck high
IRQ_RECEIVED_OR_IDLE = 0x30
IRQ_TIMER = 0x01
ERROR_COLLISION = 0x08
ERROR_ANSWER = 0x13  # buffer overflow, parity, protocol
ERROR_HOT = 0x40

KNOWN_VERSIONS = (0x91, 0x92)  # NXP v1.0 and v2.0; clones say 0x88, 0x12 and others, and work
ABSENT_VERSIONS = (0x00, 0xFF)

GAIN_BITS = {18: 0x00, 23: 0x10, 33: 0x40, 38: 0x50, 43: 0x60, 48: 0x70}  # RFCfgReg 6..4


class ChipFailure(HardwareError):
    """The chip does not answer, or not as it should; the text is a sentence for a person."""


def gain_bits(gain_db: int) -> int:
    """RFCfgReg bits of the highest receiver gain the chip offers up to ``gain_db``."""
    return GAIN_BITS[max((step for step in GAIN_BITS if step <= gain_db), default=18)]


class Chip:
    """What the driver needs; stands before the package's class in the method order.

    Every method raises ChipFailure or OSError.
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...  # registers and methods of the package

    # From the factory below:
    _settings: ReaderSettings
    _gpio: RpiGpioShim
    _sleep: Callable[[float], None]
    _version: int | None = None

    def exchange(self, frame: CardFrame) -> CardAnswer:
        """Send one frame to the cards and return what came back."""
        self.Write_MFRC522(self.BitFramingReg, frame.last_bits)
        status, payload, bits = self.MFRC522_ToCard(self.PCD_TRANSCEIVE, list(frame.payload))
        outcome = {
            self.MI_OK: ExchangeResult.ANSWERED,
            self.MI_NOTAGERR: ExchangeResult.SILENT,
            MI_COLLISION: ExchangeResult.COLLIDED,
        }.get(status, ExchangeResult.GARBLED)
        return CardAnswer(outcome, bytes(payload), bits)

    def MFRC522_ToCard(self, command: int, sendData: list[int]) -> tuple[int, list[int], int]:
        """Override: (status, bytes, bits), with silence and collision told apart from errors."""
        if command != self.PCD_TRANSCEIVE:
            raise ValueError(f"command 0x{command:02X}: only Transceive is used")
        self.Write_MFRC522(self.CommandReg, self.PCD_IDLE)
        self.Write_MFRC522(self.CommIrqReg, 0x7F)  # clears all (9.3.1.5)
        self.Write_MFRC522(self.FIFOLevelReg, 0x80)
        self.spi.xfer2([(self.FIFODataReg << 1) & 0x7E, *sendData])
        self.Write_MFRC522(self.CommandReg, command)
        self.SetBitMask(self.BitFramingReg, 0x80)  # StartSend
        was_answered = self._wait_for_answer()
        self.ClearBitMask(self.BitFramingReg, 0x80)
        if not was_answered:
            return self.MI_NOTAGERR, [], 0
        error = self.Read_MFRC522(self.ErrorReg)
        if error & ERROR_COLLISION:
            return MI_COLLISION, [], 0
        if error & ERROR_ANSWER:
            return self.MI_ERR, [], 0
        return self.MI_OK, *self._received()

    def _wait_for_answer(self) -> bool:
        """True: something was received. False: the chip's timer ran out, no card is there."""
        for pause_s in (LOOK_S, SILENCE_S, *[LOOK_S] * (LOOKS - 2)):
            self._sleep(pause_s)
            irq = self.Read_MFRC522(self.CommIrqReg)
            if irq & IRQ_SET1:
                raise ChipFailure(f"The card reader's SPI bus is stuck high. {self._what_to_check}")
            if irq & IRQ_RECEIVED_OR_IDLE:
                return True
            if irq & IRQ_TIMER:
                return False
        raise ChipFailure(f"The card reader's chip no longer reacts. {self._what_to_check}")

    def _received(self) -> tuple[list[int], int]:
        count = min(self.Read_MFRC522(self.FIFOLevelReg) & 0x7F, FIFO_BYTES)
        if count == 0:
            return [], 0
        last_bits = self.Read_MFRC522(self.ControlReg) & 0x07
        address = ((self.FIFODataReg << 1) & 0x7E) | 0x80
        payload = self.spi.xfer2([address] * count + [0])[1:]  # each byte comes one later (8.1.2.1)
        return payload, count * 8 - (8 - last_bits if last_bits else 0)

    def MFRC522_Init(self) -> None:
        """Override: the package's constructor calls it last, just after it released RST."""
        self._sleep(RESET_WAKE_S)
        self.start_up()

    def start_up(self) -> None:
        """Soft reset, registers, field on, all verified."""
        self._wait_until_ready()
        self.MFRC522_Reset()
        self._wait_until_ready()
        self._learn_version()
        for register, value, _ in self._wanted_registers():
            self.Write_MFRC522(register, value)
        self.AntennaOn()
        self._sleep(FIELD_ON_S)
        self.check_registers()

    def _wanted_registers(self) -> tuple[tuple[int, int, int], ...]:
        """(register, value, mask of the bits that are defined and must read back)."""
        return (
            (self.TxModeReg, 0x00, 0xF8),
            (self.RxModeReg, 0x00, 0xFC),
            (self.ModWidthReg, 0x26, 0xFF),
            # 169 x 2 + 1 clocks of 13.56 MHz = 25 us a tick, 201 ticks = 5 ms (8.5)
            (self.TModeReg, 0x80, 0xFF),  # TAuto: the timer starts when the frame is out
            (self.TPrescalerReg, 0xA9, 0xFF),
            (self.TReloadRegH, 0x00, 0xFF),
            (self.TReloadRegL, 0xC8, 0xFF),
            (self.TxAutoReg, 0x40, 0x40),  # the data sheet's TxASKReg: 100 % modulation
            (self.ModeReg, 0x3D, 0xAB),
            (self.RFCfgReg, gain_bits(self._settings.antenna_gain_db) | 0x08, 0x70),
        )

    def check_registers(self) -> None:
        """Raise ChipFailure when the chip has lost what ``start_up`` wrote."""
        version = self._read_version()
        if version != self._version:
            raise ChipFailure(f"The card reader's chip changed its version to {version:02X}.")
        if self.Read_MFRC522(self.CommandReg) & 0x10:
            raise ChipFailure("The card reader's chip has switched itself off.")
        if self.Read_MFRC522(self.ErrorReg) & ERROR_HOT:
            raise ChipFailure("The card reader's chip is too hot and has switched off its field.")
        if self.Read_MFRC522(self.TxControlReg) & 0x03 != 0x03:
            raise ChipFailure(f"The card reader has lost its field. {self._what_to_check}")
        if self.Read_MFRC522(self.Status2Reg) & 0x08:
            raise ChipFailure("The card reader's chip is left in encrypted mode.")
        for register, value, mask in self._wanted_registers():
            found = self.Read_MFRC522(register)
            if (found ^ value) & mask:
                raise ChipFailure(
                    f"The card reader's chip has lost its settings (register 0x{register:02X} "
                    f"holds 0x{found:02X}, not 0x{value:02X}). {self._what_to_check}"
                )

    def _read_version(self) -> int:
        version: int = self.Read_MFRC522(self.VersionReg)
        if version in ABSENT_VERSIONS:
            raise ChipFailure(
                f"The card reader's chip does not answer (version {version:02X}). "
                f"{self._what_to_check}"
            )
        return version

    def _learn_version(self) -> None:
        """Unknown versions are clones; most of them work, so none is refused."""
        version = self._read_version()
        if version == self._version:
            return
        known = "" if version in KNOWN_VERSIONS else ", not one of NXP's: a clone, used as it is"
        logger.info("Card reader: chip version 0x%02X%s", version, known)
        self._version = version

    def _wait_until_ready(self) -> None:
        """Wait while CommandReg says that the oscillator starts; a dead bus is found later."""
        for _ in range(READY_LOOKS):
            if not self.Read_MFRC522(self.CommandReg) & 0x10:
                return
            self._sleep(LOOK_S)

    def pulse_reset(self) -> None:
        """Pull RST low for 10 ms: every register falls back."""
        self._gpio.output(self._settings.reset_pin, 0)
        self._sleep(RESET_LOW_S)
        self._gpio.output(self._settings.reset_pin, 1)
        self._sleep(RESET_WAKE_S)

    @property
    def _what_to_check(self) -> str:
        return (
            "Check its 3.3 V supply, the wiring of SDA, SCK, MOSI, MISO and RST "
            f"(BCM {self._settings.reset_pin}), and dtparam=spi=on."
        )

    def close(self) -> None:
        """Close the SPI device; leaves every pin alone. Safe to repeat, never raises."""
        spi = getattr(self, "spi", None)
        if spi is None:
            return
        try:
            spi.close()
        except OSError as problem:
            logger.debug("Card reader: closing the SPI device failed: %s", problem)


def load_package(gpio: RpiGpioShim) -> Any:
    """Import the package's class; BoardError says what to install when something is missing."""
    try:
        return import_with(gpio, "mfrc522").MFRC522
    except ImportError as cause:
        raise BoardError(_missing(cause)) from cause


def _missing(cause: ImportError) -> str:
    install = {
        "mfrc522": "pip install --no-deps mfrc522",
        "spidev": "apt install python3-spidev (and a virtual environment made with "
        "--system-site-packages)",
    }.get((cause.name or "").split(".")[0])
    if install is None:
        return f'reader.driver = "mfrc522": the mfrc522 package cannot be imported: {cause}'
    return f'reader.driver = "mfrc522" needs the package {cause.name}; install it: {install}'


def open_chip(
    package_class: Any,
    settings: ReaderSettings,
    gpio: RpiGpioShim,
    sleep: Callable[[float], None],
) -> Chip:
    """Open the SPI device and start the chip; raises ChipFailure or OSError, and leaks nothing."""
    chip_class: Any = type(
        "Mfrc522Chip",
        (Chip, package_class),
        {"_settings": settings, "_gpio": gpio, "_sleep": staticmethod(sleep)},
    )
    package_logger = logging.getLogger("mfrc522Logger")
    handlers_before = list(package_logger.handlers)
    chip: Any = chip_class.__new__(chip_class)
    try:
        chip.__init__(
            bus=settings.spi_bus,
            device=settings.spi_device,
            spd=settings.spi_hz,
            pin_mode=gpio.BCM,
            pin_rst=settings.reset_pin,
        )
    except BaseException:
        chip.close()
        raise
    finally:
        # The package adds a handler at every construction, on top of normal logging.
        for handler in set(package_logger.handlers) - set(handlers_before):
            package_logger.removeHandler(handler)
    opened: Chip = chip
    return opened
