"""The package of ``make deb`` on bookworm and on trixie: installed, upgraded, removed, purged.

The tests follow each other on one machine of each release. apt runs where there is no network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.file_servers import Shelf, http_server
from tests.system.conftest import SERVICE, Station
from tests.system.machine import REPOSITORY, SystemTestError, wait_until
from tests.system.test_service import CARD, CONFIG, block_after

pytestmark = pytest.mark.system

CONFIG_FILE = f"/etc/{SERVICE}/config.toml"
APT = "DEBIAN_FRONTEND=noninteractive unshare --net apt-get --yes --no-install-recommends"
OLD, NEW, NEWER, BROKEN = "0.0.9", "99.1", "99.2", "99.3"


def build(version: str, folder: Path, *architectures: str) -> Path:
    script = str(REPOSITORY / "packaging" / "deb.py")
    command = [sys.executable, script, "--version", version, "--output", str(folder)]
    subprocess.run([*command, *architectures], check=True, timeout=600)
    (made,) = folder.glob(f"*_{version}_{architectures[0]}.deb")
    return made


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The version before and this one, for this machine's architecture."""
    done = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True)
    here, folder = done.stdout.strip(), tmp_path_factory.mktemp("debs")
    made = [build(version, folder, here) for version in (OLD, NEW, NEWER, BROKEN)]
    return (*made[:3], broken(made[3], folder))


def broken(package: Path, folder: Path) -> Path:
    """The same package, whose program lacks a part once it is installed."""
    tree, target = folder / "tree", folder / "broken.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tree)], check=True)
    script = tree / "usr/lib" / SERVICE / "environment"
    sabotage = 'rm -r "$new"/lib/python*/site-packages/agent/app\n'
    script.write_text(script.read_text().replace("trap - EXIT\n", f"trap - EXIT\n{sabotage}"))
    assert sabotage in script.read_text()
    subprocess.run(["dpkg-deb", "-Znone", "--build", str(tree), str(target)], check=True)
    return target


@pytest.fixture(scope="module")
def box(fresh: Station, packages: tuple[Path, ...]) -> Station:
    """A fresh Debian with both packages in /root, and nothing installed yet."""
    for name, package in zip(("old.deb", "new.deb"), packages[:2], strict=True):
        shutil.copy(package, fresh.machine.root / "root" / name)
    return fresh


def shown(box: Station, *words: str) -> str:
    return box.machine.run(f"{SERVICE} {' '.join(words)} --json")


def decided(box: Station) -> list[dict[str, Any]]:
    """What was decided about cards, without the steps of the last taps: those are not stored."""
    return [{**one, "steps": []} for one in json.loads(shown(box, "why"))]


def charge(box: Station) -> None:
    box.sim("plug")
    box.sim("tap", CARD)
    wait_until(lambda: "contactor closed" in box.machine.run(f"{SERVICE} status"), 20, "energy")


def test_the_two_lines_of_the_readme_install_it_without_a_network(box: Station) -> None:
    install, init = block_after("README.md", "## Install on a Raspberry Pi")
    words = install.split()
    assert words[:3] == ["sudo", "apt", "install"]
    assert words[3].startswith(f"./{SERVICE}_")
    assert len(words) == 4
    begin = time.monotonic()
    box.machine.run(f"{APT} install ./old.deb")
    installed_s = time.monotonic() - begin
    assert init == f"sudo {SERVICE} init"
    answers = "--yes --board simulated --identity CP-1"
    box.machine.run(f"{init.removeprefix('sudo ')} {answers} --url {box.url}")
    box.machine.run(f"{SERVICE} check-config")
    box.machine.run(f"systemctl enable --now {SERVICE}")
    box.wait_until_up()
    ready_s = time.monotonic() - begin
    print(f"installed after {installed_s:.1f} s, ready after {ready_s:.1f} s")
    wait_until(lambda: bool(box.central_system.of("BootNotification")), 30, "a boot")
    sent = box.central_system.of("BootNotification")[0].payload
    assert sent["firmwareVersion"] == OLD
    box.machine.write(CONFIG_FILE, CONFIG.format(url=box.url))
    box.machine.run(f"systemctl restart {SERVICE}")


