"""Updates of the local authorization list: one at a time, checked and staged off the loop.

Every change of the list goes through here: SendLocalList, the control socket, the command line.
The entries go into the store piece by piece, beside the list that is in use; then the core is asked
whether they count (``ListStaged``), and from then on all of them do, or none ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.config.settings import Settings
from agent.core import local_list
from agent.core.events import ListStaged
from agent.core.local_list import ListDecision
from agent.core.ports import Inbox
from agent.core.state import ChargePoint
from agent.core.values import (
    IdTagInfo,
    ListEntry,
    ListOrigin,
    ListOwner,
    ListStatus,
    ListUpdate,
    ListUpdateKind,
    LocalList,
    TagRecord,
)
from agent.platform.errors import StoreError
from agent.runtime.executors import OffLoop
from agent.store.local_list import AT_ONCE_MAX, ListStaging

logger = logging.getLogger(__name__)

WAITING_MAX = 4
CLOSE_S = 2.0  # a piece that is being written is waited for at most this long


class ListStore(Protocol):
    """What is needed of ``agent.store.Store``."""

    def begin_list(self, *, is_full: bool) -> ListStaging: ...
    def stage_list(self, staging: ListStaging, entries: Sequence[ListEntry]) -> None: ...
    def tidying(self, staging: ListStaging | None = None) -> Iterator[None]: ...
    def local_list(self) -> LocalList: ...
    def facts(self, id_tag: str) -> TagRecord: ...
    def name_tag(self, id_tag: str, name: str) -> None: ...
    def tag_names(self, tags: Sequence[str]) -> dict[str, str]: ...
    def list_page(self, after: str, offset: int, limit: int) -> list[tuple[str, IdTagInfo]]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an update."""

    status: ListStatus
    list_version: int  # VERSION_MISMATCH: the stored one; else as OCPP tells it, 0 when empty
    entries: int  # on the list now
    entries_received: int = 0  # 0 unless accepted
    entries_deleted: int = 0  # that a CLEAR has removed
    detail: str = ""  # why it was not accepted; names no whole idTag

    @property
    def is_accepted(self) -> bool:
        """True when the whole update counts; else nothing of it does."""
        return self.status is ListStatus.ACCEPTED


def owner_of(settings: Settings, *, is_simulated: bool) -> ListOwner:
    """Who may change the list, by ``authorization.local_list_owner``."""
    owner = settings.authorization.local_list_owner
    if owner != "auto":
        return ListOwner(owner)
    is_demonstration = is_simulated or settings.reader.driver == "simulated"
    has_central_system = bool(settings.central_system.url)
    return ListOwner.CSMS if has_central_system and not is_demonstration else ListOwner.SHARED


