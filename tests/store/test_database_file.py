"""Opening: who owns the file, is it sound, what becomes of a damaged one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agent.core.commands import QueueMessage, RecordDecision
from agent.platform.errors import StoreBusy, StoreError
from agent.store import Store
from agent.store.database_file import CORRUPT_KEPT_MAX, PAGE_BYTES, _make_durable
from agent.store.offline_view import quick_check
from tests.store.builders import NOON, START, decision, numbered_ids

NOBODY = 65534
STAMP = "20260301T120000Z"


def written(path: Path) -> Path:
    """Make a database with some pages of content, closed."""
    with closing(Store.open(path, now=NOON, make_id=numbered_ids())) as store:
        store.commit([QueueMessage(1, 1, START)], NOON)
        store.commit([RecordDecision(decision(number)) for number in range(200)], NOON)
    return path


def names_beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


# --- damage --------------------------------------------------------------------------------------


def with_garbage_header(path: Path) -> None:
    path.write_bytes(b"\x00\xff" * 512 + path.read_bytes()[1024:])


def as_text(path: Path) -> None:
    path.write_text("this was never a database\n" * 100)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def with_a_damaged_page(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'decisions'"
        ).fetchone()
    content = bytearray(path.read_bytes())
    begin = (root - 1) * PAGE_BYTES
    content[begin : begin + PAGE_BYTES] = b"\x5a" * PAGE_BYTES
    path.write_bytes(content)


def emptied_beside_its_log(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"frames that were committed")
    os.truncate(path, 0)


def lost_beside_its_log(path: Path) -> None:
    emptied_beside_its_log(path)
    path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        with_garbage_header,
        as_text,
        truncated,
        with_a_damaged_page,
        emptied_beside_its_log,
        lost_beside_its_log,
    ],
)
def test_a_damaged_file_is_set_aside_and_a_fresh_one_begun(
    path, open_store, damage: Callable[[Path], None]
):
    damage(written(path))
    remains = {each.name: each.read_bytes() for each in path.parent.glob("agent.db*")}
    remains.pop("agent.db.lock")
    store = open_store(path)
    assert "was damaged" in store.quarantined
    assert f"agent.db.corrupt-{STAMP}" in store.quarantined
    assert "\n" not in store.quarantined
    assert store.head() is None
    for name, content in remains.items():
        aside = path.with_name(name.replace("agent.db", f"agent.db.corrupt-{STAMP}"))
        assert aside.read_bytes() == content
    store.commit([QueueMessage(1, 1, START)], NOON)
    store.close()
    again = open_store(path)
    assert not again.quarantined
    assert again.head().message == START


def test_a_sound_file_is_not_set_aside(path, open_store):
    store = open_store(written(path))
    assert store.quarantined == ""
    assert len(store.decisions(None, 1000)) == 200


def test_an_empty_file_without_a_log_is_simply_begun(path, open_store):
    path.touch()
    assert open_store(path).quarantined == ""


def test_only_the_last_damaged_files_are_kept_with_their_logs(path):
    for hour in range(CORRUPT_KEPT_MAX + 2):
        as_text(path)
        path.with_name("agent.db-wal").write_bytes(b"log")
        now = NOON + timedelta(hours=hour)
        with closing(Store.open(path, now=now, make_id=numbered_ids())) as store:
            assert store.quarantined
    kept = [f"agent.db.corrupt-20260301T{hour}0000Z" for hour in (14, 15, 16)]
    kept += [f"{name}{companion}" for name in kept for companion in ("-wal", "-shm")]
    assert names_beside(path) == sorted(["agent.db", "agent.db.lock", *kept])


def test_two_damaged_files_of_the_same_second_are_both_kept(path):
    for _ in range(2):
        as_text(path)
        Store.open(path, now=NOON, make_id=numbered_ids()).close()
    assert f"agent.db.corrupt-{STAMP}.2" in names_beside(path)
    assert f"agent.db.corrupt-{STAMP}" in names_beside(path)


# --- what a killed process has left --------------------------------------------------------------


def killed_before_a_sync(path: Path, after: Path) -> Path:
    """Commit without a sync, and copy the files as they are at that moment."""
    written(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("DELETE FROM outbox")
        for name in ("agent.db", "agent.db-wal"):
            shutil.copy(path.with_name(name), after / name)
    return after / "agent.db"


def test_what_can_be_read_after_a_kill_is_on_the_medium_before_anything_is_decided(
    path, tmp_path, open_store
):
    after, alone = tmp_path / "after", tmp_path / "alone"
    after.mkdir()
    alone.mkdir()
    found = killed_before_a_sync(path, after)
    with closing(sqlite3.connect(found)) as onlooker:
        # SQLite copies the log when the last connection closes: that must not be what saves us.
        onlooker.execute("SELECT count(*) FROM outbox").fetchone()
        open_store(found)
        shutil.copy(found, alone / "agent.db")
    assert open_store(alone / "agent.db").head() is None


class Failing:
    """A connection whose log cannot be copied into the file."""

    def __init__(self, error_code: int) -> None:
        self.problem = sqlite3.OperationalError("no")
        self.problem.sqlite_errorcode = error_code

    def execute(self, _: str) -> None:
        raise self.problem


def test_a_full_disk_does_not_keep_the_database_closed_and_a_failing_one_does():
    _make_durable(Failing(sqlite3.SQLITE_FULL))
    with pytest.raises(sqlite3.OperationalError):
        _make_durable(Failing(sqlite3.SQLITE_IOERR))


# --- whose it is ---------------------------------------------------------------------------------


def test_a_second_opener_is_refused_until_the_first_has_closed(path, open_store):
    first = open_store(path)
    with pytest.raises(StoreBusy, match="is another chargepoint-agent running"):
        open_store(path)
    first.close()
    open_store(path)


def test_a_database_locked_by_a_foreign_program_is_busy_and_not_set_aside(path, open_store):
    written(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusy, match="another process"):
            open_store(path)
        other.execute("ROLLBACK")
    assert not [name for name in names_beside(path) if "corrupt" in name]
    assert open_store(path).head().message == START


def test_a_failed_opening_lets_go_of_the_lock(path, open_store):
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (thing TEXT)")
    with pytest.raises(StoreError, match="another program"):
        open_store(path)
    path.unlink()
    assert open_store(path).quarantined == ""


def test_a_missing_directory_is_told_with_what_to_do(tmp_path, open_store):
    with pytest.raises(StoreError, match=r"nowhere .*does not exist: create it"):
        open_store(tmp_path / "nowhere" / "agent.db")
    assert not (tmp_path / "nowhere").exists()


def test_a_directory_in_place_of_the_file_is_told(tmp_path, open_store):
    with pytest.raises(StoreError, match="is a directory"):
        open_store(tmp_path)


@pytest.mark.parametrize("companion", [".lock", "-wal", "-shm", "-journal"])
def test_a_directory_in_place_of_a_file_beside_it_is_named_and_nothing_is_moved(
    path, open_store, companion
):
    content = written(path).read_bytes()
    beside = path.with_name(path.name + companion)
    beside.unlink(missing_ok=True)
    beside.mkdir()
    for look in (open_store, quick_check):  # the agent, and doctor
        with pytest.raises(StoreError, match=f"^{beside} is a directory"):
            look(path)
    assert path.read_bytes() == content
    beside.rmdir()
    assert open_store(path).head().message == START


def test_only_the_owner_can_read_the_files(path, open_store):
    open_store(path)
    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert set(modes) == {"agent.db", "agent.db-wal", "agent.db-shm", "agent.db.lock"}


def test_a_name_with_signs_that_mean_something_in_an_address_is_just_a_name(tmp_path, open_store):
    odd = tmp_path / "what?mode=ro&x#50% é.db"
    open_store(odd).commit([QueueMessage(1, 1, START)], NOON)
    assert odd.exists()


# --- read-only -----------------------------------------------------------------------------------


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that an ordinary user can reach, unlike tmp_path."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Root may write anywhere: be nobody for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def owned(path: Path, mode: int) -> Path:
    """Give a file to the ordinary user, with these rights."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    path.chmod(mode)
    return path


