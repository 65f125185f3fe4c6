"""The page of the charge log: a month, its sums, and the same as a file and on paper."""

from __future__ import annotations

import csv
import html
import io
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from agent.api.page.sessions import ENDED
from agent.core.values import StopReason
from tests.api.harness import Charger
from tests.page.browser import Browser

TAG = "04A2B3C4D5E6F7"


def a_session(charger: Charger) -> None:
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    charger.applied("stop-session", {})
    charger.at_rest()


def month_of(text: str) -> str:
    (month,) = set(re.findall(r"<option selected>(\d{4}-\d{2})</option>", text))
    return str(month)


def test_a_month_is_shown_with_its_sums_readings_and_station(charger: Charger, browser: Browser):
    a_session(charger)
    text = html.unescape(browser.get("/sessions").text)
    assert "CP-DEMO-123" in text
    assert "registers of these meters" in text
    assert "Meter of connector 1" in text
    assert "04..F7" in text
    assert TAG not in text
    month = month_of(text)
    assert f"All of {month}" in text
    assert browser.get("/sessions", month=month).text.count("<tr><th") == text.count("<tr><th")


@pytest.mark.parametrize(
    ("zone", "says"), [("UTC", "Times are UTC."), ("<+05>-5", "station (+05); UTC stands below.")]
)
def test_a_month_has_local_times_and_the_utc_below_where_that_is_another(
    charger: Charger,
    browser: Browser,
    time_zone: Callable[[str], None],
    zone: str,
    says: str,
):
    a_session(charger)
    time_zone(zone)
    text = html.unescape(browser.get("/sessions").text)
    assert f"{says} Issued 20" in text
    assert ("UTC</small>" in text) is (zone != "UTC")


@pytest.mark.parametrize(
    ("page", "report"), [("/sessions", "session_sums"), ("/cards", "cache_page")]
)
def test_a_report_has_what_is_just_being_written(
    charger: Charger, browser: Browser, monkeypatch: pytest.MonkeyPatch, page: str, report: str
):
    assert charger.application is not None
    services, order = charger.application.services, list[str]()
    store, journal = services.store, services.runtime.journal
    read, wait = getattr(store, report), journal.wait_until_written
    monkeypatch.setattr(store, report, lambda *asked: order.append("read") or read(*asked))
    monkeypatch.setattr(
        journal, "wait_until_written", lambda at_most_s: order.append("wait") or wait(at_most_s)
    )
    browser.get(page)
    assert order[:2] == ["wait", "read"]


def test_every_reason_of_an_end_has_words_for_people(charger: Charger, browser: Browser):
    assert set(ENDED) == {reason.value for reason in StopReason}
    a_session(charger)
    assert '<td data-name="ended">at the box</td>' in browser.get("/sessions").text


def test_a_reason_that_only_another_version_knows_is_told_by_its_name(
    charger: Charger, browser: Browser
):
    a_session(charger)
    with closing(sqlite3.connect(charger.settings.storage_path, isolation_level=None)) as database:
        database.execute("UPDATE charge_log SET reason = 'OfTomorrow'")
        assert '<td data-name="ended">OfTomorrow</td>' in browser.get("/sessions").text
        database.execute("UPDATE charge_log SET reason = 'Local'")


def test_a_month_that_is_none_shows_the_newest(charger: Charger, browser: Browser):
    a_session(charger)
    newest = month_of(browser.get("/sessions").text)
    for asked in ("2019-01", "13", "<script>"):
        answer = browser.get("/sessions", month=asked)
        assert month_of(answer.text) == newest
        assert "<script>" not in answer.text


def test_the_file_has_every_session_of_the_month(charger: Charger, browser: Browser):
    a_session(charger)
    month = month_of(browser.get("/sessions").text)
    answer = browser.get("/page/sessions.csv", month=month, separator="semicolon")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="sessions-{month}.csv"' in answer.headers["content-disposition"]
    names, *rows = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";")
    assert rows
    assert all(
        re.fullmatch(r"\d+,\d{3}", dict(zip(names, r, strict=True))["energy_kwh"]) for r in rows
    )
    for asked in ("", "2026-13", "9999-12", "x" * 99):
        empty = browser.get("/page/sessions.csv", month=asked)
        assert len(empty.text.splitlines()) == 1


def test_the_file_is_for_those_who_have_logged_in(charger: Charger):
    with Browser(charger) as stranger:
        assert stranger.get("/page/sessions.csv?month=2026-11").url.path == "/login"
