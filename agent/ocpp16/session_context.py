"""What outlives one connection to the central system."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from random import Random

from agent.config.settings import ChargePointSettings
from agent.core.configuration import Configuration
from agent.core.ports import Clock, Inbox
from agent.core.values import QueuedMessage
from agent.ocpp16.dispatch import Handler
from agent.ocpp16.registration import Registration
from agent.ocppj.frame_log import FrameLog
from agent.ocppj.pending_call import SentCalls
from agent.ocppj.websocket import OffLoop, at_once

NextMessage = Callable[[Collection[int]], Awaitable[QueuedMessage | None]]


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What every session of this process works with."""

    charge_point: ChargePointSettings
    inbox: Inbox
    configuration: Callable[[], Configuration]
    next_message: NextMessage
    clock: Clock
    random: Random
    handlers: Mapping[str, Handler]
    registration: Registration
    sent: SentCalls
    off_loop: OffLoop = at_once
    frame_log: FrameLog | None = None
