"""Names of tags: they stay whatever becomes of the list, and go when nothing needs them."""

from __future__ import annotations

import pytest

from agent.core.commands import ActivateList, LogSession
from agent.core.values import ListEntry
from agent.store import Store, tag_names
from tests.store.builders import ACCEPTED, BLOCKED, NOON, STOP, TAG, replace_list, transaction

OTHER = "0499887766554433"


def change(store: Store, *entries: ListEntry, is_full: bool = False) -> None:
    staging = store.begin_list(is_full=is_full)
    store.stage_list(staging, entries)
    row = ActivateList(2, staging.base, staging.generation, staging.entries)
    store.commit([row], NOON)
    for _ in store.tidying(staging):
        pass


def name_of(store: Store, id_tag: str = TAG) -> str | None:
    return store.tag_names([id_tag]).get(id_tag.upper())


def test_a_tag_is_named_with_its_entry_and_found_in_any_case(store):
    change(store, ListEntry(TAG, ACCEPTED, "Anna"))
    assert store.tag_names([TAG.lower(), OTHER]) == {TAG: "Anna"}
    change(store, ListEntry(TAG.lower(), ACCEPTED, "Anna Berg"))
    assert name_of(store) == "Anna Berg"
    assert store.tag_names([]) == {}


def test_an_entry_that_says_nothing_of_the_name_leaves_it_and_an_empty_one_takes_it_away(store):
    change(store, ListEntry(TAG, ACCEPTED, "Anna"))
    change(store, ListEntry(TAG, BLOCKED))
    assert name_of(store) == "Anna"
    change(store, ListEntry(TAG, BLOCKED, ""))
    assert name_of(store) is None


def test_a_name_survives_a_list_that_does_not_know_its_tag(store):
    change(store, ListEntry(TAG, ACCEPTED, "Anna"))
    replace_list(store, 8, [(OTHER, ACCEPTED)])
    change(store, ListEntry(OTHER, None))
    replace_list(store, 9, [(TAG, ACCEPTED)])
    assert name_of(store) == "Anna"


@pytest.mark.parametrize("needed_by", ["the list", "the log", "nothing"])
def test_of_too_many_names_those_go_that_neither_list_nor_log_needs(store, monkeypatch, needed_by):
    monkeypatch.setattr(tag_names, "NAMES_MAX", 1)
    change(store, ListEntry(TAG, ACCEPTED, "Anna"))
    if needed_by != "the list":
        change(store, ListEntry(TAG, None))
    if needed_by == "the log":
        store.commit([LogSession(transaction(1), STOP)], NOON)
    change(store, ListEntry(OTHER, ACCEPTED, "Bert"))
    assert name_of(store, OTHER) == "Bert"
    assert name_of(store) == (None if needed_by == "nothing" else "Anna")
