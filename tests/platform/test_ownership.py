"""Root in folders of other users: whatever they put in its way, it touches nothing of root's."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.cli.commissioning.acceptance_report import Evidence, load, save
from agent.cli.commissioning.init import write_file
from agent.platform import ownership
from agent.platform.errors import AgentError
from agent.platform.ownership import rights_of_owner
from agent.platform.whole_file import write_private

THEM = 54_321  # a user without a name
SECRET = "what only root may read"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")


class Machine:
    """A folder of root's, one of the agent's user, and a configuration that names the second."""

    def __init__(self, base: Path) -> None:
        self.roots = base / "roots"
        self.state = base / "state"
        self.config = base / "config.toml"
        for folder in (self.roots, self.state):
            folder.mkdir()
        self.victim = self.roots / "victim"
        self.victim.write_text(SECRET)
        self.victim.chmod(0o600)
        os.chown(self.state, THEM, THEM)
        self.use(self.state / "agent.db")

    def use(self, database: Path) -> None:
        """Let the configuration name this database."""
        self.config.write_text(
            '[charge_point]\nidentity = "CP1"\n'
            f'[storage]\npath = "{database}"\n[reader]\ndriver = "simulated"\n'
            '[[connectors]]\nid = 1\ncontactor = { driver = "simulated" }\n'
        )

    def link(self, name: str, target: Path) -> None:
        """What the agent's user may do at any time."""
        path = self.state / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        os.chown(path, THEM, THEM, follow_symlinks=False)

    def run(self, *arguments: str) -> int:
        """A command as root."""
        return main([*arguments, "--config", str(self.config)])

    def is_untouched(self) -> bool:
        """Nothing of root's has changed hands, content, or company."""
        found = self.victim.stat()
        assert list(self.roots.iterdir()) == [self.victim]
        return (found.st_uid, found.st_mode & 0o777, self.victim.read_text()) == (0, 0o600, SECRET)


@pytest.fixture
def machine() -> Iterator[Machine]:
    base = Path(tempfile.mkdtemp())  # unlike tmp_path, others can reach it
    base.chmod(0o755)
    yield Machine(base)
    assert (os.geteuid(), os.getegid()) == (0, 0)
    shutil.rmtree(base)


def swapping_at_fsync(monkeypatch: pytest.MonkeyPatch, swap: Callable[[], None]) -> list[int]:
    """Let the other user act between the writing of a file and what is done with it."""
    swaps = []
    fsync = os.fsync

    def fsync_and_swap(descriptor: int) -> None:
        fsync(descriptor)
        swap()
        swaps.append(descriptor)

    monkeypatch.setattr(os, "fsync", fsync_and_swap)
    return swaps


# --- the commands --------------------------------------------------------------------------------


def test_a_new_token_belongs_to_the_agents_user(machine):
    assert machine.run("token", "new", "phone", "--scopes", "read") == 0
    found = (machine.state / "tokens.json").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (THEM, THEM, 0o600)
    assert machine.run("token", "revoke", "phone") == 0


@pytest.mark.parametrize("name", [".tokens.json.{pid}", "tokens.json"])
@pytest.mark.parametrize("what", ["new", "revoke"])
def test_a_token_is_written_through_no_link(machine, monkeypatch, name, what):
    name = name.format(pid=os.getpid())
    assert machine.run("token", "new", "phone", "--scopes", "read") == 0
    swaps = swapping_at_fsync(monkeypatch, lambda: machine.link(name, machine.victim))
    more = ["laptop", "--scopes", "read"] if what == "new" else ["phone"]
    machine.run("token", what, *more)
    assert swaps
    assert machine.is_untouched()
    machine.run("token", what, *more)  # and with the link lying there from the beginning
    assert machine.is_untouched()


@pytest.mark.parametrize("name", ["agent.db.lock", "agent.db", "agent.db-wal", "agent.db-shm"])
def test_the_list_is_opened_through_no_dangling_link(machine, name):
    machine.link(name, machine.roots / "made")
    machine.run("list", "show")
    assert machine.is_untouched()


