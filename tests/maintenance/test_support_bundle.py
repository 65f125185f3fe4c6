"""The support bundle of a whole box: what is in it, and above all what is not."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import stat
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.__main__ import main
from agent.app.application import Application
from agent.config.config_file import read_config
from agent.config.settings import (
    ApiSettings,
    ApiTokenSettings,
    CentralSystemSettings,
    HouseSettings,
    MqttSettings,
)
from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.maintenance import support_bundle
from agent.maintenance.bundle_service import PIECE_BYTES
from agent.maintenance.scrub import scrubber_for, unreadable_secrets
from agent.maintenance.support_bundle import (
    ALWAYS,
    BundlePart,
    Sources,
    Window,
    collect,
    file_name,
    pack,
    unpack,
)
from agent.platform.errors import ControlError
from agent.store import Store
from agent.store.offline_view import Look
from tests.agent_process import LIMIT_S
from tests.app.box import CARD, OTHER_CARD, Box, box_settings, running_box
from tests.box_config import write_config
from tests.emulators.central_system import Error
from tests.emulators.virtual_clock import NOON
from tests.store.builders import replace_list

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "a-token-that-is-long-enough"
MQTT_PASSWORD = "geheimes Wort"
HOUSE_PASSWORD = "velvet-lantern-orchard"
GROUP = "FAMILY-OF-0449"
FREE_TAG = "FREE-FOR-ALL"
LISTED = "04DEADBEEF4711"
TAGS = (CARD, OTHER_CARD, GROUP, FREE_TAG, LISTED)
SECRETS = (
    KEY,
    TOKEN,
    MQTT_PASSWORD,
    HOUSE_PASSWORD,
    base64.b64encode(b"DEMO-1:" + bytes.fromhex(KEY)).decode(),
)


def box_with_secrets(directory: Path) -> Box:
    """A box that has one secret of every kind, and cards in every place."""
    files = {}
    for name, content in {
        "key": KEY,
        "token": TOKEN,
        "mqtt": MQTT_PASSWORD,
        "house": HOUSE_PASSWORD,
    }.items():
        files[name] = str(directory / name)
        (directory / name).write_text(content + "\n")
    settings = box_settings(directory)
    settings = replace(
        settings,
        central_system=CentralSystemSettings(
            url="ws://central.test/ocpp", security_profile=1, authorization_key_file=files["key"]
        ),
        api=ApiSettings(
            tokens=(ApiTokenSettings(name="desk", secret_file=files["token"], scopes=("read",)),)
        ),
        mqtt=MqttSettings(username="box", password_file=files["mqtt"]),
        house=HouseSettings(username="box", password_file=files["house"]),
        authorization=replace(settings.authorization, free_charging_id_tag=FREE_TAG),
    )
    store = Store.open(settings.storage_path, now=NOON, make_id=lambda: "unused")
    accepted = IdTagInfo(AuthorizationStatus.ACCEPTED, parent_id_tag=GROUP)
    replace_list(store, 1, [(LISTED, accepted)])
    store.close()
    return Box(settings)


async def bundle_of(box: Box) -> dict[str, str]:
    """As the command fetches it over the control socket."""
    await box.do("bundle", order="begin")
    size = None
    while size is None:
        size = (await box.do("bundle", order="look"))["size"]
    packed = b""
    while len(packed) < size:
        piece = await box.do("bundle", order="read", offset=len(packed))
        packed += base64.b64decode(piece["piece"])
    return {part.name: part.text for part in unpack(packed)}


async def live_a_little(box: Box) -> None:
    """A session, a message that is parked, and logs of people who did not take care."""
    system = box.central_system
    system.next("StartTransaction", *[Error("InternalError", f"who is {CARD}?")] * 3)
    await box.start()
    await system.received("StatusNotification", 2)
    await box.plug()  # free charging: the session begins by itself
    await box.until(lambda: box.contactor.is_closed)
    await asyncio.sleep(400)
    await box.tap(CARD)
    await box.tap(OTHER_CARD)
    reckless = logging.getLogger("somebody.else")
    for secret in (*TAGS, *SECRETS):
        reckless.warning("this should never have been logged: %s", secret)
        reckless.warning("nor this: x=%s;", secret.upper())
    reckless.error("Authorization: Basic %s", base64.b64encode(b"whoever:whatever").decode())


async def test_a_bundle_of_a_running_box_holds_everything_but_secrets_and_whole_cards(tmp_path):
    box = box_with_secrets(tmp_path)
    await live_a_little(box)
    parts = await bundle_of(box)
    await box.die()
    assert set(parts) == {*support_bundle._CONTENTS, "README.txt"} - {"config.toml"}
    everything = "\n".join(parts.values()).lower()
    for hidden in (*TAGS, *SECRETS, base64.b64encode(b"whoever:whatever").decode()):
        assert hidden.lower() not in everything, hidden
    assert "this should never have been logged: 04..80" in parts["log.txt"]
    assert "this should never have been logged: ***" in parts["log.txt"]
    status = json.loads(parts["status.json"])
    assert status["connectors"][0]["session"]["id_tag"] == "free charging"
    decisions = json.loads(parts["decisions.json"])
    assert {decision["id_tag"] for decision in decisions} >= {"04..80", "04..C4"}
    assert all(decision["reason"] for decision in decisions)
    (parked,) = json.loads(parts["queue.json"])["outbox"]["parked"]
    assert parked["action"] == "StartTransaction"
    assert "who is 04..80?" in parked["problem"]
    assert json.loads(parts["database.json"])["quick_check"] == "ok"
    assert json.loads(parts["keys.json"])["MeterValueSampleInterval"] == "60"
    assert json.loads(parts["settings.json"])["mqtt"]["username"] == "box"
    security_log = json.loads(parts["security-log.json"])
    assert security_log["problem"] == ""
    assert security_log["lines"][0]["type"] == "StartupOfTheDevice"  # the oldest
    assert '"BootNotification"' in parts["frames.txt"]
    assert "> [2," in parts["frames.txt"]
    assert "< [3," in parts["frames.txt"]
    assert json.loads(parts["versions.json"])["libraries"]["ocpp"]
    assert json.loads(parts["system.json"])["kernel"]
    for name in parts:
        assert name == "README.txt" or name in parts["README.txt"]


async def test_the_last_self_test_is_in_the_bundle_as_clean_as_everything_else(tmp_path):
    box = box_with_secrets(tmp_path)
    await box.start()
    assert "no self-test" in (await bundle_of(box))["self-test.json"]
    words = f"card {CARD}, key {KEY}"
    finding = {"step": "reader", "verdict": "pass", "words": words, "then": ""}
    await box.do("self_test", what="store", findings=[finding])
    told = json.loads((await bundle_of(box))["self-test.json"])
    await box.die()
    assert told["ok"] is True
    assert told["findings"] == [{**finding, "words": "card 04..80, key ***"}]


def test_a_self_test_that_cannot_be_read_is_told_as_it_stands(tmp_path):
    (tmp_path / "self-test.json").write_bytes(b"half\xff {")
    parts = collect(sources(storage=tmp_path / "agent.db"))
    assert text_of(parts, "self-test.json") == "half\ufffd {"


async def test_a_bundle_of_a_long_log_stays_small(tmp_path):
    async with running_box(tmp_path) as box:
        for number in range(5000):
            logging.getLogger("noise").warning("line %d %s", number, "x" * 1000)
        for _ in range(500):
            await box.central_system.send_call("NoSuchAction", {"x": "y" * 3000})
        parts = await bundle_of(box)
    assert all(len(text) <= support_bundle.PART_CHARS_MAX + 100 for text in parts.values())
    assert sum(map(len, parts.values())) < 6_000_000


async def test_the_bundle_can_be_asked_for_again_and_wrong_orders_are_refused(tmp_path):
    async with running_box(tmp_path) as box:
        for order in ({"order": "look"}, {"order": "read", "offset": 0}, {"order": "x"}, {}):
            with pytest.raises(ControlError):
                await box.do("bundle", **order)
        await box.do("bundle", order="begin")
        await box.do("bundle", order="begin")  # the same one
        while (await box.do("bundle", order="look"))["size"] is None:
            pass
        for offset in (-1, True, "0", None, 10**9):
            with pytest.raises(ControlError):
                await box.do("bundle", order="read", offset=offset)
        first = await bundle_of(box)
        assert set(first) == set(await bundle_of(box))


async def test_a_bundle_that_cannot_be_made_is_told_and_does_no_harm(tmp_path):
    async with running_box(tmp_path) as box:
        box.executors["support"].problem = RuntimeError("a mistake of ours")
        await box.do("bundle", order="begin")
        with pytest.raises(ControlError, match="could not be made"):
            await box.do("bundle", order="look")
        box.executors["support"].problem = None
        assert await bundle_of(box)


async def test_an_agent_that_ends_leaves_nobody_waiting_for_a_bundle(tmp_path):
    async with running_box(tmp_path) as box:
        box.executors["support"].is_stuck = True
        await box.do("bundle", order="begin")
        desk = box.application.actions["bundle"].__self__
        await box.do("bundle", order="look")
        desk.close()
        await asyncio.sleep(0)
        with pytest.raises(ControlError, match="ending"):
            await box.do("bundle", order="look")


# --- the parts -----------------------------------------------------------------------------------


def sources(**fields: Any) -> Sources:
    given: dict[str, Any] = {
        "settings": None,
        "storage": Path("/nowhere/agent.db"),
        "made_at": NOON,
        "made_by": "a test",
    }
    return Sources(**{**given, **fields})


def text_of(parts: list[BundlePart], name: str) -> str:
    return next(part.text for part in parts if part.name == name)


def test_of_a_box_that_is_broken_altogether_there_is_a_bundle_all_the_same():
    parts = collect(sources(config_text="[charge_point\npassword = 'geheim geheim'"))
    assert "there is no folder /nowhere" in text_of(parts, "README.txt")
    assert "geheim" not in text_of(parts, "config.toml")
    assert "not known" in text_of(parts, "database.json")


def test_a_part_that_cannot_be_had_is_told_in_its_place():
    def journal(begin: datetime | None, end: datetime | None) -> str:
        raise PermissionError(13, "Permission denied")

    parts = collect(sources(journal=journal))
    assert text_of(parts, "journal.txt") == "(cannot be read: Permission denied)"


def test_of_a_part_that_is_too_long_the_end_is_kept():
    parts = collect(sources(config_text="x\n" * 1_000_000 + "end"))
    text = text_of(parts, "config.toml")
    assert text.startswith("(cut")
    assert text.endswith("end")
    assert len(text) < support_bundle.PART_CHARS_MAX + 100


def test_progress_is_told_part_by_part():
    told: list[tuple[str, int, int]] = []
    parts = collect(sources(), lambda *step: told.append(step))
    assert [name for name, _, _ in told] == [part.name for part in parts[1:]]
    assert [done for _, done, _ in told] == list(range(len(told)))


def test_only_what_happened_in_the_asked_time_is_told():
    live = support_bundle.LiveSources(
        status={},
        keys={},
        log=[(NOON + timedelta(hours=hour), f"line {hour}") for hour in range(5)],
        frames=[(NOON + timedelta(hours=hour), f"frame {hour}") for hour in range(5)],
    )
    window = Window(NOON + timedelta(hours=1), NOON + timedelta(hours=3))
    asked: list[Any] = []

    def journal(begin: datetime | None, end: datetime | None) -> str:
        asked.extend((begin, end))
        return "lines"

    parts = collect(sources(live=live, window=window, journal=journal))
    assert [line[-1] for line in text_of(parts, "log.txt").splitlines()] == ["1", "2", "3"]
    assert [line[-1] for line in text_of(parts, "frames.txt").splitlines()] == ["1", "2", "3"]
    assert asked == [window.begin, window.end]
    assert "from 2026-03-01T13:00:00+00:00 to" in text_of(parts, "README.txt")
    half = collect(sources(live=live, window=Window(end=NOON)))
    assert text_of(half, "log.txt").count("\n") == 1
    assert "from the beginning" in text_of(half, "README.txt")
    assert "Log, messages" not in text_of(collect(sources(live=live, window=ALWAYS)), "README.txt")


def test_what_was_packed_can_be_unpacked_and_nothing_else_can():
    parts = [BundlePart("a.txt", "grüße\ud800"), BundlePart("b.json", "{}")]
    packed = pack(parts, NOON)
    assert [part.name for part in unpack(packed)] == ["a.txt", "b.json"]
    assert unpack(packed)[0].text == "grüße?"
    for wrong in (b"", b"x" * 100, packed[: len(packed) // 2]):
        with pytest.raises(ValueError, match="no support bundle"):
            unpack(wrong)
    with pytest.raises(ValueError, match="no support bundle"):
        unpack(an_archive_with("folder", tarfile.DIRTYPE))


def an_archive_with(name: str, kind: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type = kind
        archive.addfile(info)
    return made.getvalue()


def test_the_name_of_the_file_is_safe_everywhere():
    at = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
    assert (
        file_name("Garage 7/ß", at)
        == "chargepoint-agent-support_Garage-7--_20260301T120005Z.tar.gz"
    )
    assert len(file_name("x" * 500, at)) <= 100


def test_a_secret_that_this_user_may_not_read_is_told(tmp_path: Path):
    settings = box_with_secrets_settings(tmp_path)
    assert list(unreadable_secrets(settings)) == []
    (tmp_path / "mqtt").unlink()
    (told,) = unreadable_secrets(settings)
    assert told.startswith("mqtt.password_file: ")
    assert scrubber_for(settings, Look()).text(f"{TOKEN} {KEY}") == "*** ***"


def test_of_a_file_with_several_lines_each_is_a_secret(tmp_path: Path):
    settings = box_with_secrets_settings(tmp_path)
    (tmp_path / "mqtt").write_text(f"{MQTT_PASSWORD}\n\n# until summer\n")
    assert scrubber_for(settings, Look()).text(f"said {MQTT_PASSWORD}!") == "said ***!"


def box_with_secrets_settings(directory: Path) -> Any:
    for name, content in {"key": KEY, "token": TOKEN, "mqtt": MQTT_PASSWORD}.items():
        (directory / name).write_text(content)
    settings = box_settings(directory)
    return replace(
        settings,
        central_system=CentralSystemSettings(authorization_key_file=str(directory / "key")),
        api=ApiSettings(
            tokens=(ApiTokenSettings(name="desk", secret_file=str(directory / "token"), scopes=()),)
        ),
        mqtt=MqttSettings(password_file=str(directory / "mqtt")),
    )


# --- the command ---------------------------------------------------------------------------------


def in_file(path: Path) -> dict[str, str]:
    return {part.name: part.text for part in unpack(path.read_bytes())}


def test_without_an_agent_the_disk_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = write_config(tmp_path)
    store = Store.open(tmp_path / "agent.db", now=NOON, make_id=lambda: "unused")
    replace_list(store, 1, [(LISTED, IdTagInfo(AuthorizationStatus.ACCEPTED))])
    store.close()
    config.write_text(config.read_text() + f"# the card {LISTED} is the chief's\n")
    target = tmp_path / "bundle.tar.gz"
    assert main(["support-bundle", str(target), "--config", str(config)]) == 0
    captured = capsys.readouterr()
    assert "note: no agent is running" in captured.err
    assert str(target) in captured.out
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    parts = in_file(target)
    assert 'identity = "CP-1"' in parts["config.toml"]
    assert "# the card 04..11 is the chief's" in parts["config.toml"]
    assert "no agent is running" in parts["README.txt"]
    assert json.loads(parts["database.json"])["rows"]["local_list"] == 1
    assert "status.json" not in parts


def test_a_configuration_with_mistakes_is_no_obstacle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.toml"
    config.write_text('[charge_point]\nidentity = 5\nauthorization_key = "geheim"\n')
    assert main(["support-bundle", "--config", str(config), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    parts = in_file(tmp_path / answer["file"])
    assert "identity must be a text" in parts["README.txt"]
    assert "identity = 5" in parts["config.toml"]
    assert "geheim" not in parts["config.toml"]


def test_a_file_that_cannot_be_written_is_told(tmp_path, capsys):
    config = write_config(tmp_path)
    target = tmp_path / "missing" / "bundle.tar.gz"
    assert main(["support-bundle", str(target), "--config", str(config)]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_the_archive_can_go_to_standard_output(tmp_path, capfdbinary):
    config = write_config(tmp_path)
    assert main(["support-bundle", "-", "--config", str(config)]) == 0
    assert {part.name for part in unpack(capfdbinary.readouterr().out)} >= {"config.toml"}


@pytest.mark.real_time
async def test_with_an_agent_the_bundle_is_its_own_and_this_machines(tmp_path, capsys):
    config = write_config(tmp_path)
    application = Application(read_config(config), simulate=True)
    run = asyncio.create_task(application.run())
    target = tmp_path / "bundle.tar.gz"
    try:
        async with asyncio.timeout(LIMIT_S):
            while not (tmp_path / "control.sock").exists():
                assert not run.done()
                await asyncio.sleep(0.01)
            words = ["support-bundle", str(target), "--config", str(config)]
            assert await asyncio.to_thread(main, words) == 0
    finally:
        application.shut_down()
        await run
    assert capsys.readouterr().err == ""
    parts = in_file(target)
    assert {"status.json", "log.txt", "frames.txt", "config.toml", "settings.json"} <= set(parts)
    assert "and the running agent" in parts["README.txt"]
    assert json.loads(parts["status.json"])["simulated"] is True


@pytest.mark.parametrize("size", [1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
async def test_archives_of_every_size_are_handed_over_whole(tmp_path, size: int):
    async with running_box(tmp_path) as box:
        content = bytes(number % 251 for number in range(size))
        desk = box.application.actions["bundle"].__self__

        def made(sources: Sources) -> bytes:
            return content

        desk._make = made
        await box.do("bundle", order="begin")
        while (await box.do("bundle", order="look"))["size"] != size:
            pass
        packed = b""
        while len(packed) < size:
            piece = await box.do("bundle", order="read", offset=len(packed))
            packed += base64.b64decode(piece["piece"])
        assert packed == content
