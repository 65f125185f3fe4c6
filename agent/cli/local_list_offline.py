"""The local list without a running agent: the same checks and the same core, on the store alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from agent.config.settings import Settings
from agent.control.local_list import ListActions
from agent.core import charge_point
from agent.core.commands import ActivateList, Reply
from agent.core.configuration import configuration
from agent.core.events import Event, Heard, Presented
from agent.core.ports import Clock
from agent.core.state import ChargePoint, Rules
from agent.platform.ownership import rights_of_owner
from agent.runtime.clock import SystemClock
from agent.runtime.executors import at_once
from agent.runtime.local_list_updates import ListUpdates, owner_of
from agent.store import Store

Do = Callable[[Mapping[str, Any]], Coroutine[Any, Any, Any]]


@contextmanager
def open_alone(settings: Settings) -> Iterator[Do]:
    """Open the database for this process only; yields what does an action of ``list``.

    Raises StoreError; StoreBusy when it is in use. Between two actions the rights are the caller's:
    the files that it reads and writes are its own.
    """
    clock = SystemClock()
    path = settings.storage_path
    as_owner = partial(rights_of_owner, path.parent)

    def close() -> None:
        with as_owner():
            store.close()

    with ExitStack() as last:
        with as_owner():
            store = Store.open(path, now=clock.now().utc, make_id=lambda: str(uuid.uuid4()))
            last.callback(close)
            core = _OfflineCore(_state(settings, store), store, clock)
        lists = ListUpdates(
            store,
            core,
            lambda: core.state,
            write=at_once,
            read=at_once,
            report=at_once,
            check=at_once,
        )
        actions = ListActions(lists, lambda: core.state, settings)

        async def do(request: Mapping[str, Any]) -> Any:
            with as_owner():
                return await actions.do(request)

        yield do


class _OfflineCore:
    def __init__(self, state: ChargePoint, store: Store, clock: Clock) -> None:
        self.state = state
        self._store = store
        self._clock = clock

    def post(self, event: Event) -> None:
        """Nothing happens here but requests."""
        raise AssertionError(f"unexpected event {event!r}")

    async def request(self, make_event: Callable[[str], Event]) -> str:
        """Let the core decide, write what it orders, and return its reply."""
        now = self._clock.now()
        event = make_event("alone")
        assert not isinstance(event, Presented | Heard), "no tag is decided on here"
        state, commands = charge_point.handle(self.state, event, now)
        rows = [command for command in commands if isinstance(command, ActivateList)]
        self._store.commit(rows, now.utc)
        self.state = state
        (reply,) = [command for command in commands if isinstance(command, Reply)]
        return reply.status


def _state(settings: Settings, store: Store) -> ChargePoint:
    durable = store.load()
    given = settings.ocpp.configuration
    return ChargePoint(
        rules=Rules(list_owner=owner_of(settings, is_simulated=False)),
        configuration=configuration(len(settings.connectors), given, durable.configuration),
        connectors=(),
        local_list=durable.local_list,
    )
