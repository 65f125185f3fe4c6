"""The memory card under the database: what is safe on it, what is not yet, and what goes wrong.

A database lives in a folder of its own, a *generation*. When the process is killed or the power is
cut, the world gets a new folder with what the medium holds at that instant. Whatever the old
process still does happens in the old folder: it is a ghost, and nobody looks there any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random

from tests.simulation import vfs
from tests.simulation.private_files import PrivateFiles

DATABASE = "agent.db"
_SIZE_BYTES = 1_000_000_000
SECTOR = 512  # what a medium writes in one piece
_JOURNALS = (f"{DATABASE}-wal", f"{DATABASE}-journal")
_FILES = (DATABASE, *_JOURNALS)


Step = Callable[[str], None]
Count = Callable[[str], None]


class Trouble(Enum):
    """What a disk can do wrong while it is on."""

    FULL = "the disk is full"
    BAD_WRITES = "writes fail"
    BAD_SYNCS = "syncs fail"


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at a place. ``data`` None: the file is cut there."""

    offset: int
    data: bytes | None


@dataclass
class Content:
    """One file: what is on the medium for sure, and what was written since the last sync."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[Write] = field(default_factory=list)

    def sync(self) -> None:
        """Everything written is on the medium."""
        for write in self.pending:
            _apply(self.safe, write)
        self.pending.clear()

    def now(self) -> bytes:
        """What a reader sees while the power is on."""
        image = bytearray(self.safe)
        for write in self.pending:
            _apply(image, write)
        return bytes(image)

    def after_power_cut(self, random: Random) -> bytes:
        """What is found afterwards: of the unsynced writes some, and the last of them torn."""
        image = bytearray(self.safe)
        survival = random.choice((0.0, 0.5, 0.9, 1.0))
        for number, write in enumerate(self.pending, start=1):
            is_last = number == len(self.pending)
            if random.random() >= survival:
                continue
            _apply(image, _torn(write, random) if is_last else write)
        return bytes(image)


class Disk:
    """All generations of one box's database; only the newest counts."""

    def __init__(self, folder: Path, watch: vfs.Watch, step: Step, count: Count) -> None:
        """``step`` is told of every write and sync: the world may end the process there."""
        self._folder = folder
        self._watch = watch
        self._step = step
        self._count_trouble = count
        self._generation: Generation | None = None
        self._count = 0
        self.trouble: Trouble | None = None
        self.slow_s = 0.0  # how long every commit takes; the executors look here
        self.written_bytes = 0
        self.private = PrivateFiles(self._may_sync_file)
        self._begin({}, None)

    @property
    def path(self) -> Path:
        """Where the database is now."""
        assert self._generation is not None
        return self._generation.folder / DATABASE

    @property
    def free_bytes(self) -> int:
        """What is left of it."""
        return 0 if self.trouble is Trouble.FULL else _SIZE_BYTES

    def is_synced(self) -> bool:
        """True when every commit is safe on the medium: the log is, or the database."""
        assert self._generation is not None
        contents = self._generation.contents
        return not any(contents[name].pending for name in _JOURNALS if name in contents)

    def size(self) -> int:
        """Bytes of the database and its log."""
        assert self._generation is not None
        folder = self._generation.folder
        return sum((folder / name).stat().st_size for name in _FILES if (folder / name).exists())

    def killed(self) -> None:
        """The process is gone; the system still holds what it wrote."""
        assert self._generation is not None
        self._begin(dict(self._generation.contents), None)

    def lost_power(self, random: Random) -> None:
        """What was not synced is partly gone."""
        assert self._generation is not None
        self._begin(
            {
                name: Content(bytearray(content.after_power_cut(random)))
                for name, content in self._generation.contents.items()
            },
            random,
        )

    def _begin(self, contents: dict[str, Content], power_cut: Random | None) -> None:
        self._count += 1
        folder = self._folder / f"{self._count}"
        folder.mkdir()
        copies = {}
        for name, content in contents.items():
            copies[name] = Content(bytearray(content.safe), list(content.pending))
            (folder / name).write_bytes(content.now())
        if self._generation is not None:
            self._generation.is_ghost = True
        self._generation = Generation(folder, copies, self)
        self._watch.listen(folder, self._generation)
        self.private.move(folder, power_cut)

    def wants_to_write(self, amount: int) -> int:
        """Of the living generation; what SQLite is told."""
        self._step("at a write")
        if self.trouble is Trouble.FULL:
            return self._fails(vfs.FULL)
        if self.trouble is Trouble.BAD_WRITES:
            return self._fails(vfs.WRITE_FAILED)
        self.written_bytes += amount
        return vfs.OK

    def wants_to_sync(self) -> int:
        """Of the living generation; what SQLite is told."""
        self._step("at a sync")
        return self._fails(vfs.SYNC_FAILED) if self.trouble is Trouble.BAD_SYNCS else vfs.OK

    def _may_sync_file(self) -> bool:
        """Of a file that the living process writes beside the database."""
        return self.wants_to_sync() == vfs.OK and self.trouble is not Trouble.FULL

    def _fails(self, code: int) -> int:
        assert self.trouble is not None
        self._count_trouble(f"disk: {self.trouble.value}")
        return code


@dataclass
class Generation:
    """One folder; the listener of its files. A ghost's are not looked at any more."""

    folder: Path
    contents: dict[str, Content]
    disk: Disk
    is_ghost: bool = False

    def opened(self, name: str) -> None:
        if name in _FILES and name not in self.contents:
            self.contents[name] = Content(bytearray((self.folder / name).read_bytes()))

    def will_write(self, name: str, offset: int, data: bytes) -> int:
        if self.is_ghost:
            return vfs.OK
        content = self.contents[name]
        # Noted first: a power cut at this write may leave some of it.
        content.pending.append(Write(offset, data))
        code = self.disk.wants_to_write(len(data))
        if code != vfs.OK and not self.is_ghost:
            content.pending.pop()
        return code

    def will_cut(self, name: str, size: int) -> int:
        if not self.is_ghost:
            self.contents[name].pending.append(Write(size, None))
        return vfs.OK

    def will_sync(self, name: str) -> int:
        if self.is_ghost:
            return vfs.OK
        code = self.disk.wants_to_sync()
        if code == vfs.OK and not self.is_ghost:
            self.contents[name].sync()
        return code

    def deleted(self, name: str) -> None:
        if not self.is_ghost:
            self.contents.pop(name, None)


def _apply(image: bytearray, write: Write) -> None:
    if write.data is None:
        del image[write.offset :]
        return
    if len(image) < write.offset:
        image.extend(bytes(write.offset - len(image)))
    image[write.offset : write.offset + len(write.data)] = write.data


def _torn(write: Write, random: Random) -> Write:
    """Only the first sectors of it, or bytes of the first one: a log is appended to in pieces."""
    if write.data is None:
        return write
    kept = random.randrange(len(write.data) + 1)
    if len(write.data) > SECTOR:
        kept -= kept % SECTOR
    return Write(write.offset, write.data[:kept])
