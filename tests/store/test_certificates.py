"""Root certificates on disk: as they were, in their order, each once for each use."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.certificates import InstalledRoot, RemoveRoot, RootUse, SaveRoot
from agent.store import Store
from tests.core.test_certificates import A, B
from tests.store.builders import NOON

OTHER_USE = replace(A, use=RootUse.MANUFACTURER)


def stored(store: Store) -> tuple[InstalledRoot, ...]:
    return store.load().certificates


def test_a_new_store_has_none(store: Store):
    assert stored(store) == ()


def test_every_field_is_read_back_as_it_was_oldest_first(store: Store):
    store.commit([SaveRoot(B), SaveRoot(A), SaveRoot(OTHER_USE)], NOON)
    assert stored(store) == (B, A, OTHER_USE)


def test_what_becomes_of_one_is_kept_in_its_place(store: Store):
    store.commit([SaveRoot(A), SaveRoot(B)], NOON)
    changed = replace(A, has_worked=True, is_fallback=True)
    store.commit([SaveRoot(changed)], NOON)
    assert stored(store) == (changed, B)


def test_one_is_forgotten_for_one_use(store: Store):
    store.commit([SaveRoot(A), SaveRoot(OTHER_USE)], NOON)
    store.commit([RemoveRoot(A)], NOON)
    assert stored(store) == (OTHER_USE,)


def test_an_unreadable_one_is_left_out_with_a_warning(
    path: Path, open_store, caplog: pytest.LogCaptureFixture
):
    store = open_store(path)
    store.commit([SaveRoot(A), SaveRoot(B)], NOON)
    store.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE certificates SET not_after = 'never' WHERE fingerprint = 'a'")
    database.close()
    with caplog.at_level(logging.ERROR):
        assert stored(open_store(path)) == (B,)
    assert "root certificate a is unreadable" in caplog.text
