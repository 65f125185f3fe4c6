"""``chargepoint-agent list``: on the running agent, and on the database alone."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.app.application import Application
from agent.app.environment import Environment
from agent.control.local_list import NAME_MAX, PIECE_MAX, entry_as_data, entry_of
from agent.control.requests import PAGE_MAX
from agent.control.server import LINE_MAX
from agent.core.values import AuthorizationStatus, IdTagInfo, ListEntry
from agent.platform.errors import ControlError
from agent.store import Store
from tests.app.box import CARD, NOON, Box, box_settings, running_box

CONFIG = """
[charge_point]
identity = "CP-1"

[storage]
path = "{path}"

[authorization]
local_list_owner = "{owner}"

[ocpp.configuration]
LocalAuthListMaxLength = 2000

[[connectors]]
id = 1
contactor = {{ driver = "gpio", pin = 17 }}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


def write_config(directory: Path, owner: str = "shared") -> Path:
    path = directory / "config.toml"
    path.write_text(CONFIG.format(path=directory / "agent.db", owner=owner))
    return path


def run(config: Path, *arguments: str) -> int:
    return main(["list", *arguments, "--config", str(config)])


def rows(count: int) -> str:
    return "id_tag\n" + "".join(f"T{number:05}\n" for number in range(count))


# --- what the reader of the box can tell ---------------------------------------------------------


def with_reader(config: Path, form: str) -> Path:
    config.write_text(config.read_text() + f'[reader]\ndriver = "mfrc522"\nuid_format = "{form}"\n')
    return config


def test_what_no_reader_of_this_box_can_tell_is_not_imported_in_silence(config, tmp_path, capsys):
    with_reader(config, "hex")
    cards = tmp_path / "cards.csv"
    cards.write_text("id_tag\n04:A2:B3:C4\nFAMILY-01\n")
    assert run(config, "import", str(cards)) == 0
    out, err = capsys.readouterr()
    assert out.startswith("imported 2 entries")
    assert "note: 1 of 2 idTags cannot come from the card reader (mfrc522, uid_format hex)" in err
    assert run(config, "show") == 0
    assert "04A2B3C4 " in capsys.readouterr().out
    assert run(config, "export", str(tmp_path / "again.csv")) == 0
    assert (tmp_path / "again.csv").read_text().splitlines()[1].startswith("04A2B3C4,")


def test_a_card_that_is_added_is_told_as_the_reader_tells_it(config, capsys):
    with_reader(config, "hex_colons")
    assert run(config, "add", "0x04A2B3C4") == 0
    out, err = capsys.readouterr()
    assert out.startswith("added as 04:A2:B3:C4; ")
    assert "cannot come" not in err
    assert run(config, "add", "FAMILY") == 0
    out, err = capsys.readouterr()
    assert out.startswith("added; ")
    assert "note: this idTag cannot come from the card reader (mfrc522, uid_format hex_col" in err
    assert run(config, "add", "04:A2:B3") == 1
    assert "04:A2:B3 has 6 hex digits" in capsys.readouterr().err


def test_a_card_is_removed_as_it_was_added_and_also_as_it_is_listed(config, capsys):
    with_reader(config, "hex")
    for typed in ("04:a2:b3:c4", "04 A2 B3 C4", "0x04A2B3C4", "04A2B3C4"):
        assert run(config, "add", "04:A2:B3:C4") == 0
        assert run(config, "remove", typed) == 0
        assert "and 0 entries" in capsys.readouterr().out
    assert run(config, "remove", "04:A2:B3") == 1
    assert "04:A2:B3 has 6 hex digits" in capsys.readouterr().err


# --- without a running agent ---------------------------------------------------------------------


def test_a_list_is_made_shown_and_changed_and_each_time_is_said_that_no_agent_runs(config, capsys):
    assert run(config, "add", "04ab", "--expires", "2027-12-31", "--parent", "FLEET") == 0
    assert run(config, "add", "04AC") == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "added; the list has version 1 and 1 entry",
        "added; the list has version 2 and 2 entries",
    ]
    assert err.count("note: no agent is running: working on the database") == 2
    assert run(config, "show") == 0
    assert capsys.readouterr().out.splitlines() == [
        "version 2, 2 entries, owner shared",
        "04ab                  Accepted      until 2027-12-31T23:59:59Z    group FLEET",
        "04AC                  Accepted",
    ]
    assert run(config, "remove", "04AB") == 0
    assert capsys.readouterr().out == "removed; the list has version 3 and 1 entry\n"
    assert run(config, "remove", "04AB") == 1
    assert "this idTag is not on the list" in capsys.readouterr().err


