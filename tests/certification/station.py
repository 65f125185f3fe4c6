"""A charging station as the certification tool sees it: its calls, its answers, and a driver."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.config.settings import Settings
from agent.maintenance.firmware_install import RunCommand
from agent.maintenance.transfer.file_transfer import Transfers
from hw.settings import LockSettings
from tests.app.box import CARD, OTHER_CARD, Box, box_settings
from tests.emulators.central_system import Answer, FakeCentralSystem, ReceivedCall

__all__ = ["CARD", "OTHER_CARD", "Station", "a_station", "told", "with_fixed_cable"]
Change = Callable[[Settings], Settings]


def with_fixed_cable(settings: Settings) -> Settings:
    """The cable is part of the station: there is nothing to lock."""
    connectors = tuple(replace(c, lock=LockSettings(driver="none")) for c in settings.connectors)
    return replace(settings, connectors=connectors)


def told(call: ReceivedCall) -> str:
    """A call as one word: the status with its connector, else the action."""
    if call.action == "StatusNotification":
        return f"{call.payload['status']}@{call.payload['connectorId']}"
    return call.action


class Station:
    """The box, and what the tool asks of it."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self._seen = 0

    @property
    def system(self) -> FakeCentralSystem:
        return self.box.central_system

    # --- the central system ---

    async def ask(self, action: str, **payload: Any) -> Any:
        """Send a call: its status, its whole answer where it has none, or the error code."""
        answer = await self.system.send_call(action, payload)
        if answer[0] == 4:
            return answer[2]
        return answer[2].get("status", answer[2])

    async def configure(self, **keys: object) -> None:
        """Change configuration keys; each must be accepted."""
        for key, value in keys.items():
            status = await self.ask("ChangeConfiguration", key=key, value=str(value))
            assert status == "Accepted", f"{key}: {status}"

    def knows(self, id_tag: str, status: str = "Accepted", parent: str | None = None) -> None:
        """The next Authorize and StartTransaction are answered so."""
        info = {"status": status} if parent is None else {"status": status, "parentIdTag": parent}
        self.system.next("Authorize", Answer({"idTagInfo": info}))

    # --- what was heard ---

    def news(self) -> list[str]:
        """What the station has told since this was asked last, but security events.

        The cases are of OCPP 1.6 without the security white paper.
        """
        calls = self.system.calls[self._seen :]
        self._seen = len(self.system.calls)
        return [told(call) for call in calls if call.action != "SecurityEventNotification"]

    def heard(self, action: str) -> list[dict[str, Any]]:
        """The payloads of all calls of an action."""
        return [dict(call.payload) for call in self.system.of(action)]

    async def until_heard(self, word: str, within_s: float = 600.0) -> list[str]:
        """Wait for this word; the news up to it."""
        first = self._seen

        def is_heard() -> bool:
            return word in [told(call) for call in self.system.calls[first:]]

        await self.box.until(is_heard, within_s)
        return self.news()

    async def settled(self, seconds: float = 2.0) -> list[str]:
        """Let things take their course; the news."""
        await asyncio.sleep(seconds)
        return self.news()

    def times_s(self, word: str) -> list[float]:
        """When the tool heard it, on the clock of the test."""
        return [call.at_s for call in self.system.calls if told(call) == word]

    # --- the driver ---

    async def charge(self, card: str = CARD, connector: int = 1) -> list[str]:
        """Plug in, show the card, and wait for energy; the news."""
        await self.box.do("sim", lever="plug", connector=connector)
        assert (await self.box.tap(card))["verdict"] == "accepted"
        return await self.until_heard(f"Charging@{connector}")

    async def finish(self, card: str = CARD) -> None:
        """After a while, show the card and take the plug out; the news are left unread."""
        await asyncio.sleep(10)  # the same card at once is taken for an accident
        await self.box.finish(card)
        await asyncio.sleep(10)

    async def unplug(self, connector: int = 1) -> None:
        await self.box.do("sim", lever="unplug", connector=connector)

    def drive_off(self, connector: int = 1) -> None:
        """The cable is pulled off the car; its other end stays in the socket."""
        board = self.box.application.board
        assert board is not None
        assert board.simulation is not None
        board.simulation.drive_off(connector)


@contextlib.asynccontextmanager
async def a_station(
    directory: Path,
    connectors: int = 1,
    change: Change | None = None,
    transfers: Transfers | None = None,
    run_command: RunCommand | None = None,
    **keys: str,
) -> AsyncIterator[Station]:
    """A station that has booted and been accepted; ``keys`` are OCPP configuration keys."""
    settings = box_settings(directory, connectors=connectors, **keys)
    changed = change(settings) if change else settings
    box = Box(changed, transfers=transfers, run_command=run_command)
    station = Station(box)
    await box.start()
    try:
        await box.central_system.received("StatusNotification", connectors + 1)
        await station.settled()
        yield station
    finally:
        if box.is_running:
            await box.die()
