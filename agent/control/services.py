"""What the agent consists of, once it is put together: for its interfaces and its maintenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.config.settings import Settings
from agent.control.parked_messages import ParkedMessages
from agent.control.taps import Taps
from agent.core.commands import Command
from agent.core.events import Event
from agent.core.ports import Clock
from agent.ocpp16.link import CentralSystemLink
from agent.ocppj.frame_log import FrameLog
from agent.ocppj.simulated_network import NetworkSwitch
from agent.runtime.executors import Threads
from agent.runtime.journal import FRESH_S
from agent.runtime.local_list_updates import ListUpdates
from agent.runtime.runtime import Runtime
from agent.store import Store
from hw.ports import Board

Observer = Callable[[Event, Sequence[Command]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """For the agent's loop only, but for what is immutable or made to be read from anywhere."""

    settings: Settings
    clock: Clock
    make_id: Callable[[], str]
    board: Board
    store: Store
    threads: Threads
    runtime: Runtime
    lists: ListUpdates
    link: CentralSystemLink
    network: NetworkSwitch | None  # between a simulated box and its central system
    frame_log: FrameLog
    parked: ParkedMessages
    taps: Taps
    observers: list[Observer]  # called after every turn

    async def settle(self) -> None:
        """Let the journal write what it was given so far, if that takes no longer than FRESH_S."""
        await self.runtime.journal.wait_until_written(FRESH_S)

    async def report(self, read: Callable[..., Any], *arguments: Any) -> Any:
        """Call a report of the store once that is written."""
        await self.settle()
        return await self.threads.report(read, *arguments)
