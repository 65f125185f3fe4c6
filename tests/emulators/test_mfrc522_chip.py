"""The emulator against the unmodified package: it shows the quirks that real chips showed."""

import sys
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from hw.iso14443 import crc_a
from hw.rpi_gpio_shim import RpiGpioShim, import_with
from tests.emulators.mfrc522_chip import Card, Mfrc522Chip, install_fake_spidev

# The package's own MFRC522_ToCard, which the driver does not use, says ~ to truth values.
pytestmark = pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning:mfrc522")

SEVEN = bytes.fromhex("044943121F1A80")


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Mfrc522Chip:
    chip = Mfrc522Chip()
    install_fake_spidev(monkeypatch, chip)
    return chip


@pytest.fixture
def package(chip: Mfrc522Chip) -> Any:
    factory = MockFactory()
    gpio = RpiGpioShim(factory)
    gpio.setmode(RpiGpioShim.BCM)
    yield import_with(gpio, "mfrc522")
    gpio.cleanup()
    factory.close()


@pytest.mark.parametrize(
    ("uid", "number"), [("DEADBEEF", 956397711138), ("044943121F1A80", 584187462534)]
)
def test_the_stock_reader_sees_the_numbers_that_it_sees_on_real_chips(
    chip: Mfrc522Chip, package: Any, uid: str, number: int
) -> None:
    stock = package.SimpleMFRC522()
    chip.field.present(Card(bytes.fromhex(uid)))
    assert stock.read_id_no_block() == number


def test_the_stock_reader_finds_a_resting_card_only_every_second_time(
    chip: Mfrc522Chip, package: Any
) -> None:
    stock = package.SimpleMFRC522()
    chip.field.present(Card(bytes.fromhex("DEADBEEF")))
    seen = [stock.read_id_no_block() is not None for _ in range(4)]
    assert seen == [True, False, True, False]


def test_the_stock_reader_needs_two_thousand_transfers_for_an_empty_field(
    chip: Mfrc522Chip, package: Any
) -> None:
    stock = package.SimpleMFRC522()
    before = chip.transfers
    assert stock.read_id_no_block() is None
    assert chip.transfers - before == 2013


def test_the_stock_reader_reads_neither_of_two_cards(chip: Mfrc522Chip, package: Any) -> None:
    stock = package.SimpleMFRC522()
    chip.field.present(Card(bytes.fromhex("DEADBEEF")), Card(bytes.fromhex("DEADBEE0")))
    assert stock.read_id_no_block() is None


def test_the_chip_computes_the_checksum_that_cards_use(chip: Mfrc522Chip, package: Any) -> None:
    stock = package.MFRC522(pin_mode=11, pin_rst=25)
    body = bytes.fromhex("93708804494386")
    assert bytes(stock.CalulateCRC(list(body))) == crc_a(body) == b"\x5d\x6c"


def test_a_brown_out_silences_the_chip_until_it_is_initialised(
    chip: Mfrc522Chip, package: Any
) -> None:
    stock = package.SimpleMFRC522()
    chip.field.present(Card(SEVEN))
    chip.brown_out()
    assert stock.READER.Read_MFRC522(stock.READER.TxControlReg) == 0x80
    assert stock.read_id_no_block() is None
    stock.READER.MFRC522_Init()
    assert stock.read_id_no_block() is not None


def test_a_collision_reports_its_place_and_can_be_resolved(chip: Mfrc522Chip, package: Any) -> None:
    stock = package.MFRC522(pin_mode=11, pin_rst=25)
    chip.field.present(Card(b"\x01\x02\x03\x04"), Card(b"\x01\x02\x03\x14"))
    assert stock.MFRC522_Request(stock.PICC_REQIDL)[0] == stock.MI_OK
    assert stock.MFRC522_Anticoll()[0] == stock.MI_ERR
    assert stock.Read_MFRC522(stock.ErrorReg) & 0x08
    assert stock.Read_MFRC522(stock.CollReg) & 0x1F == 3 * 8 + 4 + 1
    # 28 known bits, then a 1: only the second card goes on answering.
    stock.Write_MFRC522(stock.BitFramingReg, 5 << 4 | 5)
    known = [0x93, 0x20 + 0x35, 0x01, 0x02, 0x03, 0x14]
    status, rest, _ = stock.MFRC522_ToCard(stock.PCD_TRANSCEIVE, known)
    assert status == stock.MI_OK
    assert [rest[0] >> 5, rest[1]] == [0x14 >> 5, 0x01 ^ 0x02 ^ 0x03 ^ 0x14]


def test_a_closed_or_unknown_device_fails_like_the_real_one(chip: Mfrc522Chip) -> None:
    device = sys.modules["spidev"].SpiDev()
    with pytest.raises(FileNotFoundError):
        device.open(1, 0)
    device.open(0, 0)
    assert device.xfer2([0x37 << 1 | 0x80, 0]) == [0, 0x92]
    device.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        device.xfer2([0, 0])
