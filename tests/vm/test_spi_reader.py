"""A card reader behind the kernel's own ``/dev/spidev0.0``: an emulated chip, a real driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.vm.box import CARDS, EMERGENCY_STOP, SERIAL_READER, SPI_READER, Box

pytestmark = pytest.mark.vm

DRIVER = "/sys/bus/spi/drivers/spidev"


@pytest.fixture(scope="module")
def spi_box(box: Box) -> Iterator[Box]:
    """The box with its reader on the SPI bus."""
    box.lay()
    box.configure(box.config.replace(SERIAL_READER, SPI_READER))
    box.at_rest()
    yield box
    box.lay()
    box.configure(box.config)
    box.at_rest()


def _charge(box: Box, card: str) -> None:
    box.plug_in()
    box.lay(card)
    box.until_energised(True)


@pytest.mark.parametrize(
    "card", [CARDS[0], pytest.param(CARDS[1], marks=pytest.mark.vm_short), CARDS[2]]
)
def test_a_card_in_the_field_starts_and_ends_a_session(card: str, spi_box: Box) -> None:
    box = spi_box
    count = len(box.bills())
    _charge(box, card)
    box.take_away()
    box.lay(card)
    box.until_energised(False)
    bill = box.until_billed(count + 1)
    assert bill.start["idTag"] == card
    box.lay()
    box.end()


def test_two_cards_at_once_are_none(spi_box: Box) -> None:
    box = spi_box
    box.plug_in()
    box.lay(CARDS[0], CARDS[1])
    box.until_said("card not taken: more than one card")
    assert not box.is_energised()
    box.lay()
    box.end()


@pytest.mark.vm_short
def test_a_reader_that_is_unbound_and_bound(spi_box: Box) -> None:
    box = spi_box
    count, reports = len(box.bills()), box.reports()
    _charge(box, CARDS[0])
    box.guest.run(f"echo spi0.0 > {DRIVER}/unbind; test ! -e /dev/spidev0.0")
    box.until_reported("ReaderFailure", since=reports)
    assert box.is_energised()
    box.lay()
    box.guest.run(f"echo spi0.0 > {DRIVER}/bind")
    box.until_status("Charging")  # and no part is out of order
    box.take_away()
    box.lay(CARDS[0])
    box.until_energised(False)
    box.until_billed(count + 1)
    box.lay()
    box.end()


def test_a_chip_without_power_and_with_it_again(spi_box: Box) -> None:
    box = spi_box
    reports = box.reports()
    box.guest.run("systemctl stop card-chip")  # every byte from the bus is zero
    box.until_reported("ReaderFailure", since=reports)
    box.guest.run("systemctl start card-chip")
    box.at_rest()


def test_a_card_that_lies_there_at_boot_begins_nothing(spi_box: Box) -> None:
    box = spi_box
    count = len(box.bills())
    box.plug_in()
    box.lay(CARDS[0])
    box.until_energised(True)
    box.power_cut()
    box.guest.boot()
    box.until_said("card not taken: a card lay on the reader")
    box.wire(EMERGENCY_STOP, is_closed=True)
    box.plug_in()
    box.until_status("Preparing")  # and no part is out of order
    assert not box.is_energised()
    box.until_billed(count + 1)
    box.take_away()
    box.lay(CARDS[0])  # shown again, it counts
    box.until_energised(True)
    box.lay()
    box.end()
    box.until_billed(count + 2)
