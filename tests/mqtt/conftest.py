"""A box on a station bus, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.config.settings import AuthorizationSettings, MqttSettings
from tests.app.box import CARD, Box, box_settings, put_on_list
from tests.emulators.broker import FakeBroker

READER, ISO15118 = "cs/josev", "iso15118/ocpp"
EVSE = "DE*ABC*E1"
OTHER_EVSE = "DE*ABC*E2"
SOON_S = 0.1  # what follows from an answer is told a moment after it


@dataclass
class Station:
    """The box, its broker, and short ways to say things."""

    box: Box
    broker: FakeBroker

    async def present(self, id_token: str | None = CARD, **fields: Any) -> str:
        """Present a token as a reader on another board; returns the status."""
        data = {"token_type": "ISO14443", **fields}
        if id_token is not None:
            data["id_token"] = id_token
        answer = await self.broker.ask(READER, "authorization", data)
        return str(answer["status"])

    async def why(self) -> str:
        """The rule of the last decision."""
        (newest, *_) = await self.box.do("why", limit=1)
        return str(newest["rule"])

    async def updates(self) -> list[tuple[str, str, str]]:
        """Token type, token and status of the updates that the reader heard."""
        await asyncio.sleep(SOON_S)
        return [
            (data["token_type"], data.get("id_token", ""), data["status"])
            for data in self.broker.of("authorization", "update", "josev/cs")
        ]

    async def progress(self) -> list[str]:
        """The statuses of the transactions."""
        await asyncio.sleep(SOON_S)
        return [data["status"] for data in self.broker.of("transaction_status")]


@contextlib.asynccontextmanager
async def station(
    directory: Path,
    *listed: str,
    connectors: int = 1,
    rules: dict[str, Any] | None = None,
    mqtt: dict[str, Any] | None = None,
    is_offline: bool = False,
    **keys: str,
) -> AsyncIterator[Station]:
    """A box whose bus is connected; ``keys`` are OCPP configuration keys."""
    settings = box_settings(directory, connectors=connectors, **keys)
    evses = (EVSE, OTHER_EVSE, "DE*ABC*E3")
    settings = replace(
        settings,
        connectors=tuple(
            replace(connector, evse_id=evses[index])
            for index, connector in enumerate(settings.connectors)
        ),
        authorization=AuthorizationSettings(**{"tap_guard_s": 0, **(rules or {})}),
        mqtt=MqttSettings(enabled=True, **(mqtt or {})),
    )
    if listed:
        put_on_list(settings, *listed)
    box = Box(settings, broker=FakeBroker())
    if is_offline:
        box.central_system.refuse_always = OSError("nobody is there")
    mistakes: list[logging.LogRecord] = []
    listener = logging.Handler(logging.ERROR)
    listener.emit = mistakes.append  # type: ignore[method-assign]
    logging.getLogger("agent.mqtt").addHandler(listener)
    await box.start()
    assert box.broker is not None
    try:
        if not is_offline:
            await box.central_system.received("StatusNotification", connectors + 1)
        await box.until(lambda: box.broker is not None and box.broker.is_connected)
        yield Station(box, box.broker)
        assert [record.getMessage() for record in mistakes] == []
    finally:
        logging.getLogger("agent.mqtt").removeHandler(listener)
        await box.die()