class ListUpdates:
    """The one way to change the local list, and to read it."""

    def __init__(
        self,
        store: ListStore,
        inbox: Inbox,
        state: Callable[[], ChargePoint],
        *,
        write: OffLoop,
        read: OffLoop,
        report: OffLoop,
        check: OffLoop,
    ) -> None:
        """``write``, ``read``, ``report`` and ``check`` run a function where it belongs: on the
        thread of the store that writes, reads, or makes reports, and on any that is not the loop's.
        """
        self._store = store
        self._inbox = inbox
        self._state = state
        self._write = write
        self._read = read
        self._report = report
        self._check = check
        self._one_at_a_time = asyncio.Lock()
        self._step: asyncio.Future[Any] | None = None  # what is being written
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._is_closing = False

    # --- changing ----------------------------------------------------------------------------

    async def update(
        self,
        kind: ListUpdateKind,
        version: int | None,
        entries: Sequence[ListEntry],
        origin: ListOrigin,
    ) -> Outcome:
        """Replace the list or change entries of it; ``version`` None: the next one.

        Goes on when the caller is cancelled: an update does not end with the link that brought it.
        """
        return await self._start(self._update(kind, version, entries, origin))

    async def clear(self, origin: ListOrigin) -> Outcome:
        """Remove every entry; afterwards any version from 1 on is accepted."""
        return await self._start(self._update(ListUpdateKind.CLEAR, 0, (), origin))

    async def put(self, entry: ListEntry, origin: ListOrigin) -> Outcome:
        """Put one idTag on the list, say something else about it, or take it off."""
        return await self.update(ListUpdateKind.DIFFERENTIAL, None, [entry], origin)

    async def remove(self, id_tag: str, origin: ListOrigin) -> Outcome:
        """Take one idTag off the list."""
        return await self.put(ListEntry(id_tag, None), origin)

    async def name(self, id_tag: str, name: str) -> None:
        """Give a tag a name for people; empty: none. Raises StoreError."""
        async with self._one_at_a_time:
            await self._written(self._store.name_tag, id_tag, name)

    async def close(self) -> None:
        """Give up what is under way; the store must not be closed before."""
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        step = self._step
        if step is not None:
            await asyncio.wait([step], timeout=CLOSE_S)
            if step.done() and not step.cancelled() and step.exception() is not None:
                logger.warning("local list: %s", step.exception())

    # --- reading -----------------------------------------------------------------------------

    async def is_listed(self, id_tag: str) -> bool:
        """True when the list says anything about this idTag."""
        facts: TagRecord = await self._read(self._store.facts, id_tag)
        return facts.list_entry is not None

    async def page(self, offset: int, limit: int, after: str = "") -> list[tuple[str, IdTagInfo]]:
        """Entries in the order of their idTags, from the ``offset``-th behind ``after`` on."""
        found: list[tuple[str, IdTagInfo]] = await self._report(
            self._store.list_page, after, offset, limit
        )
        return found

    async def names(self, tags: Sequence[str]) -> dict[str, str]:
        """The names of some hundred tags, by tag in capitals."""
        found: dict[str, str] = await self._read(self._store.tag_names, tags)
        return found

    @property
    def now(self) -> LocalList:
        """Version and number of entries."""
        return self._state().local_list

    # --- one update --------------------------------------------------------------------------

    async def _start(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        if self._is_closing or len(self._tasks) > WAITING_MAX:
            work.close()
            is_closing = "the charge point is going down"
            why = is_closing if self._is_closing else "too many updates of the list at once"
            return self._refused(ListDecision(ListStatus.FAILED, why))
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _update(
        self,
        kind: ListUpdateKind,
        version: int | None,
        entries: Sequence[ListEntry],
        origin: ListOrigin,
    ) -> Outcome:
        async with self._one_at_a_time:
            number = local_list.next_version(self.now) if version is None else version
            update = ListUpdate(kind, number, origin, len(entries))
            before = self.now.entries
            try:
                decision = await self._take(update, entries)
            except StoreError as problem:
                decision = ListDecision(ListStatus.FAILED, str(problem))
            now = self.now  # before the next update has its turn
        if decision.status is not ListStatus.ACCEPTED:
            # Others than the central system are people, who see the answer.
            is_remote = origin is ListOrigin.CENTRAL_SYSTEM
            logger.log(
                logging.WARNING if is_remote else logging.INFO,
                "local list: an update from %s was not taken: %s, %s",
                origin.value,
                decision.status.value,
                decision.detail,
            )
            return self._refused(decision)
        words = "local list: version %d with %d entries (%s of %d entries from %s)"
        logger.info(words, now.version, now.entries, kind.value, len(entries), origin.value)
        deleted = before if kind is ListUpdateKind.CLEAR else 0
        return Outcome(decision.status, now.reported_version, now.entries, len(entries), deleted)

    def _refused(self, decision: ListDecision) -> Outcome:
        is_mismatch = decision.status is ListStatus.VERSION_MISMATCH
        version = self.now.version if is_mismatch else self.now.reported_version
        return Outcome(decision.status, version, self.now.entries, detail=decision.detail)

    async def _take(self, update: ListUpdate, entries: Sequence[ListEntry]) -> ListDecision:
        """Check, stage, and let the core decide. Raises StoreError; nothing counts then."""
        decision = self._decide(update)
        if decision.status is not ListStatus.ACCEPTED:
            return decision
        ordered, problem = await self._check(_prepared, update.kind, entries)
        if problem:
            return local_list.invalid(update.origin, problem)
        stored: LocalList = await self._read(self._store.local_list)
        if stored.generation != self.now.generation:
            return ListDecision(ListStatus.FAILED, "the disk has not written the last update yet")
        await self._all_of(self._store.tidying())
        is_full = update.kind is not ListUpdateKind.DIFFERENTIAL
        staging: ListStaging = await self._written(lambda: self._store.begin_list(is_full=is_full))
        try:
            for start in range(0, len(ordered), AT_ONCE_MAX):
                piece = ordered[start : start + AT_ONCE_MAX]
                await self._written(self._store.stage_list, staging, piece)
            decision = await self._activate(update, staging)
        except TimeoutError:
            # The core may have agreed, and the disk may yet do it: nothing may be removed now.
            return ListDecision(ListStatus.FAILED, "the disk does not write")
        except StoreError:
            await self._tidy(staging)
            raise
        await self._tidy(staging)
        return decision

    async def _activate(self, update: ListUpdate, staging: ListStaging) -> ListDecision:
        decision = self._decide(update, staging.entries)
        if decision.status is not ListStatus.ACCEPTED:
            return decision
        status = await self._inbox.request(
            lambda request_id: ListStaged(
                request_id, update, staging.base, staging.generation, staging.entries
            )
        )
        if status == ListStatus.ACCEPTED.value:
            return decision
        return ListDecision(ListStatus(status), "something changed while it was being staged")

    def _decide(self, update: ListUpdate, entries: int | None = None) -> ListDecision:
        state = self._state()
        return local_list.decide(
            state.local_list, state.configuration, state.rules.list_owner, update, entries
        )

    async def _tidy(self, staging: ListStaging) -> None:
        """Remove what does not count; what cannot be removed now is removed before the next."""
        try:
            await self._all_of(self._store.tidying(staging))
        except StoreError as problem:
            logger.warning("local list: %s; what is left is removed later", problem)

    async def _all_of(self, steps: Iterator[None]) -> None:
        while await self._written(next, steps, _NO_MORE) is not _NO_MORE:
            pass

    async def _written(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run one step on the thread that writes; who is cancelled meanwhile leaves it running."""
        self._step = asyncio.ensure_future(self._write(function, *arguments))
        return await asyncio.shield(self._step)


_NO_MORE = object()


def _prepared(kind: ListUpdateKind, entries: Sequence[ListEntry]) -> tuple[list[ListEntry], str]:
    ordered = local_list.in_order(entries)
    return ordered, local_list.problem_with(kind, ordered)
