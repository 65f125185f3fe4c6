"""A running charge point with its control API, reached over real HTTP.

The agent runs in a thread of its own, in real time, with simulated hardware and a fake central
system behind two queues; the API listens on a free port.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx

from agent.api.limits import RequestLimits
from agent.api.tokens import TokenFile
from agent.app.application import Application
from agent.app.environment import Environment
from agent.config.settings import ApiSettings, AuthorizationSettings, Settings
from agent.core.state import ChargePoint
from hw.ports import Board
from hw.settings import ContactorSettings
from tests.app.box import box_settings
from tests.emulators.central_system import FakeCentralSystem
from tests.free_port import free_port

T = TypeVar("T")
ALL = ("read", "operate", "configure", "simulate")
SECRET = "kQ7xV2mN9pL4wR8tZ3bC"
PATIENCE_S = 20.0
PATIENT = RequestLimits(commands_per_s=1000.0, commands_at_once=1000, guesses_at_once=10_000)
TARGET = {"charger_id": "dep-123"}
IDENTITY = "CP-DEMO-123"


def api_settings(directory: Path, connectors: int = 1, **keys: str) -> Settings:
    """The simulated box, its API switched on."""
    settings = box_settings(directory, connectors=connectors, **keys)
    at_once = ContactorSettings(driver="simulated", min_off_s=0)
    return replace(
        settings,
        connectors=tuple(replace(found, contactor=at_once) for found in settings.connectors),
        charge_point=replace(
            settings.charge_point, identity=IDENTITY, charger_id="dep-123", location_id="loc-456"
        ),
        api=ApiSettings(enabled=True, listen=f"127.0.0.1:{free_port()}"),
        authorization=AuthorizationSettings(tap_guard_s=0),
    )


@dataclass
class Charger:
    """One charge point under test."""

    settings: Settings
    is_offline: bool = False
    is_tokenless: bool = False
    simulate: bool = True
    world: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.central_system = FakeCentralSystem()
        if self.is_offline:
            self.central_system.refuse_always = OSError("nobody is there")
        self.application: Application | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="agent under test")
        self._started = threading.Event()
        self._problem: BaseException | None = None

    # --- its life ---

    def start(self) -> None:
        if not self.is_tokenless:
            tokens = TokenFile(self.settings.storage_path.parent)
            tokens.add("all", ALL, SECRET, "2026-03-01T12:00:00Z")
        self._thread.start()
        assert self._started.wait(PATIENCE_S), "the agent did not start"
        if self._problem is not None:
            raise self._problem
        if not self.is_tokenless:
            self.run(self.until_it_serves())

    def stop(self) -> None:
        if self._loop is not None and self._thread.is_alive():
            assert self.application is not None
            self._loop.call_soon_threadsafe(self.application.shut_down)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the agent did not end"
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as problem:  # noqa: BLE001 - told to the test
            self._problem = problem
            self._started.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        world = Environment(
            connect=self.central_system.connect,
            control_path=self.settings.storage_path.with_name("control.sock"),
            **{"api_limits": PATIENT, **self.world},
        )
        self.application = Application(self.settings, simulate=self.simulate, world=world)
        self._started.set()
        await self.application.run()

    async def until_it_serves(self) -> None:
        """Wait until the API listens and the central system knows all of the charger's start."""
        async with asyncio.timeout(PATIENCE_S):
            while not self._serves():
                await asyncio.sleep(0.01)

    def _serves(self) -> bool:
        application = self.application
        assert application is not None
        if application.api is None or application.api.address is None:
            return False
        return self.is_offline or (self.has_told_its_start() and self.has_told_all())

    def has_told_its_start(self) -> bool:
        """It tells this by itself, after it is online: a test counts what comes later."""
        statuses = len(self.central_system.of("StatusNotification"))
        events = len(self.central_system.of("SecurityEventNotification"))
        # Connector 0 has a status, too. The events: its start, and the clock that the boot set.
        return statuses > len(self.settings.connectors) and events >= 2

    def has_told_all(self) -> bool:
        """Nothing is under way to the central system, and nothing waits behind it.

        A card would overtake a status that waits for the answer to something else.
        """
        assert self.application is not None
        assert self.application.services is not None
        link = self.application.services.link.snapshot()
        is_in_outbox = self.state.outbox.waiting or self.state.security.is_waiting
        return link.in_flight is None and not link.waiting and not is_in_outbox

    # --- on the agent's loop ---

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the agent's loop, and wait for it."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def until(self, claim: Callable[[], bool]) -> None:
        """Wait until the claim holds."""

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE_S):
                while not claim():
                    await asyncio.sleep(0.01)

        self.run(wait())

    def until_status(self, status: str, connector_id: int = 1) -> dict[str, Any]:
        """Wait until the connector shows this status, as the API tells it."""
        with self.client() as client:
            for _ in range(1000):
                charger = client.get(f"/ocpp/chargers/{IDENTITY}").json()
                connector: dict[str, Any] = charger["connectors"][connector_id - 1]
                if connector["status"] == status:
                    return connector
                self.run(asyncio.sleep(0.02))
        raise AssertionError(f"connector {connector_id} is {connector}, not {status}")

    @property
    def state(self) -> ChargePoint:
        assert self.application is not None
        assert self.application.runtime is not None
        return self.application.runtime.state

    @property
    def board(self) -> Board:
        assert self.application is not None
        assert self.application.board is not None
        return self.application.board

    # --- over HTTP ---

    @property
    def url(self) -> str:
        return f"http://{self.settings.api.listen}"

    def client(self, token: str | None = SECRET) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        # Nothing here is encrypted: loading certificates would be most of the work.
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S, verify=False)

    def post(
        self,
        command: str,
        event: Any = None,
        *,
        target: Any = None,
        token: str | None = SECRET,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Send a command; ``event`` None: without one."""
        body: dict[str, Any] = {"target": TARGET if target is None else target}
        if event is not None:
            body["event"] = event
        with self.client(token) as client:
            return client.post(f"/ocpp/commands/{command}", json=body, headers=headers)

    def get(self, path: str, **query: Any) -> httpx.Response:
        with self.client() as client:
            return client.get(path, params=query)

    def result(self, answer: httpx.Response) -> dict[str, Any]:
        """Wait for the end of the command of this receipt."""
        assert answer.status_code == 202, answer.text
        receipt = answer.json()
        command_id = receipt.get("id") or receipt["results"][0]["command"]["id"]
        found: dict[str, Any] = self.get(f"/ocpp/commands/{command_id}", wait_s=15).json()
        return found

    def do(self, command: str, event: Any = None) -> dict[str, Any]:
        """Send a queued command and return how it ended."""
        return self.result(self.post(command, {} if event is None else event))

    def applied(self, command: str, event: Any = None) -> dict[str, Any]:
        """Send a queued command that must be applied; returns its result."""
        ended = self.do(command, event)
        assert ended["status"] == "applied", ended
        return ended["result"] or {}

    def at_rest(self) -> None:
        """Bring the charger back: no fault, no session, no cable, as configured, all of it told."""
        # A command that was taken may be carried out a moment later: looked at again and again.
        for _ in range(200):
            if self._tidy_up():
                break
            self.run(asyncio.sleep(0.1))
        else:
            raise AssertionError("the charger does not come to rest")
        self.run(self._forget_cards())
        if not self.is_offline:
            self.until(self.has_told_all)

    def _tidy_up(self) -> bool:
        """Mend and stop what is there; True when there was nothing."""
        simulation = self.board.simulation
        assert simulation is not None
        is_clean = True
        for connector in self.state.connectors:
            where = {"connector_id": connector.connector_id}
            if simulation.is_broken(connector.connector_id):
                self.post("clear-fault", where)
            if connector.transaction is not None or connector.plugged:
                self.post("stop-session", where)  # may be over already: seen the next time
                is_clean = False
        return is_clean

    async def _forget_cards(self) -> None:
        """A card that waits for a plug would begin the session of the next test."""
        assert self.application is not None
        assert self.application.runtime is not None
        runtime = self.application.runtime
        runtime.state = replace(runtime.state, waiting=(), checking=())


@contextlib.contextmanager
def running_charger(settings: Settings, **lever: Any) -> Iterator[Charger]:
    """A charger from start to end."""
    charger = Charger(settings, **lever)
    try:
        charger.start()
        yield charger
    finally:
        charger.stop()
