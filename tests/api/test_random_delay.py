"""skip-delay: what waits for the random delay has its energy now, by command and by button."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from agent.core.state import Charging
from tests.api.harness import Charger, api_settings, running_charger
from tests.page.browser import Browser

LONG_S = 10**9  # more than can be set: no draw is over while a test looks


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charger]:
    settings = api_settings(tmp_path_factory.mktemp("charger"), connectors=2)
    delayed = replace(
        settings,
        charge_point=replace(settings.charge_point, random_delay_max_s=LONG_S),
        api=replace(settings.api, page=True),
    )
    with running_charger(delayed) as charger:
        yield charger


@pytest.fixture
def charger(shared: Charger) -> Charger:
    """A session at the first of two connectors, which waits for its random delay."""
    shared.at_rest()
    shared.applied("start-session", {"id_tag": "TAG"})
    waiting = shared.until_status("SuspendedEVSE")
    assert waiting["limit_source"] == "random_delay"
    return shared


def test_a_session_that_waits_for_its_delay_has_its_energy_now(charger: Charger):
    assert charger.applied("skip-delay") == {}
    charger.until_status("Charging")
    assert charger.applied("skip-delay") == {}  # and where nothing waits, nothing happens
    assert charger.until_status("Charging")["limit_source"] == "wiring"


def test_another_connector_skips_nothing(charger: Charger):
    assert charger.applied("skip-delay", {"connector_id": 2}) == {}
    phase = charger.state.connectors[0].phase
    assert isinstance(phase, Charging)
    assert phase.delay is not None


def test_the_page_has_a_button_where_a_connector_waits_and_nowhere_else(charger: Charger):
    with Browser(charger) as browser:
        browser.log_in()
        first, second = browser.get("/").text.split('<h2 id="connector-2">')
        assert "waits for the random delay" in first
        assert "Skip the delay" in first
        assert "Skip the delay" not in second
        assert browser.do("skip-delay", connector="1") == "Done."
        charger.until_status("Charging")
        assert "Skip the delay" not in browser.get("/").text
