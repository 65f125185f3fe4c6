"""Stores on temporary files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.store import Store
from tests.store.builders import NOON, numbered_ids

OpenStore = Callable[[Path], Store]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of this test is."""
    return tmp_path / "agent.db"


@pytest.fixture
def open_store() -> Iterator[OpenStore]:
    """Open stores that are closed at the end of the test, whatever happens."""
    opened: list[Store] = []

    def open_at(path: Path) -> Store:
        opened.append(Store.open(path, now=NOON, make_id=numbered_ids()))
        return opened[-1]

    yield open_at
    for store in opened:
        store.close()


@pytest.fixture
def store(path: Path, open_store: OpenStore) -> Store:
    """A fresh store."""
    return open_store(path)
