"""Parked messages: an operator sends them again or gives them up.

The reference of a message is its sequence in the outbox, as ``status`` shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.control.server import Action
from agent.control.snapshot import outbox_as_data
from agent.core.events import DiscardRequested, RetryRequested
from agent.platform.errors import ControlError
from agent.runtime.executors import OffLoop
from agent.runtime.journal import FRESH_S
from agent.runtime.runtime import Runtime
from agent.store import Store

ACTIONS_SHOWN_MAX = 20
_HERE = "the command line"


class NotParked(ControlError):
    """There is no such message among those that were parked."""


class ParkedMessages:
    """The one way to do something about them. On the agent's loop."""

    def __init__(self, runtime: Runtime, store: Store, report: OffLoop) -> None:
        self._runtime = runtime
        self._store = store
        self._report = report

    def by_name(self) -> Mapping[str, Action]:
        """What the control socket can ask for."""
        return {"queue": self._do}

    async def retry(self, ref: int, by: str) -> int:
        """Queue it again, with all of its session that were parked; returns how many.

        Raises NotParked, StoreError, or TimeoutError.
        """
        sequences = tuple(await self._with(ref))
        await self._runtime.ask(lambda request_id: RetryRequested(request_id, sequences, by))
        return len(sequences)

    async def discard(self, ref: int, by: str) -> None:
        """Forget it. Raises NotParked, StoreError, or TimeoutError."""
        await self._with(ref)
        await self._runtime.ask(lambda request_id: DiscardRequested(request_id, ref, by))

    async def _with(self, ref: int) -> list[int]:
        await self._runtime.journal.wait_until_written(FRESH_S)
        found: list[int] = await self._report(self._store.parked_with, ref)
        if not found:
            raise NotParked(f"no message {ref} is parked")
        return found

    async def _show(self) -> dict[str, Any]:
        await self._runtime.journal.wait_until_written(FRESH_S)
        summary = await self._report(self._store.outbox_summary)
        actions = await self._report(self._store.operator_actions, ACTIONS_SHOWN_MAX)
        return {
            "outbox": outbox_as_data(summary, self._runtime.state),
            "deeds": [{"done_at": _seconds(done_at), "deed": what} for done_at, what in actions],
        }

    async def _do(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if request.get("order") == "show":
            return await self._show()
        ref = request.get("ref")
        if not isinstance(ref, int) or isinstance(ref, bool) or not 0 < ref < 2**63:
            raise ControlError("ref must be the number of a message that was parked")
        match request.get("order"):
            case "retry":
                return {"retried": await self.retry(ref, _HERE)}
            case "discard":
                await self.discard(ref, _HERE)
                return {"discarded": 1}
            case other:
                raise ControlError(f"there is no order {other!r}")


def _seconds(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
