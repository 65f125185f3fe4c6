"""No compiler on a charge point: each dependency is a wheel for 64-bit ARM, or comes from apt."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.system.machine import REPOSITORY

PYTHONS = ("3.11", "3.13")  # of bookworm and trixie
# What has no wheel: the package, for which Python, and the package of apt in its place. The table
# of docs/installation.md says the same.
FROM_APT = {
    ("lgpio", "3.13"): "python3-lgpio",
    ("spidev", "3.11"): "python3-spidev",
    ("spidev", "3.13"): "python3-spidev",
}
GLIBC_MINOR = 36  # bookworm has glibc 2.36; trixie a newer one
PLATFORMS = (
    "manylinux2014_aarch64",
    *(f"manylinux_2_{minor}_aarch64" for minor in range(17, GLIBC_MINOR + 1)),
)
_NAME = re.compile(r"[\w-]+")
_DOWNLOAD_S = 300


def requirements() -> list[str]:
    """What an installed agent needs, as the project file says it, with the pins of a board."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["board"]]


def name_of(requirement: str) -> str:
    found = _NAME.match(requirement)
    assert found is not None
    return found.group()


def as_wheels(python: str, folder: Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    """Let pip look for wheels only, for that Python on 64-bit ARM; nothing is installed."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    command += ["--disable-pip-version-check", "--target", str(folder), "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", python]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    return subprocess.run(
        [*command, *wanted], capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False
    )


@pytest.mark.system
@pytest.mark.parametrize("python", PYTHONS)
def test_each_dependency_is_a_wheel_for_64_bit_arm_or_comes_from_apt(
    python: str, tmp_path: Path
) -> None:
    # pip judges markers by the Python that it runs on: what comes from apt is left out by name.
    wanted = [one for one in requirements() if (name_of(one), python) not in FROM_APT]
    done = as_wheels(python, tmp_path, *wanted)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = re.findall(r"^Would install (.+)$", done.stdout, re.M)
    for name in map(name_of, wanted):
        assert f" {name.lower()}-" in f" {found.replace('_', '-').lower()}", f"pip left out {name}"
    # By itself: what it asks for has no wheels and is not needed.
    alone = as_wheels(python, tmp_path, "--no-deps", "mfrc522")
    assert alone.returncode == 0, alone.stderr[-2000:]


@pytest.mark.system
def test_a_package_without_a_wheel_is_found(tmp_path: Path) -> None:
    done = as_wheels("3.11", tmp_path, "--no-deps", "spidev")
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
    left_out = [one for one in requirements() if "python_version < '3.13'" in one]
    assert [name_of(one) for one in left_out] == ["lgpio"]
    assert ("lgpio", "3.13") in FROM_APT
