"""The person who looks after the box: says that a contactor is mended, retries what was parked."""

from __future__ import annotations

import asyncio
from typing import Any

from agent.core.contactors import is_locked_out
from agent.platform.errors import ControlError

ROUND_S = 3600.0
LAST_ROUNDS_S = 30.0


class Technician:
    """Asks the living process through the actions of its control socket."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self._chance = world.chance("technician")

    async def live(self) -> None:
        """Come by now and then, for ever."""
        while True:
            await asyncio.sleep(ROUND_S)
            await self._acknowledge()
            if self._chance.random() < 0.1:
                await self._ask("security-log", order="clear")

    async def set_right(self) -> None:
        """Stay at the box, until everything is in order."""
        while True:
            await asyncio.sleep(LAST_ROUNDS_S)
            await self._acknowledge()
            await self._retry()

    async def _acknowledge(self) -> None:
        """What is still broken is looked at in the next round."""
        state = self._world.state()
        for connector in () if state is None else state.connectors:
            if is_locked_out(connector) and not self._world.site.is_broken(connector.connector_id):
                connector_id = connector.connector_id
                self._world.run_log.note("technician", f"contactor {connector_id} is in order")
                await self._ask("acknowledge", connector=connector_id)

    async def _retry(self) -> None:
        if not self._world.has_reader():
            return
        parked = self._world.reader().execute(
            "SELECT min(sequence) FROM outbox WHERE parked_at IS NOT NULL"
            " GROUP BY transaction_ref ORDER BY 1"
        )
        for (sequence,) in parked.fetchall():
            self._world.run_log.note("technician", f"sends message {sequence} once more")
            await self._ask("queue", order="retry", ref=sequence)

    async def _ask(self, action: str, **request: Any) -> None:
        process = self._world.process
        if process is None:
            return
        try:
            await process.application.actions[action](request)
        except (ControlError, TimeoutError) as problem:  # the latter: the agent is ending
            self._world.run_log.note("technician", f"is told: {problem}")