def test_an_upgrade_is_refused_while_a_session_runs(box: Station) -> None:
    charge(box)
    pid = box.main_pid()
    for command in ("install ./new.deb", f"remove {SERVICE}"):
        refused = box.machine.attempt(f"{APT} {command}")
        assert refused.returncode != 0
        assert "a session runs" in refused.stdout + refused.stderr
        assert box.main_pid() == pid
    assert "contactor closed" in box.machine.run(f"{SERVICE} status")
    box.sim("tap", CARD)
    box.sim("unplug")
    wait_until(lambda: bool(box.central_system.of("StopTransaction")), 20, "the stop")


def test_an_upgrade_keeps_configuration_data_and_queue(box: Station) -> None:
    # Nobody answers there: what happens now waits in the queue.
    away = CONFIG.format(url="ws://127.0.0.1:9/nobody")
    box.machine.write(CONFIG_FILE, away)
    box.machine.run(f"systemctl restart {SERVICE}")
    starts = len(box.central_system.of("StartTransaction"))
    box.sim("plug")
    box.machine.run(f"{SERVICE} list add {CARD}")
    charge(box)
    box.sim("tap", CARD)
    box.sim("unplug")
    wait_until(
        lambda: not any(one["session"] for one in json.loads(shown(box, "status"))["connectors"]),
        20,
        "the session ends",
    )
    decisions, pid = decided(box), box.main_pid()
    assert decisions
    box.machine.run(f"{APT} install ./new.deb")
    box.wait_until_up(other_than=pid)
    assert (box.machine.root / CONFIG_FILE.lstrip("/")).read_text() == away
    assert decided(box) == decisions
    box.machine.write(CONFIG_FILE, CONFIG.format(url=box.url))
    box.machine.run(f"systemctl restart {SERVICE}")
    wait_until(
        lambda: len(box.central_system.of("StartTransaction")) > starts, 30, "the queue is sent"
    )
    assert box.central_system.of("BootNotification")[-1].payload["firmwareVersion"] == NEW


def test_a_session_that_begins_during_an_upgrade_runs_to_its_end(box: Station) -> None:
    box.machine.run("dpkg --unpack new.deb")
    charge(box)
    pid = box.main_pid()
    said = box.machine.run("dpkg --configure --pending")
    assert "starts when the session has ended" in said
    assert box.main_pid() == pid
    assert "contactor closed" in box.machine.run(f"{SERVICE} status")
    box.sim("tap", CARD)
    box.sim("unplug")
    box.wait_until_up(other_than=pid, within_s=60)


INSTALL_COMMAND = block_after("docs/firmware.md", "## With the package")


