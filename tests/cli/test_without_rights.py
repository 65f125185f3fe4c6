"""Every command for a user who may not: words that name the place and the remedy, no traceback."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.cli import paths
from agent.cli.main import parser
from agent.cli.manual.tree import commands_of
from agent.platform.file_problems import in_words, why
from agent.platform.whole_file import write_private
from tests.box_config import write_config
from tests.rights import modes_count

ARGUMENTS = {
    "acceptance": ["--simulated"],
    "init": ["--yes", "--identity", "CP-2"],
    "list add": ["AB"],
    "list name": ["AB", "Anna"],
    "sim grid-limit": ["on"],
    "list export": ["{elsewhere}/cards.csv"],
    "list import": ["{elsewhere}/cards.csv"],
    "list remove": ["AB"],
    "queue": ["show"],
    "self-test": ["--list"],
    "sim energy": ["on"],
    "sim fault": ["welded"],
    "sim network": ["on"],
    "sim tap": ["DEADBEEF"],
    "support-bundle": ["{elsewhere}/bundle.tar.gz"],
    "token new": ["me", "--scopes", "read"],
    "token revoke": ["me"],
}
NEEDS_NOTHING = ("demo", "completion", "manual")
COMMANDS = [
    words
    for command in commands_of(parser())
    if not command.inner and (words := " ".join(command.words)) not in NEEDS_NOTHING
]


def closed_data(directory: Path) -> Path:
    config = write_config(directory)
    moved = config.rename(directory.parent / f"{directory.name}.toml")
    directory.chmod(0)
    return moved


def no_data(directory: Path) -> Path:
    config = write_config(directory)
    moved = config.rename(directory.parent / f"{directory.name}.toml")
    directory.rmdir()
    return moved


def closed_config(directory: Path) -> Path:
    config = write_config(directory)
    config.chmod(0)
    return config


def no_config(directory: Path) -> Path:
    return directory / "config.toml"


def config_in_a_closed_folder(directory: Path) -> Path:
    config = write_config(directory)
    directory.chmod(0)
    return config


def config_that_is_a_folder(directory: Path) -> Path:
    (directory / "config.toml").mkdir()
    return directory / "config.toml"


SURROUNDINGS = (
    closed_data,
    no_data,
    closed_config,
    no_config,
    config_in_a_closed_folder,
    config_that_is_a_folder,
)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "box"
    directory.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere").chmod(0)
    yield directory
    for path in (tmp_path / "elsewhere", directory):
        if path.exists():
            path.chmod(0o700)


@pytest.mark.parametrize(
    ("command", "surroundings"),
    [
        pytest.param(command, make, id=f"{command}-{make.__name__}")
        for command in COMMANDS
        for make in SURROUNDINGS
        if (command, make) != ("init", no_config)  # it writes one
    ],
)
def test_a_command_that_may_not_says_so_in_words(
    box: Path, command: str, surroundings: Callable[[Path], Path], capsys, monkeypatch
):
    monkeypatch.chdir(box.parent)
    config = surroundings(box)
    more = [word.format(elsewhere=box.parent / "elsewhere") for word in ARGUMENTS.get(command, [])]
    with modes_count():
        status = main([*command.split(), *more, "--config", str(config)])
    told = capsys.readouterr()
    if status == 0:  # what it needs is open
        assert command in ("check-config", "safe-state", "token list")
        assert surroundings in (closed_data, no_data)
    else:
        assert status in (1, 78)
        assert str(box.parent) in told.out + told.err


@pytest.mark.parametrize("surroundings", SURROUNDINGS, ids=lambda make: make.__name__)
def test_a_bundle_is_made_whatever_is_closed(box: Path, surroundings, capsys, monkeypatch):
    monkeypatch.chdir(box.parent)
    config = surroundings(box)
    with modes_count():
        assert main(["support-bundle", "mine.tar.gz", "--config", str(config)]) == 0
    assert (box.parent / "mine.tar.gz").stat().st_size > 0


def test_the_doctor_goes_on_where_the_data_is_closed_and_says_who_may_look(box: Path, capsys):
    config = closed_data(box)
    with modes_count():
        assert main(["doctor", "--config", str(config)]) == 1
    lines = capsys.readouterr().out.splitlines()
    (database,) = (line for line in lines if line[6:].startswith("database"))
    assert f"cannot look at {box}/agent.db: the user " in database
    assert database.endswith(f"has no right to it; chmod u+x {box}")
    assert database.startswith("NOTE")
    assert lines[-1].startswith("SKIP  link")


def test_a_service_whose_socket_is_closed_to_this_user_is_meant_all_the_same(
    box: Path, monkeypatch, capsys
):
    monkeypatch.setattr(paths, "SERVICE_SOCKET", box / "control.sock")
    monkeypatch.setattr(paths, "DEFAULT_CONFIG", box.parent / "none.toml")
    box.chmod(0)
    with modes_count():
        assert main(["status"]) == 1
    assert f"no right to use {box}/control.sock: run this as root" in capsys.readouterr().err


# --- the words -----------------------------------------------------------------------------------


def refused(path: Path, mode: str = "rb") -> OSError:
    with modes_count(), pytest.raises(OSError, match=r".") as raised, open(path, mode):
        pass
    return raised.value


def a_group_of_others() -> int:
    return next(gid for gid in range(1, 1000) if gid not in os.getgroups())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(
    ("mode", "is_helped"),
    [(0o750, True), (0o710, True), (0o740, False), (0o700, False)],
)
def test_a_group_is_named_only_where_to_join_it_helps(box: Path, mode: int, is_helped: bool):
    (box / "file").write_text("")
    (box / "file").chmod(0o640)
    os.chown(box, 12_345, a_group_of_others())
    box.chmod(mode)
    problem = refused(box / "file")
    with modes_count():
        told = in_words(problem, "read")
    assert told.startswith(f"cannot read {box}/file: the user ")
    assert ("join the group" in told) == is_helped
    assert "run this as root" in told


def test_what_is_missing_is_the_first_folder_that_is_not_there(tmp_path: Path):
    problem = refused(tmp_path / "a" / "b" / "c")
    assert in_words(problem, "read") == (
        f"cannot read {tmp_path}/a/b/c: there is no folder {tmp_path}/a"
    )
    (tmp_path / "file").write_text("")
    problem = refused(tmp_path / "file" / "c")
    assert in_words(problem, "read").endswith(f"{tmp_path}/file is no folder")
    assert in_words(refused(tmp_path / "c"), "read").endswith("c: there is no such file")


def test_without_a_place_the_reason_is_told():
    assert why(OSError(errno.ENOSPC, "No space left on device")) == "no room on the disk"
    assert in_words(OSError(errno.EIO, "Input/output error")) == "Input/output error"


def test_a_file_that_cannot_be_written_leaves_nothing_beside_it(box: Path):
    (box / "folder").mkdir()
    with pytest.raises(Exception, match=r"cannot write .*folder: it is a folder"):
        write_private(box / "folder", b"content")
    assert [path.name for path in box.iterdir()] == ["folder"]
