"""The process is killed in a session, on a kernel that frees lines and on one that keeps them."""

from __future__ import annotations

import pytest

from tests.vm.box import CONFIG_FILE, SERVICE, Box

pytestmark = pytest.mark.vm

KEEPS = "/sys/module/gpio_sim/parameters/persist"


@pytest.mark.parametrize(
    "keeps",
    [
        pytest.param("Y", id="kernel_keeps_lines", marks=pytest.mark.vm_short),
        pytest.param("N", id="kernel_frees_lines"),
    ],
)
def test_a_process_that_is_killed_leaves_no_energy(keeps: str, box: Box) -> None:
    box.guest.run(f"echo {keeps} > {KEEPS}")
    count = len(box.bills())
    box.charge()
    box.kill()
    box.until_energised(False)
    box.guest.until(f"{SERVICE} status", "the next process answers")
    box.at_rest()
    bill = box.until_billed(count + 1)
    assert bill.stop is not None
    assert bill.stop["reason"] == "Reboot"


def test_a_mistake_saved_while_a_car_charges(box: Box) -> None:
    """The kernel keeps the line, the file is broken, and the service stops for good."""
    box.guest.run(f"echo Y > {KEEPS}")
    count = len(box.bills())
    box.charge()
    box.guest.write(CONFIG_FILE, box.config.replace("[reader]", "[reader"))
    box.kill()
    box.until_energised(False)
    box.guest.until(f"systemctl is-failed {SERVICE}", "the service stops for good")
    assert not box.is_energised()
    box.configure(box.config)
    box.at_rest()
    box.until_billed(count + 1)


def test_another_pin_in_the_file_does_not_hide_the_one_that_is_driven(box: Box) -> None:
    box.charge()
    box.guest.write(CONFIG_FILE, box.config.replace("pin = 17", "pin = 18"))
    box.kill()
    box.until_energised(False)
    box.configure(box.config)
    box.at_rest()
