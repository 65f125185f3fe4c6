"""The page of the security log: what happened, page by page, and whether the log is whole."""

from __future__ import annotations

import html
import re
import sqlite3
from contextlib import closing

from agent.core.security_event_values import SecurityEventType
from tests.api.harness import Charger
from tests.api.test_security_log import see
from tests.page.browser import Browser
from tests.page.test_site import token_for
from tests.store.test_security_log import change


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"No\. (\d+)", text)]


def test_events_are_shown_page_by_page_the_newest_first(charger: Charger, browser: Browser):
    for kind in (SecurityEventType.INVALID_MESSAGES, SecurityEventType.ATTEMPTED_REPLAY_ATTACKS):
        see(charger, kind, 20)
    see(charger, SecurityEventType.FAILED_TO_AUTHENTICATE, 20)
    first = browser.get("/security").text
    assert len(numbers(first)) == 50
    assert numbers(first) == sorted(numbers(first), reverse=True)
    assert "The log is whole" in first
    (older,) = re.findall(r'href="/security\?before=(\d+)"', first)
    second = browser.get("/security", before=older).text
    assert numbers(second) == list(range(numbers(first)[-1] - 1, 0, -1))[:50]
    assert "StartupOfTheDevice" in second
    assert 'href="/security"' in second.split("<main")[1]
    for odd in ("0", "x", "-1", "9" * 40):
        assert "Security log" in browser.get("/security", before=odd).text


def test_a_log_that_was_changed_says_where_in_words(charger: Charger, browser: Browser):
    path = charger.settings.storage_path
    change(path, "UPDATE security_log_ends SET pruned_chain = 'x'")
    text = html.unescape(browser.get("/security").text)
    assert "The log was changed: line 1 is not as it was written, or the one before it." in text
    assert "whole" not in text
    change(path, "UPDATE security_log_ends SET pruned_chain = ''")
    assert "The log is whole" in browser.get("/security").text


def test_a_time_that_somebody_has_made_nonsense_of_is_shown_as_it_stands(
    charger: Charger, browser: Browser
):
    path = charger.settings.storage_path
    with closing(sqlite3.connect(path)) as reader:
        (before,) = reader.execute("SELECT at FROM security_log WHERE number = 1").fetchone()
    set_first = "UPDATE security_log SET at = ? WHERE number = 1"
    change(path, set_first, "once")
    text = html.unescape(browser.get("/security", before=2).text)
    told = charger.get("/ocpp/security-log", before=2).json()
    change(path, set_first, before)
    assert "The log was changed: line 1 is not as it was written" in text
    assert "No. 1, once" in text
    assert (told["data"][0]["timestamp"], told["problem"][:6]) == ("once", "line 1")


def test_whoever_may_read_reads_it_and_nobody_else(charger: Charger):
    with Browser(charger) as reader:
        reader.log_in(token_for(charger, "read"))
        assert "The log is whole" in reader.get("/security").text
    with Browser(charger) as stranger:
        assert stranger.get("/security").url.path == "/login"