class Signer:
    """Signs packages by the commands of the guide."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        *make_keys, self._sign, self._join = block_after("docs/firmware.md", "To make the keys")
        self._run(*make_keys)
        self.public_key = (folder / "firmware.pem").read_text()

    def _run(self, *commands: str) -> None:
        for command in commands:
            subprocess.run(command, shell=True, cwd=self._folder, check=True)

    def __call__(self, package: Path) -> bytes:
        shutil.copy(package, self._folder / "new.deb")
        self._run(self._sign, self._join)
        return (self._folder / "new.firmware").read_bytes()


@pytest.fixture(scope="session")
def sign(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("keys"))


def update(box: Station, content: bytes) -> list[str]:
    """Let the central system send that file; returns the statuses of its update."""
    told = box.central_system.of
    before = len(told("FirmwareStatusNotification"))
    with http_server(Shelf({"/image": content})) as files:
        wanted = {"location": f"{files}/image", "retrieveDate": "2020-01-01T00:00:00Z"}
        assert box.central_system.ask("UpdateFirmware", wanted) == {}

        def statuses() -> list[str]:
            calls = told("FirmwareStatusNotification")[before:]
            return list(dict.fromkeys(call.payload["status"] for call in calls))

        try:
            wait_until(
                lambda: statuses()[-1:] in (["Installed"], ["InstallationFailed"]), 120, "end"
            )
        except SystemTestError:
            print(box.machine.run(f"journalctl --lines=200 --unit='{SERVICE}*' --no-pager"))
            raise
    state = f"systemctl show --value --property=ActiveState {SERVICE}-firmware.service"
    wait_until(
        lambda: box.machine.run(state).strip() in ("inactive", "failed"), 90, "the installer ends"
    )
    assert not list((box.machine.root / "var/lib" / f"{SERVICE}-firmware").iterdir())
    return statuses()


def installed(box: Station) -> str:
    return box.machine.run(f"dpkg-query --show --showformat='${{Version}} ${{Status}}' {SERVICE}")


def test_firmware_is_installed_and_told(
    box: Station, packages: tuple[Path, ...], sign: Signer
) -> None:
    box.machine.write(f"/etc/{SERVICE}/firmware.pem", sign.public_key)
    box.machine.write(CONFIG_FILE, CONFIG.format(url=box.url) + "\n".join(INSTALL_COMMAND))
    box.machine.run(f"systemctl restart {SERVICE}")
    wanted = ["Downloading", "Downloaded", "Installing", "Installed"]
    assert update(box, sign(packages[2])) == wanted
    assert box.central_system.of("BootNotification")[-1].payload["firmwareVersion"] == NEWER
    assert installed(box) == f"{NEWER} install ok installed"
    assert box.is_up()


def test_firmware_that_does_not_come_up_is_rolled_back(
    box: Station, packages: tuple[Path, ...], sign: Signer
) -> None:
    config = (box.machine.root / CONFIG_FILE.lstrip("/")).read_text()
    assert update(box, sign(packages[3])) == [
        *("Downloading", "Downloaded", "Installing", "InstallationFailed")
    ]
    assert box.central_system.of("BootNotification")[-1].payload["firmwareVersion"] == NEWER
    box.wait_until_up()
    assert installed(box) == f"{NEWER} install ok installed"
    assert (
        not box.machine.run(f"dpkg --verify {SERVICE}")
        .replace(f"??5?????? c {CONFIG_FILE}", "")
        .strip()
    )
    assert (box.machine.root / CONFIG_FILE.lstrip("/")).read_text() == config


def test_firmware_without_the_right_signature_is_refused_and_nothing_restarts(
    box: Station, packages: tuple[Path, ...], sign: Signer
) -> None:
    mark, pid = box.mark(), box.main_pid()
    forged = bytearray(sign(packages[2]))
    forged[1000] ^= 1
    assert update(box, bytes(forged))[-1] == "InstallationFailed"
    assert "the signature is not that of firmware.pem" in box.journal(mark)
    assert update(box, sign(packages[1]))[-1] == "InstallationFailed"
    assert f"{NEW} is not newer than {NEWER}" in box.journal(mark)
    assert box.main_pid() == pid


def test_files_are_where_debian_has_them(box: Station) -> None:
    listed = box.machine.run(f"dpkg-query --listfiles {SERVICE}").split()
    assert "/usr/share/man/man1/chargepoint-agent.1.gz" in listed
    assert "/usr/lib/systemd/system/chargepoint-agent.service" in listed
    assert not [path for path in listed if path.startswith(("/opt", "/usr/local", "/var"))]
    assert (
        not box.machine.run(f"dpkg --verify {SERVICE}")
        .replace(f"??5?????? c {CONFIG_FILE}", "")
        .strip()
    )


def test_removal_keeps_configuration_and_data_and_purge_does_not(box: Station) -> None:
    root = box.machine.root
    box.machine.run(f"{APT} remove {SERVICE}")
    assert box.main_pid() == 0
    assert not list((root / "opt").glob(f"{SERVICE}*"))
    assert (root / CONFIG_FILE.lstrip("/")).exists()
    assert list((root / "var/lib" / SERVICE).glob("*.db"))
    box.machine.run(f"{APT} purge {SERVICE}")
    assert not (root / "etc" / SERVICE).exists()
    assert not (root / "var/lib" / SERVICE).exists()


def test_a_package_is_the_same_each_time_and_lintian_finds_no_error(
    packages: tuple[Path, ...], tmp_path: Path
) -> None:
    architecture = packages[1].stem.rpartition("_")[2]
    assert build(NEW, tmp_path, architecture).read_bytes() == packages[1].read_bytes()
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    command = ["lintian", "--fail-on", "error", "--allow-root", str(packages[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
