"""Secrets, disk, database, devices, clock: every way in which they can be wrong."""

from __future__ import annotations

import os
from collections import namedtuple
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.config.config_file import read_config
from agent.config.demo_settings import demo_settings
from agent.config.settings import CentralSystemSettings, MqttSettings, Settings
from agent.maintenance import agent_user, check_box
from agent.maintenance.agent_user import User, agents_user
from agent.maintenance.findings import Finding, FindingVerdict
from agent.store import Store
from hw.lines import Chips
from tests.emulators.gpio_chips import GpioChips

ROOT = Path(__file__).parent.parent.parent
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ME = User("me", os.geteuid(), frozenset(os.getgroups()))
STRANGER = User("chargepoint", 54_321, frozenset({54_321}))
OF_THE_GROUP = User("chargepoint", 54_321, frozenset({os.getegid()}))


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.verdict.value, finding.words) for finding in findings]


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = findings
    return finding


# --- rights --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "user", "reads", "writes"),
    [
        (0o600, ME, True, True),
        (0o400, User("me", 12_345, frozenset()), False, False),
        (0o640, OF_THE_GROUP, True, False),
        (0o620, OF_THE_GROUP, False, True),
        (0o604, STRANGER, True, False),
        (0o602, STRANGER, False, True),
        (0o640, STRANGER, False, False),
        (0o000, User("root", 0, frozenset()), True, True),
    ],
)
def test_what_a_user_may_do_with_a_file_follows_from_its_mode(tmp_path, mode, user, reads, writes):
    file = tmp_path / "file"
    file.write_text("")
    file.chmod(mode)
    assert (user.may_read(file), user.may_write(file)) == (reads, writes)


