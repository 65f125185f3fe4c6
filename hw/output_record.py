"""What the running agent claims, written down for the last defence: which pins, which level is off.

One small text file in each of two places, so that a full, missing or read-only one leaves the
other. A line holds one output; a line that cannot be read does not hide the others. What an
earlier boot of the machine wrote down does not count: its pins are inputs since.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hw.lines import parse_pin
from hw.outputs import KINDS, Output

NAME = "outputs"
BYTES_MAX = 64 * 1024
OUTPUTS_MAX = 256
BOOT_ID = "/proc/sys/kernel/random/boot_id"

_BOOT = re.compile(r"boot ([0-9a-f-]{36}|-)")
_LEVELS = {"low": False, "high": True}


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """What one record says, and what is wrong with it, one sentence each."""

    outputs: tuple[Output, ...] = ()
    problems: tuple[str, ...] = ()
    mark: tuple[int, int] | None = None  # tells the file that was read from a later one


def places(
    environment: Mapping[str, str] = os.environ, database: str | None = None
) -> tuple[str, ...]:
    """Where records are, the one that needs no disk first.

    The folders that the service manager names, else those of the installed service; and the folder
    of the database, where it is another one.
    """
    found: list[str] = []
    for name, default in (
        ("RUNTIME_DIRECTORY", "/run/chargepoint-agent"),
        ("STATE_DIRECTORY", "/var/lib/chargepoint-agent"),
    ):
        given = environment.get(name, "").split(":")[0]
        if given or os.path.isdir(default):
            found.append(given or default)
    if database is not None and beside(database) not in found:
        found.append(beside(database))
    return tuple(found)


def beside(database: str) -> str:
    """The folder of the database."""
    return os.path.dirname(database) or "."


def boot_id() -> str:
    """The name of this boot of the machine; empty where the kernel does not tell."""
    try:
        with open(BOOT_ID, encoding="ascii", errors="replace") as file:
            return file.read(100).strip()
    except OSError:
        return ""


def read(folder: str, boot: str) -> OutputRecord:
    """The record in this folder. Never raises."""
    path = f"{folder}/{NAME}"
    try:
        # O_NONBLOCK: a pipe in its place must not hold up the last defence.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return OutputRecord()
    except (OSError, ValueError) as problem:
        return OutputRecord(problems=(f"{path} cannot be read: {_reason(problem)}",))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return OutputRecord(problems=(f"{path} is no plain file: it is not read",))
        content = os.read(descriptor, BYTES_MAX + 1)
    except OSError as problem:
        return OutputRecord(problems=(f"{path} cannot be read: {_reason(problem)}",))
    finally:
        os.close(descriptor)
    return _parsed(path, content, _mark(status), boot)


def write(folder: str, outputs: Sequence[Output], boot: str) -> str | None:
    """Write the whole record, at once or not at all; returns why it was not written.

    Not synced: it is for the processes of this boot, and they see what was written.
    """
    lines = [f"boot {boot or '-'}"]
    lines += [_line(output) for output in outputs[:OUTPUTS_MAX]]
    try:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as problem:
        return f"{folder}/{NAME} cannot be written: {_reason(problem)}"
    try:
        if os.geteuid() == 0 != os.fstat(directory).st_uid:
            return f"{folder} belongs to another user: root writes nothing there"
        _replace(directory, "\n".join([*lines, ""]).encode("ascii", "replace"))
    except OSError as problem:
        return f"{folder}/{NAME} cannot be written: {_reason(problem)}"
    finally:
        os.close(directory)
    return None


def forget(folder: str, record: OutputRecord, left: Iterable[Output], boot: str) -> None:
    """Take from the record what has been switched off; ``left`` stays. Never raises.

    Only if all of it was understood, and the file is still the one that was read: a process that
    starts meanwhile has written its own.
    """
    if record.mark is None or record.problems:
        return
    path = f"{folder}/{NAME}"
    with suppress(OSError):  # then it stays, and is opened once more: that costs nothing
        if _mark(os.lstat(path)) != record.mark:
            return
        staying = tuple(left)
        if not staying:
            os.unlink(path)
        elif staying != record.outputs:
            write(folder, staying, boot)


def _replace(directory: int, content: bytes) -> None:
    new = f"{NAME}.new"
    with suppress(FileNotFoundError):
        os.unlink(new, dir_fd=directory)  # left by a process that was killed
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(new, flags, 0o644, dir_fd=directory)
    try:
        written = 0
        while written < len(content):
            written += os.write(descriptor, content[written:])
        os.close(descriptor)
        descriptor = -1
        os.rename(new, NAME, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        os.unlink(new, dir_fd=directory)
        raise
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _line(output: Output) -> str:
    level = "high" if output.off_level else "low"
    return f"{output.kind} {output.pin} {level} {output.part}"


def _parsed(path: str, content: bytes, mark: tuple[int, int], boot: str) -> OutputRecord:
    problems: list[str] = []
    if len(content) > BYTES_MAX:
        problems.append(f"{path} is larger than {BYTES_MAX} bytes: the rest is not read")
    first, *lines = content[:BYTES_MAX].decode("ascii", "replace").split("\n")
    written_in = _BOOT.fullmatch(first.strip())
    if written_in is None:
        lines = [first, *lines]
    elif boot and written_in.group(1) not in (boot, "-"):
        return OutputRecord(mark=mark)
    outputs: list[Output] = []
    for number, line in enumerate(lines, start=1):
        if len(outputs) >= OUTPUTS_MAX:
            problems.append(f"{path} has more than {OUTPUTS_MAX} outputs: the rest is not read")
            break
        if not line.strip("\0 \t\r"):
            continue
        output = _output(line)
        if output is not None:
            outputs.append(output)
        elif len(problems) < 3:
            problems.append(f"{path}: entry {number} cannot be read")
    return OutputRecord(tuple(outputs), tuple(problems), mark)


def _output(line: str) -> Output | None:
    kind, _, rest = line.strip().partition(" ")
    pin_text, _, rest = rest.partition(" ")
    level, _, part = rest.partition(" ")
    pin = int(pin_text[:4]) if pin_text.isascii() and pin_text.isdigit() else pin_text
    try:
        parse_pin(pin)
    except ValueError:
        return None
    if level not in _LEVELS:
        return None
    words = "".join(letter if letter.isprintable() else "?" for letter in part[:60])
    return Output(kind if kind in KINDS else KINDS[0], pin, _LEVELS[level], words or "an output")


def _mark(status: os.stat_result) -> tuple[int, int]:
    return status.st_ino, status.st_mtime_ns


def _reason(problem: OSError | ValueError) -> str:
    return getattr(problem, "strerror", None) or str(problem)
