"""The last day of the box: its chip of pins gets a name that no library knows."""

from __future__ import annotations

import pytest

from tests.vm.box import COIL, EMERGENCY_STOP, PLUG, Box

pytestmark = pytest.mark.vm


def test_a_board_that_no_library_knows(box: Box) -> None:
    """Chip and line are named in the place of a number of the header."""
    named = box.config
    for line in (COIL, PLUG, EMERGENCY_STOP):
        assert f"pin = {line}" in named
        named = named.replace(f"pin = {line}", f'pin = "gpiochip0:{line}"')
    box.guest.run("systemctl stop chargepoint-agent; systemctl stop pins")
    box.guest.run("sed -i s/pinctrl-bcm2711/some-other-chip/ /usr/local/sbin/pins")
    box.guest.run("systemctl start pins")
    box.configure(named)
    box.at_rest()
    count = len(box.bills())
    box.charge()
    box.end()
    box.until_billed(count + 1)
