"""A database with one damaged value: what the agent and doctor say, and the documented way on."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent.core.commands import LogSession, ParkMessage, QueueMessage, SaveTransaction
from agent.maintenance.check_box import look_at_database
from agent.maintenance.findings import FindingVerdict
from agent.store import Store
from tests.app.test_daemon import received, run_simulated, run_to_its_end
from tests.box_config import write_config
from tests.emulators.central_system import FakeCentralSystem
from tests.store.builders import ACCEPTED, NOON, START, STOP, TAG, replace_list, transaction

pytestmark = pytest.mark.real_time

DOCUMENT = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
SERVICE = "/var/lib/chargepoint-agent"
KEPT = ("local_list", "charge_log", "outbox WHERE sequence < 3")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A box that has lost power in session 7, with a parked message, a list and a charge log."""
    path = tmp_path / "agent.db"
    session = transaction(7)
    with closing(Store.open(path, now=NOON, make_id=iter("abcd").__next__)) as store:
        replace_list(store, 3, [(TAG, ACCEPTED), ("04AB", ACCEPTED)])
        store.commit([LogSession(transaction(6), STOP), QueueMessage(1, 6, STOP)], NOON)
        store.commit([ParkMessage(1, "refused"), SaveTransaction(session)], NOON)
        store.commit([QueueMessage(3, 7, START)], NOON)
    return path


def execute(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def kept(path: Path) -> list[list[tuple[object, ...]]]:
    return [execute(path, f"SELECT * FROM {rows}") for rows in KEPT]


def documented_lines(statement: str, folder: Path) -> str:
    """The lines of the document for this box, with this statement, without systemd and sudo."""
    (block,) = [one for one in DOCUMENT.read_text().split("```") if "VACUUM INTO" in one]
    lines = [
        line for line in block.splitlines()[1:] if not re.match("sudo (systemctl|charge)", line)
    ]
    text = "\n".join(f'sql "{statement}"' if "UPDATE" in line else line for line in lines)
    python = "sudo -u chargepoint /opt/chargepoint-agent/bin/python"
    assert python in text
    return text.replace(python, sys.executable).replace(SERVICE, str(folder))


def documented_statements() -> list[str]:
    return re.findall(r"\| `(UPDATE [^.`]*)` \|", DOCUMENT.read_text())


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        ("transactions SET last_at = '2026-\x11'", "transactions, row ref = 7, column last_at"),
        ("transactions SET begun_at = ''", "transactions, row ref = 7, column begun_at"),
    ],
)
async def test_the_start_ends_with_the_place_and_the_documented_line_is_a_way_on(
    database, damage, place
):
    before = kept(database)
    execute(database, f"UPDATE {damage}")
    write_config(database.parent)
    status, said = await run_to_its_end(database.parent)
    assert status == 65
    assert said[-1].startswith("error: Cannot read the journal: ")
    (finding,) = look_at_database(database)
    assert finding.verdict is FindingVerdict.FAIL
    assert f"{database} holds a damaged value: table {place}: " in finding.words
    assert f"{finding.words}; {finding.then}" in said[-1]

    column = place.split()[-1]
    (statement,) = [
        statement for statement in documented_statements() if f" SET {column} =" in statement
    ]
    lines = documented_lines(statement, database.parent)
    done = await asyncio.to_thread(subprocess.run, ["sh", "-ec", lines], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    (copy,) = database.parent.glob("before-mending.db")
    assert copy.stat().st_mode & 0o077 == 0
    assert [one.verdict for one in look_at_database(database)] == [FindingVerdict.PASS]
    system = FakeCentralSystem()
    async with system.serve() as url, run_simulated(database.parent, url):
        stop = await received(system, "StopTransaction")
        assert stop.payload["meterStop"] == 1000
    after = kept(database)
    assert after[0] == before[0]
    assert set(after[1]) > set(before[1])
    assert after[2] == before[2]
