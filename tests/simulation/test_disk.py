"""The simulated disk: what was synced survives a power cut, and what was not may not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.simulation import vfs
from tests.simulation.disk import Content, Disk, Trouble, Write

pytestmark = pytest.mark.skipif(vfs.why_not() is not None, reason=str(vfs.why_not()))


class Box:
    """A disk, and somebody who writes on it; ``strike_at`` cuts the power at that step."""

    def __init__(self, folder: Path, watch: vfs.Watch, seed: int = 1) -> None:
        self.random = Random(seed)
        self.steps = 0
        self.strike_at: int | None = None
        self.happened: list[str] = []
        self.disk = Disk(folder, watch, self._step, self.happened.append)

    def _step(self, where: str) -> None:
        self.steps += 1
        if self.steps == self.strike_at:
            self.disk.lost_power(self.random)

    def connect(self, synchronous: str = "FULL") -> sqlite3.Connection:
        connection = sqlite3.connect(self.disk.path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("CREATE TABLE IF NOT EXISTS notes (note)")
        return connection

    def count(self) -> int:
        connection = self.connect()
        (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
        (count,) = connection.execute("SELECT count(*) FROM notes").fetchone()
        connection.close()
        assert verdict == "ok"
        return int(count)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with vfs.watching() as watch:
        yield Box(tmp_path, watch)


def write(connection: sqlite3.Connection, note: str = "x" * 700) -> None:
    connection.execute("INSERT INTO notes VALUES (?)", (note,))


def test_a_power_cut_at_any_step_loses_no_commit_and_tears_no_other(box: Box) -> None:
    committed = 0
    for round_number in range(60):
        connection = box.connect()
        for _ in range(3):
            write(connection)
            committed += 1
        box.strike_at = box.steps + 1 + round_number % 5
        write(connection)
        if box.steps < box.strike_at:
            box.disk.lost_power(box.random)
        box.strike_at = None
        connection.close()  # a ghost's: in the old folder
        found = box.count()
        assert found - committed in (0, 1), "three commits, and the one that was cut or not"
        committed = found


def test_without_syncs_a_power_cut_does_lose_commits(box: Box) -> None:
    lost = 0
    for _ in range(10):
        connection = box.connect("OFF")
        before = connection.execute("SELECT count(*) FROM notes").fetchone()[0]
        write(connection)
        box.disk.lost_power(box.random)
        connection.close()
        lost += box.count() <= before
    assert lost > 0


def test_a_killed_process_loses_nothing_that_it_wrote(box: Box) -> None:
    connection = box.connect("OFF")
    write(connection)
    box.disk.killed()
    connection.close()
    assert box.count() == 1


def test_what_a_ghost_writes_stays_in_its_own_folder(box: Box) -> None:
    connection = box.connect()
    box.disk.killed()
    write(connection)
    connection.close()
    assert box.count() == 0


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (Trouble.FULL, "disk is full"),
        (Trouble.BAD_WRITES, "I/O error"),
        (Trouble.BAD_SYNCS, "I/O error"),
    ],
)
def test_trouble_with_the_disk_fails_the_commit_and_passes(
    box: Box, trouble: Trouble, says: str
) -> None:
    connection = box.connect()
    box.disk.trouble = trouble
    with pytest.raises(sqlite3.OperationalError, match=says):
        write(connection)
    assert set(box.happened) == {f"disk: {trouble.value}"}
    box.disk.trouble = None
    write(connection, "afterwards")
    notes = connection.execute("SELECT note FROM notes").fetchall()
    connection.close()
    assert notes == [("afterwards",)]


def test_a_commit_is_synced_when_it_returns_and_not_without_syncs(box: Box) -> None:
    connection = box.connect()
    write(connection)
    assert box.disk.is_synced()
    connection.execute("PRAGMA synchronous = OFF")
    write(connection)
    assert not box.disk.is_synced()
    connection.close()


def test_files_elsewhere_are_left_alone(box: Box, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    connection = sqlite3.connect(elsewhere / "agent.db", isolation_level=None)
    before = box.steps
    connection.execute("CREATE TABLE notes (note)")
    connection.close()
    assert box.steps == before


def test_every_file_that_sqlite_makes_has_the_name_and_the_place_that_it_was_given(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SQLite makes the name of its shared memory of an address that it was handed at the opening:
    # a copy of the path that is gone by then would name a file in the current directory.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for _ in range(20):
        connections = [box.connect() for _ in range(3)]
        write(connections[0])
        box.disk.killed()
        for connection in connections:
            connection.close()
    assert list(elsewhere.iterdir()) == []
    made = {each.name for each in tmp_path.glob("*/*")}
    assert made <= {"agent.db", "agent.db-wal", "agent.db-shm"}


def test_the_last_unsynced_write_may_be_torn_and_those_before_it_may_be_missing() -> None:
    images = set()
    for seed in range(200):
        content = Content(bytearray(b"--------"))
        content.pending = [Write(0, b"AA"), Write(6, b"ZZ"), Write(2, b"BCD")]
        images.add(content.after_power_cut(Random(seed)))
    assert {b"--------", b"AABCD-ZZ"} <= images
    assert {b"AABC--ZZ", b"AAB---ZZ", b"AA----ZZ", b"AA------"} <= images


def test_a_cut_file_is_shorter_for_a_reader_at_once_and_after_a_sync_for_ever() -> None:
    content = Content(bytearray(b"12345678"))
    content.pending = [Write(4, None)]
    assert content.now() == b"1234"
    content.sync()
    assert bytes(content.safe) == b"1234"
