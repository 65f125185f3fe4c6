"""What the page says about the link and the clock."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from agent.api.page.rendering import render
from agent.ocpp16.link import LinkSnapshot
from tests.emulators.virtual_clock import NOON

LINK = LinkSnapshot(
    url="ws://central.test/CP-1",
    connected_since=NOON,
    is_accepted=True,
    registration="Accepted",
    last_problem="",
    next_try_in_s=None,
    in_flight="Authorize",
    waiting=0,
    last_pong_at=NOON + timedelta(minutes=3),
    last_pong_took_s=0.0384,
)


@pytest.mark.parametrize(
    ("is_time_known", "words"),
    [
        (True, "2026-03-01 12:05 UTC"),
        (False, "2026-03-01 12:05 UTC, a guess: the time has not been set since power-on"),
    ],
)
def test_the_link_tells_its_last_ping_and_whether_the_clock_is_known(is_time_known, words):
    shown = render(
        "part_link.html",
        link=LINK,
        outbox=None,
        problem="",
        own_certificate=["a certificate of this box was asked for"],
        own_ends=NOON,
        now=NOON + timedelta(minutes=5),
        is_time_known=is_time_known,
        may_operate=False,
    )
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", re.sub("</?time[^>]*>", "", shown)))
    assert facts["Connected since"] == "2026-03-01 12:00 UTC"
    assert facts["Accepts this box"] == "yes"
    assert facts["Last ping"] == "answered 2 min ago, after 38 ms"
    assert facts["Waiting for the answer to"] == "Authorize"
    assert facts["Clock of the box"] == words
    assert facts["Certificate of this box"] == "until 2026-03-01"
    assert "a certificate of this box was asked for." in shown
