"""``chargepoint-agent sessions``: on the running agent, and on the database alone."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.control.charge_log_csv import COLUMNS, sessions_as_csv
from agent.core.commands import LogSession, QueueMessage
from agent.core.figures import Figures
from agent.core.values import ListEntry, StopReason, Transaction, TransactionEnded
from agent.platform.errors import ControlError
from agent.store import Store
from tests.app.box import CARD, running_box
from tests.store.builders import ACCEPTED, NOON

pytestmark = pytest.mark.usefixtures("in_berlin")

HOUR = timedelta(hours=1)
WRITTEN = bytes.fromhex(CARD).hex(":")
OTHER = "0499887766554433"
NOVEMBER = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)  # 23:30 in Berlin
DECEMBER = NOVEMBER + HOUR


def session(ref: int, ended_at: datetime, wh: int, id_tag: str = CARD) -> LogSession:
    figures = Figures("LISTED", "local list", 11_040, 90)
    begun = Transaction(
        ref, 1, id_tag, ended_at - HOUR, 0.0, 1_000_000, 1_000_000, ended_at, figures=figures
    )
    return LogSession(begun, TransactionEnded(1_000_000 + wh, ended_at, StopReason.LOCAL), 0)


def fill(store: Store, name: str = "Anna Berg") -> None:
    staging = store.begin_list(is_full=False)
    store.stage_list(staging, [ListEntry(CARD, ACCEPTED, name)])
    waits = QueueMessage(1, 3, TransactionEnded(1, DECEMBER, StopReason.LOCAL))
    rows = [
        session(1, NOVEMBER, 12_345),
        session(2, DECEMBER, 1_000),
        session(3, DECEMBER, 500, OTHER),
    ]
    store.commit([*rows, waits], NOON)


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A box that does not run, with three sessions in its log."""
    store = Store.open(tmp_path / "agent.db", now=NOON, make_id=lambda: "unused")
    fill(store)
    store.close()
    path = tmp_path / "config.toml"
    path.write_text(f'[storage]\npath = "{tmp_path}/agent.db"\n')
    return str(path)


def told(capsys: pytest.CaptureFixture[str], config: str, *arguments: str) -> str:
    assert main(["sessions", "--config", config, *arguments]) == 0
    return capsys.readouterr().out


def test_the_newest_stands_first_with_names_sums_and_no_whole_tag(capsys, config):
    out = told(capsys, config)
    assert out.splitlines() == [
        "2026-11-30 23:30 to 2026-12-01 00:30  connector 1      0.500 kWh  04..33  Local, waiting",
        "2026-11-30 23:30 to 2026-12-01 00:30  connector 1      1.000 kWh"
        "  Anna Berg (04..80)  Local",
        "2026-11-30 22:30 to 2026-11-30 23:30  connector 1     12.345 kWh"
        "  Anna Berg (04..80)  Local",
        "",
        "by month and card; a session counts in the month in which it ended, local time (CET)",
        "2026-12       1.000 kWh      1 session   Anna Berg (04..80)",
        "2026-12       0.500 kWh      1 session   04..33",
        "2026-12       1.500 kWh      2 sessions  all",
        "2026-11      12.345 kWh      1 session   Anna Berg (04..80)",
        "2026-11      12.345 kWh      1 session   all",
    ]
    assert OTHER not in out
    assert CARD not in out


def test_a_session_for_which_no_card_was_needed_says_so_with_its_sum(capsys, config):
    path = Path(config).with_name("agent.db")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE charge_log SET rule = 'FREE' WHERE id_tag = ?", (OTHER,))
    out = told(capsys, config)
    assert "      0.500 kWh  free charging  Local, waiting\n" in out
    assert "2026-12       0.500 kWh      1 session   free charging\n" in out


def test_it_says_that_it_reads_the_database_when_no_agent_runs(capsys, config):
    assert main(["sessions", "--config", config]) == 0
    assert "no agent is running: reading the database" in capsys.readouterr().err


def test_dates_are_local_and_both_ends_belong_to_what_is_wanted(capsys, config):
    def refs(*arguments: str) -> list[int]:
        answer = json.loads(told(capsys, config, "--json", *arguments))
        return [found["session"] for found in answer["sessions"]]

    assert refs("--to", "2026-11-30") == [1]
    assert refs("--from", "2026-12-01") == [3, 2]
    assert refs("--from", "2026-11-30", "--to", "2026-12-01") == [3, 2, 1]
    assert refs("--from", "2026-11-30T23:00:00Z") == [3, 2]
    assert refs("--tag", CARD.lower()) == [2, 1]
    assert refs("--tag", WRITTEN) == [2, 1]
    assert refs("--limit", "1") == [3]


def test_a_card_is_looked_for_in_the_form_of_the_reader_else_as_it_is_written(capsys, config):
    told(capsys, config, "--tag", WRITTEN)
    assert main(["sessions", "--config", config, "--tag", "04:A2:B3"]) == 1
    assert "error: 04:A2:B3 has 6 hex digits: the UID of a card" in capsys.readouterr().err
    with open(config, "a") as file:
        file.write('[charge_point]\nidentity = "CP-1"\n[reader]\nuid_format = "decimal"\n')
        file.write('[[connectors]]\nid = 1\ncontactor = { driver = "gpio", pin = 17 }\n')
    assert main(["sessions", "--config", config, "--tag", WRITTEN]) == 1
    assert "is written in hex, but reader.uid_format of this box is" in capsys.readouterr().err
    with open(config, "a") as file:
        file.write("oops\n")
    assert "04..80" in told(capsys, config, "--tag", WRITTEN)


