"""A charger with its page, reached over real HTTP; shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.api.harness import Charger, api_settings, running_charger
from tests.page.browser import Browser


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charger]:
    settings = api_settings(tmp_path_factory.mktemp("page"), connectors=2)
    settings = replace(settings, api=replace(settings.api, page=True))
    with running_charger(settings) as charger:
        yield charger


@pytest.fixture
def charger(shared: Charger) -> Charger:
    """Two simulated connectors, online, nothing plugged in, an empty list."""
    shared.at_rest()
    shared.post("clear-local-auth-list")
    shared.central_system.accepted_tags.clear()
    return shared


@pytest.fixture
def browser(charger: Charger) -> Iterator[Browser]:
    """Somebody who has logged in with every right, without scripts."""
    with Browser(charger) as found:
        found.log_in()
        yield found
