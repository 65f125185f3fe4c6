"""The page of the grid operator's contact: when it limited the box, as its proof."""

from __future__ import annotations

import html
import re

from agent.api.agent_bridge import AgentBridge
from tests.api.harness import Charger
from tests.api.test_grid_limits import limited_three_times
from tests.page.browser import Browser
from tests.page.test_site import token_for

LINK = 'href="/grid-limits"'


def test_each_limit_is_a_row_with_its_times_its_limit_and_what_is_not_known(
    charger: Charger, browser: Browser
):
    assert "It has never limited this box." in browser.get("/grid-limits").text
    limited_three_times(charger)
    text = html.unescape(browser.get("/grid-limits").text)
    rows = [
        " ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"<tr>.*</tr>", text)
    ]
    assert rows[1:] == [
        "2026-03-01 12:20:00 UTC now 6.5 A per phase the clock was not set yet",
        "2026-03-01 12:10:00 UTC 2026-03-01 12:15:00 UTC 4200 W in all"
        " at the latest: the agent had ended, and no energy flowed",
        "2026-03-01 12:00:00 UTC 2026-03-01 12:05:00 UTC 4200 W in all",
    ]
    assert "Nothing is older." in browser.get("/grid-limits", before=1).text
    for odd in ("x", "-1", "9" * 40):
        assert browser.get("/grid-limits", before=odd).text.count("<tr>") == 4


def test_the_foot_of_every_page_leads_there_where_there_is_a_contact(
    charger: Charger, browser: Browser, monkeypatch
):
    assert LINK in browser.get("/keys").text
    monkeypatch.setattr(AgentBridge, "has_grid_contact", False)
    assert LINK not in browser.get("/keys").text


def test_whoever_may_read_reads_it(charger: Charger):
    with Browser(charger) as reader:
        reader.log_in(token_for(charger, "read"))
        assert "grid operator's contact" in html.unescape(reader.get("/grid-limits").text)
