"""What an update of the local list costs: time, wear of the memory card, and the loop's patience.

The lists come over a WebSocket into the whole application with real threads and a real database,
as SendLocalList of 10,000 entries each, idTags in no order. Both ends share one process.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.app.application import Application
from agent.app.environment import Environment
from tests.app.box import box_settings
from tests.emulators.central_system import FakeCentralSystem

FRAME = 10_000
FRAMES = 10
TICK_S = 0.001


def run() -> list[tuple[str, str]]:
    """Measure in a temporary directory; the figures depend on its disk."""
    gc.collect()
    gc.freeze()  # as the daemon does: the collector's pauses stay short
    try:
        with tempfile.TemporaryDirectory() as directory:
            return asyncio.run(_measure(Path(directory)))
    finally:
        gc.unfreeze()


async def _measure(directory: Path) -> list[tuple[str, str]]:
    tags = _tags(random.Random(1))
    system = FakeCentralSystem()
    async with system.serve() as url, _application(directory, url, system) as application:
        sender = _Sender(system, application)
        first = [next(tags) for _ in range(FRAME)]
        costs = [
            ("10,000 entries, first list", await sender.send("Full", first)),
            ("10,000 entries, replacing 10,000", await sender.send("Full", _some(tags))),
            (
                "10 entries, changing a list of 10,000",
                await sender.send("Differential", first[:10]),
            ),
        ]
        ten = [await sender.send("Full", _some(tags))]
        ten += [await sender.send("Differential", _some(tags)) for _ in range(FRAMES - 1)]
        costs.append(("100,000 entries in ten frames, the last", ten[-1]))
        costs.append(("100,000 entries in ten frames, all", _sum(ten)))
        return [figure for label, cost in costs for figure in _figures(label, cost)]


@dataclass(frozen=True)
class _Cost:
    elapsed_s: float
    written_bytes: int
    worst_delay_s: float  # of a task on the loop
    worst_look_up_s: float  # of a card, meanwhile


class _Sender:
    def __init__(self, system: FakeCentralSystem, application: Application) -> None:
        self._system = system
        self._application = application
        self._version = 0

    async def send(self, kind: str, tags: Sequence[str]) -> _Cost:
        self._version += 1
        unique_id = f"update-{self._version}"
        text = _frame(unique_id, self._version, kind, tags)
        before, begun_s = _bytes_written(), time.perf_counter()
        async with _ticking() as delays, self._looking_up() as look_ups:
            answer = await self._system.answer_to(unique_id, text)
            elapsed_s = time.perf_counter() - begun_s
        assert answer[2] == {"status": "Accepted"}, answer
        return _Cost(elapsed_s, _bytes_written() - before, max(delays), max(look_ups))

    @asynccontextmanager
    async def _looking_up(self) -> AsyncIterator[list[float]]:
        runtime = self._application.runtime
        assert runtime is not None
        taken: list[float] = []

        async def look_up() -> None:
            while True:
                begun_s = time.perf_counter()
                await runtime._facts("04000000000000")
                taken.append(time.perf_counter() - begun_s)
                await asyncio.sleep(0.01)

        task = asyncio.create_task(look_up())
        try:
            yield taken
        finally:
            task.cancel()


@asynccontextmanager
async def _application(
    directory: Path, url: str, system: FakeCentralSystem
) -> AsyncIterator[Application]:
    world = Environment(control_path=directory / "control.sock")
    application = Application(box_settings(directory, url), simulate=True, world=world)
    task = asyncio.create_task(application.run())
    await system.received("StatusNotification", 2)
    yield application
    application.shut_down()
    await task


@asynccontextmanager
async def _ticking() -> AsyncIterator[list[float]]:
    """A task on the loop that wants to run every millisecond, and how late it was each time."""
    delays = [0.0]

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            delays.append(loop.time() - due_s)

    task = asyncio.create_task(tick())
    try:
        yield delays
    finally:
        task.cancel()


def _tags(source: random.Random) -> Iterator[str]:
    while True:
        yield f"04{source.getrandbits(48):012X}"


def _some(tags: Iterator[str]) -> list[str]:
    return [next(tags) for _ in range(FRAME)]


def _frame(unique_id: str, version: int, kind: str, tags: Sequence[str]) -> str:
    info = {"status": "Accepted", "expiryDate": "2027-01-01T00:00:00Z", "parentIdTag": "SITE-1"}
    entries = [{"idTag": tag, "idTagInfo": info} for tag in tags]
    update = {"listVersion": version, "updateType": kind, "localAuthorizationList": entries}
    return json.dumps([2, unique_id, "SendLocalList", update])


def _sum(costs: Sequence[_Cost]) -> _Cost:
    return _Cost(
        sum(cost.elapsed_s for cost in costs),
        sum(cost.written_bytes for cost in costs),
        max(cost.worst_delay_s for cost in costs),
        max(cost.worst_look_up_s for cost in costs),
    )


def _figures(label: str, cost: _Cost) -> Iterator[tuple[str, str]]:
    yield f"{label}: answered after", f"{cost.elapsed_s:.2f} s"
    yield f"{label}: written", f"{cost.written_bytes / 1e6:.2f} MB"
    yield f"{label}: loop late by at most", f"{cost.worst_delay_s * 1e3:.0f} ms"
    yield f"{label}: slowest look-up of a card meanwhile", f"{cost.worst_look_up_s * 1e3:.0f} ms"


def _bytes_written() -> int:
    """Bytes that this process caused to be written to disks, by the kernel's account."""
    fields = dict(
        line.split(": ") for line in Path("/proc/self/io").read_text("ascii").splitlines()
    )
    return int(fields["write_bytes"])


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
