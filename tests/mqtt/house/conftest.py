"""A box with the broker of a house, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.config.settings import HouseSettings, Settings
from tests.app.box import Box, box_settings
from tests.emulators.house_broker import FakeHouseBroker

ROOT = "chargepoint/DEMO-1/"
BOX, CONNECTOR = f"{ROOT}state", f"{ROOT}connector/1/state"
AVAILABILITY = f"{ROOT}availability"
HOME_ASSISTANT = "homeassistant/status"


@dataclass
class House:
    """The box and the broker."""

    box: Box
    broker: FakeHouseBroker

    @property
    def connector(self) -> Any:
        """How connector 1 is, as the house reads it."""
        return self.broker.state(CONNECTOR)

    async def limit(self, payload: bytes | str, place: str = "connector/1/", **how: Any) -> Any:
        """Send a limit, and return what is answered."""
        topic = f"{ROOT}{place}limit/result"
        before = len(self.broker.told_of(topic))
        self.broker.send(f"{ROOT}{place}limit/set", payload, **how)
        await self.box.until(lambda: len(self.broker.told_of(topic)) > before)
        return self.broker.told_of(topic)[-1]

    @property
    def offered_a(self) -> float | None:
        """What the car is offered."""
        return self.box.state.offered_a

    async def until(self, **wanted: Any) -> Any:
        """Wait until the state of connector 1 has these values; returns it."""
        await self.box.until(lambda: wanted.items() <= self.connector.items())
        return self.connector


def house_settings(directory: Path, connectors: int = 1, **fields: Any) -> Settings:
    settings = box_settings(directory, connectors=connectors)
    house = HouseSettings(enabled=True, host="broker.test", **fields)
    return replace(settings, house=house)


@contextlib.asynccontextmanager
async def house(
    directory: Path, connectors: int = 1, broker: FakeHouseBroker | None = None, **fields: Any
) -> AsyncIterator[House]:
    """A box whose state is known to the broker; ``fields`` are settings of the house."""
    found = broker or FakeHouseBroker()
    box = Box(house_settings(directory, connectors, **fields), broker=found)
    await box.start()
    try:
        await box.central_system.received("StatusNotification", connectors + 1)
        await box.until(
            lambda: found.kept.get(AVAILABILITY) == "online" and CONNECTOR in found.kept
        )
        await asyncio.sleep(1)
        yield House(box, found)
    finally:
        await box.die()
