"""The rooms of the house, once they are put together: what its other doors may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from agent.config.settings import Settings
from agent.control.parked_messages import ParkedMessages
from agent.core.commands import Command
from agent.core.events import Event
from agent.core.ports import Clock
from agent.core.values import DecisionRecord
from agent.ocpp16.link import CentralSystemLink
from agent.ocpp16.triggered_messages import TriggeredMessages
from agent.ocppj.frame_log import FrameLog
from agent.ocppj.simulated_network import NetworkSwitch
from agent.runtime.local_list_updates import ListUpdates
from agent.runtime.runtime import Runtime
from agent.store import Store
from hw.ports import Board

Observer = Callable[[Event, Sequence[Command]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Nothing of it is touched outside the agent's loop, but for what is immutable or made to be
    read from anywhere."""

    settings: Settings
    clock: Clock
    make_id: Callable[[], str]
    board: Board
    store: Store
    read: Callable[..., Awaitable[Any]]  # runs a function on the thread that reads the store
    runtime: Runtime
    lists: ListUpdates
    link: CentralSystemLink
    network: NetworkSwitch | None  # between a simulated box and its central system
    frame_log: FrameLog
    account: TriggeredMessages
    parked: ParkedMessages
    observers: list[Observer]  # told of every turn
    accounts: dict[str, Callable[[], Any]]  # what else ``status`` tells, by name
    tap: Callable[[str, bool, int | None], Coroutine[Any, Any, DecisionRecord | None]]
