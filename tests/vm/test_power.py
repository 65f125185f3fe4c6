"""The end and the return of power, in order and not, with a network and without."""

from __future__ import annotations

import pytest

from tests.vm.box import CARDS, Box

pytestmark = pytest.mark.vm


def test_an_orderly_reboot_ends_and_bills_the_session_before(box: Box) -> None:
    count = len(box.bills())
    box.charge()
    box.pull_reader()  # what is on the bus while nothing listens would be lost
    box.guest.shut_down()
    bill = box.bills()[-1]
    assert bill.stop is not None, "the session was not billed before the end"
    assert bill.stop["reason"] == "Reboot"
    box.guest.boot()
    assert not box.is_energised()
    box.at_rest()
    box.until_billed(count + 1)


def test_a_power_cut_in_a_session(box: Box) -> None:
    """The session is billed once, and neither it nor a card from before begins anything."""
    count = len(box.bills())
    begin_wh = box.register_wh
    box.charge()
    end_wh = box.flow()
    box.power_cut()
    box.guest.boot()
    assert not box.is_energised()
    bill = box.until_billed(count + 1)
    assert bill.stop is not None
    assert bill.start["meterStart"] == begin_wh
    assert bill.stop["meterStop"] == end_wh
    assert bill.stop["reason"] == "PowerLoss"
    box.at_rest()
    assert not box.is_energised()
    assert len(box.bills()) == count + 1


def test_a_network_that_is_not_there_at_boot(box: Box) -> None:
    """The box comes up, listed cards charge, and the bill follows when the cable is in."""
    count = len(box.bills())
    box.power_cut()
    box.guest.boot(is_cable_in=False)
    box.at_rest()
    box.charge(CARDS[1])
    box.tap(CARDS[1])
    box.until_energised(False)
    assert len(box.bills()) == count
    box.guest.cable(True)
    bill = box.until_billed(count + 1)
    assert bill.start["idTag"] == CARDS[1]
    box.end()
