"""Sends and fetches files in threads of their own, so that nothing else ever waits for a server."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from agent.maintenance.transfer.limits import SILENCE_S, TransferAttempt
from agent.maintenance.transfer.location import Location
from agent.maintenance.transfer.network import Network
from agent.platform.errors import TransferError

ROOM_KEPT_BYTES = 100_000_000  # of the disk, for the database
_AT_ONCE_MAX = 4  # threads that hang in a server, with those that were given up
_FILE_MODE = 0o640

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that has been fetched whole, and lies on the disk."""

    path: Path
    size: int
    sha256: str


class Transfers(Protocol):
    """What the agent wants of the outside world's servers."""

    async def upload(self, folder: Location, name: str, content: bytes, within_s: float) -> None:
        """Put a file into a folder. Raises TransferError."""

    async def download(
        self, location: Location, path: Path, bytes_max: int, within_s: float
    ) -> Fetched:
        """Fetch a file whole, or not at all. Raises TransferError."""


class NetworkTransfers:
    """The real ones. A task that is cancelled calls its transfer off."""

    def __init__(self, monotonic: Callable[[], float], network: Network) -> None:
        self._monotonic = monotonic
        self._network = network
        self._running: set[Future[Any]] = set()

    async def upload(self, folder: Location, name: str, content: bytes, within_s: float) -> None:
        """Put a file into a folder. Raises TransferError."""
        attempt = TransferAttempt(self._monotonic, within_s, len(content))
        send = _protocol(folder).upload
        await self._elsewhere(
            attempt, within_s, lambda: send(folder, name, content, attempt, self._network)
        )

    async def download(
        self, location: Location, path: Path, bytes_max: int, within_s: float
    ) -> Fetched:
        """Fetch a file whole, or not at all. Raises TransferError."""
        most, words = _room_for(path, bytes_max)
        attempt = TransferAttempt(self._monotonic, within_s, most, words)
        return await self._elsewhere(
            attempt, within_s, lambda: fetch(location, path, attempt, self._network)
        )

    async def _elsewhere(
        self, attempt: TransferAttempt, within_s: float, work: Callable[[], T]
    ) -> T:
        self._running = {outcome for outcome in self._running if not outcome.done()}
        if len(self._running) >= _AT_ONCE_MAX:
            raise TransferError("too many transfers hang in servers that do not answer")
        outcome = in_daemon_thread(work, "transfer")
        self._running.add(outcome)
        try:
            async with asyncio.timeout(within_s + SILENCE_S):  # a server that drips
                return await asyncio.wrap_future(outcome)
        except TimeoutError:
            raise TransferError("the server did not come to an end") from None
        finally:
            attempt.call_off()


def in_daemon_thread(work: Callable[[], T], name: str) -> Future[T]:
    """Run it in a thread that does not keep the process from ending."""
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()
    threading.Thread(target=_run, args=(outcome, work), name=name, daemon=True).start()
    return outcome


def _run(outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as problem:  # noqa: BLE001 - it is raised where it is waited for
        outcome.set_exception(problem)
    else:
        outcome.set_result(result)


def fetch(location: Location, path: Path, attempt: TransferAttempt, network: Network) -> Fetched:
    """Fetch a file beside its place, sync it, and put it there in one step.

    Raises TransferError. An attempt that was given up may still run in its thread: it never has
    the same file as the next one, and neither takes nor removes what is not its own.
    """
    beside = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        attempt.check()
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    except OSError as problem:
        raise TransferError(f"cannot write {beside}: {problem.strerror}") from None
    try:
        with open(descriptor, "wb") as file:
            counted = _Counted(file)
            try:
                _protocol(location).download(location, counted, attempt, network)
                counted.sync()
                attempt.check()
                beside.replace(path)
            except BaseException:
                _remove_own(beside, descriptor)
                raise
    except OSError as problem:  # the last step, or what is still to be written when it is closed
        raise TransferError(f"the file cannot be written: {problem.strerror}") from None
    return Fetched(path, counted.size, counted.digest.hexdigest())


def _remove_own(path: Path, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        if os.path.samestat(path.stat(), os.fstat(descriptor)):
            path.unlink()


class _Counted:
    """A file that is written; whatever the disk says about it becomes a TransferError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, block: bytes) -> None:
        try:
            self._file.write(block)
        except OSError as problem:
            raise TransferError(f"the file cannot be written: {problem.strerror}") from None
        self.size += len(block)
        self.digest.update(block)

    def sync(self) -> None:
        """Bring it onto the medium."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as problem:
            raise TransferError(f"the file cannot be written: {problem.strerror}") from None


def _room_for(path: Path, bytes_max: int) -> tuple[int, str]:
    place = next((folder for folder in path.parents if folder.is_dir()), Path("/"))
    free = max(0, shutil.disk_usage(place).free - ROOM_KEPT_BYTES)
    if free < bytes_max:
        kept = f"{ROOM_KEPT_BYTES // 1_000_000} MB are kept for the database"
        return free, f"the disk has room for {free // 1_000_000} MB of it only ({kept})"
    return bytes_max, f"the file is larger than {bytes_max / 1e6:g} MB"


def _protocol(location: Location) -> Any:
    # Imported here: most processes never send or fetch a file.
    from agent.maintenance.transfer import ftp, http

    return http if location.scheme.startswith("http") else ftp
