"""The package for arm64 on arm64 code: everything in it is imported, and the core is tested.

A Debian in a folder, whose Python is run by qemu-user: no kernel and no binfmt_misc is needed. The
wheels are installed from here, because its Python could start no other program.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from deb import GLIBC_MINOR, MACHINES
from locked import DEV, requirements_file

from tests.system.machine import CACHE, REPOSITORY, base_system, copy_project, run_here, why_not

pytestmark = pytest.mark.system

QEMU = "qemu-aarch64-static"
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
TOOLS = ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "hypothesis", "sortedcontainers")
# Every module of the agent, every package that was installed for it, every compiled module in them.
IMPORT_ALL = """
import importlib, json, pathlib, pkgutil, platform
site = pathlib.Path("/opt/site")
found = [info.name for info in pkgutil.iter_modules([str(site)])]
for name in ("agent", "hw"):
    package = importlib.import_module(name)
    found += [one.name for one in pkgutil.walk_packages(package.__path__, f"{name}.")]
found = [name for name in found if not name.endswith("__main__")]
native = [path.relative_to(site) for path in site.rglob("*.so") if path.name.count(".") > 1]
found += [".".join(path.parts[:-1] + (path.name.split(".")[0],)) for path in native]
problems = {}
for name in found:
    try:
        importlib.import_module(name)
    except Exception as problem:
        problems[name] = repr(problem)
print(json.dumps([platform.machine(), len(found), problems, sorted(map(str, native))]))
"""


def install(wheels: Path | None, wanted: Path, python: str, target: Path) -> None:
    """Install arm64 wheels by their hashes into a folder; ``wheels``: from there, not the index."""
    machine = MACHINES["arm64"]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(17, GLIBC_MINOR + 1)]
    source = ["--no-index", f"--find-links={wheels}"] if wheels is not None else []
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += [*source, "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--implementation=cp", f"--python-version={python}", f"--target={target}"]
    command += [f"--platform={one}" for one in (*platforms, f"manylinux2014_{machine}")]
    run_here(*command, f"--requirement={wanted}")


class Board:
    """A folder with an arm64 Debian, what the package brings, and the project's files."""

    def __init__(self, root: Path, python: str) -> None:
        self.root = root
        self._python = python

    def run(self, *words: str, within_s: float = 1200) -> str:
        """Run its Python; returns what it printed."""
        command = [
            "systemd-nspawn",
            f"--directory={self.root}",
            *("--register=no", "--keep-unit", "--quiet", "--as-pid2", "--console=pipe"),
            *("--setenv=PYTHONPATH=/opt/site:/opt/tools", "--chdir=/root/project"),
            *(f"/usr/bin/{QEMU}", f"/usr/bin/python{self._python}", "-B", *words),
        ]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within_s
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout


def unpack(root: Path) -> None:
    """Unpack what debootstrap has fetched; no script of a package is run."""
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        run_here("dpkg-deb", "--extract", str(package), str(root))
        package.unlink()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = why_not() or ("" if shutil.which(QEMU) else f"not installed: {QEMU}")
    if missing:
        pytest.skip(f"a Debian for arm64: {missing}")
    script = str(REPOSITORY / "packaging" / "deb.py")
    folder = tmp_path_factory.mktemp("deb")
    run_here(sys.executable, script, "--output", str(folder), "arm64")
    (made,) = folder.glob("*_arm64.deb")
    return made


@pytest.fixture(scope="module")
def board(
    request: pytest.FixtureRequest, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    """What the package brings, on that release of Debian."""
    scratch, python = tmp_path_factory.mktemp(request.param), PYTHONS[request.param]
    root, tools = scratch / "root", scratch / "tools.txt"
    base = base_system(CACHE, request.param, ("python3",), "arm64-1", unpack, "arm64")
    run_here("cp", "--archive", "--reflink=auto", str(base), str(root))
    shutil.copy(str(shutil.which(QEMU)), root / "usr/bin" / QEMU)
    run_here("dpkg-deb", "--extract", str(package), str(root))
    inside = root / "usr/lib/chargepoint-agent"
    wanted = inside / f"requirements-{python}.txt"
    install(inside / "wheels", wanted, python, root / "opt/site")
    lines = requirements_file(DEV, python, MACHINES["arm64"]).splitlines()
    tools.write_text("".join(f"{one}\n" for one in lines if one.split("==")[0] in TOOLS))
    install(None, tools, python, root / "opt/tools")
    copy_project(root / "root/project")
    for name in ("agent", "hw"):  # what is tested is what the package brings
        shutil.rmtree(root / "root/project" / name)
    yield Board(root, python)
    shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("board", PYTHONS, indirect=True)
def test_everything_in_the_package_is_imported(board: Board) -> None:
    machine, count, problems, native = json.loads(board.run("-c", IMPORT_ALL))
    assert machine == "aarch64"
    # Its reset pin is the business of the agent, which puts hw.rpi_gpio_shim in that place.
    assert problems == {"mfrc522": "ModuleNotFoundError(\"No module named 'RPi'\")"}
    assert count > 300
    assert [name for name in native if "aarch64" in name]
    print(f"{count} modules; compiled: {', '.join(native)}")


# The core imports nothing that is compiled: one Python is enough, and three minutes.
@pytest.mark.parametrize("board", ["bookworm"], indirect=True)
def test_the_tests_of_the_core_pass(board: Board) -> None:
    print(board.run("-m", "pytest", "-p", "no:cacheprovider", "tests/core")[-200:])
