"""A small central system for demonstrations: says in plain words what it hears.

It runs on the loopback address only, knows three kinds of card, and forgets everything at its end.
"""
# mypy: disable-error-code="misc,untyped-decorator"

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import ocpp.messages  # type: ignore[import-untyped]
from ocpp.routing import on  # type: ignore[import-untyped]
from ocpp.v16 import ChargePoint, call_result  # type: ignore[import-untyped]
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from agent.core.id_tag import mask
from agent.ocpp16.version import SUBPROTOCOL

# Validation in a thread costs more than it saves.
ocpp.messages.ASYNC_VALIDATION = False

CARDS = {
    "044943121F1A80": {"status": "Accepted", "parent_id_tag": "FAMILY"},
    "DEADBEEF": {"status": "Blocked"},
}
_UNKNOWN_CARD = {"status": "Invalid"}
_HEARTBEAT_S = 300
_CONNECTIONS_MAX = 16

Say = Callable[[str], None]


class DemoCentralSystem:
    """``async with DemoCentralSystem(port=0, say=print) as demo:`` then connect to ``demo.url``."""

    def __init__(self, *, port: int, say: Say, now: Callable[[], datetime] | None = None) -> None:
        """``port`` 0 takes a free one. ``say`` gets one sentence for everything that happens."""
        self._port = port
        self._say = say
        self._now = now or _utc_now
        self._server: Server | None = None
        self._connections = asyncio.Semaphore(_CONNECTIONS_MAX)
        self._transaction_ids: dict[str, int] = {}

    @property
    def url(self) -> str:
        """The address to configure; the identity is appended to it by the charge point."""
        assert self._server is not None, "only inside async with"
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._converse,
            "127.0.0.1",
            self._port,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _converse(self, connection: ServerConnection) -> None:
        if self._connections.locked():
            return
        async with self._connections:
            path = connection.request.path if connection.request else "/"
            identity = unquote(path.rsplit("/", 1)[-1])
            self._say(f"{identity} is connected")
            try:
                await _Talk(identity, connection, self).start()
            except ConnectionClosed:
                self._say(f"{identity} is gone")

    def say(self, sentence: str) -> None:
        """Tell the spectator."""
        self._say(sentence)

    def now_text(self) -> str:
        """The time as OCPP writes it."""
        return self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def transaction_id(self, unique_id: str) -> int:
        """A number for this StartTransaction; the same one when it is sent again."""
        return self._transaction_ids.setdefault(unique_id, len(self._transaction_ids) + 1)


class _Talk(ChargePoint):
    """What the central system answers to one charge point."""

    def __init__(
        self, identity: str, connection: ServerConnection, demo: DemoCentralSystem
    ) -> None:
        super().__init__(identity, connection)
        self._demo = demo

    @on("BootNotification")
    def on_boot_notification(self, **fields: Any) -> Any:
        vendor, model = fields["charge_point_vendor"], fields["charge_point_model"]
        self._demo.say(f"{self.id} has started ({vendor} {model}): accepted")
        return call_result.BootNotification(self._demo.now_text(), _HEARTBEAT_S, "Accepted")

    @on("Heartbeat")
    def on_heartbeat(self) -> Any:
        self._demo.say(f"{self.id} is alive")
        return call_result.Heartbeat(self._demo.now_text())

    @on("StatusNotification")
    def on_status_notification(self, connector_id: int, status: str, **fields: Any) -> Any:
        error = fields["error_code"]
        problem = "" if error == "NoError" else f" ({error})"
        self._demo.say(f"{self.id}: connector {connector_id} is {status}{problem}")
        return call_result.StatusNotification()

    @on("Authorize")
    def on_authorize(self, id_tag: str) -> Any:
        info = _card(id_tag)
        self._demo.say(f"{self.id} asks about card {mask(id_tag)}: {info['status']}")
        return call_result.Authorize(info)

    @on("StartTransaction")
    def on_start_transaction(
        self, id_tag: str, connector_id: int, call_unique_id: str, **fields: Any
    ) -> Any:
        number, info = self._demo.transaction_id(call_unique_id), _card(id_tag)
        self._demo.say(
            f"{self.id}: transaction {number} begins at connector {connector_id} with card "
            f"{mask(id_tag)} at {fields['meter_start']} Wh: {info['status']}"
        )
        return call_result.StartTransaction(number, info)

    @on("MeterValues")
    def on_meter_values(self, connector_id: int, meter_value: list[Any], **fields: Any) -> Any:
        shown = ", ".join(
            f"{value['value']} {value.get('unit', '')}".strip()
            for sample in meter_value
            for value in sample["sampled_value"]
        )
        self._demo.say(f"{self.id}: the meter of connector {connector_id} says {shown}")
        return call_result.MeterValues()

    @on("StopTransaction")
    def on_stop_transaction(self, transaction_id: int, meter_stop: int, **fields: Any) -> Any:
        reason = fields.get("reason", "Local")
        self._demo.say(
            f"{self.id}: transaction {transaction_id} ends at {meter_stop} Wh ({reason})"
        )
        tag = fields.get("id_tag")
        return call_result.StopTransaction(_card(tag) if tag else None)

    @on("SecurityEventNotification")
    def on_security_event_notification(self, type: str, **fields: Any) -> Any:
        self._demo.say(f"{self.id}: security event {type}, {fields.get('tech_info', '')}")
        return call_result.SecurityEventNotification()


def _card(id_tag: str) -> dict[str, str]:
    return CARDS.get(id_tag.upper(), _UNKNOWN_CARD)


def _utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 (the other side of the link has a clock of its own)
