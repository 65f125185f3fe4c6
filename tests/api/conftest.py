"""One running charger serves all tests of a module; each test finds it at rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.harness import Charger, api_settings, running_charger


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charger]:
    with running_charger(api_settings(tmp_path_factory.mktemp("charger"), connectors=2)) as charger:
        yield charger


@pytest.fixture
def charger(shared: Charger) -> Charger:
    """Two simulated connectors, online, nothing plugged in, an empty list."""
    shared.at_rest()
    if shared.state.local_list.version:
        shared.post("clear-local-auth-list")
    shared.central_system.accepted_tags.clear()
    return shared
