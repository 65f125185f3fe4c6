"""The composition root: the list of what the agent consists of, and how it is ended.

Every part is complete when it is made. Two take what was made after them when they begin to run:
the runtime takes who performs its commands, the link who answers the calls of the central system.
Outputs are safe before this is even imported (``agent.app.daemon``); they open first at the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from agent.app.central_system import make_handlers, make_link, make_messages
from agent.app.environment import Environment
from agent.app.initial_state import agree_on_boot, initial_state, resume_registers
from agent.app.interfaces import make_broker_clients, open_control_socket, serve_api
from agent.app.maintenance import Maintenance
from agent.config.settings import Settings
from agent.control import event_log
from agent.control.actions import ControlActions
from agent.control.charge_log import ChargeLogActions
from agent.control.local_list import ListActions
from agent.control.parked_messages import ParkedMessages
from agent.control.server import Action
from agent.control.services import Observer, Services
from agent.control.taps import Taps, Turned
from agent.core import commands as co
from agent.core import events as ev
from agent.core.commands import Command
from agent.core.events import Event
from agent.core.state import ChargePoint
from agent.core.values import TagRecord
from agent.maintenance.self_test_actions import SelfTestActions
from agent.ocpp16.version import connect_websocket
from agent.ocppj.frame_log import FrameLog
from agent.ocppj.simulated_network import NetworkSwitch
from agent.platform.systemd import ServiceManager
from agent.runtime.devices import Devices
from agent.runtime.event_queue import EventQueue
from agent.runtime.executors import Threads
from agent.runtime.local_list_updates import ListUpdates
from agent.runtime.runtime import Perform, Runtime
from agent.runtime.supervision import Supervisor
from agent.runtime.supervision_loop import Supervision, SupervisionThread, SupervisionTimer
from agent.store import Durable, LogLimits, Store
from hw.board import open_board
from hw.ports import Board

if TYPE_CHECKING:
    from agent.api.server import ApiServer

logger = logging.getLogger(__name__)
event_logger = logging.getLogger("agent.control.event_log")

GOODBYE_S = 0.5  # the journal and the link get this long at the end
FORCED_S = 2.4  # after this the process ends even if a session could not be ended in order


class Application:
    """One charge point, from its settings to its end."""

    def __init__(
        self,
        settings: Settings,
        simulate: bool = False,
        world: Environment | None = None,
        service: ServiceManager | None = None,
    ) -> None:
        self.settings = settings
        self._simulate = simulate
        self._environment = world or Environment()
        self._clock = self._environment.clock
        self._service = service or ServiceManager(self._clock.monotonic_s)
        self._observers: list[Observer] = []
        self._taps = Taps()
        self._must_end: asyncio.Future[bool] | None = None
        # Known while it runs.
        self.board: Board | None = None
        self.runtime: Runtime | None = None
        self.services: Services | None = None
        self.actions: Mapping[str, Action] = {}  # of the control socket
        self.api: ApiServer | None = None

    async def run(self) -> bool:
        """Run until told to end; True: start again (Reset). Raises AgentError or BoardError."""
        self._must_end = asyncio.get_running_loop().create_future()
        async with AsyncExitStack() as stack:
            self.board = board = self._environment.board or self._open_board()
            stack.callback(board.shut_down)
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

    # --- what it consists of ---------------------------------------------------------------------

    async def _run_with(self, board: Board, stack: AsyncExitStack) -> bool:
        """Make every part, each from those before it, and run them."""
        environment, settings = self._environment, self.settings
        threads = Threads(environment.make_executor, stack)
        store = self._open_store(threads, stack)
        ending, durable = store.ending(environment.boot_id), store.load()
        resume_registers(board, durable)
        queue = EventQueue()
        supervisor = Supervisor(board, queue.put)
        supervision = self._make_supervision(board, supervisor)
        runtime = self.runtime = self._make_runtime(
            board, store, durable, queue, threads, supervision
        )
        devices = self._make_devices(board, runtime, threads, supervisor, supervision)
        services = self._make_services(board, store, runtime, threads, stack)
        brokers = make_broker_clients(services, environment)
        more_status = {name: client.as_data for name, client in brokers.items()}
        control = ControlActions(services, devices.offered_a, more_status)
        maintenance = Maintenance(services, environment, control.status, stack)
        self_test = SelfTestActions(services, supervisor, supervision)
        messages = make_messages(services, maintenance)
        self.services = services
        self.actions = {
            **control.by_name(),
            **ListActions(services.lists, runtime.current_state, settings).by_name(),
            **ChargeLogActions(services).by_name(),
            **services.parked.by_name(),
            **maintenance.actions,
            **self_test.by_name(),
        }
        performers: dict[type[Command], Perform] = {
            **devices.performers,
            **services.link.performers,
            **maintenance.performers,
            co.Restart: self._restart,
        }
        handlers = make_handlers(services, messages, maintenance)

        supervisor.first_look(self._clock.monotonic_s())
        runtime.post(ev.Started(tuple(durable.open_transactions), store.quarantined, ending))
        await open_control_socket(self.actions, settings, environment, stack)
        tasks = [
            asyncio.create_task(runtime.run(performers), name="runtime"),
            asyncio.create_task(services.link.run(handlers), name="link"),
            asyncio.create_task(self._poll_meters(devices, runtime), name="meters"),
            asyncio.create_task(maintenance.run(), name="notices"),
            *(asyncio.create_task(client.run(), name=name) for name, client in brokers.items()),
        ]
        supervision.start()
        stack.callback(supervision.shut_down)
        devices.start()
        self._service.ready()
        self.api = serve_api(services, messages, brokers, environment, stack)
        return await self._until_the_end(tasks, runtime, board)

    def _open_board(self) -> Board:
        return open_board(
            self.settings.board,
            self._clock.monotonic_s,
            pin_factory=self._environment.pin_factory,
            simulate=self._simulate,
        )

    def _open_store(self, threads: Threads, stack: AsyncExitStack) -> Store:
        storage = self.settings.storage
        store = Store.open(
            self.settings.storage_path,
            now=self._clock.now().utc,
            make_id=self._environment.make_id,
            queue_bytes_max=storage.queue_max_mb * 1_000_000,
            log_limits=LogLimits(storage.sessions_max, storage.sessions_months),
        )
        stack.push_async_callback(threads.close_store, store.close)
        return store

    def _make_supervision(self, board: Board, supervisor: Supervisor) -> Supervision:
        if board.is_polled:
            return SupervisionThread(supervisor, self._clock.monotonic_s)
        assert board.simulation is not None
        timer = SupervisionTimer(supervisor, self._clock.monotonic_s)
        board.simulation.subscribe(timer.look_now)
        return timer

    def _make_runtime(
        self,
        board: Board,
        store: Store,
        durable: Durable,
        queue: EventQueue,
        threads: Threads,
        supervision: Supervision,
    ) -> Runtime:
        boot = agree_on_boot(store, self._clock, self._environment.boot_id)
        is_delayed = self.settings.charge_point.random_delay_max_s > 0
        seed = self._environment.random.getrandbits(64) if is_delayed else 0

        async def look_up(id_tag: str) -> TagRecord:
            record: TagRecord = await threads.read(store.facts, id_tag)
            return record

        def commit(rows: Sequence[co.Row]) -> None:
            store.commit(rows, self._clock.now().utc)
            if thinned := store.take_thinned():
                queue.put(ev.SamplesThinned(thinned))

        def tell_that_we_are_alive() -> None:
            if supervision.is_looking:
                self._service.alive()

        return Runtime(
            state=initial_state(self.settings, board, durable, store.head(), boot, seed),
            clock=self._clock,
            queue=queue,
            look_up=look_up,
            commit=commit,
            executor=threads.journal,
            observe=self._observe,
            on_turn=tell_that_we_are_alive,
            turn_at_least_every_s=self._service.period_s,
            written=lambda rows: self._taps.written(rows, self._clock.monotonic_s()),
        )

    def _make_devices(
        self,
        board: Board,
        runtime: Runtime,
        threads: Threads,
        supervisor: Supervisor,
        supervision: Supervision,
    ) -> Devices:
        def is_watched() -> bool:
            return supervision.is_looking

        return Devices(
            board,
            self.settings.reader,
            self._clock,
            runtime.post,
            threads.meters,
            supervision.look_now,
            is_watched,
            supervisor.reason_to_stay_open,
        )

    def _make_services(
        self, board: Board, store: Store, runtime: Runtime, threads: Threads, stack: AsyncExitStack
    ) -> Services:
        environment, settings = self._environment, self.settings
        lists = ListUpdates(
            store,
            runtime,
            runtime.current_state,
            write=threads.write,
            read=threads.read,
            report=threads.report,
            check=threads.check,
        )
        stack.push_async_callback(lists.close)
        connect = environment.connect or connect_websocket
        network = None if board.simulation is None else NetworkSwitch(connect)
        frame_log = FrameLog(lambda: self._clock.now().utc)
        return Services(
            settings=settings,
            clock=self._clock,
            make_id=environment.make_id,
            board=board,
            store=store,
            threads=threads,
            runtime=runtime,
            lists=lists,
            link=make_link(
                settings, environment, store, runtime, threads, frame_log, network or connect
            ),
            network=network,
            frame_log=frame_log,
            parked=ParkedMessages(runtime, store, threads.report),
            taps=self._taps,
            observers=self._observers,
        )

    # --- while it runs ---------------------------------------------------------------------------

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
            await runtime.journal.wait_until_written(GOODBYE_S)
            return self._must_end.result()
        finally:
            self._service.ending(again=self._must_end.done() and self._must_end.result())
            board.make_safe()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=GOODBYE_S)

    async def _poll_meters(self, devices: Devices, runtime: Runtime) -> None:
        poll_s = {settings.id: settings.meter.poll_s for settings in self.settings.connectors}

        def is_busy(connector_id: int) -> bool:
            return runtime.state.connector(connector_id).transaction is not None

        await devices.poll_meters(poll_s, is_busy)

    def _observe(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        for line in event_log.sentences(before, event, after, commands):
            is_warning = isinstance(line, event_log.WarningLine)
            event_logger.log(logging.WARNING if is_warning else logging.INFO, "%s", line)
        self._taps.turned(Turned(before, event, after, commands), self._clock.now())
        for observer in tuple(self._observers):
            observer(event, commands)

    def _restart(self, command: co.Restart) -> None:
        self._end(command.again)

    def _end(self, again: bool) -> None:
        if self._must_end is not None and not self._must_end.done():
            self._must_end.set_result(again)
