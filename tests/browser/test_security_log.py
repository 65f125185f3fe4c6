"""The security log in a real Chromium: on a narrow screen, by day and night, page by page."""

from __future__ import annotations

import pytest

from agent.core.security_event_values import SecurityEventType
from agent.store.security_log import SecurityChain
from tests.api.test_security_log import see

LONG = "from the central system: " + "x" * 230


@pytest.mark.parametrize("is_changed", [False, True])
def test_events_hinder_nobody_on_a_narrow_screen_by_day_and_night(
    open_page, charger, monkeypatch, is_changed
):
    see(charger, SecurityEventType.CENTRAL_SYSTEM_FAILED_TO_AUTHENTICATE, 1, LONG)
    if is_changed:
        monkeypatch.setattr(SecurityChain, "problem", lambda chain: "line 2 is not so")
    visit = open_page("/security")
    visit.sees("The log was changed: line 2 is not so." if is_changed else "The log is whole")
    visit.page.set_viewport_size({"width": 320, "height": 640})
    visit.hinders_nobody("light", "dark")
    visit.fits(320)


def test_the_foot_of_a_page_leads_to_it_and_its_own_foot_to_what_is_older(open_page, charger):
    for kind in (SecurityEventType.INVALID_MESSAGES, SecurityEventType.INVALID_TLS_VERSION):
        see(charger, kind, 20)
    see(charger, SecurityEventType.ATTEMPTED_REPLAY_ATTACKS, 20)
    visit = open_page("/keys")
    visit.page.get_by_role("link", name="Security log").click()
    visit.page.get_by_role("link", name="Older").click()
    visit.sees("StartupOfTheDevice")
    visit.page.get_by_role("link", name="Newest").click()
    visit.sees("AttemptedReplayAttacks")
