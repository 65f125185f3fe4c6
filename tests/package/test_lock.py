"""What was tested is what is installed: the lock fits pyproject.toml, is whole, names no host."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from locked import DEV, RUN, Pin, pins, requirements_file
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
TARGETS = [
    (python, machine)
    for python in ("3.11", "3.13")  # of bookworm and trixie
    for machine in ("x86_64", "aarch64", "armv7l")
]
# mfrc522 asks for them; one is not needed, the other comes from apt (docs/installation.md).
NOT_LOCKED = {"rpi-gpio", "spidev"}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def asked_for(lock: Path) -> list[Requirement]:
    read = project()
    extras = read["project"]["optional-dependencies"]
    groups = read["dependency-groups"]
    wanted = [*read["project"]["dependencies"], *extras["board"], *groups["reader"]]
    wanted += groups["build"]
    return [Requirement(one) for one in [*wanted, *(extras["dev"] if lock == DEV else ())]]


def by_name(lock: Path, python: str, machine: str) -> dict[str, Pin]:
    found = [pin for pin in pins(lock) if pin.is_for(python, machine)]
    names = {pin.name: pin for pin in found}
    assert len(names) == len(found), "one version each"
    return names


@pytest.mark.parametrize("lock", [RUN, DEV], ids=lambda lock: lock.stem)
@pytest.mark.parametrize(("python", "machine"), TARGETS)
def test_each_dependency_is_in_the_lock_in_a_version_that_the_project_allows(
    lock: Path, python: str, machine: str
) -> None:
    locked = by_name(lock, python, machine)
    target = {"python_version": python, "platform_machine": machine}
    for wanted in asked_for(lock):
        if wanted.marker is not None and not wanted.marker.evaluate(target):
            continue
        pin = locked.get(canonicalize_name(wanted.name))
        assert pin is not None, f"{wanted} is not locked: make lock"
        assert wanted.specifier.contains(pin.version), f"{wanted}, but {pin.version}: make lock"


def test_the_tests_run_with_the_versions_that_are_installed_on_a_charge_point() -> None:
    tested = {pin.name: pin for pin in pins(DEV)}
    assert {pin.name: pin for pin in pins(RUN)}.items() <= tested.items()


def test_this_environment_is_what_the_lock_says_and_the_lock_is_whole() -> None:
    locked = {pin.name: pin for pin in pins(DEV) if pin.requirement.marker.evaluate()}  # type: ignore[union-attr]
    installed = {name: importlib.metadata.distribution(name) for name in locked}
    versions = {name: found.version for name, found in installed.items()}
    assert versions == {name: pin.version for name, pin in locked.items()}
    for name, found in installed.items():
        for wanted in map(Requirement, found.requires or ()):
            needed = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
            what = canonicalize_name(wanted.name)
            if needed and what not in NOT_LOCKED:
                assert what in locked, f"{name} needs {wanted}"
                assert wanted.specifier.contains(locked[what].version, prereleases=True)


@pytest.mark.parametrize("lock", [RUN, DEV], ids=lambda lock: lock.stem)
def test_a_lock_holds_versions_and_hashes_and_names_no_host(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-[^-]|--(?!hash=sha256:))", text, re.M), "an option"
    assert all(pin.hashes for pin in pins(lock))


@pytest.mark.parametrize(
    "line",
    [
        "ocpp>=2.1 --hash=sha256:" + "0" * 64,
        "ocpp==2.*  --hash=sha256:" + "0" * 64,
        "ocpp @ https://example.org/ocpp.whl --hash=sha256:" + "0" * 64,
        "ocpp==2.1.0",
        "ocpp==2.1.0 --hash=md5:" + "0" * 32,
        "--index-url https://example.org/simple",
    ],
)
def test_a_line_that_is_no_pin_with_hashes_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text(line + "\n")
    with pytest.raises(ValueError, match=r"not one version|not only hashes|Expected"):
        pins(tmp_path / "lock.txt")


def test_what_has_no_wheel_for_a_target_is_not_in_its_part() -> None:
    assert "lgpio==" in requirements_file(RUN, "3.11", "aarch64")
    assert "lgpio==" not in requirements_file(RUN, "3.13", "aarch64")
    assert "lgpio==" not in requirements_file(RUN, "3.11", "armv7l")
    assert ";" not in requirements_file(RUN, "3.11", "aarch64")
