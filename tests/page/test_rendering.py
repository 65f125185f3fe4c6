"""Instants as the page writes them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from agent.api.page import rendering
from agent.api.page.rendering import NOTHING, ago, clock, parted
from tests.emulators.virtual_clock import NOON

TEMPLATES = Path(rendering.__file__).with_name("templates")


def test_an_instant_is_said_in_utc_and_given_to_the_script_that_makes_it_local():
    assert clock(NOON) == '<time datetime="2026-03-01T12:00:00Z">2026-03-01 12:00:00 UTC</time>'
    assert (
        clock(NOON, "minutes") == '<time datetime="2026-03-01T12:00Z">2026-03-01 12:00 UTC</time>'
    )
    assert clock(None) == NOTHING


@pytest.mark.parametrize(
    ("age_s", "words"),
    [(3, "just now"), (61, "1 min ago"), (7201, "2 h ago"), (200_000, "2 d ago")],
)
def test_an_age_keeps_its_instant(age_s, words):
    assert ago(NOON, NOON + timedelta(seconds=age_s)) == (
        '<time datetime="2026-03-01T12:00:00Z" title="2026-03-01 12:00:00 UTC">' + words + "</time>"
    )


def test_a_long_name_is_folded_between_its_words_and_stays_what_it_is():
    assert parted("StopTransactionOnEVSideDisconnect") == (
        "Stop<wbr>Transaction<wbr>On<wbr>EVSide<wbr>Disconnect"
    )
    assert parted("<b>") == "&lt;b&gt;"


def test_what_can_be_unfolded_has_a_name_by_which_it_stays_open_when_the_page_is_renewed():
    for template in TEMPLATES.glob("*.html"):
        for details in re.findall("<details[^>]*>", template.read_text(encoding="utf-8")):
            assert ' id="' in details, template.name
