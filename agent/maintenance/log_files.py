"""The two logs that a central system can ask for, each as one file."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from agent.core.ports import Clock
from agent.maintenance.bundle_service import BundleService
from agent.maintenance.support_bundle import Window, file_name
from agent.ocpp16.log_requests import SECURITY_LOG

ReadLines = Callable[[datetime | None, datetime | None], Awaitable[list[dict[str, Any]]]]


class LogFiles:
    """Names them and makes them: the support bundle, and the security log as lines of JSON."""

    def __init__(
        self, bundles: BundleService, security_lines: ReadLines, clock: Clock, identity: str
    ) -> None:
        """``security_lines`` reads the lines of this time, oldest first."""
        self._bundles = bundles
        self._security_lines = security_lines
        self._clock = clock
        self._identity = identity

    def name(self, log_type: str) -> str:
        """What the file is called that is made now."""
        now = self._clock.now().utc
        if log_type == SECURITY_LOG:
            return file_name(self._identity, now, "chargepoint-agent-security-log", "jsonl")
        return file_name(self._identity, now)

    async def make(self, log_type: str, window: Window) -> bytes:
        """Its content; empty when the security log has nothing of this time. Raises AgentError."""
        if log_type != SECURITY_LOG:
            return await self._bundles.make(window)
        lines = await self._security_lines(window.begin, window.end)
        return "".join(f"{json.dumps(line)}\n" for line in lines).encode("ascii")
