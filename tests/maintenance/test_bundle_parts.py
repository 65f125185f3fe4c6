"""What a bundle is made of: log, database, machine, journald."""

from __future__ import annotations

import logging
import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.core.commands import CacheTag, RecordDecision
from agent.core.values import AuthorizationStatus, DecisionRecord, IdTagInfo, Verdict
from agent.maintenance import machine
from agent.maintenance.machine import LINE_MAX, LINES_KEPT, LogRing, journal_excerpt
from agent.platform.errors import StoreError
from agent.store import Store
from agent.store.offline_view import look_at, quick_check
from tests.store.builders import replace_list

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ACCEPTED = IdTagInfo(AuthorizationStatus.ACCEPTED, parent_id_tag="FAMILY")


def now_s() -> float:
    return 0.0


def never() -> bool:
    return False


# --- the log -------------------------------------------------------------------------------------


def test_the_last_lines_of_the_log_are_kept_with_their_times():
    times = iter(NOON + timedelta(seconds=number) for number in range(10_000))
    logger = logging.getLogger("test of the ring")
    logger.setLevel(logging.DEBUG)
    with LogRing(lambda: next(times), now_s).listening() as ring:
        logger.debug("not this")
        logger.info("card %s", "04..80")
        logger.warning("x" * 1000)
    logger.warning("not this either")
    assert ring.lines()[0] == (NOON, "INFO card 04..80")
    assert ring.lines()[1][1] == ("WARNING " + "x" * 1000)[:LINE_MAX]
    assert len(ring.lines()) == 2


def test_the_ring_is_bounded():
    ring = LogRing(lambda: NOON, now_s)
    for number in range(LINES_KEPT + 10):
        name = f"x{number}"  # of another place in the program: what repeats is not kept
        ring.emit(logging.LogRecord(name, logging.INFO, "x", 1, f"line {number}", (), None))
    assert len(ring.lines()) == LINES_KEPT
    assert ring.lines()[0][1] == "INFO line 10"


def test_of_a_traceback_the_mistake_is_kept():
    logger = logging.getLogger("test of the ring")
    with LogRing(lambda: NOON, now_s).listening() as ring:
        try:
            raise KeyError("what was missing")
        except KeyError:
            logger.exception("it failed")
    assert ring.lines()[0][1] == "ERROR it failed [KeyError: 'what was missing']"


def test_a_record_that_cannot_be_formatted_does_no_harm():
    ring = LogRing(lambda: NOON, now_s)
    ring.emit(logging.LogRecord("x", logging.INFO, "x", 1, "%d cards", ("two",), None))
    ring.emit(logging.LogRecord("x", logging.INFO, "x", 1, "%(cards)s", ({"card": 1},), None))
    assert [text for _, text in ring.lines()] == ["INFO %d cards", "INFO %(cards)s"]


# --- the database --------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


def a_store(path: Path) -> Store:
    store = Store.open(path, now=NOON, make_id=lambda: "unused")
    replace_list(store, 3, [("LISTED-1", ACCEPTED)])
    record = DecisionRecord(
        decided_at=NOON,
        purpose="start",
        connector_id=1,
        id_tag="DECIDED-1",
        verdict=Verdict.REFUSED,
        rule="CENTRAL_REFUSED",
        source="central system",
    )
    store.commit([CacheTag("CACHED-1", ACCEPTED), RecordDecision(record)], NOON)
    return store


def test_the_database_is_looked_at_beside_the_agent_that_has_it_open(path: Path):
    store = a_store(path)
    look = look_at(path, never)
    assert look.problems == []
    assert look.quick_check == "ok"
    assert set(look.tags) == {"LISTED-1", "CACHED-1", "DECIDED-1", "FAMILY"}
    assert [record.id_tag for record in look.decisions] == ["DECIDED-1"]
    assert look.outbox is not None
    assert look.outbox.queued_count == 0
    assert look.rows["local_list"] == 1
    assert look.steps[0] == "create_outbox"
    assert look.bytes["agent.db"] > 0
    store.commit([CacheTag("LATER-1", ACCEPTED)], NOON)  # it is not held up
    store.close()


