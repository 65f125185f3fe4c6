"""A message that the central system would not take: seen on the page, and sent once more there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.api.harness import Charger, api_settings, running_charger
from tests.emulators.central_system import Error

CARD = "044943121F1A80"
SEND, FORGET = re.compile(r"^Send StopTransaction \d+ once more$"), re.compile("^Forget Stop")
ASKS = "Forget it"  # and then once more


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charger]:
    """One attempt, then a message is parked."""
    settings = api_settings(tmp_path_factory.mktemp("parked"), TransactionMessageAttempts="1")
    settings = replace(settings, api=replace(settings.api, page=True))
    with running_charger(settings) as charger:
        yield charger


def parked(charger: Charger) -> list[dict[str, str]]:
    assert charger.application is not None
    found: list[dict[str, str]] = charger.run(charger.application.actions["status"]({}))["outbox"][
        "parked"
    ]
    return found


def until_parked(charger: Charger, count: int) -> None:
    for _ in range(500):
        if len(parked(charger)) == count:
            return
        charger.run(asyncio.sleep(0.02))
    raise AssertionError(f"{len(parked(charger))} messages are parked, not {count}")


def refuse_a_stop(charger: Charger, reason: str = "the database is away") -> None:
    """A session whose end the central system does not take."""
    charger.central_system.always("StopTransaction", Error("InternalError", reason))
    charger.applied("plug-connector")
    charger.applied("start-transaction", {"id_tag": CARD})
    charger.applied("stop-transaction")
    until_parked(charger, 1)


@pytest.fixture(autouse=True)
def nothing_is_left(charger: Charger) -> Iterator[None]:
    yield
    charger.central_system.always("StopTransaction", None)
    for message in parked(charger):
        request = {"order": "discard", "ref": message["sequence"]}
        assert charger.application is not None
        charger.run(charger.application.actions["queue"](request))


def stops(charger: Charger) -> int:
    return len(charger.central_system.of("StopTransaction"))


def test_it_is_seen_without_loading_anew_and_sent_once_more(open_page, charger):
    visit = open_page()
    visit.sees("To be sent")
    refuse_a_stop(charger)
    visit.sees("Parked: 1")
    visit.sees("the database is away")
    charger.central_system.always("StopTransaction", None)
    before = stops(charger)
    visit.press(SEND)
    visit.told("Queued again")
    charger.until(lambda: stops(charger) == before + 1)
    until_parked(charger, 0)
    visit.page.get_by_text("Parked:").wait_for(state="detached")


def test_one_that_is_refused_again_comes_back_with_its_reason(open_page, charger):
    refuse_a_stop(charger)
    visit = open_page()
    visit.sees("Parked: 1")
    charger.central_system.always("StopTransaction", Error("InternalError", "still not"))
    visit.press(SEND)
    visit.told("Queued again")
    visit.sees("still not")
    visit.sees("Parked: 1")


def test_one_that_is_given_up_is_never_sent(open_page, charger):
    refuse_a_stop(charger)
    charger.central_system.always("StopTransaction", None)
    before = stops(charger)
    visit = open_page()
    visit.page.get_by_text(ASKS, exact=True).click()
    visit.sees("will never hear of this StopTransaction")
    assert len(parked(charger)) == 1
    visit.press(FORGET)
    visit.told("Discarded")
    visit.page.get_by_text("Parked:").wait_for(state="detached")
    assert parked(charger) == []
    assert stops(charger) == before


def test_the_keyboard_alone_sends_it_once_more(open_page, charger):
    refuse_a_stop(charger)
    charger.central_system.always("StopTransaction", None)
    visit = open_page()
    visit.page.get_by_role("button", name=SEND).focus()
    visit.page.keyboard.press("Enter")
    visit.told("Queued again")
    until_parked(charger, 0)


def test_what_a_central_system_says_is_text_and_nothing_else(open_page, charger):
    hostile = "<img src=x onerror=alert(1)>"
    refuse_a_stop(charger, hostile)
    visit = open_page()
    visit.sees(hostile)
    assert visit.page.locator("img").count() == 0


def test_with_scripts_blocked_it_is_sent_once_more_too(chromium, charger):
    refuse_a_stop(charger)
    charger.central_system.always("StopTransaction", None)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(charger.url + "/")
    page.get_by_label("Token").fill("kQ7xV2mN9pL4wR8tZ3bC")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name=SEND).click()
    page.get_by_text("Queued again").first.wait_for()
    context.close()
    until_parked(charger, 0)


def test_whoever_may_only_read_sees_it_and_has_no_button(chromium, charger):
    from agent.api.tokens import TokenFile

    secret = "readonly-kQ7xV2mN9pL4wR8tZ"
    tokens = TokenFile(charger.settings.storage_path.parent)
    tokens.add("reader", ("read",), secret, "2026-03-01T12:00:00Z")
    refuse_a_stop(charger)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{charger.url}/login#{secret}")
    page.wait_for_url("**/")
    page.get_by_text("Parked: 1").wait_for()
    assert page.get_by_role("button", name=SEND).count() == 0
    assert page.get_by_text(ASKS).count() == 0
    context.close()
