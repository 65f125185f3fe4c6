"""Central systems on the npm package ocpp-rpc, in strict mode: one is for nearly all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.strict.central_system import HERE, StrictCentralSystem

NODE = shutil.which("node")
IS_INSTALLED = (HERE / "node_modules/ocpp-rpc/package.json").is_file()


@pytest.fixture(scope="session")
def node() -> str:
    """The command, where all that it needs is installed."""
    if NODE is None:
        pytest.skip("node is not installed (apt install nodejs npm)")
    if not IS_INSTALLED:
        pytest.skip("ocpp-rpc is not installed (npm ci --prefix tests/strict)")
    return NODE


@pytest.fixture(scope="session")
def _process(node: str) -> Iterator[StrictCentralSystem]:
    system = StrictCentralSystem(node)
    yield system
    system.end()


@pytest.fixture
def system(_process: StrictCentralSystem) -> Iterator[StrictCentralSystem]:
    """It has heard nothing yet; at the end it has found nothing to object to."""
    _process.forget()
    yield _process
    _process.objects_to_nothing()