def test_a_look_changes_nothing_and_can_be_had_without_an_agent(path: Path):
    a_store(path).close()
    before = path.read_bytes()
    assert look_at(path, never).quick_check == "ok"
    assert path.read_bytes() == before


def test_a_damaged_database_is_told_and_not_moved(path: Path):
    a_store(path).close()
    content = bytearray(path.read_bytes())
    content[2048:6144] = b"\xff" * 4096
    path.write_bytes(content)
    look = look_at(path, never)
    assert look.quick_check != "ok"
    assert look.problems
    assert path.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"", "another program"), (b"x" * 5000, "not a database")],
)
def test_what_is_no_database_is_told(path: Path, content: bytes | None, words: str):
    if content is not None:
        path.write_bytes(content)
    assert words in look_at(path, never).problems[0]
    with pytest.raises(StoreError, match=words):
        quick_check(path)


def test_a_look_that_takes_too_long_is_ended(path: Path):
    store = Store.open(path, now=NOON, make_id=lambda: "unused")
    replace_list(store, 1, [(f"TAG-{n}", ACCEPTED) for n in range(20_000)])
    look = look_at(path, lambda: True)
    assert any("interrupted" in problem for problem in look.problems)
    assert quick_check(path) == "ok"
    store.close()


def test_a_database_of_an_older_version_is_looked_at_as_far_as_it_goes(path: Path):
    a_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE deeds")
    connection.close()
    look = look_at(path, never)
    assert look.quick_check == "ok"
    assert any("deeds" in problem for problem in look.problems)


# --- the machine ---------------------------------------------------------------------------------


def test_versions_name_this_program_and_its_libraries():
    found = machine.versions()
    assert found["chargepoint-agent"] == machine.own_version() != "unknown"
    assert found["libraries"]["ocpp"].startswith("2.")
    assert found["libraries"]["gpiozero"]


def test_facts_about_the_machine_are_there(tmp_path: Path):
    facts = machine.system_facts(tmp_path / "agent.db")
    assert facts["kernel"].startswith("Linux ")
    assert facts["memory"]["MemTotal"].endswith("kB")
    assert facts["disk"]["free_mb"] >= 0
    assert facts["process"]["VmRSS"]


MOUNTS = """\
/dev/root / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
tmpfs /mnt/with\\040space tmpfs rw 0 0
/dev/sda1 /run/data ext4 rw 0 0
overlay /run/data overlay rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/run", "tmpfs"),
        ("/run/x", "tmpfs"),
        ("/runner", "ext4"),
        ("/run/data/x", "overlay"),
        ("/mnt/with space/x", "tmpfs"),
    ],
)
def test_the_file_system_under_a_path_is_known(place: str, kind: str):
    assert machine.file_system_of(Path(place), MOUNTS) == kind


def test_of_a_place_that_is_not_there_nothing_is_told():
    assert machine.disk_facts(Path("/nowhere/at/all/agent.db")) == {}


# --- journald ------------------------------------------------------------------------------------


def a_journalctl(directory: Path, script: str) -> str:
    program = directory / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def test_journald_is_asked_for_the_unit_and_the_time(tmp_path: Path):
    program = a_journalctl(tmp_path, 'echo "$@"')
    asked = journal_excerpt(NOON, NOON + timedelta(hours=1), program)
    assert "--unit chargepoint-agent.service" in asked
    assert "--since 2026-03-01 12:00:00 UTC --until 2026-03-01 13:00:00 UTC" in asked
    assert "--since" not in journal_excerpt(None, None, program)


def test_of_a_long_journal_the_end_is_kept(tmp_path: Path):
    program = a_journalctl(tmp_path, "yes a line with a secret | head -c 1500000; echo end")
    text = journal_excerpt(None, None, program)
    assert 999_970 < len(text) <= 1_000_000
    assert text.startswith("a line with a secret\n")
    assert text.endswith("end\n")


def test_a_machine_without_journald_says_so(tmp_path: Path):
    assert "no journald" in journal_excerpt(None, None, str(tmp_path / "missing"))
    assert "nothing of the service" in journal_excerpt(None, None, a_journalctl(tmp_path, ""))
    (tmp_path / "data").write_text("no program")
    assert "cannot be asked" in journal_excerpt(None, None, str(tmp_path / "data"))
