"""The package of ``make deb`` on bookworm and on trixie: installed, upgraded, removed, purged.

The tests follow each other on one machine of each release. apt runs where there is no network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.central_system import serving
from tests.system.conftest import SERVICE, Station
from tests.system.machine import CACHE, REPOSITORY, machine, wait_until, why_not
from tests.system.test_service import CARD, CONFIG

pytestmark = pytest.mark.system

CONFIG_FILE = f"/etc/{SERVICE}/config.toml"
APT = "DEBIAN_FRONTEND=noninteractive unshare --net apt-get --yes --no-install-recommends"
OLD, NEW = "0.0.9", "99.1"


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
    return build(OLD, folder, here), build(NEW, folder, here)


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def box(
    request: pytest.FixtureRequest,
    packages: tuple[Path, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Station]:
    """A fresh Debian with both packages in /root, and nothing installed yet."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"a machine with systemd of its own: {reason}")
    scratch = tmp_path_factory.mktemp(request.param)
    with serving() as (central_system, url), machine(CACHE, scratch, request.param) as new:
        for name, package in zip(("old.deb", "new.deb"), packages[:2], strict=True):
            shutil.copy(package, new.root / "root" / name)
        yield Station(new, central_system, url)


def shown(box: Station, *words: str) -> str:
    return box.machine.run(f"{SERVICE} {' '.join(words)} --json")


def charge(box: Station) -> None:
    box.sim("plug")
    box.sim("tap", CARD)
    wait_until(lambda: "contactor closed" in box.machine.run(f"{SERVICE} status"), 20, "energy")


def test_one_file_without_a_network_installs_it(box: Station) -> None:
    begin = time.monotonic()
    box.machine.run(f"{APT} install ./old.deb")
    installed_s = time.monotonic() - begin
    box.machine.write(CONFIG_FILE, CONFIG.format(url=box.url))
    box.machine.run(f"{SERVICE} check-config; systemctl enable --now {SERVICE}")
    box.wait_until_up()
    ready_s = time.monotonic() - begin
    print(f"installed after {installed_s:.1f} s, ready after {ready_s:.1f} s")
    wait_until(lambda: bool(box.central_system.of("BootNotification")), 30, "a boot")
    sent = box.central_system.of("BootNotification")[0].payload
    assert sent["firmwareVersion"] == OLD


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
    decisions, pid = shown(box, "why"), box.main_pid()
    assert json.loads(decisions)
    box.machine.run(f"{APT} install ./new.deb")
    box.wait_until_up(other_than=pid)
    assert (box.machine.root / CONFIG_FILE.lstrip("/")).read_text() == away
    assert shown(box, "why") == decisions
    box.machine.write(CONFIG_FILE, CONFIG.format(url=box.url))
    box.machine.run(f"systemctl restart {SERVICE}")
    wait_until(
        lambda: len(box.central_system.of("StartTransaction")) > starts, 30, "the queue is sent"
    )
    assert box.central_system.of("BootNotification")[-1].payload["firmwareVersion"] == NEW


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
