"""Facts about this machine and this program, for the help desk: no names of people, no addresses.

Everything is read from files and from the running process; what cannot be read is left out.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import ssl
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from agent.core.visible import visible
from agent.platform.log_lines import LineFormatter, Repetitions
from agent.store.offline_view import SQLITE_VERSION

LIBRARIES = (
    "aiomqtt",
    "fastapi",
    "gpiozero",
    "jinja2",
    "jsonschema",
    "lgpio",
    "mfrc522",
    "ocpp",
    "prometheus-client",
    "pymodbus",
    "pyserial",
    "spidev",
    "sqlite-utils",
    "uvicorn",
    "websockets",
)
_DEVICES = (
    "gpiochip*",
    "spidev*",
    "ttyUSB*",
    "ttyACM*",
    "ttyAMA*",
    "serial[0-9]",
    "serial/by-id/*",
)
_READ_MAX = 4096
BOARD = "/proc/device-tree/model"
_TEXTS = {
    "board": BOARD,
    "boot_id": "/proc/sys/kernel/random/boot_id",
    "uptime_s": "/proc/uptime",
    "load": "/proc/loadavg",
    "temperature_millidegrees": "/sys/class/thermal/thermal_zone0/temp",
}
_OS_KEYS = ("PRETTY_NAME", "VERSION_ID", "VERSION_CODENAME", "IMAGE_ID", "IMAGE_VERSION")
_MEMORY_KEYS = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
_PROCESS_KEYS = ("VmRSS", "VmHWM", "Threads")


def versions() -> dict[str, Any]:
    """Version of this program, of what it is built on, and of the libraries it may use."""
    return {
        "chargepoint-agent": own_version(),
        "python": sys.version.split()[0],
        "sqlite": SQLITE_VERSION,
        "openssl": ssl.OPENSSL_VERSION,
        "libraries": {name: version_of(name) for name in LIBRARIES},
    }


def own_version() -> str:
    """The version of this package; "unknown" when it is not installed."""
    return version_of("chargepoint-agent") or "unknown"


def system_facts(storage: Path) -> dict[str, Any]:
    """Board, operating system, memory, disk under ``storage``, clock, devices."""
    uname = platform.uname()
    return {
        "kernel": f"{uname.system} {uname.release} {uname.machine}",
        "os": _lines_with("/etc/os-release", _OS_KEYS, "="),
        **{name: first_text(path) for name, path in _TEXTS.items()},
        "memory": _lines_with("/proc/meminfo", _MEMORY_KEYS, ":"),
        "process": _lines_with("/proc/self/status", _PROCESS_KEYS, ":"),
        "disk": disk_facts(storage),
        "devices": sorted(str(p) for kind in _DEVICES for p in Path("/dev").glob(kind))[:100],
        "time_is_synchronized": Path("/run/systemd/timesync/synchronized").exists(),
    }


def disk_facts(storage: Path) -> dict[str, Any]:
    """What the database lies on: file system, free space. ``{}`` when the place does not exist."""
    place = storage if storage.is_dir() else storage.parent
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return {}
    return {
        "file_system": file_system_of(place),
        "free_mb": usage.free // 1_000_000,
        "total_mb": usage.total // 1_000_000,
    }


def file_system_of(place: Path, mounts: str | None = None) -> str:
    """The type of the file system that a path is on: ext4, tmpfs ...; empty: not known.

    ``mounts`` is the text of /proc/self/mounts.
    """
    try:
        real = os.path.realpath(place)
        text = Path("/proc/self/mounts").read_text("utf-8", "replace") if mounts is None else mounts
    except OSError:
        return ""
    best, found = "", ""
    for line in text.splitlines():
        _, point, kind, *_ = [*line.split(" "), "", "", ""]
        point = point.replace("\\040", " ")
        is_above = real == point or real.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= len(best):  # of two at one place the later one is seen
            best, found = point, kind
    return found


def version_of(name: str) -> str | None:
    """The version of an installed package; None when there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def first_text(path: str) -> str:
    """The beginning of a file of the kernel, 4 KiB at most; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(_READ_MAX).decode("utf-8", "replace").strip("\0 \n")
    except OSError:
        return ""


def _lines_with(path: str, keys: Iterable[str], mark: str) -> dict[str, str]:
    pairs = (line.partition(mark) for line in first_text(path).splitlines())
    values = {name.strip(): value.strip().strip('"') for name, _, value in pairs}
    return {key: values[key] for key in keys if key in values}


LINES_KEPT = 2000
LINE_MAX = 500

Line = tuple[datetime, str]


class LogRing(logging.Handler):
    """Keeps lines of INFO and above; the oldest is dropped. Read from any thread."""

    def __init__(self, utc: Callable[[], datetime], monotonic_s: Callable[[], float]) -> None:
        """``utc`` to write down, ``monotonic_s`` to tell what repeats."""
        super().__init__(logging.INFO)
        self._utc = utc
        self._lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._repetitions = Repetitions(monotonic_s)
        self.setFormatter(LineFormatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record, unless it repeats."""
        for written in self._repetitions.take(record):
            self._keep(written)

    def _keep(self, record: logging.LogRecord) -> None:
        """Its first line, and the last of a traceback, which names the mistake."""
        try:
            lines = self.format(record).splitlines() or [""]
        except (TypeError, ValueError, LookupError):  # its arguments do not fit its text
            lines = [visible(f"{record.levelname} {record.msg}")]
        line = lines[0] if len(lines) == 1 else f"{lines[0]} [{lines[-1].strip()}]"
        self._lines.append((self._utc(), line[:LINE_MAX]))

    def lines(self) -> tuple[Line, ...]:
        """Everything that is kept, oldest first."""
        return tuple(self._lines.copy())

    @contextmanager
    def listening(self) -> Iterator[LogRing]:
        """Keep what is logged anywhere in this process while the block runs."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield self
        finally:
            root.removeHandler(self)


UNIT = "chargepoint-agent.service"
LINES_MAX = 4000
CHARS_MAX = 1_000_000
_WITHIN_S = 15.0


def journal_excerpt(
    begin: datetime | None, end: datetime | None, program: str = "journalctl"
) -> str:
    """The last lines of the unit between two instants; a sentence when they cannot be had."""
    command = [program, "--unit", UNIT, "--lines", str(LINES_MAX), "--no-pager", "--quiet"]
    command += ["--output", "short-iso", "--utc"]
    command += [] if begin is None else ["--since", _stamp(begin)]
    command += [] if end is None else ["--until", _stamp(end)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_WITHIN_S,
            check=False,
        )
    except FileNotFoundError:
        return "(there is no journald on this machine)"
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"(journald cannot be asked: {type(problem).__name__})"
    text = done.stdout.decode("utf-8", "replace")
    if len(text) > CHARS_MAX:  # from a whole line on: half a secret would not be recognised
        text = text[-CHARS_MAX:].partition("\n")[2]
    if text.strip():
        return text
    return "(journald shows this user nothing of the service; root and the group adm may read it)"


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