def test_a_file_is_imported_and_exported_and_imported_again(config, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(rows(1234) + "=cmd()\n")
    assert run(config, "import", str(tmp_path / "in.csv")) == 0
    assert run(config, "export", str(tmp_path / "out.csv")) == 0
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    assert run(config, "remove", "T00000") == 0
    assert run(config, "add", "NEW") == 0
    capsys.readouterr()
    assert run(config, "import", str(tmp_path / "out.csv"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 1236  # T00000 again, and NEW
    assert run(config, "import", str(tmp_path / "out.csv"), "--replace", "--json") == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 1235
    assert run(config, "export", "-") == 0
    assert capsys.readouterr().out.encode() == (tmp_path / "out.csv").read_bytes()


def test_a_file_with_wrong_lines_changes_nothing(config, tmp_path, capsys):
    assert run(config, "add", "OLD") == 0
    (tmp_path / "in.csv").write_text("id_tag,expires_at\nA,\nB,soon\nA,\n")
    assert run(config, "import", str(tmp_path / "in.csv"), "--replace") == 1
    first, second = capsys.readouterr().err.splitlines()[-2:]
    assert first.startswith("error: line 3: 'soon' is no date")
    assert second == "error: line 4: has the same id_tag as line 2"
    (tmp_path / "in.csv").write_text(rows(2001))
    assert run(config, "import", str(tmp_path / "in.csv"), "--replace") == 1
    assert "too many entries; LocalAuthListMaxLength is 2000" in capsys.readouterr().err
    (tmp_path / "in.csv").write_text(rows(2000))
    assert run(config, "import", str(tmp_path / "in.csv")) == 1  # OLD would be the 2001st
    assert "the list would have 2001 entries" in capsys.readouterr().err
    assert run(config, "show", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["version"], shown["shown"]) == (1, [{"id_tag": "OLD", "status": "Accepted"}])


def test_an_empty_file_empties_the_list_only_when_it_replaces(config, tmp_path, capsys):
    assert run(config, "add", "OLD") == 0
    (tmp_path / "in.csv").write_text("id_tag\n")
    assert run(config, "import", str(tmp_path / "in.csv")) == 1
    assert "has no entries: the list stays as it is" in capsys.readouterr().err
    assert run(config, "import", str(tmp_path / "in.csv"), "--replace") == 0
    assert "the list has version 0 and 0 entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", ""], "an idTag is empty, longer"),
        (["add", "X" * 21], "longer than 20 characters"),
        (["add", "A", "--expires", "soon"], "'soon' is no date"),
        (["add", "A", "--parent", "P" * 21], "the parentIdTag of .. is not usable"),
        (
            ["import", "/there/is/none.csv"],
            "cannot read /there/is/none.csv: there is no folder /there",
        ),
        (
            ["export", "/there/is/none.csv"],
            "cannot write /there/is/none.csv: there is no folder /there",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(config, capsys, arguments, words):
    assert run(config, *arguments) == 1
    assert words in capsys.readouterr().err


def test_a_list_that_belongs_to_the_central_system_is_shown_and_not_changed(tmp_path, capsys):
    config = write_config(tmp_path, owner="csms")
    assert run(config, "add", "A") == 1
    assert "the list belongs to the central system" in capsys.readouterr().err
    assert run(config, "show") == 0
    assert capsys.readouterr().out == "version 0, 0 entries, owner csms\n"


def test_a_database_in_use_is_not_opened(config, tmp_path, capsys):
    store = Store.open(tmp_path / "agent.db", now=NOON, make_id=lambda: "unused")
    try:
        assert run(config, "add", "A") == 1
        assert "is another chargepoint-agent running?" in capsys.readouterr().err
    finally:
        store.close()


def test_a_long_list_is_shown_in_parts(config, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(rows(1200))
    assert run(config, "import", str(tmp_path / "in.csv")) == 0
    capsys.readouterr()
    assert run(config, "show", "--limit", "2", "--offset", "7") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["T00007", "T00008", "..."]
    assert lines[-1] == "... 1191 more: --offset 9"
    assert run(config, "show", "--limit", "1100", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["shown"]) == 1100
    assert run(config, "show", "--limit", "0") == 0
    assert capsys.readouterr().out.splitlines()[0] == "version 1, 1200 entries, owner shared"


@pytest.mark.parametrize("arguments", [["show", "--limit", "-1"], ["show", "--offset", "x"], []])
def test_wrong_usage_is_told_with_status_2(config, arguments):
    with pytest.raises(SystemExit) as ended:
        run(config, *arguments)
    assert ended.value.code == 2


# --- with a running agent ------------------------------------------------------------------------


@pytest.mark.real_time
async def test_the_running_agent_is_asked_when_there_is_one(tmp_path, capsys):
    config = write_config(tmp_path)
    settings = box_settings(tmp_path, url="")
    world = Environment(control_path=tmp_path / "control.sock")
    application = Application(settings, simulate=True, world=world)
    task = asyncio.create_task(application.run())
    async with asyncio.timeout(30):
        while not application.actions or not (tmp_path / "control.sock").exists():
            await asyncio.sleep(0.01)
        (tmp_path / "in.csv").write_text(rows(1500))
        for arguments in (
            ["import", str(tmp_path / "in.csv")],
            ["add", "LAST"],
            ["export", str(tmp_path / "out.csv")],
        ):
            assert await asyncio.to_thread(run, config, *arguments) == 0
        assert application.runtime is not None
        assert application.runtime.state.local_list.entries == 1501
        application.shut_down()
        await task
    assert "no agent is running" not in capsys.readouterr().err
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1502


# --- what the socket refuses ---------------------------------------------------------------------

BAD_REQUESTS = [
    ({}, "nothing like None can be done"),
    ({"what": "burn"}, "nothing like 'burn' can be done"),
    ({"what": "show", "offset": -1}, "offset must be"),
    ({"what": "show", "offset": "1"}, "offset must be"),
    ({"what": "show", "limit": 0}, "limit must be"),
    ({"what": "show", "limit": PAGE_MAX + 1}, "limit must be"),
    ({"what": "show", "after": 5}, "after must be a text"),
    ({"what": "add", "id_tag": 5}, "id_tag must be a text"),
    ({"what": "add", "id_tag": "A", "status": "Maybe"}, "Maybe"),
    ({"what": "add"}, "an idTag is empty"),
    ({"what": "remove", "id_tag": "A"}, "not on the list"),
    ({"what": "upload", "token": "t"}, "another file has taken the place"),
    ({"what": "upload", "token": "t", "is_first": True}, "entries must be a list"),
    (
        {"what": "upload", "token": "t", "is_first": True, "entries": [{}] * (PIECE_MAX + 1)},
        "entries must be a list of at most",
    ),
    ({"what": "upload", "token": "t", "is_first": True, "entries": ["A"]}, "must be an object"),
    ({"what": "import", "token": "t"}, "another file has taken the place"),
]


@pytest.mark.parametrize(("request_", "words"), BAD_REQUESTS)
async def test_a_bad_request_is_refused_and_changes_nothing(tmp_path, request_, words):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match=words):
            await box.do("list", **request_)
        assert (await box.do("list", what="show"))["entries"] == 0


async def test_a_second_file_takes_the_place_of_the_first_unless_that_is_being_imported(tmp_path):
    async with running_box(tmp_path) as box:
        piece = [{"id_tag": "A"}]
        await box.do("list", what="upload", token="1", is_first=True, entries=piece)
        await box.do("list", what="upload", token="2", is_first=True, entries=piece)
        with pytest.raises(ControlError, match="taken the place"):
            await box.do("list", what="upload", token="1", entries=piece)
        box.executors["journal"].is_stuck = True
        assert await box.do("list", what="import", token="2") == {"is_done": False}
        with pytest.raises(ControlError, match="another file is being imported"):
            await box.do("list", what="upload", token="3", is_first=True, entries=piece)
        box.executors["journal"].release()
        result = await box.do("list", what="import", token="2")
        assert result == {"is_done": True, "version": 1, "entries": 1, "received": 1, "deleted": 0}
        assert (await box.do("list", what="clear"))["deleted"] == 1


async def test_a_file_may_hold_no_more_than_the_list(tmp_path):
    async with running_box(tmp_path, LocalAuthListMaxLength="3") as box:
        piece = [{"id_tag": "A"}, {"id_tag": "B"}]
        await box.do("list", what="upload", token="1", is_first=True, entries=piece)
        with pytest.raises(ControlError, match=r"more entries than LocalAuthListMaxLength \(3\)"):
            await box.do("list", what="upload", token="1", entries=piece)


def test_the_largest_piece_fits_into_a_line_of_the_socket():
    end = IdTagInfo(AuthorizationStatus.CONCURRENT_TX, NOON.replace(microsecond=123456), '"' * 20)
    request = {
        "do": "list",
        "what": "upload",
        "token": "0" * 16,
        "is_first": False,
        "entries": [entry_as_data(ListEntry('"' * 20, end, "\U0001f697" * NAME_MAX))] * PIECE_MAX,
    }
    assert len(json.dumps(request)) < LINE_MAX


def test_an_entry_comes_back_from_its_plain_data():
    info = IdTagInfo(AuthorizationStatus.BLOCKED, NOON, "P")
    for name in (None, "Anna"):
        entry = ListEntry("A", info, name)
        assert entry_of(entry_as_data(entry)) == entry


async def test_a_list_that_cannot_be_read_is_told(tmp_path):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match="Cannot read the local list"):
            await box.do("list", what="show", offset=2**70)


# --- names ---------------------------------------------------------------------------------------


async def named(box: Box) -> dict[str, str | None]:
    shown = (await box.do("list", what="show"))["shown"]
    return {entry["id_tag"]: entry.get("name") for entry in shown}


async def test_a_name_stays_with_its_card_whatever_the_central_system_does_to_the_list(tmp_path):
    async with running_box(tmp_path, LocalAuthListEnabled="true") as box:
        await box.do("list", what="add", id_tag="04A2B3C4", name=" Anna Berg ")
        assert await named(box) == {"04A2B3C4": "Anna Berg"}
        for version, kind, tag in ((5, "Full", "DEADBEEF"), (6, "Differential", "04a2b3c4")):
            entries = [{"idTag": tag, "idTagInfo": {"status": "Accepted"}}]
            update = {"listVersion": version, "updateType": kind, "localAuthorizationList": entries}
            answer = await box.central_system.send_call("SendLocalList", update)
            assert answer[2] == {"status": "Accepted"}
        assert await named(box) == {"04a2b3c4": "Anna Berg", "DEADBEEF": None}
        await box.do("list", what="add", id_tag="04A2B3C4")
        assert await named(box) == {"04A2B3C4": "Anna Berg", "DEADBEEF": None}
        assert "Anna" not in str(box.central_system.calls)


async def test_a_card_is_named_whoever_owns_the_list_and_whether_it_is_on_it(tmp_path):
    async with running_box(tmp_path) as box:
        version = (await box.do("list", what="show"))["version"]
        await box.do("list", what="name", id_tag=CARD, name="Anna")
        await box.charge()
        await asyncio.sleep(10)
        await box.finish()
        assert (await box.do("sessions"))[0]["name"] == "Anna"
        await box.do("list", what="name", id_tag=CARD, name="")
        assert (await box.do("sessions"))[0]["name"] == ""
        assert (await box.do("list", what="show"))["version"] == version


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"id_tag": CARD, "name": "x" * 51}, "a name has at most 50 characters"),
        ({"id_tag": CARD, "name": "a\nb"}, "all of them printable"),
        ({"id_tag": CARD}, "a name needs an idTag"),
        ({"id_tag": "", "name": "Anna"}, "a name needs an idTag"),
    ],
)
async def test_what_is_no_name_is_refused(tmp_path, given, words):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match=words):
            await box.do("list", what="name", **given)


def test_list_name_says_what_the_card_is_called_now(config, capsys):
    assert run(config, "name", "04:A2:B3:C4", "Anna") == 0
    assert capsys.readouterr().out == "04A2B3C4 is Anna\n"
    assert run(config, "name", "04A2B3C4", "") == 0
    assert capsys.readouterr().out == "04A2B3C4 has no name\n"