def test_a_read_only_file_is_an_error_and_not_damage(open_directory, open_store):
    path = written(open_directory / "agent.db")
    owned(open_directory, 0o755)
    owned(path.with_name("agent.db.lock"), 0o600)
    owned(path, 0o400)
    with (
        as_ordinary_user(),
        pytest.raises(StoreError, match=r"no right to it; chmod u\+"),
    ):
        open_store(path)
    assert not [name for name in names_beside(path) if "corrupt" in name]
    owned(path, 0o600)  # and nothing else: SQLite has left nothing beside it
    with as_ordinary_user(), closing(open_store(path)) as store:
        assert store.head().message == START


def test_a_read_only_companion_that_was_left_does_not_stay_so(open_directory, open_store):
    path = written(open_directory / "agent.db")
    owned(open_directory, 0o755)
    for name in ("agent.db.lock", "agent.db"):
        owned(open_directory / name, 0o600)
    for name in ("agent.db-shm", "agent.db-wal"):
        (open_directory / name).touch()
        owned(open_directory / name, 0o400)
    with as_ordinary_user():
        open_store(path).commit([RecordDecision(decision(201))], NOON)


def test_a_file_that_may_not_be_read_is_an_error_and_not_damage(open_directory, open_store):
    path = written(open_directory / "agent.db")
    owned(open_directory, 0o755)
    owned(path.with_name("agent.db.lock"), 0o600)
    owned(path, 0o000)
    with as_ordinary_user(), pytest.raises(StoreError, match=r"no right to it; chmod u\+"):
        open_store(path)
    assert not [name for name in names_beside(path) if "corrupt" in name]


def test_a_read_only_directory_is_an_error(open_directory, open_store):
    owned(open_directory, 0o555)
    with (
        as_ordinary_user(),
        pytest.raises(StoreError, match=r"no right to it; chmod u\+"),
    ):
        open_store(open_directory / "agent.db")
    owned(open_directory, 0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_opens_no_database_in_the_directory_of_another_user(open_directory, open_store):
    owned(open_directory, 0o755)
    with pytest.raises(StoreError, match="root does not work in it as root"):
        open_store(open_directory / "agent.db")
    assert list(open_directory.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("mode", [0o770, 0o1777])
def test_nor_in_one_where_others_can_change_names(mode, open_directory, open_store):
    os.chown(open_directory, 0, NOBODY)
    open_directory.chmod(mode)
    with pytest.raises(StoreError, match="others may write in it"):
        open_store(open_directory / "agent.db")
    assert list(open_directory.iterdir()) == []
