"""Files that are written whole or not at all: beside their place, synced, then moved into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.platform.errors import AgentError
from agent.platform.file_problems import in_words
from agent.platform.ownership import rights_of_owner

PRIVATE = 0o600


def write_whole(path: Path, content: bytes) -> None:
    """Write or replace a file that only its owner may read. Raises OSError."""
    with written_beside(path, content) as beside:
        beside.replace(path)


def write_private(path: Path, content: bytes) -> None:
    """The same for a command: with the rights of the folder's owner. Raises AgentError."""
    path = path.absolute()
    with rights_of_owner(path.parent):
        try:
            write_whole(path, content)
        except OSError as problem:
            raise AgentError(in_words(problem, "write", path)) from None


@contextmanager
def written_beside(
    path: Path, content: bytes, mode: int = PRIVATE, owner: tuple[int, int] | None = None
) -> Iterator[Path]:
    """A file with this content beside ``path``, on the medium, for the block to move there.

    It is removed when the block has not moved it, Ctrl-C included; and what the block did to the
    names is on the medium when it ends. Raises OSError.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)  # left by a power cut, or laid there as a trap
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fsync(descriptor)
        yield beside
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):  # the folder may be one in which nothing can be changed
            beside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Without this a power cut may undo the move, though not the content."""
    with suppress(PermissionError):  # a folder in which one may write, but not read
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
