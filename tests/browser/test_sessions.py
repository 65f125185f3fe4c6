"""The charge log in a real Chromium: on a narrow screen, by day and night, and on paper."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

TAG = "044943121F1A80"  # the central system accepts it
LONG = "Wohnungseigentümergemeinschaft Lindenstraße"


@pytest.fixture
def visit(open_page, charger):
    """The month of a session, whose card has a long name."""
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    charger.applied("stop-session", {})
    visit = open_page("/cards")
    visit.page.get_by_label("Card number").fill(TAG)
    visit.page.get_by_label("Name, if you like").fill(LONG)
    visit.press("Add the card")
    visit.page.locator("summary").get_by_text(LONG).wait_for()
    return visit


def fits_the_phone(visit) -> bool:
    visit.page.set_viewport_size({"width": 320, "height": 640})
    visit.fits(320)
    ends = "[...document.querySelectorAll('.card')].every(e => e.scrollWidth <= e.clientWidth)"
    return bool(visit.page.evaluate(ends))


def test_sessions_for_which_no_card_was_needed_fit_a_phone_too(visit, charger):
    path = charger.settings.storage_path
    with closing(sqlite3.connect(path, timeout=5)) as database, database:
        database.execute("UPDATE charge_log SET rule = 'FREE'")
    visit.go("/sessions")
    visit.sees("free charging")
    assert fits_the_phone(visit)


@pytest.mark.parametrize("path", ["/cards", "/sessions"])
def test_names_and_sums_hinder_nobody_on_a_narrow_screen_by_day_and_night(visit, path):
    visit.go(path)
    visit.sees(LONG)
    assert fits_the_phone(visit)
    visit.hinders_nobody("light", "dark")


def test_the_energy_of_each_session_is_seen_on_a_phone_without_moving_the_table(visit):
    visit.page.set_viewport_size({"width": 320, "height": 640})
    visit.go("/sessions")
    place = visit.page.locator(".wide .energy").first.bounding_box()
    assert 0 <= place["x"] < place["x"] + place["width"] <= 320


def test_a_month_is_as_wide_as_a_sheet_of_paper(visit):
    visit.go("/sessions")
    visit.sees(LONG)
    visit.page.emulate_media(media="print", color_scheme="dark")
    visit.page.set_viewport_size({"width": 960, "height": 720})  # Letter, its margins off
    visit.fits(960)
    assert not visit.page.get_by_role("navigation").is_visible()
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
