"""Diagnostics and firmware: what looks after the agent itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

from agent.app.environment import Environment
from agent.app.security import Security
from agent.control.server import Action
from agent.control.services import Services
from agent.core.configuration import Configuration
from agent.maintenance.bundle_service import BundleService
from agent.maintenance.firmware_install import FirmwareWorker
from agent.maintenance.log_files import LogFiles
from agent.maintenance.log_upload import OF_DIAGNOSTICS, OF_LOG, LogUploads
from agent.maintenance.machine import LogRing
from agent.maintenance.transfer.file_transfer import NetworkTransfers, Transfers
from agent.maintenance.transfer.network import Network
from agent.ocpp16.handlers.firmware_management import firmware_management_handlers
from agent.ocpp16.retried_notifications import Notices


class Maintenance:
    """What of it the application needs: actions, performers, handlers and the task ``run``."""

    def __init__(
        self,
        services: Services,
        environment: Environment,
        status: Action,
        stack: AsyncExitStack,
    ) -> None:
        """``status`` is part of a support bundle; ``stack`` ends what begins here."""
        self._services = services
        clock, state = services.clock, services.runtime.current_state
        log = LogRing(self._utc, clock.monotonic_s)
        stack.enter_context(log.listening())
        transfers = environment.transfers or self._make_transfers()
        notices = self._notices = Notices(services.link.call, lambda: state().online)
        services.observers.append(notices.observe)
        bundles = self._make_bundles(status, log)
        stack.callback(bundles.close)
        files = LogFiles(
            bundles, self._security_lines, clock, services.settings.charge_point.identity
        )
        self.diagnostics, self.log = (
            LogUploads(telling, files, transfers, notices, self._protocols)
            for telling in (OF_DIAGNOSTICS, OF_LOG)
        )
        stack.callback(self.diagnostics.close)
        stack.callback(self.log.close)
        worker = self._make_worker(environment, transfers, notices)
        stack.callback(worker.close)
        self.actions: Mapping[str, Action] = bundles.by_name()
        self._security = Security(services, environment)
        self.performers = {**worker.performers(), **self._security.performers}
        self.handlers = firmware_management_handlers(
            services.runtime,
            self.diagnostics.prepare,
            self.log.prepare,
            worker.location_problem,
            state,
            services.threads.check,
        )

    def _make_transfers(self) -> Transfers:
        settings = self._services.settings.central_system
        return NetworkTransfers(
            self._services.clock.monotonic_s, Network(settings.file_hosts, settings.ca_file)
        )

    def _make_bundles(self, status: Action, log: LogRing) -> BundleService:
        services = self._services
        return BundleService(
            services.settings,
            services.clock,
            status=status,
            configuration=self._configuration,
            log=log,
            frames=services.frame_log,
            work=services.threads.support,
            settle=services.settle,
        )

    def _make_worker(
        self, environment: Environment, transfers: Transfers, notices: Notices
    ) -> FirmwareWorker:
        services = self._services
        return FirmwareWorker(
            services.settings.firmware,
            services.settings.storage_path.parent / "firmware",
            transfers,
            notices,
            services.runtime.post,
            services.threads.support,
            self._protocols,
            environment.run_command,
        )

    async def run(self) -> None:
        """Tell what must arrive, and watch over the disk, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._notices.run())
            tasks.create_task(self._security.run())

    async def _security_lines(
        self, begin: datetime | None, end: datetime | None
    ) -> list[dict[str, Any]]:
        services = self._services
        lines = await services.report(services.store.security_log, begin, end)
        return [line.as_data for line in reversed(lines)]

    def _configuration(self) -> Configuration:
        return self._services.runtime.state.configuration

    def _protocols(self) -> frozenset[str]:
        text = self._configuration().text("SupportedFileTransferProtocols")
        return frozenset(text.lower().split(","))

    def _utc(self) -> datetime:
        return self._services.clock.now().utc
