"""What the overview shows of a connector in each state, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.harness import Charger
from tests.browser.conftest import Visit
from tests.page.test_site import token_for

PHONE = {"width": 390, "height": 844}


@pytest.fixture(autouse=True)
def mended(charger: Charger) -> Iterator[None]:
    yield
    charger.run(mend_network(charger))
    charger.until(lambda: charger.state.online)


async def mend_network(charger: Charger) -> None:
    assert charger.application is not None
    network = charger.application.services.network
    assert network is not None
    network.mend()


def free(visit: Visit) -> str:
    return "free"


def begin(visit: Visit) -> None:
    visit.press("Plug the car in")
    visit.press("The usual card")


def waiting_for_the_bolt(visit: Visit) -> str:
    visit.charger.board.simulation.fault(1, "lock_jam")
    begin(visit)
    return "card accepted; waiting for the bolt"


def charging(visit: Visit) -> str:
    begin(visit)
    visit.page.locator(".flows").wait_for()
    return "charging"


def paused(visit: Visit) -> str:
    charging(visit)
    visit.press("Car is full")
    return "waiting for the car: it does not ask for energy"


def faulted(visit: Visit) -> str:
    visit.charger.board.simulation.fault(1, "does_not_close")
    begin(visit)
    return "out of order: contactor does not close"


def offline(visit: Visit) -> str:
    charging(visit)
    visit.press("Cut the network")
    visit.sees("the box carries on by itself; ")
    return "charging"


STATES = (free, waiting_for_the_bolt, charging, paused, faulted, offline)


def is_marked(visit: Visit) -> bool:
    return bool(visit.page.locator("#part-picture-1 .mark").count())


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_each_state_says_one_sentence_and_stands_in_nobodys_way(open_page, state):
    visit = open_page()
    words = state(visit)
    visit.page.locator(".situation").get_by_text(words, exact=True).wait_for()
    assert is_marked(visit) is (words not in ("free", "charging"))
    for scheme, width in (("light", 320), ("dark", 390)):
        visit.page.set_viewport_size({"width": width, "height": 844})
        visit.hinders_nobody(scheme)
        visit.fits(width)


BROKEN_WORDS = """() => {
  const broken = [];
  for (const place of document.querySelectorAll(".stations dt, .stations dd")) {
    for (const word of place.textContent.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(place.firstChild, word.index);
      range.setEnd(place.firstChild, word.index + word[0].length);
      if (range.getClientRects().length > 1) broken.push(word[0]);
    }
  }
  return broken;
}"""


@pytest.mark.parametrize("state", [waiting_for_the_bolt, charging, paused, faulted])
def test_no_word_below_the_drawing_is_broken_on_a_narrow_screen(open_page, state):
    visit = open_page()
    visit.page.set_viewport_size({"width": 320, "height": 844})
    state(visit)
    assert visit.page.evaluate(BROKEN_WORDS) == []


def test_a_cable_behind_a_welded_contactor_is_not_offered_for_unlocking(open_page, charger):
    visit = open_page()
    charging(visit)
    visit.page.get_by_text("Unlock the cable").wait_for()
    charger.board.simulation.fault(1, "welded")
    visit.press("The usual card")
    visit.page.locator("#part-faults").get_by_text("welded").wait_for()
    visit.page.locator(".stations").get_by_text("in, locked").wait_for()
    visit.page.get_by_text("Unlock the cable").wait_for(state="detached")


def test_the_answer_to_a_button_at_the_end_of_the_page_is_seen_there(open_page):
    visit = open_page()
    visit.page.evaluate("scrollTo(0, 700)")
    visit.press("Plug the car in")
    visit.told("The car is plugged in.")
    place = visit.page.locator("#told p").bounding_box()
    assert visit.page.evaluate("scrollY") > 300
    assert 0 <= place["y"] < PHONE["height"]


def test_a_fault_stands_above_everything_else_and_one_button_says_that_it_is_mended(open_page):
    visit = open_page()
    faulted(visit)
    visit.page.locator("#part-faults").get_by_text("the coil, its supply").wait_for()
    fault, connector = (
        visit.page.locator(place).bounding_box() for place in ("#part-faults", "#part-connectors")
    )
    assert fault["y"] + fault["height"] <= connector["y"]
    assert visit.page.locator("#part-faults button").count() == 1
    visit.press("Contactor 1 is mended")
    visit.told("The contactor of connector 1 may close again.")
    visit.page.locator("#part-faults").get_by_text("the coil, its supply").wait_for(
        state="detached"
    )


def test_the_overview_with_a_fault_fits_two_screens_of_a_phone(open_page, chromium, charger):
    for tag in ("UNKNOWN-1", "UNKNOWN-2"):  # cards before, with the longest reasons
        charger.do("authorize-id-tag", {"id_tag": tag})
    faulted(open_page())
    context = chromium.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{charger.url}/login#{token_for(charger, 'read', 'operate')}")
    page.wait_for_url("**/")
    page.get_by_role("heading", name="A fault").wait_for()
    page.get_by_text("Out of order").wait_for()  # the session has ended
    # With two of them it is too long as soon as the link tells its last ping.
    assert page.locator("#part-cards .rows > li:visible").count() == 1
    height = page.evaluate("document.documentElement.scrollHeight")
    context.close()
    assert height <= 2 * PHONE["height"]


def press_twice(visit: Visit) -> None:
    visit.page.locator("summary", has_text="Stop the session").click()
    visit.sees("The car gets no more energy.")
    assert visit.charger.state.connectors[0].transaction is not None
    visit.press("Stop it now")


def test_what_interrupts_asks_once_more(open_page, charger):
    visit = open_page()
    charging(visit)
    press_twice(visit)
    visit.told("Done.")
    charger.until(lambda: charger.state.connectors[0].transaction is None)


def test_with_scripts_blocked_it_asks_once_more_too(open_page, chromium, charger):
    charging(open_page())
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(charger.url + "/")
    page.get_by_label("Token").fill("kQ7xV2mN9pL4wR8tZ3bC")
    page.get_by_role("button", name="Log in").click()
    press_twice(Visit(page, charger))
    page.get_by_text("Done.").wait_for()
    context.close()
    assert charger.state.connectors[0].transaction is None


def test_a_question_that_is_open_stays_open_while_the_figures_go_on(open_page):
    visit = open_page()
    charging(visit)
    visit.page.locator("summary", has_text="Stop the session").focus()
    visit.page.keyboard.press("Enter")
    figure = visit.page.locator(".figures div:last-child dd")
    before = figure.inner_text()
    visit.page.wait_for_function(
        "before => document.querySelector('.figures div:last-child dd').innerText !== before",
        arg=before,
    )
    assert visit.page.get_by_role("button", name="Stop it now").is_visible()
    assert visit.page.evaluate("document.activeElement.tagName") == "SUMMARY"


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_energy_moves_only_for_those_who_like_it(open_page, motion):
    visit = open_page(reduced_motion=motion)
    charging(visit)
    style: Any = visit.page.evaluate(
        "getComputedStyle(document.querySelector('.flows .wire')).animationName"
    )
    assert (style == "none") is (motion == "reduce")


def test_only_a_card_that_nobody_knows_can_be_added_beside_its_refusal(open_page, charger):
    from tests.emulators.central_system import Answer

    visit = open_page()
    charger.central_system.next("Authorize", Answer({"idTagInfo": {"status": "Blocked"}}))
    visit.press("A blocked card")
    visit.told("refused")
    visit.page.locator("#part-cards").get_by_text("DE..EF", exact=True).wait_for()
    assert visit.page.get_by_role("button", name="Add card DE..EF to the list").count() == 0
    visit.press("Another card")
    visit.page.get_by_role("button", name="Add card 04..80 to the list").wait_for()
