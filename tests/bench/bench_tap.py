"""From the reader's report of a whole UID to the coil that is switched on.

In process, on a real event loop, with the threads and the SQLite file of the daemon. The lock, the
car and the contactor are simulated and obey at once: what is measured is the agent. The central
system is another process on a loopback WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.app.application import Application
from agent.app.daemon import write_to
from agent.app.environment import Environment
from agent.config.config_file import parse_config
from agent.core import charge_point
from agent.core.state import ChargePoint, Connector, Idle
from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.runtime.clock import SystemClock
from agent.store import Store
from hw.board import open_board
from hw.ports import Board
from hw.simulated.contactor import SimulatedContactor, SimulatedContacts
from hw.simulated.reader import SimulatedReader
from tests.bench.quick_central_system import quick_central_system
from tests.box_config import WITH_EVERY_PART, Table, config_text, simulated
from tests.store.builders import replace_list

WARM_UP = 5
LISTED = 100
SYNCS = 100
PAUSE_S = 0.02  # between two looks whether something has come to rest: long, so as not to disturb
LIMIT_S = 20.0


def run(taps: int = 200) -> list[tuple[str, str]]:
    """Tap as many listed cards, on two boxes, and as many that only the central system knows.

    The rest, beyond look-up, decision and commit: threads, event loop, devices, diary, link.
    """
    with tempfile.TemporaryDirectory() as name, _diary_to_nowhere():
        directory = Path(name)
        full, asked = asyncio.run(_taps(directory, WITH_EVERY_PART, taps))
        bare, _ = asyncio.run(_taps(directory, simulated("plug"), taps))
        sync_s = _sync_p50_s(directory)
    return [
        *_rows("listed card", full, aim=" (aim: under 5 ms)"),
        *_rows("listed card, box with contactor and plug only", bare),
        *_rows("card that the central system answers for", asked),
        ("for comparison: one fdatasync of 4 KiB on this disk, p50", _ms(sync_s)),
    ]


# --- measuring -----------------------------------------------------------------------------------


@dataclass
class Stopwatch:
    """Notes when each part worked, whichever thread it is in."""

    spans: list[tuple[str, float, float]] = field(default_factory=list)
    processor_at_coil_s: float = 0.0  # what the process had computed when it was switched on last

    @contextlib.contextmanager
    def watching(self, part: str, owner: Any, name: str) -> Iterator[None]:
        """Note every call of ``owner.name`` as work of ``part``."""
        original: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **more: Any) -> Any:
            begun_s = time.monotonic()
            try:
                return original(*arguments, **more)
            finally:
                self.spans.append((part, begun_s, time.monotonic()))

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, original)

    @contextlib.contextmanager
    def watching_coil(self) -> Iterator[None]:
        """Note the processor time at which a coil is switched on."""
        original = SimulatedContacts.set_coil

        def set_coil(contacts: SimulatedContacts, is_on: bool) -> None:
            if is_on and not contacts.is_coil_on:
                self.processor_at_coil_s = time.process_time()
            original(contacts, is_on)

        SimulatedContacts.set_coil = set_coil  # type: ignore[method-assign]
        try:
            yield
        finally:
            SimulatedContacts.set_coil = original  # type: ignore[method-assign]

    def between(self, begun_s: float, ended_s: float) -> dict[str, float]:
        """Seconds of work of each part that was done in this time."""
        spent: dict[str, float] = {}
        for part, from_s, until_s in self.spans:
            if begun_s <= from_s and until_s <= ended_s:
                spent[part] = spent.get(part, 0.0) + until_s - from_s
        return spent


@dataclass(frozen=True)
class Tap:
    """One tap: seconds until the coil was on, of them computed, and what each part took of it."""

    total_s: float
    processor_s: float  # of all threads, with those of the simulated parts
    parts: dict[str, float]


def _rows(what: str, taps: list[Tap], aim: str = "") -> list[tuple[str, str]]:
    totals = sorted(tap.total_s for tap in taps)
    rows = [
        (f"{what}: p50{aim}", _ms(statistics.median(totals))),
        (f"{what}: p99", _ms(totals[int(len(totals) * 0.99)])),
    ]
    processor = [tap.processor_s for tap in taps]
    rows.append((f"{what}: processor time, p50", _ms(statistics.median(processor))))
    rows.append((f"{what}: processor time, least", _ms(min(processor))))
    rest_s = statistics.median(tap.total_s - sum(tap.parts.values()) for tap in taps)
    for part in taps[0].parts:
        share_s = statistics.median(tap.parts.get(part, 0.0) for tap in taps)
        rows.append((f"{what}: of it {part}", _ms(share_s)))
    return [*rows, (f"{what}: the rest of it", _ms(rest_s))]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


@contextlib.contextmanager
def _diary_to_nowhere() -> Iterator[None]:
    """Log as the daemon does, but to where nobody reads it."""
    root = logging.getLogger()
    level = root.level
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        write_to(logging.StreamHandler(nowhere))
        try:
            yield
        finally:
            root.setLevel(level)
            root.handlers.clear()


# --- the box ---------------------------------------------------------------------------------


@dataclass
class Bench:
    """The running agent and its simulated parts."""

    application: Application
    board: Board
    stopwatch: Stopwatch

    async def tap(self, uid: str) -> Tap:
        """Plug in, tap, wait for energy; then end the session and pull the plug."""
        simulation, reader = self.board.simulation, self.board.reader
        assert simulation is not None
        assert isinstance(reader, SimulatedReader)
        simulation.plug(1)
        await self.until(lambda: self._connector().plugged)
        self.stopwatch.spans.clear()
        begun_s, computed_s = await asyncio.to_thread(_hold_to, reader, uid)
        await self.until(lambda: self._coil_on_at_s() > begun_s)
        ended_s = self._coil_on_at_s()
        await self.until(lambda: self._connector().contactor_closed)
        await asyncio.to_thread(_hold_to, reader, uid)
        await self.until(self._has_unplugged)
        await self.until(self._is_quiet)
        processor_s = self.stopwatch.processor_at_coil_s - computed_s
        return Tap(ended_s - begun_s, processor_s, self.stopwatch.between(begun_s, ended_s))

    @property
    def _state(self) -> ChargePoint:
        assert self.application.runtime is not None
        return self.application.runtime.state

    def _connector(self) -> Connector:
        return self._state.connector(1)

    def is_online(self) -> bool:
        return self.application.runtime is not None and self._state.online

    def _is_quiet(self) -> bool:
        is_free = isinstance(self._connector().phase, Idle) and not self._connector().plugged
        return is_free and self._state.outbox.waiting == 0

    def _has_unplugged(self) -> bool:
        assert self.board.simulation is not None
        with contextlib.suppress(ValueError):  # the lock still holds the plug
            self.board.simulation.unplug(1)
            return True
        return False

    def _coil_on_at_s(self) -> float:
        contactor = self.board.connectors[0].contactor
        assert isinstance(contactor, SimulatedContactor)
        history = contactor.contacts.history
        return max((at_s for at_s, what in history if what == "coil on"), default=0.0)

    async def until(self, claim: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not claim():
                await asyncio.sleep(PAUSE_S)


def _hold_to(reader: SimulatedReader, uid: str) -> tuple[float, float]:
    """What the reader's thread does when it has a UID. Gives the moment before, on both clocks."""
    begun_s, computed_s = time.monotonic(), time.process_time()
    reader.tap(uid)
    return begun_s, computed_s


