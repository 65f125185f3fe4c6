"""Faults on the page: what to look at, and the word of a person that a contactor is mended."""

from __future__ import annotations

from agent.core.faults import Fault

CARD = "044943121F1A80"


def test_a_fault_is_shown_until_it_is_mended(charger, browser):
    browser.do("break", connector="1", fault="door")
    charger.until(lambda: bool(charger.state.faults))
    assert "cabinet door open" in browser.get("/").text
    browser.do("mend", connector="1")
    charger.until(lambda: not charger.state.faults)
    assert "cabinet door open" not in browser.get("/").text


def test_a_contactor_that_failed_is_told_with_what_to_look_at_until_a_person_says_it_is_mended(
    charger, browser
):
    charger.board.simulation.fault(1, "does_not_close")
    browser.do("plug", connector="1")
    browser.do("tap", card=CARD)
    charger.until(lambda: Fault.CONTACTOR_FAILED in charger.state.connectors[0].faults)
    page = browser.get("/").text
    assert "<strong>Look at:</strong> the coil, its supply and its driver" in page
    assert 'aria-label="Contactor 1 is mended"' in page
    told = browser.do("acknowledge", connector="1")
    assert told == "The contactor of connector 1 may close again."
    charger.until(lambda: not charger.state.connectors[0].faults)
    assert "is mended" not in browser.get("/").text


def test_a_welded_contactor_is_not_mended_by_saying_so(charger, browser):
    browser.do("plug", connector="1")
    browser.do("tap", card=CARD)
    charger.until(lambda: charger.state.connectors[0].contactor_closed)
    charger.board.simulation.fault(1, "welded")
    browser.do("tap", card=CARD)
    charger.until(lambda: Fault.CONTACTOR_WELDED in charger.state.connectors[0].faults)
    told = browser.do("acknowledge", connector="1")
    assert told == "Refused: its contacts are still closed."
    assert browser.do("acknowledge", connector="7") == "Refused: There is no connector 7."
    charger.board.simulation.clear(1)
    charger.until(lambda: not charger.state.connectors[0].faults)
