"""A whole world in one thread: a box with the real agent, and everything around it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from agent.config.demo_settings import demo_settings, simulated_connector
from agent.config.settings import AuthorizationSettings, FirmwareSettings, OcppSettings, Settings
from agent.core.state import ChargePoint
from agent.runtime.runtime import Runtime
from agent.store import Store, security_log
from hw.settings import MeterSettings
from tests.simulation import vfs
from tests.simulation.agent_process import AgentProcess
from tests.simulation.cards import Wallet
from tests.simulation.central_system import CentralSystem
from tests.simulation.clocks import BoxClocks
from tests.simulation.counting import Counting
from tests.simulation.disk import Disk
from tests.simulation.drivers import Driver
from tests.simulation.incidents import Incidents
from tests.simulation.invariants import ALL
from tests.simulation.invariants.base import Watch
from tests.simulation.invariants.bounds import ComesToRest, TheAgentLives
from tests.simulation.invariants.firmware import NothingUnverifiedIsInstalled
from tests.simulation.invariants.own_certificate import OnlyItsOwnCertificate
from tests.simulation.invariants.security_events import CriticalEventsArrive
from tests.simulation.invariants.sessions import NothingCommittedGetsLost
from tests.simulation.ledger import Ledger
from tests.simulation.local_lists import LocalLists
from tests.simulation.machine import Machine, end_tasks
from tests.simulation.network import Network
from tests.simulation.operators import SAMPLE_INTERVALS_S, Operators
from tests.simulation.rollout import Rollout
from tests.simulation.roots import HOST, OF_FILE, Roots, contexts_kept, roots
from tests.simulation.run_log import LogListener, RunLog
from tests.simulation.scenario import Scenario, draw_scenario
from tests.simulation.signing import Signing
from tests.simulation.site import Site, register_wh
from tests.simulation.tally import Tally
from tests.simulation.technician import Technician
from tests.virtual_time import VirtualTimeLoop

URL = f"wss://{HOST}/ocpp"
SETTLE_S = 600.0
EVENTS_SETTLE_S = 1000.0  # of those that were refused one is tried each quarter of an hour
POLL_S = 60.0  # idle time must cost little


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    seed: str
    days: float
    failure: str | None  # the promise that was broken, and how
    run_log: RunLog
    sessions: int
    messages: int
    restarts: int
    tally: Tally  # what has happened
    looks: Tally  # how often each promise had something to look at


class World:
    """Made on a running virtual loop. ``run`` lets days pass."""

    def __init__(self, seed: str, folder: Path, watch: vfs.Watch, hurry: float = 1.0) -> None:
        self.seed = seed
        self.folder = folder
        self.run_log = RunLog()
        self.tally = Tally()
        self.scenario: Scenario = draw_scenario(self.chance("swarm"), hurry)
        self.failure: str | None = None
        self.has_failed = False
        self._failed = asyncio.Event()

        self.machine = Machine(self)
        self.disk = Disk(folder, watch, self.machine.step, self.count)
        self.settings = self._settings()
        self.wallet = Wallet(self.chance("cards"), hurry)
        self.central = CentralSystem(
            self.chance("central system"), self.wallet, self.run_log, self.count
        )
        self.lists = LocalLists(self.chance("lists"), self.wallet, self.central, self.run_log)
        self.operators = Operators(
            self.chance("operators"),
            self.central,
            self.lists,
            self.run_log,
            self.scenario.connectors,
            may_reset="kill" in self.scenario.incidents,
        )
        self.roots = Roots(
            self.chance("roots"),
            self.central,
            self.run_log,
            self.count,
            self.settings.central_system.only_installed_roots,
            self._lets_in,
        )
        self.watch = Watch([kind(self) for kind in (*ALL, Counting)])
        self.ledger = Ledger(self.watch.find(NothingCommittedGetsLost).complain)
        self.site = Site(self.settings, self._moved, self.count)
        self.network = Network(
            self.chance("network"),
            self.central,
            self.roots,
            self.watch,
            self.machine.step,
            self.count,
        )
        self.central.account.listeners.append(self.watch.received)
        self.technician = Technician(self)
        self.rollout = Rollout(
            self.chance("rollout"),
            self.central,
            self.run_log,
            self.count,
            self.watch.find(NothingUnverifiedIsInstalled).installing,
        )
        self.signing = Signing(
            self.chance("signing"),
            self.central,
            roots()[OF_FILE],
            self.run_log,
            self.count,
            self.watch.find(OnlyItsOwnCertificate).taken,
        )

    def _lets_in(self, shown: bytes | None) -> bool:
        return self.signing.lets_in(shown)

    def chance(self, of: str) -> Random:
        """A source of chance of its own: one more fault does not change all others."""
        return Random(f"{self.seed}/{of}")

    def count(self, what: str) -> None:
        """Something has happened, once more."""
        self.tally[what] += 1

    def _settings(self) -> Settings:
        settings = demo_settings(self.folder, URL)
        ca_file = self.folder / "ca.pem"
        ca_file.write_text(roots()[OF_FILE].pem)
        central_system = replace(
            settings.central_system,
            ca_file=str(ca_file),
            only_installed_roots=self.chance("trust").random() < 0.5,
        )
        connectors = tuple(
            replace(
                simulated_connector(number + 1),
                meter=MeterSettings(driver="simulated", poll_s=POLL_S),
            )
            for number in range(self.scenario.connectors)
        )
        delay_s = self.scenario.random_delay_max_s
        return replace(
            settings,
            charge_point=replace(settings.charge_point, random_delay_max_s=delay_s),
            central_system=central_system,
            connectors=connectors,
            ocpp=OcppSettings(configuration={**self.scenario.keys, "CpoName": "Operator"}),
            firmware=FirmwareSettings(install_command=("/usr/local/sbin/install",)),
            authorization=_authorization(self.scenario),
        )

    # --- what invariants look at ---

    @property
    def process(self) -> AgentProcess | None:
        """The process that runs."""
        return self.machine.process

    @property
    def clocks(self) -> BoxClocks:
        """What the box believes about the time."""
        return self.machine.clocks

    def state(self) -> ChargePoint | None:
        """What the agent thinks; None without one."""
        runtime = self.runtime()
        return None if runtime is None else runtime.state

    def runtime(self) -> Runtime | None:
        """The runtime of the living process."""
        return None if self.process is None else self.process.runtime

    def has_reader(self) -> bool:
        """True when there is a process that has opened its database."""
        return self.process is not None and self.process.reader is not None

    def reader(self) -> sqlite3.Connection:
        """A connection to look into the database."""
        assert self.process is not None
        assert self.process.reader is not None
        return self.process.reader

    def register_wh(self, connector_id: int) -> float:
        """What the meter has really counted."""
        if self.site.board is None:
            return self.site.places[connector_id].register_wh
        return register_wh(self.site.parts(connector_id))

    @property
    def message_timeout_s(self) -> float:
        """How long one of our calls waits for its answer."""
        return float(self.scenario.keys["MessageTimeout"])

    @property
    def sample_wh(self) -> float:
        """The most that can flow between two samples."""
        charge_point = self.settings.charge_point
        power_w = charge_point.max_current_a * charge_point.nominal_voltage_v
        return (max(SAMPLE_INTERVALS_S) + POLL_S) * power_w / 3600

    # --- what is heard ---

    def database_opened(self, reader: sqlite3.Connection, store: Store) -> None:
        """A process has opened its database."""
        self.watch.opened(reader, store)

    def _moved(self, connector_id: int, part: str, what: str) -> None:
        self.run_log.note(f"{part} {connector_id}" if connector_id else part, what)
        self.watch.moved(connector_id, part, what)

    def fail(self, failure: str) -> None:
        """A promise is broken. The first one counts."""
        if not self.has_failed:
            self.has_failed = True
            self.failure = failure
            self.run_log.note("INVARIANT", failure)
            self._failed.set()

    # --- days pass ---

    async def run(self, days: float) -> None:
        """Let so many days pass, then heal the world and see that everything settles."""
        self.run_log.note("world", f"seed {self.seed}: {self.scenario.describe()}")
        listener = LogListener(
            self.run_log, lambda: self.process, self.watch.find(TheAgentLives).mistake
        )
        bounds = self.scenario.security_bounds
        of_log = patch.multiple(security_log, LINES_MAX=bounds.lines, QUEUED_MAX=bounds.queued)
        with _listening(listener), of_log, self.disk.private.watching():
            incidents = Incidents(self, self.scenario)
            drivers = [
                Driver(self, id, self.chance(f"driver {id}"), self.scenario.gap_h)
                for id in self.site.places
            ]
            self.machine.start()
            lives = [driver.live for driver in drivers] + incidents.tasks()
            lives += [
                lambda: self.operators.live(self.scenario.request_gap_h),
                self._send_first_list,
            ]
            lives.append(self.technician.live)
            if self.scenario.update_gap_h is not None:
                lives.append(partial(self.rollout.live, self.scenario.update_gap_h))
            lives.append(lambda: self.roots.live(self.scenario.request_gap_h))
            if self.scenario.signs:
                lives.append(lambda: self.signing.live(self.scenario.request_gap_h / 4))
            tasks = [asyncio.ensure_future(live()) for live in lives]
            await self._wait(days * 86_400, tasks)
            await end_tasks(tasks)
            if not self.has_failed:
                await self._settle(incidents, drivers)
            await self.machine.end_everything()

    async def _send_first_list(self) -> None:
        await asyncio.sleep(60)
        self.lists.send()
        await asyncio.Event().wait()

    async def _wait(self, seconds: float, tasks: list[asyncio.Task[None]]) -> None:
        failed = asyncio.ensure_future(self._failed.wait())
        both: list[asyncio.Task[Any]] = [failed, *tasks]
        done, _ = await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        failed.cancel()
        for task in done - {failed}:
            task.result()  # a mistake in the simulation itself

    async def _settle(self, incidents: Incidents, drivers: list[Driver]) -> None:
        self.run_log.note("world", "is healed")
        incidents.heal()
        self.machine.heal()
        self.rollout.is_healed = self.signing.is_healed = True
        for driver in drivers:
            driver.go_home()
        caring = asyncio.ensure_future(self.technician.set_right())
        await self._until(self.watch.find(ComesToRest).is_at_rest, SETTLE_S)
        await self._until(self.watch.find(CriticalEventsArrive).is_at_rest, EVENTS_SETTLE_S)
        await end_tasks([caring])
        if not self.has_failed:
            self.watch.settled()

    async def _until(self, is_at_rest: Callable[[], bool], within_s: float) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + within_s
        while loop.time() < until_s and not is_at_rest() and not self.has_failed:
            await asyncio.sleep(5)

    def outcome(self, days: float) -> Outcome:
        """What there is to tell."""
        return Outcome(
            seed=self.seed,
            days=days,
            failure=self.failure,
            run_log=self.run_log,
            sessions=len(self.ledger.sessions),
            messages=len(self.ledger.by_unique_id),
            restarts=self.machine.starts - 1,
            tally=self.tally,
            looks=self.watch.looks(),
        )


def simulate(seed: str, days: float, folder: Path, hurry: float = 1.0) -> Outcome:
    """Run one world from its seed, in a folder of its own. ``hurry``: see ``draw_scenario``."""

    async def main() -> Outcome:
        world = World(seed, folder, watch, hurry)
        await world.run(days)
        return world.outcome(days)

    with (
        vfs.watching() as watch,
        contexts_kept(),
        asyncio.Runner(loop_factory=VirtualTimeLoop) as runner,
    ):
        return runner.run(main())


def _authorization(scenario: Scenario) -> AuthorizationSettings:
    return AuthorizationSettings(resume_after_power_loss=scenario.resumes)


@contextlib.contextmanager
def _listening(listener: logging.Handler) -> Any:
    loggers = [logging.getLogger(name) for name in ("agent", "hw")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(listener)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(listener)
            logger.setLevel(level)
            logger.propagate = propagate
