"""Security events, brought to the central system and seen here; and the keys of this box."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from agent.app.environment import Environment
from agent.app.own_certificates import KeyMaker
from agent.control.services import Services
from agent.core.commands import Command, MakeCertificateRequest
from agent.core.security_event_values import StorageMeasured, TellSecurityEvent
from agent.ocpp16.security_notifications import SecurityNotifications

LOOK_AT_DISK_S = 600.0


class Security:
    """What of it the application needs: performers and the task ``run``."""

    def __init__(self, services: Services, environment: Environment) -> None:
        self._services = services
        self._free_bytes = environment.free_bytes
        threads, store = services.threads, services.store
        self._notifications = SecurityNotifications(
            services.link,
            partial(threads.read, store.queued_security_event),
            services.runtime.post,
        )
        runtime = services.runtime
        self._keys = KeyMaker(
            services.settings,
            lambda: runtime.state.own_certificates,
            runtime.post,
            threads.support,
        )
        self.performers: Mapping[type[Command], Callable[[Any], None]] = {
            TellSecurityEvent: self._notifications.perform,
            MakeCertificateRequest: self._keys.perform,
        }

    async def run(self) -> None:
        """Send and make what is ordered, and look at the disk, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._notifications.run())
            tasks.create_task(self._keys.run())
            tasks.create_task(self._watch_disk())

    async def _watch_disk(self) -> None:
        folder = self._services.settings.storage_path.parent
        while True:
            free = await self._services.threads.support(self._free_bytes, folder)
            if free is not None:
                self._services.runtime.post(StorageMeasured(free))
            await asyncio.sleep(LOOK_AT_DISK_S)
