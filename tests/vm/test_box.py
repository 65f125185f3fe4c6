"""A box on real devices of a kernel: cards, energy, and what must end it.

The tests of this folder follow each other on one box, in the order of their files.
"""

from __future__ import annotations

import pytest

from tests.vm.box import (
    CARDS,
    EMERGENCY_STOP,
    LINE,
    LOCK,
    LOCK_COIL,
    LOCK_SWITCH,
    SERVICE,
    Box,
)

pytestmark = pytest.mark.vm


@pytest.mark.vm_short
def test_the_service_comes_up_with_safe_outputs(box: Box) -> None:
    box.guest.until(f"systemctl is-active {SERVICE}", "the service is up")
    assert not box.is_energised()
    said = box.journal()
    assert said.index("every output is open") < said.index("outputs are safe")
    for card in CARDS:
        box.guest.run(f"{SERVICE} list add {card}")
    box.at_rest()


@pytest.mark.parametrize("card", [pytest.param(CARDS[0], marks=pytest.mark.vm_short), *CARDS[1:]])
def test_a_card_starts_and_ends_a_session_that_is_billed_by_the_meter(card: str, box: Box) -> None:
    count = len(box.bills())
    begin_wh = box.register_wh
    box.charge(card)
    end_wh = box.flow()
    box.tap(card)
    box.until_energised(False)
    bill = box.until_billed(count + 1)
    assert bill.stop is not None
    assert (bill.start["idTag"], bill.start["meterStart"]) == (card, begin_wh)
    assert (bill.stop["idTag"], bill.stop["meterStop"]) == (card, end_wh)
    box.end()


def test_a_card_that_is_not_known_gets_nothing(box: Box) -> None:
    count = len(box.bills())
    box.plug_in()
    box.tap("04DEADBEEF0102")
    box.guest.until(f"{SERVICE} why | grep -q refused", "it is refused")
    assert not box.is_energised()
    box.end()
    assert len(box.bills()) == count


@pytest.mark.vm_short
def test_the_emergency_stop_opens(box: Box) -> None:
    count = len(box.bills())
    box.charge()
    box.wire(EMERGENCY_STOP, is_closed=False)
    box.until_energised(False)
    bill = box.until_billed(count + 1)
    assert bill.stop is not None
    assert bill.stop["reason"] == "EmergencyStop"
    box.wire(EMERGENCY_STOP, is_closed=True)
    box.end()


def test_a_reader_that_is_pulled_in_a_session_and_put_back(box: Box) -> None:
    count, reports = len(box.bills()), box.reports()
    box.charge()
    box.pull_reader()
    box.until_reported("ReaderFailure", since=reports)
    assert box.is_energised()
    box.plug_in_reader()
    box.until_status("Charging")  # and no part is out of order
    box.tap(CARDS[0])
    box.until_energised(False)
    box.until_billed(count + 1)
    box.end()


def test_a_lock_whose_switch_no_longer_says_locked(box: Box) -> None:
    """A broken wire of the switch ends the session, since the plug might be drawn under load."""
    count, reports = len(box.bills()), box.reports()
    follow = (
        f"while sleep 0.2; do if grep -q 1 {LINE}{LOCK_COIL}/value; then pull=down; else pull=up;"
        f" fi; echo pull-$pull > {LINE}{LOCK_SWITCH}/pull; done"
    )
    box.guest.write("/run/lock-switch", follow)
    box.guest.run("systemd-run --quiet --unit=lock-switch sh /run/lock-switch")
    box.configure(box.config.replace("[connectors.meter]", f"{LOCK}\n[connectors.meter]"))
    box.at_rest()
    box.charge()
    box.guest.run(f"grep -q 1 {LINE}{LOCK_COIL}/value")
    box.guest.run("systemctl stop lock-switch")
    box.wire(LOCK_SWITCH, is_closed=False)
    box.until_energised(False)
    box.until_reported("ConnectorLockFailure", since=reports)
    box.until_billed(count + 1)
    box.configure(box.config)
    box.at_rest()
