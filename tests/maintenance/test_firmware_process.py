"""An update for real: a process, a WebSocket, a web server, a script, and a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.agent_process import LIMIT_S, running_agent
from tests.box_config import write_config
from tests.emulators.central_system import FakeCentralSystem
from tests.emulators.file_servers import Shelf, http_server

STATUS = "FirmwareStatusNotification"
# What an installer does: it takes the version from the file, and refuses a file that is not signed.
SCRIPT = """#!/bin/sh
set -e
grep -q '^signed' "$1" || { echo "bad signature" >&2; exit 77; }
version=$(sed -n 's/^version=//p' "$1")
sed "s/^firmware_version = .*/firmware_version = \\"$version\\"/" config.toml > config.new
mv config.new config.toml
"""


def a_box(directory: Path, url: str) -> Path:
    config = write_config(directory, url)
    script = directory / "install-firmware"
    script.write_text(SCRIPT.replace("config.", f"{directory}/config."))
    script.chmod(0o755)
    text = config.read_text().replace(
        'identity = "CP-1"\n', 'identity = "CP-1"\nfirmware_version = "1.0"\n'
    )
    text = text.replace("[central_system]\n", '[central_system]\nfile_hosts = "any"\n')
    config.write_text(f'{text}\n[firmware]\ninstall_command = ["{script}", "{{file}}"]\n')
    return config


async def ask(system: FakeCentralSystem, location: str) -> None:
    wanted = {"location": location, "retrieveDate": "2020-01-01T00:00:00Z", "retryInterval": 0}
    assert (await system.send_call("UpdateFirmware", {**wanted, "retries": 1}))[2] == {}


def told(system: FakeCentralSystem) -> list[str]:
    return [str(call.payload["status"]) for call in system.of(STATUS)]


@pytest.mark.real_time
async def test_a_file_is_fetched_and_installed_and_the_next_process_tells_its_version(
    tmp_path: Path,
):
    system = FakeCentralSystem()
    shelf = Shelf({"/image": b"signed\nversion=2.0\n", "/forged": b"version=6.6\n"}, busy_times=1)
    with http_server(shelf) as files:
        async with system.serve() as url, asyncio.timeout(2 * LIMIT_S):
            config = a_box(tmp_path, url)
            arguments = ("run", "--simulate", "--config", str(config))
            async with running_agent(tmp_path / "control.sock", *arguments):
                await system.received("StatusNotification", 3)
                await ask(system, f"{files}/forged")
                await system.received(STATUS, 4)
                await ask(system, f"{files}/image")
                while "Installed" not in told(system):
                    await system.received(STATUS, len(told(system)) + 1)
    failed = ["Downloading", "Downloaded", "Installing", "InstallationFailed"]
    assert told(system)[:4] == failed
    # The process that has installed ends at once; what was not confirmed by then is told again.
    assert list(dict.fromkeys(told(system)[4:])) == [*failed[:3], "Installed"]
    assert shelf.seen == ["GET /forged", "GET /forged", "GET /image"]  # it was busy at first
    (event,) = [
        call.payload["techInfo"]
        for call in system.of("SecurityEventNotification")
        if call.payload["type"] == "InvalidFirmwareSignature"
    ]
    assert event == "the install command ended with the status 77: bad signature"
    versions = [call.payload["firmwareVersion"] for call in system.of("BootNotification")]
    assert versions == ["1.0", "2.0"]