async def _taps(directory: Path, parts: Table, count: int) -> tuple[list[Tap], list[Tap]]:
    """Tap listed cards, and cards that the central system is asked about."""
    (directory / "agent.db").unlink(missing_ok=True)
    fill_list(directory / "agent.db")
    async with quick_central_system() as url:
        config = config_text(directory, url, [parts])
        async with _running(config) as bench:
            for number in range(WARM_UP):
                await bench.tap(listed_uid(number))
            listed = [await bench.tap(listed_uid(number % LISTED)) for number in range(count)]
            asked = [await bench.tap(f"05{number:012X}") for number in range(count)]
    return listed, asked


def listed_uid(number: int) -> str:
    """The UID of one of the listed cards."""
    return f"04{number:012X}"


def fill_list(path: Path) -> None:
    """Make a database whose local list accepts the listed cards."""
    store = Store.open(path, now=datetime(2026, 3, 1, tzinfo=UTC), make_id=str)
    accepted = IdTagInfo(AuthorizationStatus.ACCEPTED)
    replace_list(store, 1, ((listed_uid(number), accepted) for number in range(LISTED)))
    store.close()


def _sync_p50_s(directory: Path) -> float:
    with (directory / "a file").open("wb", buffering=0) as file:

        def write() -> float:
            time.sleep(PAUSE_S)  # as rested as it is before a tap
            file.write(bytes(4096))
            begun_s = time.monotonic()
            os.fdatasync(file.fileno())
            return time.monotonic() - begun_s

        return statistics.median(write() for _ in range(SYNCS))


@contextlib.asynccontextmanager
async def _running(config: str) -> AsyncIterator[Bench]:
    settings, clock = parse_config(config), SystemClock()
    stopwatch = Stopwatch()
    with (
        stopwatch.watching_coil(),
        stopwatch.watching("look-up", Store, "facts"),
        stopwatch.watching("decision", charge_point, "handle"),
        stopwatch.watching("commit, with fsync", Store, "commit"),
    ):
        board = open_board(settings.board, lambda: clock.now().monotonic_s)
        application = Application(settings, world=Environment(clock=clock, board=board))
        run = asyncio.create_task(application.run())
        bench = Bench(application, board, stopwatch)
        try:
            await bench.until(bench.is_online)
            gc.freeze()  # as the daemon does
            yield bench
        finally:
            application.shut_down()
            await run


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
