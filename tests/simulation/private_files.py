"""What lies on the memory card beside the database: the private keys, and the certificates.

A file outlives a power cut for certain when its content was synced, and then its folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

FOLDER = "certificates"


class PrivateFiles:
    """``folder`` belongs to the process that runs; a ghost has the one before."""

    def __init__(self, wants_to_sync: Callable[[], bool]) -> None:
        """``wants_to_sync`` is told of each sync: the world may end the process there."""
        self.folder = Path("nowhere")
        self._wants_to_sync = wants_to_sync
        self._synced: set[int] = set()  # inodes
        self._certain: dict[str, int] = {}  # names, as the folder was synced

    def move(self, place: Path, random: Random | None) -> None:
        """A new process finds them in this place; ``random``: after a power cut."""
        before, self.folder = self.folder, place / FOLDER
        found = sorted(before.iterdir()) if before.is_dir() else []
        kept = [path for path in found if random is None or self._outlives(path, random)]
        self._certain, self._synced = {}, set()
        if kept:
            self.folder.mkdir(mode=0o700)
        for path in kept:
            shutil.copy(path, self.folder)
            inode = (self.folder / path.name).stat().st_ino
            self._synced.add(inode)
            self._certain[path.name] = inode

    def _outlives(self, path: Path, random: Random) -> bool:
        inode = path.stat().st_ino
        is_certain = self._certain.get(path.name) == inode and inode in self._synced
        return is_certain or random.random() < 0.5

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The syncs of this program are seen."""
        with patch.object(os, "fsync", self._sync):
            yield

    def _sync(self, descriptor: int) -> None:
        path, folder = Path(os.readlink(f"/proc/self/fd/{descriptor}")), self.folder
        if folder not in (path, path.parent):
            return
        if not self._wants_to_sync():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if folder != self.folder:
            return  # of a ghost, from now on
        if path == folder:
            self._certain = {each.name: each.stat().st_ino for each in folder.iterdir()}
        else:
            self._synced.add(os.fstat(descriptor).st_ino)

    def private_keys(self) -> dict[str, str]:
        """The private keys that are there, by their names."""
        found = self.folder.glob("*.key")
        return {path.stem: path.read_text() for path in found}