def test_a_folder_on_the_way_may_be_a_link_too(machine):
    machine.link("inner", machine.roots)
    machine.use(machine.state / "inner" / "agent.db")
    machine.run("list", "show")
    machine.run("token", "new", "phone", "--scopes", "read")
    assert machine.is_untouched()


def test_the_database_that_root_opens_belongs_to_the_agents_user(machine):
    assert machine.run("list", "show") == 0
    assert {path.stat().st_uid for path in machine.state.iterdir()} == {THEM}


def test_what_list_export_writes_is_the_callers(machine):
    target = machine.config.with_name("list.csv")
    assert machine.run("list", "export", str(target)) == 0
    found = target.stat()
    assert (found.st_uid, found.st_mode & 0o777) == (0, 0o600)


def test_what_list_import_reads_is_the_callers(machine, capsys):
    (machine.roots / "cards.csv").write_text("id_tag\n04A2B3C4\n")
    machine.roots.chmod(0o700)
    assert machine.run("list", "import", str(machine.roots / "cards.csv")) == 0
    assert "imported 1 entry" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["self-test.json", "agent.db"])
def test_the_support_bundle_packs_nothing_of_roots(machine, name):
    machine.link(name, machine.victim)
    target = machine.roots / "bundle.tar.gz"
    assert machine.run("support-bundle", str(target)) == 0
    with tarfile.open(fileobj=io.BytesIO(target.read_bytes())) as archive:
        parts = [archive.extractfile(member) for member in archive]
        assert not any(SECRET in part.read().decode() for part in parts if part is not None)
    assert target.stat().st_uid == 0
    target.unlink()
    assert machine.is_untouched()


def test_a_bundle_in_a_folder_of_the_agents_user_is_that_users(machine):
    target = machine.state / "bundle.tar.gz"
    assert machine.run("support-bundle", str(target)) == 0
    assert target.stat().st_uid == THEM


def test_doctor_looks_at_no_database_of_roots(machine, capsys):
    machine.link("agent.db", machine.victim)
    machine.run("doctor")
    assert "has no right to it" in capsys.readouterr().out
    assert machine.is_untouched()


def test_evidence_is_written_through_no_link(machine, monkeypatch):
    evidence = Evidence({"identity": "CP1"}, "2026-03-01T12:00:00Z")
    beside = f".acceptance.json.{os.getpid()}"
    machine.link(beside, machine.victim)
    save(evidence, machine.state / "acceptance")
    assert machine.is_untouched()
    swaps = swapping_at_fsync(monkeypatch, lambda: machine.link(beside, machine.victim))
    save(evidence, machine.state / "acceptance")
    assert swaps
    assert machine.is_untouched()


def test_evidence_that_only_root_may_read_is_not_copied_for_others(machine):
    save(Evidence({"identity": "CP1"}, "2026-03-01T12:00:00Z"), machine.roots / "acceptance")
    machine.link("acceptance.json", machine.roots / "acceptance.json")
    with pytest.raises(AgentError, match="cannot read"):
        load(machine.state / "acceptance.json")
    assert (machine.roots / "acceptance.json").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_init_gives_away_is_the_one_it_wrote(machine, monkeypatch):
    beside = f".key.{os.getpid()}"
    swaps = swapping_at_fsync(monkeypatch, lambda: machine.link(beside, machine.victim))
    monkeypatch.setattr("agent.cli.commissioning.init.SERVICE_USER", "nobody")
    write_file(machine.state / "key", "password\n", 0o600, False, is_for_service=True)
    assert swaps
    assert machine.is_untouched()


