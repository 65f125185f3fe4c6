"""The composition root: puts the rooms of the house together, and takes them apart again.

Outputs are safe before anything else is opened or imported; they are opened first at the end.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

from agent import diary
from agent.clock import SystemClock
from agent.control import ControlServer, socket_path
from agent.control_actions import ControlActions
from agent.core import commands as co
from agent.core import events as ev
from agent.core.commands import Command
from agent.core.configuration import configuration
from agent.core.events import Event
from agent.core.state import ChargePoint, Connector, Outbox, Rules, Traits
from agent.core.values import QueuedMessage
from agent.devices import Devices
from agent.ports import Clock
from agent.runtime import Runtime
from agent.settings import Settings
from agent.store import Durable, Store
from agent.supervision import SupervisionThread, Supervisor
from agent.supervision_timer import SupervisionTimer
from agent.watchdog import ServiceManager
from hw.board import open_board
from hw.ports import Board, ConnectorParts

if TYPE_CHECKING:
    from agent.ocpp16.link import CentralSystemLink
    from agent.ocpp16.wire import Connector as Connect

logger = logging.getLogger(__name__)
diary_logger = logging.getLogger("agent.diary")

GOODBYE_S = 0.5  # the journal and the link get this long at the end
FORCED_S = 2.6  # after this the process ends even if a session could not be ended in order


def _threads(name: str) -> Executor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)


@dataclass
class World:
    """What the application takes from outside, so that a simulation can own all of it."""

    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=SystemRandom)
    make_id: Callable[[], str] = lambda: str(uuid.uuid4())
    make_executor: Callable[[str], Executor] = _threads
    connect: Connect | None = None  # None: a websocket
    pin_factory: Any = None  # None: the board's own
    control_path: Path | None = None  # None: see control.socket_path


class Application:
    """One charge point, from its settings to its end."""

    def __init__(
        self,
        settings: Settings,
        simulate: bool = False,
        world: World | None = None,
        service: ServiceManager | None = None,
    ) -> None:
        self.settings = settings
        self._simulate = simulate
        self._world = world or World()
        clock = self._world.clock
        self._service = service or ServiceManager(lambda: clock.now().monotonic_s)
        self._observers: list[Callable[[Sequence[Command]], None]] = []
        self._must_end: asyncio.Future[bool] | None = None
        self.runtime: Runtime | None = None

    async def run(self) -> bool:
        """Run until told to end; True: start again (Reset). Raises AgentError or BoardError."""
        self._must_end = asyncio.get_running_loop().create_future()
        async with AsyncExitStack() as stack:
            board = open_board(
                self.settings.board,
                lambda: self._world.clock.now().monotonic_s,
                pin_factory=self._world.pin_factory,
                simulate=self._simulate,
            )
            stack.callback(board.shut_down)
            logger.info("outputs are safe")
            return await self._run_with(board, stack)

    def shut_down(self) -> None:
        """Begin to end: sessions are stopped and recorded, then ``run`` returns. Safe to repeat."""
        if self._must_end is None or self._must_end.done():
            return
        loop = asyncio.get_running_loop()
        if self.runtime is None:
            self._end(False)
            return
        self.runtime.post(ev.ShutdownRequested())
        loop.call_later(FORCED_S, self._end, False)

    # --- putting together ----------------------------------------------------------------------

    async def _run_with(self, board: Board, stack: AsyncExitStack) -> bool:
        clock = self._world.clock
        writer = self._executor("journal", stack)
        reader = self._executor("store-reader", stack)
        meters = self._executor("meters", stack)
        store = Store.open(
            self.settings.storage_path, now=clock.now().utc, make_id=self._world.make_id
        )
        stack.callback(store.close)
        durable = store.load()
        loop = asyncio.get_running_loop()

        async def read(function: Callable[..., Any], *arguments: Any) -> Any:
            return await loop.run_in_executor(reader, function, *arguments)

        runtime = Runtime(
            state=initial_state(self.settings, board, durable, store.head()),
            clock=clock,
            facts=lambda id_tag: read(store.facts, id_tag),
            commit=lambda rows: store.commit(rows, clock.now().utc),
            executor=writer,
            observe=self._observe,
            on_turn=self._service.alive,
            turn_at_least_every_s=self._service.period_s,
        )
        self.runtime = runtime
        supervisor = Supervisor(board, runtime.post)
        supervision = self._supervise(board, supervisor, stack)
        devices = Devices(
            board, self.settings.reader, clock, runtime.post, meters, supervision.look_now
        )
        link = self._link(runtime, lambda: read(store.head))
        runtime.use(devices.performers)
        runtime.use(dict.fromkeys(LINK_ORDERS, link.perform))
        runtime.use({co.Restart: self._restart})

        supervisor.first_look(clock.now().monotonic_s)
        runtime.post(ev.Started(tuple(durable.open_transactions), store.quarantined))
        control = ControlServer(
            self._world.control_path or socket_path(self.settings.storage_path),
            ControlActions(
                runtime, link, clock, board.simulation, store, read, self._observers
            ).by_name(),
        )
        await control.start()
        stack.push_async_callback(control.close)
        tasks = [
            asyncio.create_task(runtime.run(), name="runtime"),
            asyncio.create_task(link.run(), name="link"),
            asyncio.create_task(self._poll_meters(devices, runtime), name="meters"),
        ]
        supervision.start()
        stack.callback(supervision.shut_down)
        devices.start()
        self._service.ready()
        return await self._until_the_end(tasks, runtime, board)

    async def _until_the_end(
        self, tasks: list[asyncio.Task[None]], runtime: Runtime, board: Board
    ) -> bool:
        assert self._must_end is not None
        try:
            ending: list[asyncio.Future[Any]] = [*tasks, self._must_end]
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    board.make_safe()
                    task.result()  # a mistake in the program: raise it
            board.make_safe()
            await runtime.journal.wait_until_quiet(GOODBYE_S)
            return self._must_end.result()
        finally:
            self._service.stopping()
            board.make_safe()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=GOODBYE_S)

    def _executor(self, name: str, stack: AsyncExitStack) -> Executor:
        executor = self._world.make_executor(name)
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        return executor

    def _supervise(
        self, board: Board, supervisor: Supervisor, stack: AsyncExitStack
    ) -> SupervisionThread | SupervisionTimer:
        def now_s() -> float:
            return self._world.clock.now().monotonic_s

        if board.is_polled:
            return SupervisionThread(supervisor, now_s)
        assert board.simulation is not None
        timer = SupervisionTimer(supervisor, now_s)
        board.simulation.subscribe(timer.look_now)
        return timer

    def _link(self, runtime: Runtime, head: Callable[[], Any]) -> CentralSystemLink:
        # Imported late: outputs are safe long before the schemas of OCPP are loaded.
        from agent.ocpp16.link import CentralSystemLink
        from agent.ocpp16.wire import connect_websocket

        return CentralSystemLink(
            self.settings.central_system,
            self.settings.charge_point,
            inbox=runtime,
            configuration=lambda: runtime.state.configuration,
            next_message=head,
            clock=self._world.clock,
            random=self._world.random,
            connect=self._world.connect or connect_websocket,
        )

    async def _poll_meters(self, devices: Devices, runtime: Runtime) -> None:
        poll_s = {settings.id: settings.meter.poll_s for settings in self.settings.connectors}

        def is_busy(connector_id: int) -> bool:
            return runtime.state.connector(connector_id).transaction is not None

        await devices.poll_meters(poll_s, is_busy)

    # --- what the runtime tells ------------------------------------------------------------------

    def _observe(
        self,
        before: ChargePoint,
        event: Event,
        after: ChargePoint,
        commands: Sequence[Command],
    ) -> None:
        for line in diary.sentences(before, event, after, commands):
            diary_logger.info("%s", line)
        for observer in self._observers:
            observer(commands)

    def _restart(self, order: co.Restart) -> None:
        self._end(order.again)

    def _end(self, again: bool) -> None:
        if self._must_end is not None and not self._must_end.done():
            self._must_end.set_result(again)


LINK_ORDERS: tuple[type[Command], ...] = (
    co.Authorize,
    co.NotifyStatus,
    co.DeliverNext,
    co.ApplyConfiguration,
)


def initial_state(
    settings: Settings, board: Board, durable: Durable, oldest: QueuedMessage | None
) -> ChargePoint:
    """The state before the first event: settings, and what was stored."""
    authorization = settings.authorization
    return ChargePoint(
        rules=Rules(
            authorize_timeout_s=authorization.authorize_timeout_s,
            tap_guard_s=authorization.tap_guard_s,
            stop_by_second_tap=authorization.stop_by_second_tap,
            remote_start_takes_first=authorization.remote_start_without_connector == "first",
        ),
        configuration=configuration(
            len(settings.connectors), settings.ocpp.configuration, durable.configuration
        ),
        connectors=tuple(
            Connector(parts.connector_id, _traits(parts, settings)) for parts in board.connectors
        ),
        outbox=Outbox(
            next_sequence=durable.next_sequence,
            waiting=durable.queued_count,
            done=(durable.next_sequence if oldest is None else oldest.sequence) - 1,
            attempts=0 if oldest is None else oldest.attempts,
        ),
        next_transaction_ref=durable.next_transaction_ref,
    )


def _traits(parts: ConnectorParts, settings: Settings) -> Traits:
    return Traits(
        has_lock=parts.lock is not None,
        has_plug=parts.plug is not None,
        has_pilot=parts.pilot is not None,
        has_meter=parts.meter is not None,
        max_current_a=settings.charge_point.max_current_a,
    )
