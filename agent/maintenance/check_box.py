"""The box itself: secrets, disk, database, devices, clock. Touches no device, changes nothing."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.config.settings import Settings
from agent.core.security_events import DISK_LOW_BYTES
from agent.maintenance.agent_user import User
from agent.maintenance.check_pins import lines_of, look_at_pins
from agent.maintenance.findings import Finding, failed, noted, passed, skipped
from agent.maintenance.machine import file_system_of
from agent.maintenance.scrub import secret_files
from agent.ocppj.connect import CLOCK_TRUSTED_FROM_YEAR, read_authorization_key
from agent.platform.errors import LinkError, StoreError
from agent.platform.file_problems import in_words
from agent.store.damage import WHAT_HELPS
from agent.store.offline_view import damage_in, quick_check
from hw.lines import Chips

FREE_MB_WANTED = 200
FREE_MB_NEEDED = DISK_LOW_BYTES // 1_000_000
SERVICE_FOLDER = Path("/var/lib/chargepoint-agent")  # StateDirectory= of the unit
_FORGETFUL = ("tmpfs", "ramfs", "devtmpfs")
_NOT_REAL = ("none", "simulated", "")


def as_far_as_seen(step: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """What was found, until something is closed to the user who asks: that is reported as well."""
    try:
        yield from findings
    except OSError as problem:
        yield noted(step, in_words(problem, "look at"))


# --- secrets -------------------------------------------------------------------------------------


def look_at_secrets(settings: Settings, user: User) -> Iterator[Finding]:
    """Are the files with secrets there, and readable for the agent only?"""
    files = secret_files(settings)
    if not files:
        yield skipped("secrets", "no secret is configured")
    for key, name in files.items():
        yield _secret(key, Path(name), user)
    if (
        settings.central_system.security_profile in (1, 2)
        and settings.central_system.authorization_key_file
    ):
        yield from _password(settings.central_system.authorization_key_file)


def _secret(key: str, path: Path, user: User) -> Finding:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return failed("secrets", f"{key}: {path} is no plain file")
        is_readable = user.may_read(path)
    except PermissionError as problem:
        return noted("secrets", f"{key}: {in_words(problem, 'look at', path)}")
    except OSError as problem:
        return failed("secrets", f"{key}: {in_words(problem, 'look at', path)}", "create it")
    if not is_readable:
        words = f"{key}: the user {user.name} may not read {path}"
        return failed("secrets", words, f"chgrp {user.name} {path}; chmod 0640 {path}")
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        words = f"{key}: others may read or change {path} (mode {stat.S_IMODE(mode):04o})"
        return failed("secrets", words, f"chmod 0640 {path}")
    return passed("secrets", f"{key}: {path} has the mode {stat.S_IMODE(mode):04o}")


def _password(path: str) -> Iterator[Finding]:
    if not os.access(path, os.R_OK, effective_ids=True):
        return  # reported above, or only root can see it
    try:
        read_authorization_key(path)
    except LinkError as problem:
        yield failed("secrets", str(problem), "write the password anew")


# --- disk and database ---------------------------------------------------------------------------


def look_at_disk(storage: Path, user: User) -> Iterator[Finding]:
    """Does what is written to the folder of the database stay, and is there room for it?"""
    folder = storage.parent
    if not folder.exists():
        if folder != SERVICE_FOLDER:
            words = f"there is no folder {folder}"
            yield failed("disk", words, f"mkdir {folder}; chown {user.name} {folder}")
            return
        yield skipped("disk", f"{folder} is not there yet: the service makes it when it starts")
        folder = next(above for above in folder.parents if above.exists())
    elif not user.may_write(folder):
        words = f"the user {user.name} may not write to {folder}"
        is_owner = folder.stat().st_uid == user.uid
        then = f"chmod u+w {folder}" if is_owner else f"chown {user.name} {folder}"
        yield failed("disk", words, then)
    usage = shutil.disk_usage(folder)
    kind = file_system_of(folder)
    if kind in _FORGETFUL:
        words = f"{folder} is on a {kind}: sessions and cards are lost in a power cut"
        yield failed("disk", words, "set storage.path to a disk that stays")
    elif kind == "overlay":
        words = f"{folder} is on an overlay: what is written may be lost in a power cut"
        yield noted("disk", words, "keep storage.path on a partition of its own")
    free_mb = usage.free // 1_000_000
    words = f"{free_mb} MB free on {kind or 'the disk'} under {folder}"
    if free_mb < FREE_MB_NEEDED:
        yield failed("disk", words, "make room: without it no session begins")
    elif free_mb < FREE_MB_WANTED:
        yield noted("disk", words, "make room")
    else:
        yield passed("disk", words)


def look_at_database(path: Path) -> Iterator[Finding]:
    """Is the file sound?"""
    if not path.exists():
        yield skipped("database", f"{path} is not there yet: the first start makes it")
        return
    if not os.access(path, os.R_OK, effective_ids=True):  # who asks may not, the agent may
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    try:
        verdict = quick_check(path)
        damage = damage_in(path) if verdict == "ok" else []
    except StoreError as problem:
        yield failed("database", str(problem), "restart the agent: it moves a damaged file aside")
        return
    if verdict != "ok":
        words = f"{path} is damaged: {verdict[:200]}"
        yield failed(
            "database", words, "restart the agent: it moves the file aside and creates a new one"
        )
    elif not damage:
        yield passed("database", f"{path} is sound ({path.stat().st_size / 1e6:.1f} MB)")
    for where in damage:
        yield failed("database", f"{path} holds a damaged value: {where}", WHAT_HELPS)
    for aside in sorted(path.parent.glob(f"{path.name}.corrupt-*"))[:3]:
        if not aside.name.endswith(("-wal", "-shm", "-journal")):
            words = f"a damaged database was moved aside: {aside}"
            yield noted("database", words, "send it to the help desk, then remove it")


# --- devices -------------------------------------------------------------------------------------


def look_at_devices(
    settings: Settings, user: User, dev: Path = Path("/dev"), chips: Chips | None = None
) -> Iterator[Finding]:
    """Are the device files there that the configuration names, and may the agent use them?"""
    wanted = _wanted(settings, dev)
    lines = lines_of(settings)
    if lines:
        yield from look_at_pins(lines, user, chips or Chips(str(dev)), dev)
    elif not wanted:
        yield skipped("devices", "no real device is configured")
    for key, path in wanted.items():
        try:
            can_be_used = user.may_read(path) and user.may_write(path)
        except FileNotFoundError:
            then = "is it plugged in? ls /dev/serial/by-id/"
            if path.name.startswith("spidev"):
                then = "switch SPI on: raspi-config nonint do_spi 0, then reboot"
            yield failed("devices", f"{key}: there is no {path}", then)
            continue
        if can_be_used:
            yield passed("devices", f"{key}: {path}")
        else:
            words = f"{key}: the user {user.name} may not use {path}"
            yield failed("devices", words, f"put {user.name} into the group of {path}")


def _wanted(settings: Settings, dev: Path) -> dict[str, Path]:
    wanted: dict[str, Path] = {}
    reader = settings.reader
    if reader.driver == "mfrc522":
        wanted["reader"] = dev / f"spidev{reader.spi_bus}.{reader.spi_device}"
    for name, part in _parts(settings, ""):
        port = getattr(part, "port", "")
        if isinstance(port, str) and port.startswith("/"):
            wanted[f"{name}.port"] = Path(port)
    return wanted


def _parts(settings: Any, name: str) -> Iterator[tuple[str, Any]]:
    if getattr(settings, "driver", "none") not in _NOT_REAL:
        yield name, settings
    for field in fields(settings):
        value = getattr(settings, field.name)
        here = f"{name}.{field.name}".strip(".")
        if is_dataclass(value):
            yield from _parts(value, here)
        elif isinstance(value, tuple):
            for item in value:
                if is_dataclass(item):
                    yield from _parts(item, f"{here}[id={getattr(item, 'id', '?')}]")


# --- time ----------------------------------------------------------------------------------------


def look_at_clock(
    now: datetime, is_synchronized: bool, has_central_system: bool = True
) -> Iterator[Finding]:
    """Does this box know what time it is?"""
    text = now.isoformat(timespec="seconds")
    if is_synchronized:
        yield passed("clock", f"{text}, kept by a time service")
    elif now.year < CLOCK_TRUSTED_FROM_YEAR:
        words = f"{text} cannot be: certificates count as not valid yet"
        yield failed("clock", words, "timedatectl set-ntp true, or fit a clock with a battery")
    else:
        asked = "the agent asks the central system"
        nobody = "and no central system to ask: the times of sessions are marked as assumed"
        words = f"{text}, kept by no time service: {asked if has_central_system else nobody}"
        yield noted("clock", words, "timedatectl set-ntp true")
