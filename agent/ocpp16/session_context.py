"""What outlives one connection to the central system."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from random import Random

from agent.config.settings import ChargePointSettings
from agent.core.configuration import Configuration
from agent.core.outbox_row import OutboxRow
from agent.core.ports import Clock, Inbox
from agent.ocppj.frame_log import FrameLog
from agent.ocppj.pending_call import SentCalls
from agent.runtime.executors import OffLoop, at_once

NextMessage = Callable[[Collection[int]], Awaitable[OutboxRow | None]]


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What every session of this process works with."""

    charge_point: ChargePointSettings
    inbox: Inbox
    configuration: Callable[[], Configuration]
    next_message: NextMessage  # the oldest row of the outbox but these; None: there is none
    clock: Clock
    random: Random
    off_loop: OffLoop = at_once  # runs what is slow
    frame_log: FrameLog | None = None  # keeps what was said
    sent: SentCalls = field(default_factory=SentCalls)
