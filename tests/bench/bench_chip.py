"""From a card in the field to the closed contactor, with every driver a real one.

The real mfrc522 package polls an emulated chip ten times a second; gpiozero drives emulated pins,
whose contactor and bolt follow at once; pymodbus reads a meter on a pty. In process, with the
threads and the database of the daemon. A card comes at any moment between two polls.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from agent.app.application import Application
from agent.app.environment import Environment
from agent.config.config_file import parse_config
from agent.core.state import Charging, Idle
from agent.runtime.clock import SystemClock
from agent.runtime.devices import Devices
from agent.store import Store
from hw.board import open_board
from hw.ports_reader import CardArrived
from tests.app.box import CARD, put_on_list
from tests.bench.bench_tap import LIMIT_S, _diary_to_nowhere, _ms
from tests.bench.emulated_box import ChipInRealTime, emulated_config
from tests.bench.quick_central_system import quick_central_system
from tests.emulators.mfrc522_chip import Card, install_fake_spidev
from tests.emulators.modbus_meter import SdmOnPty
from tests.emulators.wired_box import COIL, SOLENOID, OutputPin, WiredBox

PAUSE_S = 0.02
STEPS = (
    ("until the next poll, and reading the card", "reported"),
    ("look-up, decision, until the lock is driven", "lock driven"),
    ("lock confirmed, meter read, session on the disk", "committed"),
    ("until the coil is driven", "coil driven"),
)


class Rig:
    """The running agent, its chip and its wires, and when what happened."""

    def __init__(self, application: Application, chip: ChipInRealTime, wires: WiredBox) -> None:
        self._application = application
        self._chip = chip
        self._wires = wires
        self.moments: dict[str, float] = {}

    def note(self, what: str) -> None:
        """Remember the last time that this happened."""
        self.moments[what] = time.monotonic()

    def is_online(self) -> bool:
        """Whether the agent has started."""
        return self._application.runtime is not None and self._application.runtime.state.online

    def _is(self, phase: type[Idle | Charging]) -> bool:
        assert self._application.runtime is not None
        connector = self._application.runtime.state.connectors[0]
        return isinstance(connector.phase, phase) and connector.plugged is (phase is Charging)

    async def tap(self) -> list[float]:
        """Plug in, lay a card down, wait for energy, unplug; seconds of each step."""
        self._wires.plug_in()
        await asyncio.sleep(random.uniform(0.3, 0.4))
        self.moments.clear()
        begun_s = time.monotonic()
        self._chip.field.present(Card(bytes.fromhex(CARD)))
        await self.until(lambda: "coil driven" in self.moments)
        moments = [begun_s, *(self.moments[name] for _, name in STEPS)]
        await self.until(lambda: self._is(Charging))
        self._chip.field.remove_all()
        self._wires.unplug()
        await self.until(lambda: self._is(Idle))
        await asyncio.sleep(1.2)  # a card that has not left for a second is no second tap
        return [after - before for before, after in itertools.pairwise(moments)]

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait for it."""
        async with asyncio.timeout(LIMIT_S):
            while not claim():
                await asyncio.sleep(PAUSE_S)


def run(taps: int = 20) -> list[tuple[str, str]]:
    """Lay a listed card down so often."""
    with tempfile.TemporaryDirectory() as name, SdmOnPty("sdm630") as meter, _diary_to_nowhere():
        tapped = asyncio.run(_taps(Path(name), meter.path, taps))
    totals = sorted(sum(steps) for steps in tapped)
    rows = [
        ("listed card in the field to coil: p50", _ms(statistics.median(totals))),
        ("listed card in the field to coil: max", _ms(totals[-1])),
    ]
    for number, (words, _) in enumerate(STEPS):
        share_s = statistics.median(steps[number] for steps in tapped)
        rows.append((f"of it {words}", _ms(share_s)))
    return rows


async def _taps(directory: Path, meter: str, count: int) -> list[list[float]]:
    async with quick_central_system() as url, _running(directory, url, meter) as rig:
        await rig.tap()
        return [await rig.tap() for _ in range(count)]


@contextlib.asynccontextmanager
async def _running(directory: Path, url: str, meter: str) -> AsyncIterator[Rig]:
    settings, clock = parse_config(emulated_config(directory, url, meter)), SystemClock()
    put_on_list(settings, CARD)
    chip, wires = ChipInRealTime(), WiredBox()
    install_fake_spidev(sys.modules, chip)
    board = open_board(settings.board, lambda: clock.now().monotonic_s, pin_factory=wires.factory)
    application = Application(settings, world=Environment(clock=clock, board=board))
    rig = Rig(application, chip, wires)
    with _watching(rig, wires):
        run = asyncio.create_task(application.run())
        try:
            await rig.until(rig.is_online)
            await asyncio.sleep(1.5)  # the reader has seen that nothing lies on it
            yield rig
        finally:
            application.shut_down()
            await run


@contextlib.contextmanager
def _watching(rig: Rig, wires: WiredBox) -> Iterator[None]:
    for number, what in ((SOLENOID, "lock driven"), (COIL, "coil driven")):
        pin = wires.factory.pin(number)
        assert isinstance(pin, OutputPin)
        pin.follower = _and_note(pin.follower, rig, what)
    says, commit = Devices.reader_says, Store.commit

    def reader_says(self: Devices, happened: Any) -> None:
        if isinstance(happened, CardArrived):
            rig.note("reported")
        says(self, happened)

    def noted_commit(self: Store, *arguments: Any) -> None:
        commit(self, *arguments)
        if "coil driven" not in rig.moments:
            rig.note("committed")

    Devices.reader_says, Store.commit = reader_says, noted_commit  # type: ignore[method-assign]
    try:
        yield
    finally:
        Devices.reader_says, Store.commit = says, commit  # type: ignore[method-assign]


def _and_note(follow: Callable[[bool], None], rig: Rig, what: str) -> Callable[[bool], None]:
    def both(is_on: bool) -> None:
        if is_on:
            rig.note(what)
        follow(is_on)

    return both


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
