"""Makes support bundles inside the running agent, for the control socket and for uploads."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agent.config.settings import Settings
from agent.control.server import Action
from agent.core.configuration import Configuration
from agent.core.ports import Clock
from agent.maintenance.machine import LogRing, journal_excerpt
from agent.maintenance.support_bundle import ALWAYS, LiveSources, Sources, Window, collect, pack
from agent.ocppj.frame_log import FrameLog
from agent.platform.errors import ControlError
from agent.runtime.executors import OffLoop

MADE_WITHIN_S = 120.0  # then what is still being read is left out
PIECE_BYTES = 96 * 1024
_LOOK_AGAIN_S = 0.3


logger = logging.getLogger(__name__)


class BundleService:
    """One bundle at a time; each is made on a thread of its own kind."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        status: Action,
        configuration: Callable[[], Configuration],
        log: LogRing,
        frames: FrameLog,
        work: OffLoop,
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        """``work`` runs a slow function elsewhere; ``settle`` writes the journal up to now."""
        self._settings = settings
        self._clock = clock
        self._status = status
        self._configuration = configuration
        self._log = log
        self._frames = frames
        self._work = work
        self._settle = settle
        self._one_bundle = asyncio.Lock()
        self._making: asyncio.Task[bytes] | None = None
        self._step = ("waiting", 0, 1)

    async def make(self, window: Window = ALWAYS) -> bytes:
        """The archive as it may leave this box. Raises AgentError when the agent is ending."""
        async with self._one_bundle:
            sources = await self._sources(window)
            packed: bytes = await self._work(self._make, sources)
            return packed

    def by_name(self) -> Mapping[str, Action]:
        """What the command ``support-bundle`` asks for."""
        return {"bundle": self._do}

    def close(self) -> None:
        """Give up the bundle: its requester has left."""
        if self._making is not None:
            self._making.cancel()

    # --- making --------------------------------------------------------------------------------

    async def _sources(self, window: Window) -> Sources:
        await self._settle()  # the cards that the log speaks of are known then
        now = self._clock.now()
        give_up_s = now.monotonic_s + MADE_WITHIN_S
        frames = [
            (frame.at, f"{'>' if frame.sent_by_us else '<'} {frame.message}")
            for frame in self._frames.frames()
        ]
        return Sources(
            settings=self._settings,
            storage=self._settings.storage_path,
            made_at=now.utc,
            made_by="the running agent",
            live=LiveSources(
                await self._status({}),
                dict(self._configuration().values),
                self._log.lines(),
                frames,
            ),
            window=window,
            journal=journal_excerpt,
            must_stop=lambda: self._clock.monotonic_s() >= give_up_s,
        )

    def _make(self, sources: Sources) -> bytes:
        parts = collect(sources, self._note_step)
        self._note_step("packing", 1, 1)
        return pack(parts, sources.made_at)

    def _note_step(self, what: str, done: int, total: int) -> None:
        self._step = (what, done, total)  # one value, read by the loop whenever it likes

    # --- the control socket --------------------------------------------------------------------

    async def _do(self, request: Mapping[str, Any]) -> dict[str, Any]:
        match request.get("order"):
            case "begin":
                return self._begin()
            case "look":
                return await self._look()
            case "read":
                return self._read(request.get("offset"))
            case other:
                raise ControlError(f"a bundle cannot be {other!r}")

    def _begin(self) -> dict[str, Any]:
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self.make(), name="support bundle")
        return {}

    async def _look(self) -> dict[str, Any]:
        """How far it has come; waits a moment, so that the caller need not poll."""
        if self._making is None:
            raise ControlError("no bundle is being made")
        await asyncio.wait([self._making], timeout=_LOOK_AGAIN_S)
        what, done, total = self._step
        size = len(self._made()) if self._making.done() else None
        return {"step": what, "done": done, "total": total, "size": size}

    def _read(self, offset: Any) -> dict[str, Any]:
        if self._making is None or not self._making.done():
            raise ControlError("the bundle is not ready")
        packed = self._made()
        if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset < len(packed):
            raise ControlError("offset must be within the bundle")
        piece = packed[offset : offset + PIECE_BYTES]
        if offset + len(piece) >= len(packed):
            self._making = None  # read to its end: it need not stay in memory
        return {"piece": base64.b64encode(piece).decode("ascii")}

    def _made(self) -> bytes:
        assert self._making is not None
        if self._making.cancelled():
            raise ControlError("the agent is ending")
        problem = self._making.exception()
        if problem is not None:
            logger.error("A support bundle could not be made", exc_info=problem)
            self._making = None
            raise ControlError("the bundle could not be made; see the agent's log")
        return self._making.result()
