"""Diagnostics and firmware, put together: what looks after the agent itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from agent.app.environment import Environment
from agent.control.server import Action
from agent.control.services import Services
from agent.maintenance.bundle_service import BundleService
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
        services: Services,
        actions: Mapping[str, Action],
        threads: Threads,
        world: Environment,
        stack: AsyncExitStack,
    ) -> None:
        """``actions`` are those of the control socket; ``stack`` ends what begins here."""
        self._services = services
        now = services.clock.now
        log = stack.enter_context(LogRing(lambda: now().utc, lambda: now().monotonic_s).listening())
        central_system = services.settings.central_system
        self._transfers = world.transfers or NetworkTransfers(
            lambda: services.clock.now().monotonic_s,
            Network(central_system.file_hosts, central_system.ca_file),
        )
        self._notices = Notices(services.link.call, lambda: services.runtime.state.online)
        services.observers.append(self._notices.observe)
        self._bundles = BundleService(
            services.settings,
            services.clock,
            status=actions["status"],
            configuration=lambda: services.runtime.state.configuration,
            log=log,
            frames=services.frame_log,
            work=threads.support,
            settle=self._settle,
        )
        stack.callback(self._bundles.close)
        self.actions: Mapping[str, Action] = {**actions, **self._bundles.by_name()}
        self._answer_calls(stack)
        self._carry_out_updates(threads, world.run_command, stack)

    def tasks(self) -> list[asyncio.Task[None]]:
        """What runs for as long as the agent does."""
        return [asyncio.create_task(self._notices.run(), name="notices")]

    def _carry_out_updates(
        self, threads: Threads, run_command: RunCommand | None, stack: AsyncExitStack
    ) -> None:
        services = self._services
        worker = FirmwareWorker(
            services.settings.firmware,
            services.settings.storage_path.parent / "firmware",
            self._transfers,
            self._notices,
            services.runtime.post,
            threads.support,
            self._protocols,
            run_command,
        )
        stack.callback(worker.close)
        services.runtime.use(worker.performers())
        services.account.ask(FIRMWARE, lambda: services.runtime.state.firmware.status)

    async def _settle(self) -> None:
        await self._services.runtime.journal.wait_until_quiet(FRESH_S)

    def _answer_calls(self, stack: AsyncExitStack) -> None:
        services = self._services
        uploads = DiagnosticsUploads(
            self._bundles,
            self._transfers,
            self._notices,
            services.clock,
            services.settings.charge_point.identity,
            self._protocols,
        )
        stack.callback(uploads.close)
        services.account.ask(DIAGNOSTICS, uploads.status)
        services.link.answer_with(
            firmware_management_handlers(
                services.runtime,
                lambda *wanted: uploads.prepare(DiagnosticsRequest(*wanted)),
            )
        )

    def _protocols(self) -> frozenset[str]:
        text = self._services.runtime.state.configuration.text("SupportedFileTransferProtocols")
        return frozenset(text.lower().split(","))
