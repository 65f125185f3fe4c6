"""A box on real devices of a kernel: cards, energy, and everything that must end it.

The tests follow each other on one box, in the order of this file.
"""

from __future__ import annotations

import pytest

from tests.vm.conftest import CONFIG, CONFIG_FILE, EMERGENCY_STOP, PLUG, SERVICE, Box

pytestmark = pytest.mark.vm

CARDS = ("04A2B3C4", "044943121F1A80", "04112233445566778899")  # 4, 7 and 10 bytes


def _charge(box: Box, card: str = CARDS[0]) -> None:
    box.wire(PLUG, is_closed=True)
    box.tap(card)
    box.until_energised(True)


def _end(box: Box) -> None:
    box.wire(PLUG, is_closed=False)
    box.until_energised(False)
    box.until_status("Available")


def test_the_service_comes_up_with_safe_outputs(box: Box) -> None:
    box.guest.until(f"systemctl is-active {SERVICE}", "the service is up")
    assert not box.is_energised()
    said = box.journal()
    assert said.index("every output is open") < said.index("outputs are safe")
    box.at_rest()


def test_a_card_of_any_length_starts_and_ends_a_session(box: Box) -> None:
    for card in CARDS:
        box.guest.run(f"{SERVICE} list add {card}")
        _charge(box, card)
        box.tap(card)
        box.until_energised(False)
        _end(box)


def test_a_card_that_is_not_listed_gets_nothing(box: Box) -> None:
    box.wire(PLUG, is_closed=True)
    box.tap("04DEADBEEF0102")
    box.guest.until(f"{SERVICE} why | grep -q refused", "it is refused")
    assert not box.is_energised()
    _end(box)


def test_the_emergency_stop_opens(box: Box) -> None:
    _charge(box)
    box.wire(EMERGENCY_STOP, is_closed=False)
    box.until_energised(False)
    box.wire(EMERGENCY_STOP, is_closed=True)
    _end(box)


def test_a_reader_that_is_pulled_and_put_back(box: Box) -> None:
    box.pull_reader()
    box.guest.until(f"{SERVICE} status | grep -qi reader", "the missing reader is reported")
    box.plug_in_reader()
    box.until_status("Available")
    _charge(box)
    _end(box)


@pytest.mark.parametrize("keeps", ["Y", "N"], ids=["kernel_keeps_lines", "kernel_frees_lines"])
def test_a_process_that_is_killed_leaves_no_energy(keeps: str, box: Box) -> None:
    box.guest.run(f"echo {keeps} > /sys/module/gpio_sim/parameters/persist")
    _charge(box)
    box.kill()
    box.until_energised(False)
    box.guest.until(f"{SERVICE} status", "the next process answers")
    box.at_rest()


def test_a_mistake_saved_while_a_car_charges(box: Box) -> None:
    """The kernel keeps the line, the file is broken, and the service stops for good."""
    box.guest.run("echo Y > /sys/module/gpio_sim/parameters/persist")
    _charge(box)
    box.guest.write(CONFIG_FILE, CONFIG.replace("[reader]", "[reader"))
    box.kill()
    box.until_energised(False)
    box.guest.until(f"systemctl is-failed {SERVICE}", "the service stops for good")
    assert not box.is_energised()
    box.guest.write(CONFIG_FILE, CONFIG)
    box.guest.run(f"systemctl restart {SERVICE}")
    box.at_rest()


def test_another_pin_in_the_file_does_not_hide_the_one_that_is_driven(box: Box) -> None:
    _charge(box)
    box.guest.write(CONFIG_FILE, CONFIG.replace("pin = 17", "pin = 18"))
    box.kill()
    box.until_energised(False)
    box.guest.write(CONFIG_FILE, CONFIG)
    box.guest.run(f"systemctl restart {SERVICE}")
    box.at_rest()


def test_a_power_cut_in_a_session(box: Box) -> None:
    """The session is on the bill once, and neither it nor a card from before begins anything."""
    _charge(box)
    before = box.messages_waiting()
    box.power_cut()
    box.plug_in_reader()
    box.tap(CARDS[0])  # printed while nothing listens
    box.at_rest()
    assert not box.is_energised()
    assert box.messages_waiting() > before  # its StopTransaction


def test_a_board_that_no_library_knows(box: Box) -> None:
    """Chip and line are named in the place of a number of the header."""
    named = CONFIG.replace("pin = 17", 'pin = "gpiochip0:17"')
    named = named.replace(f"pin = {PLUG},", f'pin = "gpiochip0:{PLUG}",')
    named = named.replace(f"pin = {EMERGENCY_STOP} ", f'pin = "gpiochip0:{EMERGENCY_STOP}" ')
    box.guest.run(f"systemctl stop {SERVICE}; systemctl stop pins")
    box.guest.run("sed -i s/pinctrl-bcm2711/some-other-chip/ /usr/local/sbin/pins")
    box.guest.write(CONFIG_FILE, named)
    box.guest.run("systemctl restart pins")
    box.guest.run(f"systemctl restart {SERVICE}")
    box.at_rest()
    _charge(box)
    _end(box)
