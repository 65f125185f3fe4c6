"""The one task that owns the state: takes the next event, decides, records, acts."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, get_args

from agent.core import charge_point, followers
from agent.core.commands import AfterCommit, Command, Reply, Row, TagReply
from agent.core.events import Event, Heard, LookedUp, Presented, TimePassed
from agent.core.ports import Clock
from agent.core.state import ChargePoint
from agent.core.values import TagRecord
from agent.platform.errors import StoreError
from agent.runtime.event_queue import EventQueue
from agent.runtime.journal import Journal

logger = logging.getLogger(__name__)

FACTS_S = 2.0  # a disk that does not answer must not hold up everything else
# A deadline is passed by this much rather than met: two clocks round differently, and a turn a
# moment too early would be followed by another at once, and so on.
WAIT_MIN_S = 0.001
REQUEST_S = 60.0  # the core answers requests within its own limits; this is the backstop
_ROWS = frozenset(get_args(Row))
_PATIENT = frozenset(get_args(AfterCommit))

Perform = Callable[[Any], None]
Observe = Callable[[ChargePoint, Event, ChargePoint, Sequence[Command]], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    """A request that waits: for its turn, then for its one answer."""

    turned: asyncio.Event
    answer: asyncio.Future[Any]

    def answered(self, answer: Reply | TagReply) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def give_up(self, problem: str) -> None:
        self.turned.set()
        if not self.answer.done():
            self.answer.set_exception(TimeoutError(problem))


class Runtime:
    """Turns events into state, rows and commands; nothing else changes the state.

    ``observe`` is called after every turn with the state before, the event, the state after and the
    commands; ``written`` after every commit with its rows. ``turn_at_least_every_s`` makes it turn
    even when nothing happens, for the watchdog.
    """

    def __init__(
        self,
        state: ChargePoint,
        clock: Clock,
        queue: EventQueue,
        look_up: Callable[[str], Awaitable[TagRecord]],
        commit: Callable[[Sequence[Row]], None],
        executor: Executor,
        observe: Observe,
        on_turn: Callable[[], None] = lambda: None,
        turn_at_least_every_s: float | None = None,
        written: Callable[[Sequence[Row]], None] = lambda rows: None,
    ) -> None:
        self.state = state
        self._clock = clock
        self._look_up = look_up
        self._asked: asyncio.Future[TagRecord] | None = None  # the store, last
        self._performers: Mapping[type[Command], Perform] = {}
        self._observe = observe
        self._on_turn = on_turn
        self._longest_wait_s = turn_at_least_every_s
        self._queue = queue
        self._requests: dict[str, _Request] = {}
        self._request_ids = itertools.count(1)
        self._has_ended = False
        self._loop = asyncio.get_running_loop()
        self.journal = Journal(commit, executor, self._perform_patient, self.post, written)

    def current_state(self) -> ChargePoint:
        """The state after the last turn."""
        return self.state

    # --- the way in --------------------------------------------------------------------------

    def post(self, event: Event) -> None:
        """Hand in an event; never blocks, callable from any thread."""
        is_taken = self._queue.put(event)
        request_id = getattr(event, "request_id", None)
        if not is_taken and request_id is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._give_up, request_id)

    async def request(self, make_event: Callable[[str], Event]) -> str:
        """Post ``make_event(request_id)``, wait for the core's Reply and return its status.

        Raises TimeoutError when the core does not reply in time.
        """
        return (await self.ask(make_event)).status

    async def ask(
        self, make_event: Callable[[str], Event], within_s: float | None = REQUEST_S
    ) -> Reply:
        """Post ``make_event(request_id)`` and return the whole Reply; ``within_s`` None: no limit.

        Raises TimeoutError when the core does not reply in time.
        """
        with self._requested(lambda request_id: self.post(make_event(request_id))) as request:
            async with asyncio.timeout(within_s):
                reply: Reply = await request.answer
                return reply

    async def present_tag(
        self,
        present: Callable[[str], None],
        within_s: float,
        turned: asyncio.Event | None = None,
    ) -> TagReply | None:
        """Let ``present(request_id)`` present a tag, and return what becomes of it.

        None: it was dropped, its time is over, or the runtime ends before it is decided on; or
        ``present`` raises TimeoutError, since it is not handed in.
        ``turned`` is set when the core has seen the tag, or never will.
        """
        try:
            with self._requested(present, turned) as request:
                async with asyncio.timeout(within_s):
                    reply: TagReply = await request.answer
                    return reply
        except TimeoutError:
            return None

    @contextmanager
    def _requested(
        self, send: Callable[[str], None], turned: asyncio.Event | None = None
    ) -> Iterator[_Request]:
        request_id = f"r{next(self._request_ids)}"
        request = _Request(turned or asyncio.Event(), self._loop.create_future())
        self._requests[request_id] = request
        try:
            send(request_id)
            if self._has_ended:
                request.give_up("the agent is ending")
            yield request
        finally:
            del self._requests[request_id]

    # --- the loop ----------------------------------------------------------------------------

    async def run(self, performers: Mapping[type[Command], Perform]) -> None:
        """Take events until cancelled. An error in here is a mistake in the program: it ends.

        ``performers``: who performs which kind of command.
        """
        self._performers = {**performers, Reply: self._answer, TagReply: self._answer}
        journal = asyncio.create_task(self.journal.run())
        journal.add_done_callback(lambda _: self.post(TimePassed()))  # its end is noticed at once
        try:
            while not journal.done():
                event = await self._queue.get(self._seconds_to_wait())
                await self.turn(TimePassed() if event is None else event)
            await journal
        finally:
            journal.cancel()
            if self._asked is not None:
                self._asked.cancel()
            self._has_ended = True
            for request in self._requests.values():
                request.give_up("the agent is ending")

    async def turn(self, event: Event) -> None:
        """Decide about one event; open at once, record, and let everything else follow."""
        ready = await self._looked_up(event) if isinstance(event, Presented | Heard) else event
        before = self.state
        self.state, commands = charge_point.handle(before, ready, self._clock.now())
        rows: list[Row] = []
        patient: list[AfterCommit] = []
        for command in commands:
            kind = type(command)
            if kind in _ROWS:
                rows.append(command)  # type: ignore[arg-type]
            elif kind in _PATIENT:
                patient.append(command)  # type: ignore[arg-type]
            else:  # opening waits for nothing, nor does what people see and hear
                self._performers[kind](command)
        self.journal.submit(rows, patient)
        self._observe(before, event, self.state, commands)
        self._on_turn()
        request_id = getattr(event, "request_id", None)
        if request_id in self._requests:
            self._requests[request_id].turned.set()

    def _seconds_to_wait(self) -> float | None:
        now = self._clock.now()
        deadline_s = followers.next_deadline_s(self.state, now)
        if deadline_s is None:
            return self._longest_wait_s
        wait_s = max(WAIT_MIN_S, deadline_s - now.monotonic_s)
        return wait_s if self._longest_wait_s is None else min(wait_s, self._longest_wait_s)

    async def _looked_up(self, event: Presented | Heard) -> LookedUp:
        """The core does no I/O: what the store knows about a tag is looked up before.

        While the store owes an answer it is not waited for again: a disk that hangs holds up what
        is behind this once, and not once for each tag.
        """
        if event.id_tag is None:
            return LookedUp(event, None)
        try:
            if self._asked is not None and not self._asked.done():
                raise TimeoutError
            async with asyncio.timeout(FACTS_S):
                self._asked = asyncio.ensure_future(self._look_up(event.id_tag))
                return LookedUp(event, await asyncio.shield(self._asked))
        except (StoreError, TimeoutError) as error:
            problem = str(error) or f"the store did not answer within {FACTS_S:g} s"
            logger.warning("a card cannot be looked up: %s", problem)
            return LookedUp(event, None, problem)

    def _perform_patient(self, order: AfterCommit) -> None:
        """Closing waits for the journal, and is forgotten if it is not wanted any more."""
        if charge_point.still_wanted(self.state, order):
            self._performers[type(order)](order)

    def _answer(self, answer: Reply | TagReply) -> None:
        request = self._requests.get(answer.request_id)
        if request is not None:
            request.answered(answer)

    def _give_up(self, request_id: str) -> None:
        request = self._requests.get(request_id)
        if request is not None:
            request.give_up("too much is happening at once")
