"""Commands run one at a time per connector, in the order in which they came."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from agent.api.errors import unavailable
from agent.api.results import CommandOutcome, CommandStatus, QueuedCommand, Results, failed
from agent.platform.errors import AgentError

logger = logging.getLogger(__name__)

LANE_MAX = 20  # commands that wait at one connector
UNFINISHED_MAX = 150  # in all; fewer than results.KEPT_MAX
ANYWHERE = 0  # the lane of commands that concern no connector


class Progress:
    """With what a running command says how far it is."""

    def __init__(self, results: Results, command: QueuedCommand) -> None:
        self._results = results
        self._command = command
        self.is_deferred = asyncio.Event()

    def defer(self, detail: str) -> None:
        """It waits for something outside: the others at the connector go on meanwhile."""
        self._results.change(self._command, CommandStatus.DEFERRED, detail)
        self.is_deferred.set()


Run = Callable[[Progress], Awaitable[CommandOutcome]]


@dataclass(slots=True)
class _Entry:
    command: QueuedCommand
    run: Run


class CommandQueue:
    """The lanes: one per connector, and one for everything else."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._lanes: dict[int, deque[_Entry]] = {}
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def unfinished(self) -> int:
        """How many commands wait or run."""
        return sum(len(lane) for lane in self._lanes.values()) + len(self._running)

    def submit(self, lane: int, event_type: str, run: Run) -> QueuedCommand:
        """Queue a command. Raises Refused (503) when too many wait already."""
        waiting = self._lanes.setdefault(lane, deque())
        if len(waiting) >= LANE_MAX or self.unfinished >= UNFINISHED_MAX:
            raise unavailable("queue_full", "Too many commands wait already.")
        command = self.results.begin(event_type)
        waiting.append(_Entry(command, run))
        if lane not in self._workers:
            self._workers[lane] = asyncio.create_task(self._work(lane))
        return command

    async def quiet(self, lanes: Iterable[int], within_s: float) -> None:
        """Let the commands before this one be done, for a short time at most."""
        workers = [worker for lane in lanes if (worker := self._workers.get(lane)) is not None]
        if workers:
            await asyncio.wait(workers, timeout=within_s)

    async def close(self) -> None:
        """Give up what waits and runs."""
        tasks = [*self._workers.values(), *self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, lane: int) -> None:
        waiting = self._lanes[lane]
        try:
            while waiting:
                entry = waiting[0]
                progress = Progress(self.results, entry.command)
                task = asyncio.create_task(self._run(entry, progress))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
                waiting.popleft()
                await _first_of(task, progress.is_deferred)
        finally:
            del self._workers[lane]

    async def _run(self, entry: _Entry, progress: Progress) -> None:
        try:
            outcome = await entry.run(progress)
        except TimeoutError:
            outcome = failed("The charge point did not decide in time.")
        except (AgentError, ValueError) as problem:
            outcome = failed(str(problem))
        except Exception:
            logger.exception("the command %s failed", entry.command.event_type)
            outcome = failed("It failed inside the agent; see its log.")
        self.results.change(entry.command, outcome.status, outcome.detail, outcome.result)


async def _first_of(task: asyncio.Task[None], event: asyncio.Event) -> None:
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
