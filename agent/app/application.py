"""The composition root: puts the agent together, and takes it apart again.

Outputs are safe before this is even imported (``agent.app.daemon``); they open first at the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from agent.app.environment import Environment
from agent.app.initial_state import agree_on_boot, initial_state, resume_registers
from agent.app.maintenance import Maintenance
from agent.config.settings import Settings
from agent.control import event_log
from agent.control.actions import ControlActions
from agent.control.local_list import ListActions
from agent.control.parked_messages import ParkedMessages
from agent.control.server import Action, ControlServer, socket_path
from agent.control.services import Observer, Services
from agent.core import commands as co
from agent.core import events as ev
from agent.core.commands import Command
from agent.core.events import Event
from agent.core.state import ChargePoint
from agent.core.values import Instant
from agent.maintenance.self_test_actions import SelfTestActions
from agent.ocpp16.handlers.local_auth import local_auth_handlers
from agent.ocpp16.handlers.remote_trigger import remote_trigger_handlers
from agent.ocpp16.handlers.reservation import reservation_handlers
from agent.ocpp16.handlers.smart_charging import smart_charging_handlers
from agent.ocpp16.link import CentralSystemLink
from agent.ocpp16.triggered_messages import TriggeredMessages
from agent.ocpp16.version import connect_websocket
from agent.ocppj.frame_log import FrameLog
from agent.ocppj.simulated_network import NetworkSwitch
from agent.ocppj.websocket import OffLoop
from agent.ocppj.websocket import OpenWebSocket as Connect
from agent.platform.systemd import ServiceManager
from agent.runtime.devices import Devices
from agent.runtime.executors import Threads
from agent.runtime.local_list_updates import ListUpdates
from agent.runtime.next_message import OutgoingMessages
from agent.runtime.runtime import Runtime
from agent.runtime.supervision import SupervisionThread, Supervisor
from agent.runtime.supervision_loop import SupervisionTimer
from agent.store import Durable, Store
from hw.board import open_board
from hw.ports import Board

if TYPE_CHECKING:
    from agent.api.server import ApiServer

logger = logging.getLogger(__name__)
diary_logger = logging.getLogger("agent.control.event_log")

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
        self._world = world or Environment()
        clock = self._world.clock
        self._service = service or ServiceManager(lambda: clock.now().monotonic_s)
        self._observers: list[Observer] = []
        self._must_end: asyncio.Future[bool] | None = None
        # Set while it runs: who owns the state, the parts, and what the control socket can do.
        self.runtime: Runtime | None = None
        self.board: Board | None = None
        self.actions: Mapping[str, Action] = {}
        self._supervision: SupervisionThread | SupervisionTimer | None = None
        self._frame_log = FrameLog(lambda: clock.now().utc)
        self._network: NetworkSwitch | None = None
        self.api: ApiServer | None = None
        self.services: Services | None = None

    async def run(self) -> bool:
        """Run until told to end; True: start again (Reset). Raises AgentError or BoardError."""
        self._must_end = asyncio.get_running_loop().create_future()
        async with AsyncExitStack() as stack:
            board = self._world.board or self._open_board()
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

    # --- putting together ----------------------------------------------------------------------

    def _open_board(self) -> Board:
        return open_board(
            self.settings.board,
            lambda: self._world.clock.now().monotonic_s,
            pin_factory=self._world.pin_factory,
            simulate=self._simulate,
        )

    async def _run_with(self, board: Board, stack: AsyncExitStack) -> bool:
        """Open the store, put the parts together, and run them."""
        now = self._world.clock.now()
        self.board = board
        threads = Threads(self._world.make_executor, stack)
        store = self._open_store(now, threads, stack)
        ending = store.ending(self._world.boot_id)
        durable = store.load()
        resume_registers(board, durable)
        runtime = self._make_runtime(board, store, durable, threads)
        supervisor = Supervisor(board, runtime.post)
        supervision = self._supervise(board, supervisor)
        devices = self._make_devices(board, runtime, threads, supervision, supervisor)
        services = self.services = self._put_together(board, store, runtime, threads, stack)
        maintenance = Maintenance(services, self.actions, threads, self._world, stack)
        self_test = SelfTestActions(services, supervisor, supervision, threads)
        self.actions = {**maintenance.actions, **self_test.by_name()}
        runtime.use({**devices.performers, co.Restart: self._restart})
        runtime.use(dict.fromkeys(LINK_ORDERS, services.link.perform))

        supervisor.first_look(now.monotonic_s)
        runtime.post(ev.Started(tuple(durable.open_transactions), store.quarantined, ending))
        await self._open_control_socket(stack)
        tasks = [
            asyncio.create_task(runtime.run(), name="runtime"),
            asyncio.create_task(services.link.run(), name="link"),
            asyncio.create_task(self._poll_meters(devices, runtime), name="meters"),
            *self._join_bus(services),
            *maintenance.tasks(),
        ]
        supervision.start()
        stack.callback(supervision.shut_down)
        devices.start()
        self._service.ready()
        self._serve_api(services, stack)
        return await self._until_the_end(tasks, runtime, board)

    def _put_together(
        self,
        board: Board,
        store: Store,
        runtime: Runtime,
        threads: Threads,
        stack: AsyncExitStack,
    ) -> Services:
        """Make what stands around the runtime."""

        def state() -> ChargePoint:
            return runtime.state

        clock, read = self._world.clock, threads.read
        lists = ListUpdates(
            store, runtime, state, write=threads.write, read=read, check=threads.check
        )
        stack.push_async_callback(lists.close)
        link = self._make_link(runtime, store, lists, threads)
        account = TriggeredMessages(self.settings.charge_point, state, clock.now)
        link.answer_with(remote_trigger_handlers(link, account, state))
        link.answer_with(smart_charging_handlers(runtime, state, clock.now, threads.check))
        link.answer_with(reservation_handlers(runtime, state))
        window = ControlActions(runtime, link, clock, board.simulation, store, read)
        window.network = self._network
        parked = ParkedMessages(runtime, store, read)
        self.actions = {
            **window.by_name(),
            **ListActions(lists, state, self.settings).by_name(),
            **parked.by_name(),
        }
        return Services(
            settings=self.settings,
            clock=clock,
            make_id=self._world.make_id,
            board=board,
            store=store,
            read=read,
            runtime=runtime,
            lists=lists,
            link=link,
            network=self._network,
            frame_log=self._frame_log,
            account=account,
            parked=parked,
            observers=self._observers,
            tap=window.tap,
            accounts=window.accounts,
        )

    def _open_store(self, now: Instant, threads: Threads, stack: AsyncExitStack) -> Store:
        store = Store.open(
            self.settings.storage_path,
            now=now.utc,
            make_id=self._world.make_id,
            queue_bytes_max=self.settings.storage.queue_max_mb * 1_000_000,
        )
        stack.push_async_callback(threads.close_store, store.close)
        return store

    def _make_runtime(
        self, board: Board, store: Store, durable: Durable, threads: Threads
    ) -> Runtime:
        clock = self._world.clock
        boot = agree_on_boot(store, clock, self._world.boot_id)

        def commit(rows: Sequence[co.Row]) -> None:
            store.commit(rows, clock.now().utc)
            if (thinned := store.take_thinned()) and self.runtime is not None:
                self.runtime.post(ev.SamplesThinned(thinned))

        self.runtime = Runtime(
            state=initial_state(self.settings, board, durable, store.head(), boot),
            clock=clock,
            facts=lambda id_tag: threads.read(store.facts, id_tag),
            commit=commit,
            executor=threads.journal,
            observe=self._observe,
            on_turn=self._tell_that_we_are_alive,
            turn_at_least_every_s=self._service.period_s,
        )
        return self.runtime

    def _tell_that_we_are_alive(self) -> None:
        """Only while the runtime turns and the reflex looks."""
        if self._supervision is not None and self._supervision.is_looking:
            self._service.alive()

    def _make_devices(
        self,
        board: Board,
        runtime: Runtime,
        threads: Threads,
        supervision: SupervisionThread | SupervisionTimer,
        supervisor: Supervisor,
    ) -> Devices:
        return Devices(
            board,
            self.settings.reader,
            self._world.clock,
            runtime.post,
            threads.meters,
            supervision.look_now,
            lambda: supervision.is_looking,
            supervisor.reason_to_stay_open,
        )

    def _join_bus(self, services: Services) -> list[asyncio.Task[None]]:
        """Talk to the other services of the station, if wanted."""
        if not self.settings.mqtt.enabled:
            return []
        # Imported here: not needed when it is off.
        from agent.mqtt.client import MqttClient

        bus = MqttClient(
            services, self._world.random, self._world.make_id, self._world.connect_broker
        )
        services.accounts["bus"] = bus.as_data
        return [asyncio.create_task(bus.run(), name="bus")]

    def _serve_api(self, services: Services, stack: AsyncExitStack) -> None:
        """Begin to serve the control API, if wanted; its own thread holds up nobody."""
        if not self.settings.api.enabled:
            return
        # Imported here: not needed when it is off. The framework comes later still, in the thread.
        from agent.api.agent_bridge import AgentBridge
        from agent.api.server import ApiServer

        bridge = AgentBridge(services)
        stack.callback(bridge.shut_down)
        self.api = ApiServer(bridge, self._world.api_limits)
        self.api.start()
        stack.push_async_callback(self.api.close)

    async def _open_control_socket(self, stack: AsyncExitStack) -> None:
        path = self._world.control_path or socket_path(self.settings.storage_path)
        control = ControlServer(path, self.actions)
        await control.start()
        stack.push_async_callback(control.close)

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
            self._service.ending(again=self._must_end.done() and self._must_end.result())
            board.make_safe()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=GOODBYE_S)

    def _supervise(
        self, board: Board, supervisor: Supervisor
    ) -> SupervisionThread | SupervisionTimer:
        def now_s() -> float:
            return self._world.clock.now().monotonic_s

        if board.is_polled:
            self._supervision = SupervisionThread(supervisor, now_s)
            return self._supervision
        assert board.simulation is not None
        timer = self._supervision = SupervisionTimer(supervisor, now_s)
        board.simulation.subscribe(timer.look_now)
        return timer

    def _make_link(
        self, runtime: Runtime, store: Store, lists: ListUpdates, threads: Threads
    ) -> CentralSystemLink:
        off_loop: OffLoop = threads.check
        return CentralSystemLink(
            self.settings.central_system,
            self.settings.charge_point,
            inbox=runtime,
            configuration=lambda: runtime.state.configuration,
            next_message=OutgoingMessages(store, runtime.journal, threads.read).next,
            clock=self._world.clock,
            random=self._world.random,
            connect=self._connect(),
            more_handlers=local_auth_handlers(lists, lambda: runtime.state, off_loop),
            off_loop=off_loop,
            frame_log=self._frame_log,
            approaches=lambda: runtime.state.approaches,
        )

    def _connect(self) -> Connect:
        """To the central system; on simulated hardware through a switch that can be cut."""
        connect: Connect = self._world.connect or connect_websocket
        if self.board is None or self.board.simulation is None:
            return connect
        self._network = NetworkSwitch(connect)
        return self._network

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
        for line in event_log.sentences(before, event, after, commands):
            is_concern = isinstance(line, event_log.WarningLine)
            diary_logger.log(logging.WARNING if is_concern else logging.INFO, "%s", line)
        for observer in tuple(self._observers):
            observer(event, commands)

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
