"""UpdateFirmware on a whole box, over restarts and power cuts; and the command that is run."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import FirmwareSettings
from agent.core.firmware_values import DropFirmware, FetchFirmware
from agent.maintenance.firmware_install import FirmwareWorker, run_program
from agent.platform.errors import LinkError
from tests.app.box import Box, box_settings
from tests.emulators.central_system import Late
from tests.emulators.transfers import FakeTransfers

WHERE = "https://me:geheim@files.example.com/image.bin"
STATUS = "FirmwareStatusNotification"
COMMAND = ("/usr/local/sbin/install", "--now", "{file}")


@dataclass
class FakeCommand:
    """An install command: it takes its time, and ends as it is told."""

    problem: str = ""
    takes_s: float = 30.0
    calls: list[tuple[list[str], dict[str, str], bytes]] = field(default_factory=list)

    async def __call__(
        self, command: list[str], environment: Mapping[str, str], folder: Path, within_s: float
    ) -> str:
        content = (folder / "image").read_bytes()
        self.calls.append((command, dict(environment), content))
        await asyncio.sleep(self.takes_s)
        return self.problem


@dataclass
class Updates:
    """A box that can be updated, and everything around it."""

    box: Box
    transfers: FakeTransfers
    command: FakeCommand

    async def ask(self, **fields: Any) -> None:
        payload = {"location": WHERE, "retrieveDate": "2026-03-01T12:00:00Z", **fields}
        answer = await self.box.central_system.send_call("UpdateFirmware", payload)
        assert answer[2] == {}

    def told(self) -> list[str]:
        return [str(call.payload["status"]) for call in self.box.central_system.of(STATUS)]

    async def until_told(self, *statuses: str) -> None:
        """Exactly these so far, in this order."""
        await self.box.central_system.received(STATUS, len(statuses))
        assert self.told() == list(statuses)

    async def start_again(self, version: str = "") -> None:
        """Another process, of this version if one is given."""
        if version:
            charge_point = replace(self.box.settings.charge_point, firmware_version=version)
            self.box.settings = replace(self.box.settings, charge_point=charge_point)
        await self.box.start()


def updates(directory: Path, **settings: Any) -> Updates:
    given = {"install_command": COMMAND, "install_timeout_s": 900, **settings}
    box_with = replace(box_settings(directory), firmware=FirmwareSettings(**given))
    transfers, command = FakeTransfers(), FakeCommand()
    return Updates(Box(box_with, transfers=transfers, run_command=command), transfers, command)


async def started(directory: Path, **settings: Any) -> Updates:
    one = updates(directory, **settings)
    await one.box.start()
    await one.box.central_system.received("StatusNotification", 2)
    return one


def image(one: Updates) -> Path:
    return one.box.settings.storage_path.parent / "firmware" / "image"


async def test_an_update_from_the_download_to_the_new_version(tmp_path, caplog):
    one = await started(tmp_path)
    await one.ask()
    await one.until_told("Downloading", "Downloaded", "Installing")
    assert await one.box.ended() is True  # it restarts itself
    ((command, environment, content),) = one.command.calls
    assert command == ["/usr/local/sbin/install", "--now", str(image(one))]
    assert content == b"new firmware"
    assert environment["FIRMWARE_FILE"] == str(image(one))
    assert len(environment["FIRMWARE_SHA256"]) == 64
    await one.start_again("2.0")
    await one.until_told("Downloading", "Downloaded", "Installing", "Installed")
    boots = one.box.central_system.of("BootNotification")
    assert boots[-1].payload["firmwareVersion"] == "2.0"
    frames = one.box.central_system.frames
    booted = max(i for i, frame in enumerate(frames) if "BootNotification" in frame)
    assert booted < next(i for i, frame in enumerate(frames) if '"Installed"' in frame)
    await asyncio.sleep(1)
    assert not image(one).exists()
    await one.box.die()
    await one.start_again()
    await asyncio.sleep(100)
    assert len(one.told()) == 4  # and it is told once
    await one.box.die()
    assert "geheim" not in caplog.text


async def test_the_old_version_after_the_restart_is_told_honestly(tmp_path, caplog):
    one = await started(tmp_path)
    await one.ask()
    assert await one.box.ended() is True
    await one.start_again()
    await one.until_told("Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert "still runs: rolled back" in caplog.text
    await one.box.die()


async def test_the_answer_comes_before_the_first_status(tmp_path):
    one = await started(tmp_path)
    await one.ask()
    assert one.told() == []
    await one.until_told("Downloading")
    await one.box.die()


async def test_a_command_that_fails_is_told_and_the_box_goes_on(tmp_path, caplog):
    one = await started(tmp_path)
    one.command.problem = "the install command ended with the status 1: bad signature"
    await one.ask()
    await one.until_told("Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert "bad signature" in caplog.text
    await one.box.charge()
    await asyncio.sleep(10)  # until the same card may stop it
    await one.box.finish()
    assert not image(one).exists()
    await one.box.die()


async def test_without_a_command_nothing_is_fetched(tmp_path, caplog):
    one = await started(tmp_path, install_command=())
    await one.ask()
    await one.until_told("InstallationFailed")
    assert one.transfers.downloads == []
    assert "no firmware.install_command" in caplog.text
    await one.box.die()


async def test_downloads_are_tried_again_and_given_up(tmp_path):
    one = await started(tmp_path)
    one.transfers.problems.extend(["busy"] * 3)
    await one.ask(retries=2, retryInterval=100)
    await one.until_told("Downloading", "DownloadFailed")
    times = [at_s for _, at_s in one.transfers.downloads]
    assert [round(times[1] - times[0]), round(times[2] - times[1])] == [101, 101]
    assert (await one.box.status())["status"] == "Available"
    await one.box.die()


@pytest.mark.parametrize(
    ("location", "words"),
    [("sftp://a.example/x", "not by 'sftp'"), ("nonsense", "files go by")],
)
async def test_an_address_that_cannot_be_used_is_a_failed_download(
    tmp_path, caplog, location, words
):
    one = await started(tmp_path)
    await one.ask(location=location, retries=0)
    await one.until_told("Downloading", "DownloadFailed")
    assert words in caplog.text
    await one.box.die()


async def test_a_file_that_is_too_large_is_a_failed_download(tmp_path):
    one = await started(tmp_path, max_mb=1)
    one.transfers.content = b"x" * 1_000_001
    await one.ask(retries=0)
    await one.until_told("Downloading", "DownloadFailed")
    await one.box.die()


async def test_a_session_is_waited_for_and_nobody_else_may_begin(tmp_path):
    one = await started(tmp_path)
    await one.box.charge()
    await one.ask()
    await one.until_told("Downloading", "Downloaded")
    await asyncio.sleep(3600)
    assert one.box.contactor.is_closed
    assert one.told() == ["Downloading", "Downloaded"]
    await one.box.tap()
    await one.box.central_system.received("StopTransaction")
    await one.box.central_system.received(STATUS, 3)
    assert one.told()[-1] == "Installing"
    answer = await one.box.central_system.send_call("Reset", {"type": "Hard"})
    assert answer[2] == {"status": "Rejected"}
    await one.box.die()


async def trigger(one: Updates) -> str:
    count = len(one.told())
    payload = {"requestedMessage": STATUS}
    answer = await one.box.central_system.send_call("TriggerMessage", payload)
    assert answer[2] == {"status": "Accepted"}
    await one.box.central_system.received(STATUS, count + 1)
    return one.told()[-1]


async def test_a_trigger_tells_what_is_going_on(tmp_path):
    one = await started(tmp_path)
    one.transfers.takes_s = 60.0
    assert await trigger(one) == "Idle"
    await one.ask(retrieveDate="2026-03-01T12:05:00Z")
    assert await trigger(one) == "Idle"
    await asyncio.sleep(330)
    assert await trigger(one) == "Downloading"
    await asyncio.sleep(40)
    assert await trigger(one) == "Installing"
    await one.box.die()


async def test_a_second_request_takes_the_place_of_the_first(tmp_path):
    one = await started(tmp_path)
    one.transfers.takes_s = 60.0
    await one.ask()
    await asyncio.sleep(30)
    await one.ask(location="http://other.example/x")
    await one.until_told("Downloading", "Downloading")
    await asyncio.sleep(61)
    assert one.transfers.called_off == 1
    assert [where.host for where, _ in one.transfers.downloads] == [
        "files.example.com",
        "other.example",
    ]
    await one.ask()  # too late: it is being installed
    await asyncio.sleep(5)
    assert len(one.transfers.downloads) == 2
    await one.box.die()


async def test_a_process_that_dies_while_it_fetches_begins_anew(tmp_path):
    one = await started(tmp_path)
    one.transfers.takes_s = 60.0
    await one.ask()
    await asyncio.sleep(10)
    await one.box.lose_power()
    await one.start_again()
    await asyncio.sleep(70)
    assert len(one.transfers.downloads) == 2
    assert one.told() == ["Downloading", "Downloaded", "Installing"]
    await one.box.die()


async def test_a_process_that_dies_while_it_installs_tells_so(tmp_path):
    one = await started(tmp_path)
    await one.ask()
    await one.until_told("Downloading", "Downloaded", "Installing")
    await asyncio.sleep(1)
    await one.box.lose_power()
    await one.start_again()
    await one.until_told("Downloading", "Downloaded", "Installing", "InstallationFailed")
    await one.box.die()


async def test_who_hands_over_waits_for_the_new_version(tmp_path):
    one = await started(tmp_path, after_install="wait")
    one.command.takes_s = 0.1
    await one.ask()
    await one.until_told("Downloading", "Downloaded", "Installing")
    await asyncio.sleep(600)
    assert one.box.is_running
    await one.box.shut_down()  # the installer restarts the unit
    await one.start_again("2.0")
    await one.until_told("Downloading", "Downloaded", "Installing", "Installed")
    await one.box.die()


async def test_who_hands_over_to_nobody_tells_so_in_the_end(tmp_path):
    one = await started(tmp_path, after_install="wait")
    await one.ask()
    await asyncio.sleep(1000)
    assert one.told() == ["Downloading", "Downloaded", "Installing", "InstallationFailed"]
    assert (await one.box.status())["status"] == "Available"
    await one.box.die()


async def test_what_could_not_be_told_without_a_link_is_told_in_order_later(tmp_path):
    one = await started(tmp_path)
    system = one.box.central_system
    await one.ask(retrieveDate="2026-03-01T12:01:00Z")
    system.refuse_always = LinkError("gone")
    await system.drop()
    await asyncio.sleep(60)
    assert await one.box.ended() is True
    assert one.told() == []
    await one.start_again("2.0")
    await asyncio.sleep(100)
    assert one.told() == []
    system.refuse_always = None
    await one.until_told("Downloading", "Downloaded", "Installing", "Installed")
    await asyncio.sleep(1)
    await one.box.die()
    await one.start_again()
    await asyncio.sleep(100)
    assert len(one.told()) == 4
    await one.box.die()


async def test_a_status_whose_answer_is_late_is_not_doubted(tmp_path):
    one = await started(tmp_path)
    one.box.central_system.next(STATUS, Late(20.0))
    await one.ask()
    await one.until_told("Downloading", "Downloaded", "Installing")
    await one.box.die()


async def test_a_file_that_has_gone_meanwhile_is_told(tmp_path, caplog):
    one = await started(tmp_path)
    await one.box.charge()
    await one.ask()
    await one.until_told("Downloading", "Downloaded")
    image(one).unlink()
    await asyncio.sleep(10)
    await one.box.finish()
    await one.until_told("Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert "not there any more" in caplog.text
    await one.box.die()


async def test_a_file_that_has_changed_meanwhile_is_not_installed(tmp_path, caplog):
    one = await started(tmp_path)
    await one.box.charge()
    await one.ask()
    await one.until_told("Downloading", "Downloaded")
    image(one).write_bytes(b"another firmware")
    await asyncio.sleep(10)
    await one.box.finish()
    await one.until_told("Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert "the file is not the one that was fetched" in caplog.text
    assert one.command.calls == []
    await one.box.die()


async def test_a_fetch_that_fails_oddly_is_a_failed_download(tmp_path, caplog, monkeypatch):
    async def download(*arguments: Any) -> None:
        raise ZeroDivisionError

    one = await started(tmp_path)
    monkeypatch.setattr(one.transfers, "download", download)
    await one.ask(retries=0)
    await one.until_told("Downloading", "DownloadFailed")
    assert "ZeroDivisionError" in caplog.text
    await one.box.die()


async def test_an_installation_that_fails_oddly_has_failed_and_charging_goes_on(tmp_path, caplog):
    async def odd(*_: Any) -> str:
        raise ZeroDivisionError

    one = updates(tmp_path)
    one.box.run_command = odd
    await one.box.start()
    await one.box.central_system.received("StatusNotification", 2)
    await one.ask()
    await one.until_told("Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert "a mistake of the agent (ZeroDivisionError)" in caplog.text
    await one.box.charge()
    await one.box.die()


async def test_a_removal_that_comes_late_does_not_meet_the_next_file(tmp_path):
    may_remove = asyncio.Event()
    posted: list[Any] = []

    async def work(function: Any, *arguments: Any) -> Any:
        await may_remove.wait()
        return function(*arguments)

    settings = FirmwareSettings(install_command=COMMAND)
    files = FakeTransfers()
    worker = FirmwareWorker(
        settings,
        tmp_path,
        files,
        None,  # type: ignore[arg-type]
        posted.append,
        work,
        lambda: frozenset({"https"}),
    )
    (tmp_path / "image").write_bytes(b"old")
    perform = worker.performers()
    perform[DropFirmware](DropFirmware())
    perform[FetchFirmware](FetchFirmware(WHERE))
    await asyncio.sleep(10)
    may_remove.set()
    await asyncio.sleep(10)
    assert len(posted) == 1
    assert (tmp_path / "image").read_bytes() == files.content


# --- the command itself --------------------------------------------------------------------------


def a_program(directory: Path, script: str) -> str:
    program = directory / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


async def run(directory: Path, script: str, *arguments: str, within_s: float = 20.0) -> str:
    program = a_program(directory, script)
    environment = {"PATH": os.environ["PATH"], "FIRMWARE_SHA256": "abcd"}
    return await run_program([program, *arguments], environment, directory, within_s)


@pytest.mark.real_time
async def test_a_program_gets_its_arguments_untouched_and_only_its_own_environment(tmp_path):
    argument = "a b; echo $HOME `id` > x"
    script = 'printf "%s" "$1" > argument; env > environment; pwd > folder; cat > input'
    assert await run(tmp_path, script, argument) == ""
    assert (tmp_path / "argument").read_text() == argument
    environment = (tmp_path / "environment").read_text()
    assert "FIRMWARE_SHA256=abcd" in environment
    assert "PYTEST" not in environment
    assert (tmp_path / "folder").read_text().strip() == str(tmp_path)
    assert (tmp_path / "input").read_text() == ""
    assert not (tmp_path / "x").exists()


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo one; echo two >&2; exit 3", "ended with the status 3: two"),
        ("exit 1", "ended with the status 1"),
        ("kill -9 $$", "ended with the signal 9"),
        ("printf 'no\\033 line end'; exit 2", "ended with the status 2: no? line end"),
        ("head -c 100000 /dev/zero | tr '\\0' x; exit 2", "status 2: xxx"),
    ],
)
async def test_how_a_program_fails_is_told_with_its_last_words(tmp_path, script, words):
    problem = await run(tmp_path, script)
    assert words in problem
    assert len(problem) < 500


@pytest.mark.real_time
async def test_a_program_that_takes_too_long_is_killed_with_its_children(tmp_path):
    problem = await run(tmp_path, "sleep 60 & echo $! > child; wait", within_s=2.0)
    assert "longer than 2 s and was killed" in problem
    child = int((tmp_path / "child").read_text())
    async with asyncio.timeout(5):
        while _is_alive(child):
            await asyncio.sleep(0.01)


@pytest.mark.real_time
async def test_a_program_whose_offspring_keeps_the_output_in_a_group_of_its_own_ends_too(tmp_path):
    script = "setsid sh -c 'echo $$ > child; exec sleep 60' &"
    problem = await run(tmp_path, script, within_s=2.0)
    child = int((tmp_path / "child").read_text())
    os.kill(child, signal.SIGKILL)
    assert "longer than 2 s" in problem
    async with asyncio.timeout(5):
        while _is_alive(child):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # the loop sees the end of the output


def _is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.real_time
async def test_a_program_that_is_not_there_is_told(tmp_path):
    problem = await run_program([str(tmp_path / "missing")], {}, tmp_path, 5.0)
    assert problem == "the install command cannot be run: No such file or directory"