def test_the_owner_of_a_file_does_not_get_what_only_the_group_may(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("")
    os.chown(file, 12_345, -1) if os.geteuid() == 0 else pytest.skip("needs root")
    file.chmod(0o070)
    assert not User("owner", 12_345, frozenset({os.getegid()})).may_read(file)


def test_the_agents_user_is_the_owner_of_its_directory(tmp_path: Path):
    user = agents_user(tmp_path / "agent.db")
    assert user.uid == tmp_path.stat().st_uid
    assert user.name


def test_an_owner_without_a_name_is_known_by_number(tmp_path: Path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(tmp_path, 54_321, 54_321)
    assert agents_user(tmp_path / "agent.db") == User("54321", 54_321, frozenset())


def test_without_a_directory_it_is_the_services_user_else_whoever_asks():
    assert agents_user(Path("/nowhere/agent.db")).name


def test_the_services_user_has_the_groups_of_its_unit(tmp_path: Path, monkeypatch):
    Entry = namedtuple("Entry", "pw_name pw_gid pw_uid")
    monkeypatch.setattr("pwd.getpwuid", lambda uid: Entry("chargepoint", 7, uid))
    monkeypatch.setattr("os.getgrouplist", lambda name, gid: [gid])
    groups = {"spi": 70, "gpio": 71}
    monkeypatch.setattr(agent_user, "_gid_of", groups.get)
    assert agents_user(tmp_path / "agent.db").gids == {7, 70, 71}


# --- secrets -------------------------------------------------------------------------------------


def with_key(directory: Path, content: str = "sixteen chars ok", mode: int = 0o640) -> Settings:
    key = directory / "key"
    key.write_text(content)
    key.chmod(mode)
    central = CentralSystemSettings(
        url="ws://a.example", security_profile=1, authorization_key_file=str(key)
    )
    return replace(demo_settings(directory, ""), central_system=central)


def test_a_secret_that_the_agent_and_nobody_else_may_read_is_in_order(tmp_path: Path):
    finding = only(check_box.look_at_secrets(with_key(tmp_path), OF_THE_GROUP))
    assert finding.verdict is FindingVerdict.PASS
    assert finding.words.endswith("has the mode 0640")


@pytest.mark.parametrize(
    ("mode", "user", "words"),
    [
        (0o644, ME, "others may read or change"),
        (0o642, ME, "others may read or change"),
        (0o660, ME, "others may read or change"),
        (0o600, STRANGER, "the user chargepoint may not read"),
    ],
)
def test_a_secret_with_wrong_rights_is_told_with_what_to_do(tmp_path, mode, user, words):
    finding = only(check_box.look_at_secrets(with_key(tmp_path, mode=mode), user))
    assert finding.verdict is FindingVerdict.FAIL
    assert words in finding.words
    assert "chmod 0640" in finding.then


def test_a_secret_that_is_not_there_or_no_file_is_told(tmp_path: Path):
    settings = with_key(tmp_path)
    (tmp_path / "key").unlink()
    assert "there is no such file" in only(check_box.look_at_secrets(settings, ME)).words
    (tmp_path / "key").mkdir()
    assert "no plain file" in told(check_box.look_at_secrets(settings, ME))[0][1]


def test_a_password_that_is_none_is_told_without_its_text(tmp_path: Path):
    findings = list(check_box.look_at_secrets(with_key(tmp_path, "too short"), ME))
    assert [finding.verdict for finding in findings] == [FindingVerdict.PASS, FindingVerdict.FAIL]
    assert "must hold 32 to 40 hex digits" in findings[1].words
    assert "too short" not in findings[1].words


def test_every_secret_is_looked_at_and_without_one_there_is_nothing_to_see(tmp_path: Path):
    mqtt = tmp_path / "mqtt"
    mqtt.write_text("x")
    mqtt.chmod(0o600)
    settings = replace(with_key(tmp_path), mqtt=MqttSettings(password_file=str(mqtt)))
    assert len(list(check_box.look_at_secrets(settings, ME))) == 2
    assert (
        only(check_box.look_at_secrets(demo_settings(tmp_path, ""), ME)).verdict
        is FindingVerdict.SKIP
    )


# --- disk and database ---------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


def a_disk(monkeypatch: pytest.MonkeyPatch, kind: str, free_mb: int) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage(0, 0, free_mb * 1_000_000))
    monkeypatch.setattr(check_box, "file_system_of", lambda place: kind)


@pytest.mark.parametrize(
    ("kind", "free_mb", "verdicts", "words"),
    [
        ("ext4", 5000, ["pass"], "5000 MB free on ext4"),
        ("", 5000, ["pass"], "free on the disk"),
        ("ext4", 100, ["note"], "100 MB free"),
        ("ext4", 10, ["fail"], "10 MB free"),
        ("tmpfs", 5000, ["fail", "pass"], "lost in a power cut"),
        ("overlay", 5000, ["note", "pass"], "may be lost in a power cut"),
    ],
)
def test_the_disk_is_judged_by_its_kind_and_room(
    tmp_path, monkeypatch, kind, free_mb, verdicts, words
):
    a_disk(monkeypatch, kind, free_mb)
    findings = list(check_box.look_at_disk(tmp_path / "agent.db", ME))
    assert [finding.verdict.value for finding in findings] == verdicts
    assert words in findings[0].words


def test_a_place_where_the_agent_may_not_write_is_told(tmp_path: Path, monkeypatch):
    a_disk(monkeypatch, "ext4", 5000)
    tmp_path.chmod(0o755)
    findings = list(check_box.look_at_disk(tmp_path / "agent.db", STRANGER))
    assert "may not write to" in findings[0].words
    assert findings[0].then.startswith("chown chargepoint")


def test_the_owner_of_a_place_without_the_right_to_write_gives_it_to_itself(
    tmp_path: Path, monkeypatch
):
    a_disk(monkeypatch, "ext4", 5000)
    owner = ME
    if ME.uid == 0:  # may always write
        owner = STRANGER
        os.chown(tmp_path, owner.uid, -1)
    tmp_path.chmod(0o555)
    findings = list(check_box.look_at_disk(tmp_path / "agent.db", owner))
    assert findings[0].then == f"chmod u+w {tmp_path}"


def test_a_place_that_is_not_there_is_told(tmp_path: Path):
    finding = only(check_box.look_at_disk(tmp_path / "missing" / "agent.db", ME))
    assert finding.verdict is FindingVerdict.FAIL
    assert finding.then.startswith("mkdir ")


def test_a_database_is_checked_and_what_was_set_aside_is_told(tmp_path: Path):
    settings = demo_settings(tmp_path, "")
    assert only(check_box.look_at_database(settings.storage_path)).verdict is FindingVerdict.SKIP
    Store.open(settings.storage_path, now=NOON, make_id=lambda: "unused").close()
    assert only(check_box.look_at_database(settings.storage_path)).verdict is FindingVerdict.PASS
    for companion in ("", "-wal"):
        (tmp_path / f"agent.db.corrupt-20260301T120000Z{companion}").write_text("")
    findings = list(check_box.look_at_database(settings.storage_path))
    assert [finding.verdict for finding in findings] == [FindingVerdict.PASS, FindingVerdict.NOTE]


def test_a_damaged_database_is_told_and_left_where_it_is(tmp_path: Path):
    settings = demo_settings(tmp_path, "")
    path = settings.storage_path
    Store.open(path, now=NOON, make_id=lambda: "unused").close()
    content = bytearray(path.read_bytes())
    content[2048:6144] = b"\xff" * 4096
    path.write_bytes(content)
    finding = only(check_box.look_at_database(settings.storage_path))
    assert finding.verdict is FindingVerdict.FAIL
    assert path.read_bytes() == bytes(content)
    path.write_bytes(b"x" * 4096)
    assert "not a database" in only(check_box.look_at_database(settings.storage_path)).words


# --- devices -------------------------------------------------------------------------------------


def example(dev: Path) -> Settings:
    settings = read_config(ROOT / "config.example.toml")
    connector = settings.connectors[0]
    meter = replace(connector.meter, port=str(dev / "ttyUSB0"))
    return replace(settings, connectors=(replace(connector, meter=meter),))


def test_every_device_that_is_configured_is_looked_for(tmp_path: Path):
    findings = list(check_box.look_at_devices(example(tmp_path), ME, tmp_path))
    assert {finding.verdict for finding in findings} == {FindingVerdict.FAIL}
    missing = {finding.words.rpartition("/")[2]: finding.then for finding in findings}
    assert "switch SPI on" in missing["spidev0.0"]
    assert any("board with pins" in finding.then for finding in findings)
    assert "plugged in" in missing["ttyUSB0"]


def test_devices_that_the_agent_may_use_are_in_order_and_others_are_told(tmp_path: Path):
    kernel = GpioChips(tmp_path, {"gpiochip0": "other", "gpiochip4": "pinctrl-rp1"})
    chips = Chips(str(tmp_path), kernel.ioctl)
    for name in ("spidev0.0", "gpiochip0", "gpiochip4", "ttyUSB0"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o660)
    settings = example(tmp_path)
    findings = list(check_box.look_at_devices(settings, OF_THE_GROUP, tmp_path, chips))
    assert {finding.verdict for finding in findings} == {FindingVerdict.PASS}
    assert findings[0].words == f"pins: {tmp_path}/gpiochip4", "the one that the service opens"
    assert kernel.log == [], "nothing was driven"
    for finding in check_box.look_at_devices(settings, STRANGER, tmp_path, chips):
        assert "the user chargepoint may not use" in finding.words
        assert "group" in finding.then


def test_a_box_that_is_simulated_has_no_device(tmp_path: Path):
    finding = only(check_box.look_at_devices(demo_settings(tmp_path, ""), ME, tmp_path))
    assert finding.verdict is FindingVerdict.SKIP


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("year", "is_synchronized", "verdict"),
    [
        (2026, True, FindingVerdict.PASS),
        (2026, False, FindingVerdict.NOTE),
        (1970, False, FindingVerdict.FAIL),
    ],
)
def test_the_clock_is_judged_by_who_keeps_it(year: int, is_synchronized: bool, verdict: Any):
    now = datetime(year, 3, 1, tzinfo=UTC)
    assert only(check_box.look_at_clock(now, is_synchronized)).verdict is verdict


def test_without_a_central_system_nobody_is_said_to_tell_the_time():
    now = datetime(2026, 3, 1, tzinfo=UTC)
    words = only(check_box.look_at_clock(now, False, has_central_system=False)).words
    assert "no central system to ask" in words
