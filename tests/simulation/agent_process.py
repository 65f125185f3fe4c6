"""One process of the agent, the real Application on simulated parts; killed, it is a *ghost*."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import copy_context
from typing import Any

from agent.app.application import Application
from agent.app.environment import Environment as Surroundings
from agent.core.commands import Command, Row
from agent.core.events import Event
from agent.core.state import ChargePoint
from agent.platform.errors import AgentError
from agent.runtime.runtime import Runtime
from agent.store import Store
from hw.ports import Board
from tests.simulation.network import Connection
from tests.simulation.run_log import PROCESS
from tests.simulation.threads import SimulatedThread


class AgentProcess:
    """Begins when it is made. Once the world has another one, or none, it is a ghost."""

    def __init__(self, world: Any, number: int, settings: Any) -> None:
        self.number = number
        self.settings = settings
        self.world = world
        self.clock = world.clocks.for_process()
        self.board: Board = world.site.fit(lambda: self.clock.now().monotonic_s)
        self.random = world.chance(f"process {number}")
        self.store: Store | None = None
        self.reader: sqlite3.Connection | None = None
        self.begun_s = asyncio.get_running_loop().time()
        self.hangs_until_s = 0.0
        self.application = _Watched(self, self._surroundings())
        context = copy_context()
        context.run(PROCESS.set, self)
        self.task = asyncio.get_running_loop().create_task(
            self._run(), name=f"process {number}", context=context
        )

    @property
    def is_ghost(self) -> bool:
        """True when its process has ended: what it still does means nothing."""
        return self.world.process is not self

    @property
    def runtime(self) -> Runtime | None:
        """The owner of the state, once it is there."""
        return self.application.runtime

    async def _run(self) -> None:
        try:
            try:
                again, problem = await self.application.run(), None
            except AgentError as error:
                again, problem = True, str(error)
            if not self.is_ghost:
                self.world.machine.process_ended(again, problem)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """What a process has open when it ends, its system closes; the files are a ghost's now."""
        for opened in (self.reader, self.store):
            if opened is not None:
                opened.close()

    def _surroundings(self) -> Surroundings:
        world, random = self.world, self.random
        return Surroundings(
            clock=self.clock,
            random=random,
            make_id=lambda: str(uuid.UUID(int=random.getrandbits(128))),
            make_executor=self._thread,
            connect=self._connect,
            board=self.board,
            boot_id=world.clocks.boot_id,
            control_path=world.folder / f"control-{self.number}",
            transfers=world.rollout,
            run_command=world.rollout.install,
            free_bytes=lambda folder: world.disk.free_bytes,
        )

    async def _connect(self, url: str, **how: Any) -> Connection:
        if self.is_ghost:
            await asyncio.Event().wait()
        connection: Connection = await self.world.network.connect(url, **how)
        if self.is_ghost:
            connection.belongs_to_ghost = True
            connection.tell_server()
        return connection

    def _thread(self, name: str) -> SimulatedThread:
        if name != "journal":
            return SimulatedThread(lambda: 0.0)
        return SimulatedThread(self._commit_s)

    def _commit_s(self) -> float:
        slow_s: float = 0.0 if self.is_ghost else self.world.disk.slow_s
        if slow_s:
            self.world.count("disk: a slow commit")
        return slow_s


class _Watched(Application):
    """The application, with places where the world can look in and end it."""

    def __init__(self, process: AgentProcess, surroundings: Surroundings) -> None:
        super().__init__(process.settings, simulate=True, world=surroundings)
        self._process = process

    def _open_store(self, *more: Any) -> Store:
        store = self._process.store = super()._open_store(*more)
        return store

    def _make_runtime(self, board: Board, store: Store, *more: Any) -> Runtime:
        process = self._process
        if not process.is_ghost:
            process.reader = _reader(store, process)
            process.world.database_opened(process.reader, store)
        _watch_commits(store, process)
        runtime = super()._make_runtime(board, store, *more)
        _watch_turns(runtime, process)
        _watch_orders(runtime, process)
        return runtime

    def _observe(
        self,
        before: ChargePoint,
        event: Event,
        after: ChargePoint,
        commands: Sequence[Command],
    ) -> None:
        super()._observe(before, event, after, commands)
        if not self._process.is_ghost:
            self._process.world.watch.turned(before, event, after, commands)


def _reader(store: Store, process: AgentProcess) -> sqlite3.Connection:
    path = process.settings.storage_path
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)


def _watch_commits(store: Store, process: AgentProcess) -> None:
    original = store.commit

    def commit(rows: Sequence[Row], now: Any) -> None:
        world = process.world
        if process.is_ghost:
            return original(rows, now)
        world.machine.step("before a commit")
        if process.is_ghost:
            return original(rows, now)
        world.ledger.begins(rows)
        world.watch.committing(rows)
        original(rows, now)
        if not process.is_ghost:
            world.machine.step("after a commit")
        if not process.is_ghost:
            assert process.reader is not None
            world.ledger.committed(process.reader)
            world.watch.committed(rows)
        return None

    store.commit = commit  # type: ignore[method-assign]


def _watch_turns(runtime: Runtime, process: AgentProcess) -> None:
    original: Callable[[Event], Awaitable[None]] = runtime.turn

    async def turn(event: Event) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < process.hangs_until_s:
            await asyncio.sleep(process.hangs_until_s - loop.time())
        if not process.is_ghost:
            process.world.machine.step("before a turn", f"({type(event).__name__})")
        await original(event)

    runtime.turn = turn  # type: ignore[method-assign]


def _watch_orders(runtime: Runtime, process: AgentProcess) -> None:
    """The process may end before any order that a turn or a commit has given."""
    original = runtime.run

    async def run(performers: Mapping[type[Command], Callable[[Any], None]]) -> None:
        await original({kind: stepping(kind, perform) for kind, perform in performers.items()})

    def stepping(kind: type[Command], perform: Callable[[Any], None]) -> Callable[[Any], None]:
        def do(order: Any) -> None:
            if not process.is_ghost:
                process.world.machine.step("before an order", f"({kind.__name__})")
            perform(order)

        return do

    runtime.run = run  # type: ignore[method-assign]
