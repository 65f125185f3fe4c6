#!/usr/bin/python3
"""Installs the package that UpdateFirmware brought; goes back when it does not come up.

chargepoint-agent-firmware.service runs it as root, with the system's Python: the agent's own
environment is what is replaced. docs/firmware.md says how it is switched on.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

NAME = "chargepoint-agent"
UNIT = f"{NAME}.service"
LINK = Path("/opt") / NAME  # to the environment that runs
LIB = Path("/usr/lib") / NAME
CONFFILE = Path("/etc") / NAME / "config.toml"
KEY = Path("/etc") / NAME / "firmware.pem"
REQUEST = Path("/run") / NAME / "firmware-ready"  # a link to the file; see hand-over-firmware
PROBLEM = Path("/run/chargepoint-agent-firmware/problem")
# Of root alone. `previous` is there from before the first change until all is well or as it was,
# over a power cut too: the path unit goes on with it.
STATE = Path("/var/lib/chargepoint-agent-firmware")
PREVIOUS, PREVIOUS_DEB, NEW_DEB = (STATE / name for name in ("previous", "previous.deb", "new.deb"))

SIGNATURE_BYTES = 64  # Ed25519, at the end of the file
STAYS_UP_S = 20
COMES_UP_S = 120
RESTARTS_MAX = 3
_SESSION_RUNS = 1  # exit status of may-restart


class FirmwareError(Exception):
    """The firmware was not installed; what ran before runs on."""

    status = 1  # of hand-over-firmware


class WrongSignature(FirmwareError):
    """It is not what the owner of the key has signed."""

    status = 77  # as agent/maintenance/firmware_install.py understands it


@dataclass(frozen=True)
class Package:
    """What a package says about itself."""

    name: str
    version: str
    architecture: str


@dataclass(frozen=True)
class Seen:
    """The service as it was at one second."""

    state: str  # ActiveState
    pid: int
    restarts: int
    is_new: bool  # the process is one of the new environment


# --- what is decided -----------------------------------------------------------------------------


def split_signed(content: bytes) -> tuple[bytes, bytes]:
    """The package and its signature."""
    return content[:-SIGNATURE_BYTES], content[-SIGNATURE_BYTES:]


def refusal(package: Package, running: str, is_newer: bool, architecture: str) -> str:
    """Why this package is not installed; "" when it is."""
    if package.name != NAME:
        return f"the package is {package.name}"
    if package.architecture != architecture:
        return f"the package is for {package.architecture}, this is {architecture}"
    return "" if is_newer else f"{package.version} is not newer than {running}"


def has_come_up(seen: Sequence[Seen]) -> bool | None:
    """Judge the new version by what was seen second by second; None: look on."""
    last = seen[-1]
    good = takewhile(
        lambda one: one.state == "active" and one.is_new and one.pid == last.pid, reversed(seen)
    )
    if sum(1 for _ in good) > STAYS_UP_S:
        return True
    restarts = last.restarts - min(one.restarts for one in seen)
    if last.state == "failed" or restarts >= RESTARTS_MAX or len(seen) > COMES_UP_S:
        return False
    return None


def control_of(status: str) -> str:
    """The control file of an installed package, from what dpkg knows of it."""
    lines, is_left_out = [], False
    for line in status.splitlines():
        if not line.startswith(" "):
            is_left_out = line.startswith(("Status:", "Conffiles:"))
        if line and not is_left_out:
            lines.append(line)
    return "\n".join(lines) + "\n"


# --- what is done --------------------------------------------------------------------------------


def run(*command: str | Path, **variables: str) -> str:
    """Run a command; returns what it printed. Raises FirmwareError."""
    done = subprocess.run(
        command, env=os.environ | variables, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise FirmwareError(f"{' '.join(map(str, command[:2]))} ended with {done.returncode}")
    return done.stdout.strip()


def take_file() -> None:
    """Copy the file to where the agent cannot change it any more, and check its signature."""
    if not KEY.exists():
        raise FirmwareError(f"there is no key {KEY} to check the signature with")
    with open(os.open(REQUEST, os.O_RDONLY | os.O_NONBLOCK), "rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise FirmwareError("that is no file")
        content, signature = split_signed(source.read())
    NEW_DEB.write_bytes(content)
    signature_file = STATE / "signature"
    signature_file.write_bytes(signature)
    verify = ("openssl", "pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", KEY)
    try:
        run(*verify, "-in", NEW_DEB, "-sigfile", signature_file)
    except FirmwareError:
        raise WrongSignature("the signature is not that of firmware.pem") from None


def check_package() -> str:
    """Return the version of the package. Raises FirmwareError when it is not to be installed."""
    fields = (
        run("dpkg-deb", "--field", NEW_DEB, name) for name in ("Package", "Version", "Architecture")
    )
    package = Package(*fields)
    running = run(LINK / "bin" / NAME, "--version").split()[-1]
    compared = subprocess.run(
        ["dpkg", "--compare-versions", package.version, "gt", running], check=False
    )
    here = run("dpkg", "--print-architecture")
    if problem := refusal(package, running, compared.returncode == 0, here):
        raise FirmwareError(problem)
    return package.version


def repack() -> None:
    """Make a package of what is installed, for the way back, with the example as it was shipped."""
    tree = STATE / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name in run("dpkg-query", "--listfiles", NAME).splitlines():
        source, target = Path(name), tree / name.lstrip("/")
        if source.is_dir() and not source.is_symlink():
            target.mkdir(parents=True, exist_ok=True)
        elif source == CONFFILE:
            shutil.copy2(LIB / "config.example.toml", target)
        else:
            shutil.copy2(source, target, follow_symlinks=False)
    control = tree / "DEBIAN"
    control.mkdir()
    for name in run("dpkg-query", "--control-list", NAME).splitlines():
        shutil.copy2(run("dpkg-query", "--control-path", NAME, name), control / name)
    # dpkg-query does not list it. Without it the example would take the configuration's place.
    (control / "conffiles").write_text(f"{CONFFILE}\n")
    (control / "control").write_text(control_of(run("dpkg-query", "--status", NAME)))
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, PREVIOUS_DEB)
    shutil.rmtree(tree)


def install(version: str) -> None:
    """Put the new version in place of this one. Raises FirmwareError when it does not come up."""
    print(f"{version} is installed", flush=True)
    run("dpkg", "--configure", "--pending")  # whatever a power cut has left
    repack()
    PREVIOUS.symlink_to(os.readlink(LINK))
    os.sync()
    run("dpkg", "--force-confold", "--install", NEW_DEB, CHARGEPOINT_AGENT_FIRMWARE="new")
    restart()
    watch()


def watch() -> None:
    """Wait until the new version has proved itself. Raises FirmwareError when it does not."""
    seen = [look()]
    while (verdict := has_come_up(seen)) is None:
        time.sleep(1)
        seen.append(look())
    if not verdict:
        raise FirmwareError("the new version does not come up")


def look() -> Seen:
    """See how the service does."""
    wanted = ("ActiveState", "MainPID", "NRestarts")
    shown = run("systemctl", "show", f"--property={','.join(wanted)}", UNIT)
    values = dict(line.split("=", 1) for line in shown.splitlines())
    pid = int(values["MainPID"])
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        command = ""
    is_new = command.startswith(f"{os.readlink(LINK)}/")
    return Seen(values["ActiveState"], pid, int(values["NRestarts"]), is_new)


def restart() -> None:
    """Restart the agent when no session runs: after a crash of its own it may have begun one."""
    while subprocess.run([LIB / "may-restart"], check=False).returncode == _SESSION_RUNS:
        time.sleep(2)
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "--no-block", UNIT)


def go_back() -> None:
    """Put the previous environment and package in place again."""
    previous = os.readlink(PREVIOUS)
    is_replaced = os.readlink(LINK) != previous
    if is_replaced:
        beside = LINK.with_name(f"{NAME}-link")
        beside.unlink(missing_ok=True)
        beside.symlink_to(previous)
        beside.replace(LINK)
    try:
        forced = {"CHARGEPOINT_AGENT_FIRMWARE": "back", "CHARGEPOINT_AGENT_FORCE": "1"}
        run("dpkg", "--force-confold", "--install", PREVIOUS_DEB, **forced)
    finally:
        if is_replaced:
            restart()


def main() -> int:
    """Install what was asked for, or go on where a power cut has ended that."""
    PROBLEM.unlink(missing_ok=True)
    try:
        if not PREVIOUS.is_symlink():
            take_file()
            install(check_package())
        elif os.readlink(PREVIOUS) == os.readlink(LINK):
            raise FirmwareError("the installation was interrupted")
        else:
            watch()
    except (FirmwareError, OSError) as problem:
        print(problem, file=sys.stderr, flush=True)
        if PREVIOUS.is_symlink():
            go_back()
        status = getattr(problem, "status", FirmwareError.status)
        PROBLEM.write_text(f"{status}\n{problem}\n")
        return 1
    finally:
        PREVIOUS.unlink(missing_ok=True)
        for path in STATE.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    print("the new version runs", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
