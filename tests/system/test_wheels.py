"""No compiler on a charge point: each dependency is a locked wheel, or comes from apt."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from locked import RUN, requirements_file
from packaging.requirements import Requirement

from tests.system.machine import REPOSITORY

PYTHONS = ("3.11", "3.13")  # of bookworm and trixie
MACHINES = ("x86_64", "aarch64", "armv7l")
# What has no wheel: the package, for which Python, and the package of apt in its place. The table
# of docs/installation.md says the same, for 64 bits.
FROM_APT = {
    ("lgpio", "3.13"): "python3-lgpio",
    ("spidev", "3.11"): "python3-spidev",
    ("spidev", "3.13"): "python3-spidev",
}
GLIBC_MINOR = 36  # bookworm has glibc 2.36; trixie a newer one
_DOWNLOAD_S = 300


def as_wheels(
    python: str, machine: str, folder: Path, *wanted: str
) -> subprocess.CompletedProcess[str]:
    """Let pip fetch wheels only, for that Python on that processor; nothing is installed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--implementation", "cp", "--python-version", python]
    command += ["--platform", f"manylinux2014_{machine}"]
    for minor in range(17, GLIBC_MINOR + 1):
        command += ["--platform", f"manylinux_2_{minor}_{machine}"]
    return subprocess.run(
        [*command, *wanted], capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False
    )


@pytest.mark.system
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_has_the_hash_of_a_wheel_of_each_package_for_each_target(
    python: str, machine: str, tmp_path: Path
) -> None:
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(requirements_file(RUN, python, machine))
    found = tmp_path / "wheels"
    done = as_wheels(python, machine, found, "--require-hashes", "--requirement", str(wanted))
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(found.glob("*.whl"))) == len(wanted.read_text().splitlines())


@pytest.mark.system
def test_a_wheel_whose_hash_is_not_locked_is_refused(tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"mfrc522==0.0.7 --hash=sha256:{'0' * 64}\n")
    done = as_wheels("3.11", "aarch64", tmp_path, "--require-hashes", "-r", str(wanted))
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.system
def test_a_package_without_a_wheel_is_found(tmp_path: Path) -> None:
    done = as_wheels("3.11", "aarch64", tmp_path, "spidev")
    assert done.returncode != 0
    assert "No matching distribution found for spidev" in done.stderr


def test_what_comes_from_apt_is_what_the_documentation_says() -> None:
    text = (REPOSITORY / "docs" / "installation.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d., ]+) \| `([\w-]+)` \|", text, re.M)
    said = {(name, one): apt for name, pythons, apt in rows for one in pythons.split(", ")}
    assert said == FROM_APT
    installed = " ".join(re.findall(r"^sudo apt install ([^#\n]+)", text, re.M))
    assert set(FROM_APT.values()) <= set(installed.split())


def test_a_dependency_that_its_marker_leaves_out_comes_from_apt() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["board"]]
    for python in PYTHONS:
        target = {"python_version": python, "platform_machine": "aarch64"}
        for one in map(Requirement, wanted):
            if one.marker is not None and not one.marker.evaluate(target):
                assert (one.name, python) in FROM_APT