def test_root_talks_to_no_socket_that_only_root_may_use(machine):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(machine.roots / "control.sock"))
        os.chmod(machine.roots / "control.sock", 0o600)
        server.listen()
        server.setblocking(False)
        machine.link("control.sock", machine.roots / "control.sock")
        assert machine.run("status") == 1
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("command", ["run", "demo"])
def test_the_agent_itself_goes_on_as_the_owner_of_its_state(machine, monkeypatch, command):
    begun = []
    monkeypatch.setattr(
        "agent.app.daemon.run_daemon", lambda settings, config, simulate: begun.append(1) or 0
    )
    monkeypatch.setattr("agent.app.demo.run_demo", lambda directory: begun.append(1) or 0)
    monkeypatch.setattr("agent.cli.paths.demo_directory", lambda: machine.state)
    asked = []
    monkeypatch.setattr(ownership, "become_owner", lambda *about: asked.append(about) or "them")
    assert machine.run(command) == 0
    assert asked == [(machine.state, ("gpio", "spi", "dialout"))]
    assert begun


# --- the rights ----------------------------------------------------------------------------------


def rights() -> tuple[int, int, list[int]]:
    return os.geteuid(), os.getegid(), os.getgroups()


def test_the_rights_come_back_whatever_happens(machine):
    before = rights()
    seen = []
    with pytest.raises(ZeroDivisionError), rights_of_owner(machine.state):
        seen += [rights(), 1 / 0]
    with rights_of_owner(machine.state), rights_of_owner(machine.state):
        seen += [rights()]
    assert seen == [(THEM, THEM, [THEM])]
    assert rights() == before


def test_who_becomes_the_owner_never_is_root_again(machine):
    program = (
        "import os, sys, json; from pathlib import Path\n"
        "from agent.platform.ownership import become_owner\n"
        "name = become_owner(Path(sys.argv[1]), ['daemon', 'no such group'])\n"
        "try: os.seteuid(0)\n"
        "except PermissionError: print(json.dumps([name, os.getresuid(), os.getgroups()]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, machine.state], capture_output=True, text=True, check=True
    )
    name, ids, groups = json.loads(done.stdout)
    assert (name, ids, sorted(groups)) == (f"the user {THEM}", [THEM] * 3, sorted([THEM, 1]))


def test_the_first_other_owner_on_the_way_decides(machine):
    inner = machine.state / "inner"
    inner.mkdir()  # root's, in a folder that is not
    with rights_of_owner(inner):
        assert os.geteuid() == THEM
    with rights_of_owner(machine.roots / ".." / "state"):
        assert os.geteuid() == THEM
    with rights_of_owner(machine.roots):
        assert os.geteuid() == 0
    (machine.roots / "link").symlink_to("../state/inner")
    with rights_of_owner(machine.roots / "link"):
        assert os.geteuid() == THEM


def test_where_everybody_may_change_names_root_does_nothing(machine):
    machine.roots.chmod(0o777)
    with pytest.raises(AgentError, match="chmod o-w"), rights_of_owner(machine.roots / "deeper"):
        pytest.fail("it went in")
    machine.roots.chmod(0o1777)  # as /tmp
    with rights_of_owner(machine.roots):
        assert os.geteuid() == 0


def test_links_in_a_circle_are_told(machine):
    (machine.roots / "a").symlink_to("b")
    (machine.roots / "b").symlink_to("a")
    with pytest.raises(AgentError, match="symbolic links"), rights_of_owner(machine.roots / "a"):
        pytest.fail("it went in")


def test_without_the_right_to_change_users_it_says_what_to_do(machine, monkeypatch):
    def refuse(groups: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    before = rights()
    with monkeypatch.context() as patch:
        patch.setattr(os, "setgroups", refuse)
        with pytest.raises(AgentError, match=f"run this as the user {THEM}"):
            rights_of_owner(machine.state).__enter__()
    assert rights() == before


def test_a_file_is_written_whole_or_not_at_all(machine, monkeypatch):
    target = machine.roots / "out"
    write_private(target, b"one")

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_private(target, b"two")
    assert target.read_bytes() == b"one"
    assert sorted(path.name for path in machine.roots.iterdir()) == ["out", "victim"]
