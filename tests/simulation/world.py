"""A whole world in one thread: a box with the real agent, and everything around it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from agent.config.demo_settings import demo_settings, simulated_connector
from agent.core.state import ChargePoint
from agent.runtime import Runtime
from agent.settings import AuthorizationSettings, OcppSettings, Settings, StorageSettings
from agent.store import Store
from hw.settings import MeterSettings
from tests.simulation import vfs
from tests.simulation.cards import Wallet
from tests.simulation.central import CentralSystem
from tests.simulation.clocks import EPOCH, BoxClocks, true_time
from tests.simulation.diary import Diary, LogListener
from tests.simulation.disk import Disk
from tests.simulation.invariants.base import Invariant, Watch
from tests.simulation.invariants.bounds import ComesToRest, NothingGrowsWithoutEnd, TheAgentLives
from tests.simulation.invariants.cards import (
    EveryCardGetsItsReason,
    KnownBadCardsDoNotCharge,
    ListIsWhole,
)
from tests.simulation.invariants.safety import (
    ClosedOnlyForAJournalledSession,
    NeverMoreThanMayFlow,
    OpenWhenTheAgentHangs,
    OpenWithinASecond,
)
from tests.simulation.invariants.sessions import (
    CentralSystemSeesEachSessionWhole,
    EnergyIsRight,
    NothingCommittedGetsLost,
    StoppedExactlyOnce,
)
from tests.simulation.invariants.talking import LegalStatuses, NoStorm, OneCallAtATime, WellFormed
from tests.simulation.invariants.times import TimesAreTrue
from tests.simulation.ledger import Ledger
from tests.simulation.life import Life
from tests.simulation.lists import ListKeeper
from tests.simulation.network import Network
from tests.simulation.operators import SAMPLE_INTERVALS_S, Operators
from tests.simulation.people import Driver
from tests.simulation.site import Site, register_wh
from tests.simulation.swarm import Swarm, draw_swarm
from tests.simulation.weather import Weather
from tests.virtual_time import VirtualTimeLoop

URL = "ws://central.test/ocpp"
SETTLE_S = 600.0
RESTART_S = 3.0  # systemd starts the process again
BOOT_S = 20.0  # the machine starts
POLL_S = 60.0  # idle time must cost little
GHOST_S = 1.0
_LAST_WORD_S = 30.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    seed: str
    days: float
    failure: str | None  # the promise that was broken, and how
    diary: Diary
    sessions: int
    processes: int
    messages: int


class World:
    """Made on a running virtual loop. ``run`` lets days pass."""

    def __init__(self, seed: str, folder: Path, watch: vfs.Watch, hurry: float = 1.0) -> None:
        self.seed = seed
        self.folder = folder
        self.diary = Diary()
        self.swarm: Swarm = draw_swarm(self.chance("swarm"), hurry)
        self.life: Life | None = None
        self.lives = 0
        self.failure: str | None = None
        self.has_failed = False
        self._failed = asyncio.Event()
        self._armed: tuple[Callable[[str], None], int] | None = None
        self._ghosts: list[Life] = []
        self._power_off = False
        self._told_to_end = False
        self._next_start: asyncio.TimerHandle | None = None
        self._chance_of_crashes = self.chance("crashes")

        self.clocks = BoxClocks()
        self.disk = Disk(folder, watch, self.step)
        self.settings = self._settings()
        self.wallet = Wallet(self.chance("cards"))
        self.central = CentralSystem(self.chance("central system"), self.wallet, self.diary)
        self.lists = ListKeeper(self.chance("lists"), self.wallet, self.central, self.diary)
        self.operators = Operators(
            self.chance("operators"),
            self.central,
            self.lists,
            self.diary,
            self.swarm.connectors,
            may_reset="kill" in self.swarm.weather,
        )
        self.watch = self._make_watch()
        self.site = Site(self.settings, self._moved)
        self.network = Network(self.chance("network"), self.central, self.watch, self.step)
        self.central.account.listeners.append(self.watch.received)

    def chance(self, of: str) -> Random:
        """A source of chance of its own: one more fault does not change all others."""
        return Random(f"{self.seed}/{of}")

    def _make_watch(self) -> Watch:
        self._kept = NothingCommittedGetsLost(self)
        self._hanging = OpenWhenTheAgentHangs(self)
        self._alive = TheAgentLives(self)
        self._rest = ComesToRest(self)
        self.ledger = Ledger(self._kept.complain)
        others: list[type[Invariant]] = [
            ClosedOnlyForAJournalledSession,
            OpenWithinASecond,
            NeverMoreThanMayFlow,
            KnownBadCardsDoNotCharge,
            EveryCardGetsItsReason,
            ListIsWhole,
            StoppedExactlyOnce,
            CentralSystemSeesEachSessionWhole,
            EnergyIsRight,
            TimesAreTrue,
            OneCallAtATime,
            LegalStatuses,
            WellFormed,
            NoStorm,
            NothingGrowsWithoutEnd,
        ]
        known = [self._kept, self._hanging, self._alive, self._rest]
        return Watch([*known, *(kind(self) for kind in others)])

    def _settings(self) -> Settings:
        settings = demo_settings(self.folder, URL)
        connectors = tuple(
            replace(
                simulated_connector(number + 1),
                meter=MeterSettings(driver="simulated", poll_s=POLL_S),
            )
            for number in range(self.swarm.connectors)
        )
        return replace(
            settings,
            connectors=connectors,
            ocpp=OcppSettings(configuration=self.swarm.keys),
            authorization=_authorization(self.swarm),
        )

    # --- what invariants look at ---

    def state(self) -> ChargePoint | None:
        """What the agent thinks; None without one."""
        runtime = self.runtime()
        return None if runtime is None else runtime.state

    def runtime(self) -> Runtime | None:
        """The runtime of the living process."""
        return None if self.life is None else self.life.runtime

    def has_reader(self) -> bool:
        """True when there is a process that has opened its database."""
        return self.life is not None and self.life.reader is not None

    def reader(self) -> sqlite3.Connection:
        """A connection to look into the database."""
        assert self.life is not None
        assert self.life.reader is not None
        return self.life.reader

    def register_wh(self, connector_id: int) -> float:
        """What the meter has really counted."""
        if self.site.board is None:
            return self.site.places[connector_id].register_wh
        return register_wh(self.site.parts(connector_id))

    @property
    def message_timeout_s(self) -> float:
        """How long one of our calls waits for its answer."""
        return float(self.swarm.keys["MessageTimeout"])

    @property
    def sample_wh(self) -> float:
        """The most that can flow between two samples."""
        charge_point = self.settings.charge_point
        power_w = charge_point.max_current_a * charge_point.nominal_voltage_v
        return (max(SAMPLE_INTERVALS_S) + POLL_S) * power_w / 3600

    # --- what happens to the process ---

    def step(self, where: str) -> None:
        """A point at which a process can end; an armed end may strike here."""
        if self._armed is None or self.life is None:
            return
        strike, left = self._armed
        if left > 1:
            self._armed = (strike, left - 1)
            return
        self._armed = None
        strike(where)

    def arm(self, strike: Callable[[str], None], steps: int) -> None:
        """Let this strike after so many steps."""
        self._armed = (strike, steps)

    def disarm(self) -> None:
        """Nothing strikes any more."""
        self._armed = None

    def kill(self, where: str) -> None:
        """The process is gone at once; the machine runs on."""
        if self.life is None:
            return
        self.diary.note("weather", f"the process is killed {where}")
        self._bury()
        self.disk.killed()
        self.network.box_is_gone(politely=True)
        self._start_in(RESTART_S)

    def cut_power(self, where: str) -> None:
        """The machine is gone at once, with everything that was not synced."""
        if self._power_off:
            return
        random = self._chance_of_crashes
        self.diary.note("weather", f"the power is cut {where}")
        self._power_off = True
        self._bury()
        self.disk.lost_power(random)
        self.network.box_is_gone(politely=False)
        off_s = random.choice((1.0, 60.0, 1200.0)) * random.uniform(0.5, 2) + BOOT_S
        self._start_in(off_s, self._power_on)

    def _power_on(self) -> None:
        self._power_off = False
        off = timedelta()
        is_synchronized = True
        if "clock" in self.swarm.weather:
            off = self._chance_of_crashes.choice(
                (timedelta(), EPOCH - true_time(), timedelta(hours=-2))
            )
            is_synchronized = not off
        self.clocks.power_on(off, is_synchronized)

    def hang(self, for_s: float) -> None:
        """The runtime does not turn for a while."""
        if self.life is not None and self.runtime() is not None:
            self.diary.note("weather", f"the runtime hangs for {for_s:.1f} s")
            self.life.hangs_until_s = asyncio.get_running_loop().time() + for_s
            state = self.state()
            assert state is not None
            self._hanging.hangs(state.rules.lease_s)

    def process_ended(self, again: bool, problem: str | None) -> None:
        """It has ended by itself: told to, or because its disk does not work."""
        self.diary.note("process", f"has ended; {problem or 'as it was told'}")
        disk_works = self.disk.trouble is None
        if not self._told_to_end and not again:
            self._alive.ended_by_itself("it ended for good")
        if problem is not None and disk_works:
            self._alive.ended_by_itself(problem)
        self._bury()
        self.disk.killed()
        self.network.box_is_gone(politely=True)
        if not self._told_to_end:
            self._start_in(RESTART_S)

    def _bury(self) -> None:
        life, self.life = self.life, None
        self.site.leave()
        self.watch.ended()
        self._armed = None
        if life is not None:
            self._ghosts.append(life)
            # Not at once: what is being opened just now would stay open for ever.
            asyncio.get_running_loop().call_later(GHOST_S, life.task.cancel)

    def _start_in(self, wait_s: float, before: Callable[[], None] | None = None) -> None:
        if self._next_start is not None:
            self._next_start.cancel()

        def start() -> None:
            self._next_start = None
            if before is not None:
                before()
            self._start()

        self._next_start = asyncio.get_running_loop().call_later(wait_s, start)

    def _start(self) -> None:
        self._ghosts = [ghost for ghost in self._ghosts if not ghost.task.done()]
        self.lives += 1
        self.diary.note("process", f"number {self.lives} starts")
        settings = replace(self.settings, storage=StorageSettings(path=str(self.disk.path)))
        self.life = Life(self, self.lives, settings)
        self.life.task.add_done_callback(self._look_for_mistakes)

    def _look_for_mistakes(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        problem = task.exception()
        is_living = self.life is not None and self.life.task is task
        if problem is not None and is_living:
            self._alive.ended_by_itself(repr(problem))

    # --- what is heard ---

    def database_opened(self, reader: sqlite3.Connection, store: Store) -> None:
        """A process has opened its database."""
        self.watch.opened(reader, store)

    def _moved(self, connector_id: int, part: str, what: str) -> None:
        self.diary.note(f"{part} {connector_id}" if connector_id else part, what)
        self.watch.moved(connector_id, part, what)

    def fail(self, failure: str) -> None:
        """A promise is broken. The first one counts."""
        if not self.has_failed:
            self.has_failed = True
            self.failure = failure
            self.diary.note("INVARIANT", failure)
            self._failed.set()

    # --- days pass ---

    async def run(self, days: float) -> None:
        """Let so many days pass, then heal the world and see that everything settles."""
        self.diary.note("world", f"seed {self.seed}: {self.swarm.describe()}")
        listener = LogListener(self.diary, lambda: self.life, self._alive.mistake)
        with _listening(listener):
            weather = Weather(self, self.swarm)
            drivers = [
                Driver(self, id, self.chance(f"driver {id}"), self.swarm.gap_h)
                for id in self.site.places
            ]
            self._start()
            lives = [driver.live for driver in drivers] + weather.lives()
            lives += [lambda: self.operators.live(2.0), self._send_first_list]
            tasks = [asyncio.ensure_future(life()) for life in lives]
            await self._wait(days * 86_400, tasks)
            await _end(tasks)
            if not self.has_failed:
                await self._settle(weather, drivers)
            await self._end_everything()

    async def _send_first_list(self) -> None:
        await asyncio.sleep(60)
        self.lists.send()
        await asyncio.Event().wait()

    async def _wait(self, seconds: float, tasks: list[asyncio.Future[None]]) -> None:
        failed = asyncio.ensure_future(self._failed.wait())
        done, _ = await asyncio.wait(
            [failed, *tasks], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        failed.cancel()
        for task in done - {failed}:
            task.result()  # a mistake in the simulation itself

    async def _settle(self, weather: Weather, drivers: list[Driver]) -> None:
        self.diary.note("world", "is healed")
        weather.heal()
        if self.life is None and self._next_start is not None:
            self._next_start.cancel()
            if self._power_off:
                self._power_on()
                self.clocks.synchronize()
            self._start()
        for driver in drivers:
            driver.go_home()
        retrying = asyncio.ensure_future(self._retry_what_is_parked())
        await self._rest.wait(SETTLE_S)
        await _end([retrying])
        if not self.has_failed:
            self.watch.settled()

    async def _retry_what_is_parked(self) -> None:
        """A person at the box."""
        while True:
            await asyncio.sleep(30)
            if not self.has_reader():
                continue
            assert self.life is not None
            parked = self.reader().execute(
                "SELECT min(sequence) FROM outbox WHERE parked_at IS NOT NULL"
                " GROUP BY transaction_ref ORDER BY 1"
            )
            for (sequence,) in parked.fetchall():
                self.diary.note("person", f"sends message {sequence} once more")
                action = self.life.application.actions["queue"]
                await action({"order": "retry", "ref": sequence})

    async def _end_everything(self) -> None:
        """The living process is told to end, as systemd would; ghosts are waited for."""
        self._told_to_end = True
        self._armed = None
        if self._next_start is not None:
            self._next_start.cancel()
        tasks = [ghost.task for ghost in self._ghosts]
        if self.life is not None:
            tasks.append(self.life.task)
            self.life.application.shut_down()
        await asyncio.wait(tasks, timeout=_LAST_WORD_S)
        await _end(tasks)

    def outcome(self, days: float) -> Outcome:
        """What there is to tell."""
        return Outcome(
            seed=self.seed,
            days=days,
            failure=self.failure,
            diary=self.diary,
            sessions=len(self.ledger.sessions),
            processes=self.lives,
            messages=len(self.ledger.by_unique_id),
        )


def simulate(seed: str, days: float, folder: Path, hurry: float = 1.0) -> Outcome:
    """Run one world from its seed, in a folder of its own. ``hurry``: see ``draw_swarm``."""

    async def main() -> Outcome:
        world = World(seed, folder, watch, hurry)
        await world.run(days)
        return world.outcome(days)

    with vfs.watching() as watch, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main())


def _authorization(swarm: Swarm) -> AuthorizationSettings:
    return AuthorizationSettings(resume_after_power_loss=swarm.resumes)


async def _end(tasks: list[Any]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)


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
