"""A whole box in virtual time: the real Application, a simulated board, a fake central system."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.app.application import Application
from agent.app.environment import Environment
from agent.config.demo_settings import demo_settings, simulated_connector
from agent.config.settings import OcppSettings, Settings
from agent.core.ports import Clock
from agent.core.state import Connector
from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.maintenance.firmware_install import RunCommand
from agent.maintenance.transfer.file_transfer import Transfers
from agent.store import Store
from hw.board import open_board
from hw.ports import Board
from hw.simulated.contactor import SimulatedContactor
from hw.simulated.vehicle import SimulatedPilot
from tests.emulators.broker import FakeBroker
from tests.emulators.central_system import FakeCentralSystem
from tests.emulators.inline_executor import InlineExecutor
from tests.emulators.virtual_clock import NOON, VirtualClock
from tests.store.builders import replace_list

URL = "ws://central.test/ocpp"
CARD = "044943121F1A80"
OTHER_CARD = "04A2B3C4"
POWER_W = 32 * 230  # what the simulated car is offered, and takes
TRANSACTION_ID = 1000  # the first that the fake central system gives
ACCEPTED = IdTagInfo(AuthorizationStatus.ACCEPTED)


def box_settings(directory: Path, url: str = URL, connectors: int = 1, **keys: str) -> Settings:
    """The box of the demonstration; ``keys`` are OCPP configuration keys."""
    settings = demo_settings(directory, url)
    configuration = {"MeterValueSampleInterval": "60", "MeterValuesSampledData": "", **keys}
    return replace(
        settings,
        # The servers of the tests are on this machine.
        central_system=replace(settings.central_system, file_hosts="any"),
        connectors=tuple(simulated_connector(number + 1) for number in range(connectors)),
        ocpp=OcppSettings(configuration=configuration),
    )


@dataclass
class Box:
    """One application after another on the same database: ``start``, ``die``, ``start``."""

    settings: Settings
    central_system: FakeCentralSystem = field(default_factory=FakeCentralSystem)
    clock: Clock = field(default_factory=VirtualClock)
    control_path: Path | None = None  # None: beside the database
    broker: FakeBroker | None = None  # of the station bus
    transfers: Transfers | None = None  # None: over the network
    run_command: RunCommand | None = None  # None: as a process
    free_bytes: Callable[[Path], int | None] = lambda folder: None  # of the disk: not known
    is_plugged_at_start: bool = False  # the plug is in before the process begins

    def __post_init__(self) -> None:
        self.executors: dict[str, InlineExecutor] = {}
        self._random = random.Random(1)
        self._boots = 1
        self._application: Application | None = None
        self._run: asyncio.Task[bool] | None = None

    # --- its life ---

    async def start(self) -> None:
        """Begin; returns when the application turns."""
        self._application = self._make_application()
        self._run = asyncio.create_task(self._application.run())
        await self.until(lambda: bool(self.application.actions) and self.state.reading is not None)

    async def application_that_fails(self) -> None:
        """Run an application to its end; whatever it raises is raised."""
        async with asyncio.timeout(60):
            await self._make_application().run()

    def _make_application(self) -> Application:
        beside = self.settings.storage_path.with_name("control.sock")
        world = Environment(
            clock=self.clock,
            random=self._random,
            make_id=lambda: str(uuid.UUID(int=self._random.getrandbits(128))),
            make_executor=self._executor,
            connect=self.central_system.connect,
            control_path=self.control_path or beside,
            boot_id=f"boot-{self._boots}",
            transfers=self.transfers,
            run_command=self.run_command,
            free_bytes=self.free_bytes,
            connect_broker=None if self.broker is None else self.broker.connect,
            board=self._plugged_board() if self.is_plugged_at_start else None,
        )
        return Application(self.settings, simulate=True, world=world)

    def _plugged_board(self) -> Board:
        board = open_board(self.settings.board, lambda: self.clock.now().monotonic_s, simulate=True)
        assert board.simulation is not None
        board.simulation.plug(1)
        return board

    async def die(self) -> None:
        """The process is gone, without goodbye."""
        assert self._run is not None
        self._run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._run
        if self.application.services is not None:
            self.application.services.store.close()  # a process that is gone has no files open

    async def lose_power(self) -> None:
        """The process is gone, and with it the machine: the next start is in another boot."""
        await self.die()
        self._boots += 1

    async def shut_down(self) -> bool:
        """As SIGTERM does; True when it is to start again."""
        self.application.shut_down()
        return await self.ended()

    async def ended(self) -> bool:
        """Wait for the end; True when it is to start again."""
        assert self._run is not None
        async with asyncio.timeout(60):
            return await self._run

    @property
    def is_running(self) -> bool:
        return self._run is not None and not self._run.done()

    def _executor(self, name: str) -> InlineExecutor:
        self.executors[name] = InlineExecutor(name)
        return self.executors[name]

    # --- what one can do with it ---

    async def do(self, action: str, **request: Any) -> Any:
        """What the control socket does."""
        return await self.application.actions[action](request)

    async def plug(self) -> None:
        await self.do("sim", lever="plug")

    async def unplug(self) -> None:
        await self.do("sim", lever="unplug")

    async def tap(self, card: str = CARD) -> dict[str, Any]:
        """Hold a card to the reader; returns the decision."""
        decision: dict[str, Any] = (await self.do("sim", lever="tap", card=card))["decision"]
        return decision

    async def charge(self, card: str = CARD) -> None:
        """Plug in, tap, and wait until energy flows."""
        await self.plug()
        assert (await self.tap(card))["verdict"] == "accepted"
        await self.until(lambda: self.contactor.is_closed)

    async def finish(self, card: str = CARD) -> None:
        """Tap, unplug, and wait until the connector is free."""
        assert (await self.tap(card))["verdict"] == "accepted"
        await self.until(lambda: self.state.transaction is None)
        await asyncio.sleep(1)
        await self.unplug()
        await asyncio.sleep(1)

    # --- what one can see ---

    @property
    def application(self) -> Application:
        assert self._application is not None
        return self._application

    @property
    def state(self) -> Connector:
        assert self.application.runtime is not None
        return self.application.runtime.state.connectors[0]

    @property
    def contactor(self) -> SimulatedContactor:
        assert self.application.board is not None
        contactor = self.application.board.connectors[0].contactor
        assert isinstance(contactor, SimulatedContactor)
        return contactor

    @property
    def pilot(self) -> SimulatedPilot:
        assert self.application.board is not None
        pilot = self.application.board.connectors[0].pilot
        assert isinstance(pilot, SimulatedPilot)
        return pilot

    async def status(self) -> dict[str, Any]:
        """What ``status`` says about connector 1."""
        connector: dict[str, Any] = (await self.do("status"))["connectors"][0]
        return connector

    def energy_wh(self) -> float:
        """What has flowed through the contacts, by their own memory."""
        total_s, closed_at_s = 0.0, None
        for at_s, what in self.contactor.contacts.history:
            if what == "contacts closed":
                closed_at_s = at_s
            elif what == "contacts open" and closed_at_s is not None:
                total_s, closed_at_s = total_s + at_s - closed_at_s, None
        if closed_at_s is not None:
            total_s += self.clock.now().monotonic_s - closed_at_s
        return total_s * POWER_W / 3600

    async def until(self, claim: Callable[[], bool], within_s: float = 120.0) -> None:
        """Wait in virtual time until the claim holds."""
        async with asyncio.timeout(within_s):
            while not claim():
                assert self.is_running or self._run is None, self._why_ended()
                await asyncio.sleep(0.01)

    def _why_ended(self) -> object:
        assert self._run is not None
        return "cancelled" if self._run.cancelled() else self._run.exception()


@contextlib.asynccontextmanager
async def running_box(directory: Path, connectors: int = 1, **keys: str) -> AsyncIterator[Box]:
    """A box that is accepted by its central system; it dies at the end."""
    box = Box(box_settings(directory, connectors=connectors, **keys))
    await box.start()
    try:
        await box.central_system.received("StatusNotification", connectors + 1)
        yield box
    finally:
        await box.die()


def put_on_list(settings: Settings, *tags: str, version: int = 7) -> None:
    """Write the local list before the agent starts."""
    store = Store.open(settings.storage_path, now=NOON, make_id=lambda: "unused")
    replace_list(store, version, [(tag, ACCEPTED) for tag in tags])
    store.close()


def seconds(text: str) -> float:
    """Seconds after noon of a timestamp on the wire."""
    return (datetime.fromisoformat(text) - NOON).total_seconds()
