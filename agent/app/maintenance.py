"""Diagnostics and firmware, put together: what looks after the agent itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from agent.app.environment import Environment
from agent.control.server import Action
from agent.control.services import Services
from agent.maintenance.bundle_service import SupportDesk
from agent.maintenance.diagnostics_upload import ACTION as DIAGNOSTICS
from agent.maintenance.diagnostics_upload import DiagnosticsRequest, DiagnosticsUploads
from agent.maintenance.firmware_install import ACTION as FIRMWARE
from agent.maintenance.firmware_install import FirmwareWorker, RunCommand
from agent.maintenance.machine import LogRing
from agent.maintenance.transfer.file_transfer import NetworkTransfers
from agent.maintenance.transfer.network import Network
from agent.ocpp16.handlers.firmware_management import firmware_management_handlers
from agent.ocpp16.retried_notifications import Notices
from agent.runtime.executors import Threads
from agent.runtime.journal import FRESH_S


class Maintenance:
    """Made once the other rooms stand; ``tasks`` are its part of what runs for ever."""

    def __init__(
        self,
        rooms: Services,
        actions: Mapping[str, Action],
        threads: Threads,
        world: Environment,
        stack: AsyncExitStack,
    ) -> None:
        """``actions`` are those of the control socket; ``stack`` ends what begins here."""
        self._rooms = rooms
        now = rooms.clock.now
        log = stack.enter_context(LogRing(lambda: now().utc, lambda: now().monotonic_s).listening())
        central_system = rooms.settings.central_system
        self._transfers = world.transfers or NetworkTransfers(
            lambda: rooms.clock.now().monotonic_s,
            Network(central_system.file_hosts, central_system.ca_file),
        )
        self._notices = Notices(rooms.link.call, lambda: rooms.runtime.state.online)
        rooms.observers.append(self._notices.observe)
        self._desk = SupportDesk(
            rooms.settings,
            rooms.clock,
            status=actions["status"],
            configuration=lambda: rooms.runtime.state.configuration,
            log=log,
            frames=rooms.frame_log,
            work=threads.support,
            settle=self._settle,
        )
        stack.callback(self._desk.close)
        self.actions: Mapping[str, Action] = {**actions, **self._desk.by_name()}
        self._answer_calls(stack)
        self._carry_out_updates(threads, world.run_command, stack)

    def tasks(self) -> list[asyncio.Task[None]]:
        """What runs for as long as the agent does."""
        return [asyncio.create_task(self._notices.run(), name="notices")]

    def _carry_out_updates(
        self, threads: Threads, run_command: RunCommand | None, stack: AsyncExitStack
    ) -> None:
        rooms = self._rooms
        worker = FirmwareWorker(
            rooms.settings.firmware,
            rooms.settings.storage_path.parent / "firmware",
            self._transfers,
            self._notices,
            rooms.runtime.post,
            threads.support,
            self._protocols,
            run_command,
        )
        stack.callback(worker.close)
        rooms.runtime.use(worker.performers())
        rooms.account.ask(FIRMWARE, lambda: rooms.runtime.state.firmware.status)

    async def _settle(self) -> None:
        await self._rooms.runtime.journal.wait_until_quiet(FRESH_S)

    def _answer_calls(self, stack: AsyncExitStack) -> None:
        rooms = self._rooms
        uploads = DiagnosticsUploads(
            self._desk,
            self._transfers,
            self._notices,
            rooms.clock,
            rooms.settings.charge_point.identity,
            self._protocols,
        )
        stack.callback(uploads.close)
        rooms.account.ask(DIAGNOSTICS, uploads.status)
        rooms.link.answer_with(
            firmware_management_handlers(
                rooms.runtime,
                lambda *wanted: uploads.prepare(DiagnosticsRequest(*wanted)),
            )
        )

    def _protocols(self) -> frozenset[str]:
        text = self._rooms.runtime.state.configuration.text("SupportedFileTransferProtocols")
        return frozenset(text.lower().split(","))
