"""What the application takes from outside, so that a simulation can own all of it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

from agent.core.ports import Clock
from agent.ocppj.websocket import OpenWebSocket as Connect
from agent.runtime.clock import SystemClock, this_boot_id
from hw.ports import Board

if TYPE_CHECKING:
    from agent.api.limits import RequestLimits
    from agent.maintenance.firmware_install import RunCommand
    from agent.maintenance.transfer.file_transfer import Transfers
    from agent.mqtt.kept_connection import Connect as ConnectBroker


def _threads(name: str) -> Executor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)


def _free_bytes(folder: Path) -> int | None:
    """What is free on the disk of this folder; None: it does not say."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


@dataclass
class Environment:
    """Clocks, chance, threads, lines and parts; the defaults are the real ones."""

    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=SystemRandom)
    make_id: Callable[[], str] = lambda: str(uuid.uuid4())
    make_executor: Callable[[str], Executor] = _threads
    connect: Connect | None = None  # None: a websocket
    board: Board | None = None  # None: opened by the application, as the settings say
    pin_factory: Any = None  # None: the board's own
    control_path: Path | None = None  # None: see control.socket_path
    boot_id: str = field(default_factory=this_boot_id)  # another one: the machine was off meanwhile
    api_limits: RequestLimits | None = None  # None: those of the control API itself
    connect_broker: ConnectBroker | None = None  # None: MQTT
    transfers: Transfers | None = None  # None: over the network
    run_command: RunCommand | None = None  # None: as a process (firmware)
    free_bytes: Callable[[Path], int | None] = _free_bytes
