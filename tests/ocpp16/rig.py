"""A link in virtual time between a fake central system and a fake runtime."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.certificates import TrustedRoots
from agent.core.commands import ApplyConfiguration, DeliverNext
from agent.core.configuration import Configuration, configuration
from agent.core.connection_profile import ConnectionProfiles, LinkOpened
from agent.core.events import Event, LinkAccepted
from agent.core.outbox_row import QueuedMessage
from agent.core.values import (
    ConnectorMeasured,
    SampledValue,
    StopReason,
    TransactionBegan,
    TransactionEnded,
    TransactionMessage,
)
from agent.ocpp16.dispatch import Handler
from agent.ocpp16.handlers.core import core_handlers
from agent.ocpp16.link import CentralSystemLink
from agent.ocpp16.session_context import SessionContext
from agent.ocppj.frame_log import FrameLog
from agent.ocppj.websocket import OpenWebSocket
from agent.platform.errors import AgentError
from tests.emulators.central_system import FakeCentralSystem
from tests.emulators.virtual_clock import NOON, VirtualClock

TAG = "044943121F1A80"
Kind = TypeVar("Kind")


class FakeInbox:
    """Keeps what is posted; answers requests with ``reply``, which may be an exception."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.opened: list[LinkOpened] = []
        self.at_s: list[float] = []
        self.requests: list[Event] = []
        self.reply: str | BaseException = "Accepted"
        self.reply_after_s = 0.0
        self._arrived = asyncio.Condition()
        self._notices: set[asyncio.Task[None]] = set()

    def post(self, event: Event) -> None:
        if isinstance(event, LinkOpened):  # of every connection: those who care look for it
            self.opened.append(event)
            return
        self.events.append(event)
        self.at_s.append(asyncio.get_running_loop().time())
        task = asyncio.ensure_future(self._notify())
        self._notices.add(task)
        task.add_done_callback(self._notices.discard)

    async def request(self, make_event: Callable[[str], Event]) -> str:
        self.requests.append(make_event(f"request-{len(self.requests) + 1}"))
        await asyncio.sleep(self.reply_after_s)
        if isinstance(self.reply, BaseException):
            raise self.reply
        return self.reply

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    async def posted(self, kind: type[Kind], count: int = 1) -> Kind:
        """Wait for the ``count``-th event of this kind."""
        async with asyncio.timeout(7200), self._arrived:
            await self._arrived.wait_for(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    async def _notify(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()


def row(
    sequence: int, message: TransactionMessage, *, transaction_id: int | None = None
) -> QueuedMessage:
    return QueuedMessage(
        sequence=sequence,
        unique_id=f"row-{sequence}",
        transaction_ref=7,
        message=message,
        attempts=0,
        transaction_id=transaction_id,
    )


START = TransactionBegan(connector_id=1, id_tag=TAG, meter_start_wh=1234, begun_at=NOON)
SAMPLE = ConnectorMeasured(
    connector_id=1,
    sampled_at=NOON,
    values=(SampledValue("1500", "Energy.Active.Import.Register", "Wh"),),
)
STOP = TransactionEnded(meter_stop_wh=2000, ended_at=NOON, reason=StopReason.LOCAL, id_tag=TAG)


@dataclass
class Rig:
    """The link, and everything around it that a test may look at or turn."""

    system: FakeCentralSystem
    inbox: FakeInbox = field(default_factory=FakeInbox)
    clock: VirtualClock = field(default_factory=VirtualClock)
    outbox: deque[QueuedMessage | AgentError] = field(default_factory=deque)
    keys: Configuration = field(default_factory=lambda: configuration(2, {}, {}))
    settings: CentralSystemSettings = field(
        default_factory=lambda: CentralSystemSettings(url="ws://cs.example.net/ocpp")
    )
    charge_point: ChargePointSettings = field(
        default_factory=lambda: ChargePointSettings(identity="CP7", serial_number="SN1")
    )
    seed: int = 1
    lookup_s: float = 0.0  # how long the outbox takes to look up a row
    frame_log: FrameLog | None = None
    known: ConnectionProfiles | None = None  # None: as the settings say
    handlers: dict[str, Handler] = field(default_factory=dict)  # beyond the core profile
    roots: tuple[TrustedRoots, ...] = (TrustedRoots(),)

    def __post_init__(self) -> None:
        self.link = self.make_link(self.system.connect)

    def make_link(self, connect: OpenWebSocket) -> CentralSystemLink:
        return CentralSystemLink(
            self.settings,
            SessionContext(
                charge_point=self.charge_point,
                inbox=self.inbox,
                configuration=lambda: self.keys,
                next_message=self.next_message,
                clock=self.clock,
                random=random.Random(self.seed),
                frame_log=self.frame_log,
            ),
            connect=connect,
            profiles=None if self.known is None else self._ways,
            roots=lambda: self.roots,
        )

    def _ways(self) -> ConnectionProfiles:
        assert self.known is not None
        return self.known

    async def next_message(self, passed_over: Collection[int]) -> QueuedMessage | None:
        await asyncio.sleep(self.lookup_s)
        if self.outbox and isinstance(self.outbox[0], AgentError):
            raise self.outbox.popleft()
        return self.outbox[0] if self.outbox else None

    def deliver(self, *rows: QueuedMessage) -> None:
        """Put rows into the outbox and order the oldest to be sent."""
        self.outbox.extend(rows)
        self.link.perform(DeliverNext(up_to=9))

    def set_key(self, name: str, value: str) -> None:
        self.keys = self.keys.with_value(name, value)
        self.link.perform(ApplyConfiguration(name, value))


@contextlib.asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    """The link runs while the block does."""
    task = asyncio.ensure_future(
        rig.link.run({**core_handlers(rig.inbox, lambda: rig.keys), **rig.handlers})
    )
    try:
        yield rig
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def accepted(rig: Rig | None = None) -> AsyncIterator[Rig]:
    """The link runs and has been accepted."""
    async with running(rig or Rig(FakeCentralSystem())) as started:
        await started.inbox.posted(LinkAccepted)
        yield started
