"""One connection to the central system: frames out, frames in, and pings while it is quiet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.core.ports import Clock
from agent.ocppj.frame_log import FrameLog
from agent.ocppj.frames import LARGE_FRAME, BadCall, BadFrame, Frame, log_frame
from agent.ocppj.send_queue import wait_at_most
from agent.ocppj.websocket import WebSocket
from agent.platform.errors import LinkError
from agent.runtime.executors import OffLoop

_DAY_S = 86_400.0
_SEND_TIMEOUT_S = 10.0
_PONG_TIMEOUT_S = 10.0
_BAD_IN_A_ROW_MAX = 100
_POLICY_VIOLATION = 1008

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pong:
    """A ping was answered."""

    at: datetime
    took_s: float


class Connection:
    """Every wait has a limit: what fails raises LinkError with the reason."""

    def __init__(
        self,
        websocket: WebSocket,
        parse: Callable[[str | bytes], Frame],
        off_loop: OffLoop,
        frame_log: FrameLog | None,
        ping_interval_s: Callable[[], int],
        clock: Clock,
    ) -> None:
        """``off_loop`` runs what is slow with a large frame; ``ping_interval_s`` 0: no pings."""
        self._websocket = websocket
        self._parse = parse
        self._off_loop = off_loop
        self._frame_log = frame_log
        self._ping_interval_s = ping_interval_s
        self._clock = clock
        self._interval_changed = asyncio.Event()
        self._bad_in_a_row = 0
        self.last_pong: Pong | None = None

    async def send(self, text: str) -> None:
        """Write one frame."""
        self._log("sent", text)
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await self._websocket.send(text)
        except TimeoutError:
            raise LinkError(f"nothing could be sent for {_SEND_TIMEOUT_S:.0f} s") from None

    async def read(self, take: Callable[[Frame], None]) -> None:
        """Hand over one frame after the other, for ever."""
        while True:
            data = await self._websocket.receive()
            self._log("received", data)
            is_large = len(data) > LARGE_FRAME
            frame = await self._off_loop(self._parse, data) if is_large else self._parse(data)
            take(frame)
            await self._count_bad(frame)

    async def _count_bad(self, frame: Frame) -> None:
        if not isinstance(frame, BadFrame | BadCall):
            self._bad_in_a_row = 0
            return
        self._bad_in_a_row += 1
        if self._bad_in_a_row in (1, 10):
            problem = frame.problem if isinstance(frame, BadFrame) else frame.description
            logger.warning("A bad message came (%d in a row): %s", self._bad_in_a_row, problem)
        if self._bad_in_a_row > _BAD_IN_A_ROW_MAX:
            await self._websocket.close(_POLICY_VIOLATION, "too many bad messages")
            raise LinkError(f"the central system sent {self._bad_in_a_row} bad messages in a row")

    def _log(self, direction: str, data: str | bytes) -> None:
        log_frame(direction, data)
        if self._frame_log is not None:
            self._frame_log.note(direction, data)

    def configuration_changed(self) -> None:
        """Let the pings follow their interval at once."""
        self._interval_changed.set()

    async def ping(self) -> None:
        """Ping in the interval, for ever."""
        now_s = asyncio.get_running_loop().time
        while True:
            timeout_s = min(float(await self._ping_is_due()), _PONG_TIMEOUT_S)
            begun_s = now_s()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._websocket.ping()
            except TimeoutError:
                raise LinkError(f"no answer to a ping within {timeout_s:.0f} s") from None
            self.last_pong = Pong(self._clock.now().utc, now_s() - begun_s)

    async def _ping_is_due(self) -> int:
        """Wait for an interval and return it; a change of its own key begins it anew, no other."""
        now_s = asyncio.get_running_loop().time
        interval_s, begun_s = 0, 0.0
        while True:
            wanted_s = self._ping_interval_s()
            if wanted_s != interval_s:
                interval_s, begun_s = wanted_s, now_s()
            self._interval_changed.clear()
            left_s = begun_s + interval_s - now_s() if interval_s else _DAY_S
            if not await wait_at_most(self._interval_changed, left_s) and interval_s:
                return interval_s
