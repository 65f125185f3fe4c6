"""What the benches share: a process to look at, and when it reached what."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio import FIRST_COMPLETED
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.agent_process import start_python

START_LIMIT_S = 60.0


@dataclass
class Moments:
    """When a started process reached what, in seconds of the loop's clock."""

    process: asyncio.subprocess.Process
    begun_s: float
    outputs_safe_s: float = 0.0
    ready_s: float = 0.0  # the reader looks for cards, the runtime decides
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=20))


class _ReadySocket(asyncio.DatagramProtocol):
    """What systemd would listen on (sd_notify)."""

    def __init__(self) -> None:
        self.at_s: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data == b"READY=1" and not self.at_s.done():
            self.at_s.set_result(asyncio.get_running_loop().time())


@contextlib.asynccontextmanager
async def started(directory: Path, arguments: Sequence[str]) -> AsyncIterator[Moments]:
    """Start ``python ARGUMENTS``, wait until the agent in it is ready; SIGTERM at the end."""
    loop = asyncio.get_running_loop()
    notify = directory / "notify"
    notify.unlink(missing_ok=True)
    transport, ready = await loop.create_datagram_endpoint(
        _ReadySocket, local_addr=str(notify), family=socket.AF_UNIX
    )
    begun_s = loop.time()
    process = await start_python(*arguments, environment={"NOTIFY_SOCKET": str(notify)})
    moments = Moments(process, begun_s)
    log = asyncio.create_task(_read_log(process, moments))
    try:
        await asyncio.wait([ready.at_s, log], timeout=START_LIMIT_S, return_when=FIRST_COMPLETED)
        if not ready.at_s.done():
            raise RuntimeError("the agent did not start:\n" + "\n".join(moments.last_lines))
        moments.ready_s = ready.at_s.result()
        yield moments
    finally:
        transport.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        await log


async def _read_log(process: asyncio.subprocess.Process, moments: Moments) -> None:
    """Note when the outputs are safe, and keep the pipe empty, until the process ends."""
    assert process.stderr is not None
    async for line in process.stderr:
        if b"outputs are safe" in line and not moments.outputs_safe_s:
            moments.outputs_safe_s = asyncio.get_running_loop().time()
        moments.last_lines.append(line.decode().rstrip())


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads of a process so far, by the scheduler's account."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((each / "schedstat").read_text("ascii").split()[0]) for each in threads) / 1e9
