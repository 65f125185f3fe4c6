"""A central system on a real WebSocket that keeps its own account of what it was told.

It answers with the ``ocpp`` package's ChargePoint, and so with that package's schema checks. It can
be closed and opened again on the same port, politely or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

TRANSACTION_ACTIONS = ("StartTransaction", "MeterValues", "StopTransaction")
EVENT_ACTION = "SecurityEventNotification"
FIRST_TRANSACTION_ID = 1000
_OPEN_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """A transaction message or a security event as it arrived."""

    unique_id: str
    action: str
    payload: Mapping[str, Any]


class AccountingCentralSystem:
    """Remembers transaction messages and security events as they first came, and repetitions.

    What comes again under the same id is one message. It is noted before it is answered, and some
    answers take their time, so that a death of the other side falls between the two.
    """

    def __init__(self, chance: Random | None = None) -> None:
        """``chance`` draws how long answers take; None: they come at once."""
        self.account: list[Told] = []
        self.repetitions: list[Told] = []
        self.events: list[Told] = []
        self.event_repetitions: list[Told] = []
        self.transaction_ids: dict[str, int] = {}  # by the unique id of StartTransaction
        self.turns_away = False  # accept every connection, and close it at once
        self._turned_away = 0
        self.port = 0
        self._chance = chance
        self._server: Server | None = None
        self._open_connections: set[ServerConnection] = set()
        self._known: set[str] = set()
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        """Where it is, once it has been opened."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def is_open(self) -> bool:
        """True while it can be reached."""
        return self._server is not None

    async def open(self) -> None:
        """Listen, on the port of the first time."""
        async with asyncio.timeout(_OPEN_AGAIN_S):
            self._server = await serve(
                self._converse,
                "127.0.0.1",
                self.port,
                subprotocols=[Subprotocol("ocpp1.6")],
                compression=None,
                ping_interval=None,
            )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self, abruptly: bool = False) -> None:
        """End every connection, without a word if ``abruptly``, and listen no more."""
        if self._server is None:
            return
        server, self._server = self._server, None
        if abruptly:
            for connection in tuple(self._open_connections):
                connection.transport.abort()
        server.close()
        await server.wait_closed()

    async def told(self, action: str, count: int, limit_s: float) -> None:
        """Wait until so many different messages of this action have come; TimeoutError."""
        async with asyncio.timeout(limit_s), self._changed:
            await self._changed.wait_for(
                lambda: sum(told.action == action for told in self.account) >= count
            )

    async def turned_away(self, count: int, limit_s: float) -> None:
        """Wait until so many connections have been turned away; TimeoutError."""
        async with asyncio.timeout(limit_s), self._changed:
            await self._changed.wait_for(lambda: self._turned_away >= count)

    async def note(self, told: Told) -> None:
        """Write a message down."""
        is_event = told.action == EVENT_ACTION
        first = self.events if is_event else self.account
        again = self.event_repetitions if is_event else self.repetitions
        async with self._changed:
            (again if told.unique_id in self._known else first).append(told)
            self._known.add(told.unique_id)
            self._changed.notify_all()

    def pause_s(self) -> float:
        """How long the next answer takes: mostly next to nothing, sometimes a while."""
        if self._chance is None:
            return 0.0
        return self._chance.choice((0.0, 0.0, 0.0, self._chance.uniform(0.0, 0.4)))

    async def _converse(self, connection: ServerConnection) -> None:
        if self.turns_away:
            async with self._changed:
                self._turned_away += 1
                self._changed.notify_all()
            return  # the server closes what its handler leaves
        self._open_connections.add(connection)
        try:
            with contextlib.suppress(ConnectionClosed):
                await _Talk(connection, self).start()
        finally:
            self._open_connections.discard(connection)


class _Talk(ChargePoint):  # type: ignore[misc]
    """One connection, seen from the central system."""

    def __init__(self, connection: ServerConnection, system: AccountingCentralSystem) -> None:
        super().__init__("charge point", connection)
        self._system = system

    async def route_message(self, raw_msg: str) -> None:
        kind, unique_id, *rest = json.loads(raw_msg)
        if kind == 2 and rest[0] in (*TRANSACTION_ACTIONS, EVENT_ACTION):
            await self._system.note(Told(unique_id, rest[0], rest[1]))
            await asyncio.sleep(self._system.pause_s())
        await super().route_message(raw_msg)

    @on("BootNotification")
    def on_boot(self, **told: Any) -> Any:
        return call_result.BootNotification(_now(), 3600, "Accepted")

    @on("Heartbeat")
    def on_heartbeat(self) -> Any:
        return call_result.Heartbeat(_now())

    @on("StatusNotification")
    def on_status(self, **told: Any) -> Any:
        return call_result.StatusNotification()

    @on(EVENT_ACTION)
    def on_security_event(self, **told: Any) -> Any:
        return call_result.SecurityEventNotification()

    @on("Authorize")
    def on_authorize(self, **told: Any) -> Any:
        return call_result.Authorize({"status": "Accepted"})

    @on("StartTransaction")
    def on_start(self, call_unique_id: str, **told: Any) -> Any:
        ids = self._system.transaction_ids
        number = ids.setdefault(call_unique_id, FIRST_TRANSACTION_ID + len(ids))
        return call_result.StartTransaction(number, {"status": "Accepted"})

    @on("MeterValues")
    def on_meter_values(self, **told: Any) -> Any:
        return call_result.MeterValues()

    @on("StopTransaction")
    def on_stop(self, **told: Any) -> Any:
        return call_result.StopTransaction()


def _now() -> str:
    return datetime.now(UTC).isoformat()  # noqa: TID251 - a central system has a clock of its own
