"""The real agent, in real time, on a real WebSocket to the strict central system."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agent.config.settings import AuthorizationSettings, FirmwareSettings, Settings
from agent.ocpp16.version import connect_websocket
from agent.ocppj.websocket import OpenWebSocket, WebSocket
from agent.runtime.clock import SystemClock
from hw.settings import ContactorSettings
from tests.app.box import Box, box_settings
from tests.emulators.transfers import FakeTransfers
from tests.strict.central_system import StrictCentralSystem

SERIAL_NUMBER = "CP-0001"
MEASURANDS = (
    "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,"
    "Frequency,Power.Factor,Current.Offered,Power.Offered"
)


@dataclass
class Line:
    """The way to the central system; without a network an attempt waits for one."""

    has_network: asyncio.Event

    async def __call__(self, url: str, **how: Any) -> WebSocket:
        await self.has_network.wait()
        return await connect_websocket(url, **how)


@dataclass
class Pair:
    """The real agent, and the strict central system."""

    box: Box
    system: StrictCentralSystem
    network: asyncio.Event
    transfers: FakeTransfers
    _seen: int = 0

    async def until_told(self, status: str) -> None:
        """Wait for this status of connector 1, after the one that was waited for before."""

        def news() -> list[str]:
            told = self.system.of("StatusNotification")
            return [one["status"] if one["connectorId"] == 1 else "" for one in told][self._seen :]

        await self.box.until(lambda: status in news(), 20)
        self._seen += news().index(status) + 1


async def _install(
    command: list[str], environment: Mapping[str, str], folder: Path, within_s: float
) -> str:
    return ""


def _settings(
    directory: Path, central_system: Mapping[str, Any], url: str, **keys: str
) -> Settings:
    keys = {"MeterValueSampleInterval": "1", "MeterValuesSampledData": MEASURANDS, **keys}
    settings = box_settings(directory, url, **keys)
    at_once = ContactorSettings(driver="simulated", min_off_s=0)
    return replace(
        settings,
        charge_point=replace(settings.charge_point, serial_number=SERIAL_NUMBER),
        central_system=replace(settings.central_system, **central_system),
        connectors=tuple(replace(found, contactor=at_once) for found in settings.connectors),
        authorization=AuthorizationSettings(tap_guard_s=0),
        firmware=FirmwareSettings(install_command=("install", "{file}"), unsigned="accept"),
    )


@contextlib.asynccontextmanager
async def a_pair(
    directory: Path,
    system: StrictCentralSystem,
    central_system: Mapping[str, Any] = MappingProxyType({}),
    **keys: str,
) -> AsyncIterator[Pair]:
    """An agent that has been started; its network is still to come.

    ``central_system``: settings of that section.
    """
    network, transfers = asyncio.Event(), FakeTransfers(takes_s=0.0)
    box = Box(
        _settings(directory, central_system, system.url, **keys),
        clock=SystemClock(),
        transfers=transfers,
        run_command=_install,
    )
    connect: OpenWebSocket = Line(network)
    box.central_system.connect = connect  # type: ignore[method-assign]
    await box.start()
    try:
        yield Pair(box, system, network, transfers)
    finally:
        if box.is_running:
            await box.die()
