"""Names of cards on the page: seen beside the card, given and changed there."""

from __future__ import annotations

import html
import re

from tests.api.harness import Charger
from tests.page.browser import Browser
from tests.page.test_site import token_for

TAG = "04A2B3C4"


def names_shown(text: str) -> list[str]:
    """Those of the local list, each in the field that changes it."""
    text = text.split('id="cache"')[0]
    found = re.findall(r'<input name="name" value="([^"]*)"', text)
    return [html.unescape(name) for name in found]


def test_a_card_is_added_with_its_name_and_gets_another(browser: Browser):
    told = browser.do("add", id_tag="04:a2:b3:c4", name=" Anna Berg ", back="/cards")
    assert told == "Card 04..C4 is on the local list now."
    assert names_shown(browser.get("/cards").text) == ["Anna Berg"]
    told = browser.do("name", id_tag=TAG, name="Bela <b>", back="/cards")
    assert told == "Card 04..C4 is Bela <b> now."
    text = browser.get("/cards").text
    assert names_shown(text) == ["Bela <b>"]
    assert "<b>" not in text
    told = browser.do("name", id_tag=TAG, name="", back="/cards")
    assert told == "Card 04..C4 has no name now."
    assert names_shown(browser.get("/cards").text) == [""]


def test_a_card_that_is_added_again_without_a_name_keeps_its_name(browser: Browser):
    browser.do("add", id_tag=TAG, name="Anna", back="/cards")
    browser.do("add", id_tag=TAG, name="", back="/cards")
    assert names_shown(browser.get("/cards").text) == ["Anna"]


def test_a_remembered_card_shows_its_name_too(charger: Charger, browser: Browser):
    charger.central_system.accepted_tags.add("C0FFEE00")
    browser.do("tap", card="C0FFEE00")
    browser.do("name", id_tag="c0ffee00", name="Guest", back="/cards")
    remembered = browser.get("/cards").text.split('id="remembered"')[1]
    assert ">Guest</summary>" in remembered


def test_a_name_that_is_none_changes_nothing_and_says_why(charger: Charger, browser: Browser):
    assert "at most 50 characters" in browser.do("add", id_tag=TAG, name="x" * 51, back="/cards")
    assert charger.state.local_list.entries == 0
    browser.do("add", id_tag=TAG, name="Anna", back="/cards")
    assert "at most 50 characters" in browser.do("name", id_tag=TAG, name="a\tb", back="/cards")
    for nobody in ("", "X" * 21, "é"):
        told = browser.do("name", id_tag=nobody, name="Anna", back="/cards")
        assert "needs an idTag of 1 to 20" in told
    assert names_shown(browser.get("/cards").text) == ["Anna"]


def test_a_reader_sees_names_and_cannot_give_them(charger: Charger, browser: Browser):
    browser.do("add", id_tag=TAG, name="Anna", back="/cards")
    with Browser(charger) as reader:
        reader.log_in(token_for(charger, "read"))
        text = reader.get("/cards").text
        assert '<td class="name">Anna</td>' in text
        assert names_shown(text) == []
        assert "lacks the scope" in reader.do("name", id_tag=TAG, name="Eve")
    assert names_shown(browser.get("/cards").text) == ["Anna"]
