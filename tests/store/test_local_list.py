"""Updates of the local list in the store: beside the one in use, all or nothing, nothing left."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent.core.commands import ActivateList, CacheTag
from agent.core.values import IdTagInfo, ListEntry, LocalList, TagRecord
from agent.platform.errors import StoreError, StoreFull
from agent.store import Store
from agent.store.local_list import _PAGE, AT_ONCE_MAX, REMOVED_AT_ONCE_MAX, listed_status
from tests.store.builders import ACCEPTED, BLOCKED, INVALID, NOON, replace_list

EXPIRING = IdTagInfo(ACCEPTED.status, NOON + timedelta(days=1), "GROUP")
Change = tuple[str, IdTagInfo | None]


def entries(*changes: Change) -> list[ListEntry]:
    ordered = sorted(changes, key=lambda change: change[0].lower())
    return [ListEntry(*change) for change in ordered]


def numbered(count: int, info: IdTagInfo | None = ACCEPTED, prefix: str = "T") -> list[ListEntry]:
    return [ListEntry(f"{prefix}{number:06}", info) for number in range(count)]


def steps_of(
    store: Store,
    version: int,
    changes: list[ListEntry],
    *,
    is_full: bool,
    activates: bool = True,
    piece: int = AT_ONCE_MAX,
) -> Iterator[str]:
    """One update as the agent does it; stops after each transaction and names it."""
    staging = store.begin_list(is_full=is_full)
    yield "begun"
    for start in range(0, len(changes), piece):
        store.stage_list(staging, changes[start : start + piece])
        yield "staged"
    if activates:
        row = ActivateList(version, staging.base, staging.generation, staging.entries)
        store.commit([row], NOON)
        yield "activated"
    for _ in store.tidying(staging):
        yield "tidied"


def update(store: Store, version: int, changes: list[ListEntry], *, is_full: bool) -> None:
    for _ in steps_of(store, version, changes, is_full=is_full):
        pass


def whole_list(store: Store) -> dict[str, IdTagInfo]:
    return dict(store.list_page("", 0, 1_000_000))


def rows_in_table(store: Store) -> int:
    (count,) = store._database.reader.execute("SELECT count(*) FROM local_list").fetchone()
    return count


def is_untidy(store: Store) -> bool:
    query = "SELECT is_untidy FROM local_list_version"
    return bool(store._database.reader.execute(query).fetchone()[0])


# --- what an update does -------------------------------------------------------------------------


def test_a_fresh_store_has_an_empty_list_of_version_zero(store):
    assert store.local_list() == LocalList(0, 0, 0)
    assert whole_list(store) == {}


def test_a_full_list_replaces_all_and_a_differential_one_changes_what_it_names(store):
    update(store, 3, entries(("A", ACCEPTED), ("B", BLOCKED), ("C", ACCEPTED)), is_full=True)
    assert store.local_list() == LocalList(3, 3, 1)
    changes = entries(("A", None), ("B", EXPIRING), ("D", INVALID), ("NOBODY", None))
    update(store, 4, changes, is_full=False)
    assert store.local_list() == LocalList(4, 3, 2)
    assert whole_list(store) == {"B": EXPIRING, "C": ACCEPTED, "D": INVALID}
    assert store.facts("a") == TagRecord(None, 4, None)
    assert store.facts("b") == TagRecord(EXPIRING, 4, None)
    update(store, 5, entries(("A", BLOCKED)), is_full=False)  # one that had left comes back
    assert store.facts("A").list_entry == BLOCKED
    update(store, 2, entries(("Z", ACCEPTED)), is_full=True)
    assert whole_list(store) == {"Z": ACCEPTED}
    assert rows_in_table(store) == 1


def test_a_differential_entry_in_another_case_takes_the_place_of_the_old_one(store):
    update(store, 1, entries(("04ab", ACCEPTED)), is_full=True)
    update(store, 2, entries(("04AB", BLOCKED)), is_full=False)
    assert store.list_page("", 0, 10) == [("04AB", BLOCKED)]
    assert store.local_list().entries == rows_in_table(store) == 1
    update(store, 3, entries(("04aB", None)), is_full=False)
    assert store.local_list() == LocalList(3, 0, 3)
    assert rows_in_table(store) == 0


def test_what_is_listed_so_already_is_not_written_again(store):
    update(store, 1, numbered(50), is_full=True)
    staging = store.begin_list(is_full=False)
    store.stage_list(staging, [*numbered(50), ListEntry("UNKNOWN", None)])
    assert (staging.entries, staging.added, staging.changed) == (50, [], [])
    assert rows_in_table(store) == 50


def test_an_empty_differential_update_gives_the_list_its_version(store):
    update(store, 1, entries(("A", ACCEPTED)), is_full=True)
    update(store, 8, [], is_full=False)
    assert store.local_list() == LocalList(8, 1, 2)
    assert whole_list(store) == {"A": ACCEPTED}


def test_listed_tags_leave_the_cache_when_the_list_counts_and_not_before(store):
    store.commit([CacheTag(tag, ACCEPTED) for tag in ("new", "STAYS", "GOES")], NOON)
    update(store, 1, entries(("GOES", ACCEPTED)), is_full=True)
    changes = entries(("NEW", BLOCKED), ("GOES", None))
    steps = steps_of(store, 2, changes, is_full=False)
    assert [next(steps), next(steps)] == ["begun", "staged"]
    assert store.facts("NEW").cache_entry is not None
    store.commit([CacheTag("GOES", BLOCKED)], NOON)  # still listed
    assert store.facts("GOES").cache_entry is None
    assert next(steps) == "activated"
    assert store.facts("NEW") == TagRecord(BLOCKED, 2, None)
    assert store.facts("STAYS").cache_entry is not None
    store.commit([CacheTag("GOES", BLOCKED), CacheTag("NEW", ACCEPTED)], NOON)
    assert store.facts("GOES").cache_entry is not None  # listed no more
    assert store.facts("NEW").cache_entry is None


def test_a_tag_that_comes_twice_is_refused_and_what_was_staged_can_be_abandoned(store):
    update(store, 1, entries(("OLD", ACCEPTED)), is_full=True)
    staging = store.begin_list(is_full=True)
    with pytest.raises(StoreError, match="Cannot write the local list"):
        store.stage_list(staging, entries(("04AB", ACCEPTED), ("04ab", BLOCKED)))
    assert staging.entries == 0
    assert list(store.tidying(staging))
    assert whole_list(store) == {"OLD": ACCEPTED}
    assert (rows_in_table(store), is_untidy(store)) == (1, False)


def test_a_list_replaced_in_one_go_is_whole_or_not_there(store):
    replace_list(store, 1, [("OLD", ACCEPTED)])
    with pytest.raises(StoreError, match="Cannot write the local list"):
        replace_list(store, 2, [("04AB", ACCEPTED), ("04ab", BLOCKED)])
    assert store.facts("OLD") == TagRecord(ACCEPTED, 1, None)
    assert rows_in_table(store) == 1


def test_pages_come_in_the_order_of_the_tags_without_regard_to_case(store):
    update(store, 1, entries(*((tag, ACCEPTED) for tag in ("b", "A", "c", "D"))), is_full=True)
    assert [tag for tag, _ in store.list_page("", 0, 2)] == ["A", "b"]
    assert [tag for tag, _ in store.list_page("B", 0, 2)] == ["c", "D"]
    assert [tag for tag, _ in store.list_page("", 3, 2)] == ["D"]
    assert store.list_page("D", 0, 2) == []


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        (_PAGE, {"after": "", "limit": 1, "offset": 0}),
        (f"SELECT {listed_status(':id_tag')}", {"id_tag": "A"}),
    ],
)
def test_the_other_look_ups_use_an_index_and_sort_nothing(store, sql, parameters):
    plan = store._database.reader.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    steps = [detail for *_, detail in plan]
    assert [step for step in steps if "TEMP B-TREE" in step or step.startswith("SCAN l")] == []


# --- one beside the other ------------------------------------------------------------------------

OLD = {"A": ACCEPTED, "B": BLOCKED, "C": EXPIRING}
CHANGES = entries(("A", None), ("B", ACCEPTED), ("D", BLOCKED), ("E", EXPIRING), ("X", None))
FULL = entries(("A", BLOCKED), ("D", BLOCKED), ("E", EXPIRING), ("F", ACCEPTED))
AFTER_CHANGES = {"B": ACCEPTED, "C": EXPIRING, "D": BLOCKED, "E": EXPIRING}
AFTER_FULL = {entry.id_tag: entry.info for entry in FULL}


@pytest.mark.parametrize(
    ("changes", "is_full", "new"), [(CHANGES, False, AFTER_CHANGES), (FULL, True, AFTER_FULL)]
)
def test_every_look_up_sees_the_old_list_until_it_is_activated_and_then_the_new_one(
    store, changes, is_full, new
):
    update(store, 1, entries(*OLD.items()), is_full=True)
    expected, version = OLD, 1
    names = []
    for name in steps_of(store, 2, changes, is_full=is_full, piece=2):
        names.append(name)
        if name == "activated":
            expected, version = new, 2
        assert whole_list(store) == expected
        for tag in "ABCDEFX":
            assert store.facts(tag) == TagRecord(expected.get(tag), version, None)
        assert store.local_list().entries == len(expected)
    assert names.count("staged") > 1
    assert names.count("tidied") > 1
    assert (rows_in_table(store), is_untidy(store)) == (len(new), False)


@pytest.mark.parametrize("activates", [True, False])
@pytest.mark.parametrize(
    ("changes", "is_full", "new"), [(CHANGES, False, AFTER_CHANGES), (FULL, True, AFTER_FULL)]
)
def test_a_power_cut_at_any_step_leaves_one_list_or_the_other_and_nothing_else(
    store, path, tmp_path, open_store, changes, is_full, new, activates
):
    update(store, 1, entries(*OLD.items()), is_full=True)
    expected, version = OLD, 1
    steps = steps_of(store, 2, changes, is_full=is_full, activates=activates, piece=2)
    for number, name in enumerate(steps):
        if name == "activated":
            expected, version = new, 2
        survivor = open_store(as_if_power_failed(path, tmp_path / f"survivor-{number}.db"))
        assert survivor.quarantined == ""
        assert whole_list(survivor) == expected
        assert survivor.local_list().version == version
        assert survivor.local_list().entries == rows_in_table(survivor) == len(expected)
        assert not is_untidy(survivor)
        update(survivor, 9, entries(("NEXT", BLOCKED)), is_full=False)  # and life goes on
        assert whole_list(survivor) == {**expected, "NEXT": BLOCKED}
        survivor.close()


@pytest.mark.parametrize("is_full", [True, False])
def test_a_power_cut_within_a_large_update_is_tidied_at_the_next_opening_in_pieces(
    store, path, tmp_path, open_store, is_full
):
    old = numbered(2 * REMOVED_AT_ONCE_MAX + 10)
    update(store, 1, old, is_full=True)
    changes = numbered(REMOVED_AT_ONCE_MAX, BLOCKED) + numbered(1500, ACCEPTED, "U")
    steps = steps_of(store, 2, changes, is_full=is_full)
    while next(steps) != "activated":
        pass
    survivor = open_store(as_if_power_failed(path, tmp_path / "survivor.db"))
    expected = {entry.id_tag: entry.info for entry in ([] if is_full else old) + changes}
    assert whole_list(survivor) == expected
    assert rows_in_table(survivor) == len(expected)


def as_if_power_failed(path: Path, copy: Path) -> Path:
    """Copy what is on the disk at this moment: database and log, no goodbye."""
    shutil.copy(path, copy)
    shutil.copy(path.with_name(path.name + "-wal"), copy.with_name(copy.name + "-wal"))
    return copy


def test_other_commits_get_in_between_and_are_not_touched(store):
    update(store, 1, numbered(10), is_full=True)
    count = 0
    for _ in steps_of(store, 2, numbered(1200, BLOCKED), is_full=True):
        count += 1
        store.commit([CacheTag(f"C{count}", ACCEPTED)], NOON)
    assert store.facts("C1").cache_entry is not None
    assert store.facts(f"C{count}").cache_entry is not None
    assert store.local_list() == LocalList(2, 1200, 2)


# --- when it goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("is_full", [True, False])
def test_an_abandoned_update_leaves_nothing_behind(store, is_full):
    update(store, 1, entries(*OLD.items()), is_full=True)
    for _ in steps_of(store, 2, CHANGES, is_full=is_full, activates=False):
        pass
    assert whole_list(store) == OLD
    assert store.local_list() == LocalList(1, 3, 1)
    assert (rows_in_table(store), is_untidy(store)) == (3, False)
    update(store, 2, CHANGES, is_full=False)
    assert whole_list(store) == AFTER_CHANGES


def test_no_update_begins_before_the_last_one_is_tidied(store):
    staging = store.begin_list(is_full=False)
    store.stage_list(staging, entries(("LEFT", ACCEPTED)))
    with pytest.raises(AssertionError, match="not been tidied"):
        store.begin_list(is_full=False)
    for _ in store.tidying():  # nobody remembers which idTags they were
        pass
    update(store, 1, entries(("A", ACCEPTED)), is_full=False)
    assert whole_list(store) == {"A": ACCEPTED}


def test_tidying_a_tidy_list_does_nothing(store):
    update(store, 1, numbered(3), is_full=True)
    assert list(store.tidying()) == []


def limit_pages(store: Store, more: int) -> Callable[[], object]:
    """Let the database grow by so many pages only; returns what lifts the limit."""
    writer = store._database.writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + more}")
    return lambda: writer.execute("PRAGMA max_page_count = 1000000")


def test_a_full_disk_leaves_the_old_list_and_room_makes_the_update_possible(store):
    update(store, 1, numbered(20), is_full=True)
    make_room = limit_pages(store, 10)
    staging = store.begin_list(is_full=True)
    with pytest.raises(StoreFull, match="no room"):
        store.stage_list(staging, numbered(5000))
    for _ in store.tidying(staging):
        pass
    assert len(whole_list(store)) == rows_in_table(store) == 20
    make_room()
    update(store, 2, numbered(5000), is_full=True)
    assert store.local_list().entries == 5000


def test_a_store_that_cannot_be_tidied_at_opening_opens_all_the_same(
    store, path, tmp_path, open_store, monkeypatch, caplog
):
    steps = steps_of(store, 1, entries(("A", ACCEPTED)), is_full=True)
    assert [next(steps), next(steps)] == ["begun", "staged"]
    copy = as_if_power_failed(path, tmp_path / "survivor.db")

    def fail(self: Store, staging: object = None) -> Iterator[None]:
        raise StoreFull("Cannot write the local list: no room on the disk")
        yield

    with monkeypatch.context() as patched:
        patched.setattr(Store, "tidying", fail)
        survivor = open_store(copy)
    assert "no room on the disk" in caplog.text
    assert whole_list(survivor) == {}
    for _ in survivor.tidying():
        pass
    assert rows_in_table(survivor) == 0
