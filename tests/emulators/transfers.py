"""A server for files without a network: it takes, gives and refuses as it is told."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from agent.maintenance.transfer.file_transfer import Fetched
from agent.maintenance.transfer.location import Location
from agent.platform.errors import TransferError


@dataclass
class FakeTransfers:
    """Levers first, memory after them."""

    problems: deque[str] = field(default_factory=deque)  # each try takes the next
    takes_s: float = 1.0
    content: bytes = b"new firmware"

    uploads: list[tuple[Location, str, bytes, float]] = field(default_factory=list)
    downloads: list[tuple[Location, float]] = field(default_factory=list)
    called_off: int = 0

    async def upload(self, folder: Location, name: str, content: bytes, within_s: float) -> None:
        """Take a file; remembered with the time of the try."""
        now_s = asyncio.get_running_loop().time()
        self.uploads.append((folder, name, content, now_s))
        await self._try()

    async def download(
        self, location: Location, path: Path, bytes_max: int, within_s: float
    ) -> Fetched:
        """Give the file."""
        self.downloads.append((location, asyncio.get_running_loop().time()))
        await self._try()
        if len(self.content) > bytes_max:
            raise TransferError("the file is larger than allowed")
        return self._put(path)

    def _put(self, path: Path) -> Fetched:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        return Fetched(path, len(self.content), hashlib.sha256(self.content).hexdigest())

    async def _try(self) -> None:
        try:
            await asyncio.sleep(self.takes_s)
        except asyncio.CancelledError:
            self.called_off += 1
            raise
        if self.problems and (problem := self.problems.popleft()):
            raise TransferError(problem)