@pytest.mark.parametrize(
    "arguments",
    [["--from", "30.11.2026"], ["--to", "9999-12-31"], ["--limit", "0"], ["--csv", "tab"]],
)
def test_what_cannot_be_meant_is_named(capsys, config, arguments):
    with pytest.raises(SystemExit, match="2"):
        main(["sessions", "--config", config, *arguments])
    assert f"argument {arguments[0]}" in capsys.readouterr().err


def test_a_begin_after_the_end_is_named_and_a_day_is_no_such_thing(capsys, config):
    command = ["sessions", "--config", config]
    assert main([*command, "--from", "2026-12-01", "--to", "2026-11-30"]) == 2
    assert "--from is later than --to" in capsys.readouterr().err
    assert main([*command, "--from", "2026-12-01", "--to", "2026-12-01"]) == 0


def test_json_has_sessions_and_sums_with_times_in_utc(capsys, config):
    answer = json.loads(told(capsys, config, "--json", "--to", "2026-11-30"))
    assert answer == {
        "sessions": [
            {
                "session": 1,
                "connector_id": 1,
                "id_tag": "04..80",
                "name": "Anna Berg",
                "begun_at": "2026-11-30T21:30:00Z",
                "ended_at": "2026-11-30T22:30:00Z",
                "is_time_known": True,
                "energy_wh": 12345,
                "meter_start_wh": 1000000,
                "meter_stop_wh": 1012345,
                "highest_w": 11040,
                "longest_pause_s": 90,
                "reason": "Local",
                "accepted_by": "local list",
                "accepted_because": "the local list accepts this card",
                "transaction_id": None,
                "central_system": "delivered",
            }
        ],
        "sums": [
            {
                "month": "2026-11",
                "id_tag": "04..80",
                "name": "Anna Berg",
                "sessions": 1,
                "energy_wh": 12345,
            }
        ],
    }


# --- CSV -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("separator", "sign", "energy", "pause"),
    [("comma", ",", "12.345", "1.5"), ("semicolon", ";", "12,345", "1,5")],
)
def test_the_decimal_sign_goes_with_the_separator(capsys, config, separator, sign, energy, pause):
    text = told(capsys, config, "--csv", separator, "--to", "2026-11-30")
    names, cells = csv.reader(io.StringIO(text), delimiter=sign)
    row = dict(zip(names, cells, strict=True))
    assert tuple(names) == COLUMNS
    assert (row["energy_kwh"], row["longest_pause_min"]) == (energy, pause)
    assert (row["begin"], row["begin_utc"]) == ("2026-11-30 22:30:00", "2026-11-30T21:30:00Z")
    assert (row["name"], row["card"]) == ("Anna Berg", "04..80")


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+49", "-1", "@SUM(A1)", '=1;"2'])
def test_no_cell_is_a_formula(tmp_path, name):
    store = Store.open(tmp_path / "agent.db", now=NOON, make_id=lambda: "unused")
    fill(store, name)
    from agent.control.charge_log import answer

    text = sessions_as_csv(answer(store, "hex", {}), "semicolon")
    store.close()
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter=";") for cell in row]
    assert f"'{name}" in cells
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


def test_thousands_of_sessions_come_page_by_page(capsys, tmp_path, config):
    store = Store.open(tmp_path / "agent.db", now=NOON, make_id=lambda: "unused")
    store.commit([session(ref, DECEMBER, 1) for ref in range(4, 1205)], NOON)
    store.close()
    text = told(capsys, config, "--csv")
    assert len(text.splitlines()) == 1 + 1204


def test_a_log_that_is_damaged_or_of_another_version_ends_in_no_traceback(capsys, tmp_path, config):
    with closing(sqlite3.connect(tmp_path / "agent.db", isolation_level=None)) as database:
        database.execute("UPDATE charge_log SET rule = 'OF_TOMORROW' WHERE ref = 1")
        assert "OF_TOMORROW" in told(capsys, config, "--csv")
        database.execute("UPDATE charge_log SET ended_at = '2026-\x11' WHERE ref = 1")
    assert main(["sessions", "--config", config]) == 65
    place = r"table charge_log, row ref = 1, column ended_at: '2026-\x11' is no time"
    assert f"agent.db holds a damaged value: {place}" in capsys.readouterr().err


def test_an_empty_log_is_said_in_words(capsys, config):
    out = told(capsys, config, "--from", "2027-01-01")
    assert out == "no session is in the charge log, or none that was asked for\n"


# --- the running agent ---------------------------------------------------------------------------


async def test_the_running_agent_tells_its_sessions(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await asyncio.sleep(60)
        await box.finish()
        (found,) = await box.do("sessions")
        assert (found["id_tag"], found["central_system"]) == ("04..80", "delivered")
        (total,) = await box.do("sessions", sums=True)
        assert total["energy_wh"] == found["energy_wh"] > 0


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"limit": 501}, "limit must be a whole number from 1 to 500"),
        ({"limit": 0}, "limit must be a whole number"),
        ({"before": True}, "before must be a whole number"),
        ({"until": "soon"}, "until must be an instant"),
        ({"id_tag": 5}, "id_tag must be a text"),
    ],
)
async def test_a_request_that_cannot_be_meant_is_refused(tmp_path, request_, words):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match=words):
            await box.do("sessions", **request_)
