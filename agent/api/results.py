"""What became of queued commands: the last 200, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Any

KEPT_MAX = 200


class CommandStatus(Enum):
    """Where a command is; the last four are final."""

    RECEIVED = "received"
    DEFERRED = "deferred"
    APPLIED = "applied"
    REJECTED = "rejected"
    EXPIRED = "expired"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """True when nothing follows any more."""
        return self not in (CommandStatus.RECEIVED, CommandStatus.DEFERRED)


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """How a command ended."""

    status: CommandStatus
    detail: str | None = None
    result: Mapping[str, Any] | None = None


def applied(**result: Any) -> CommandOutcome:
    """The effect is confirmed."""
    return CommandOutcome(CommandStatus.APPLIED, None, result or None)


def rejected(detail: str, **result: Any) -> CommandOutcome:
    """The central system or the charger refused."""
    return CommandOutcome(CommandStatus.REJECTED, detail, result or None)


def expired(detail: str) -> CommandOutcome:
    """It waited too long."""
    return CommandOutcome(CommandStatus.EXPIRED, detail)


def failed(detail: str, **result: Any) -> CommandOutcome:
    """It went wrong while it ran."""
    return CommandOutcome(CommandStatus.FAILED, detail, result or None)


@dataclass(slots=True)
class QueuedCommand:
    """One accepted command; changed only on the API's own loop."""

    id: str
    event_type: str
    received_at: datetime
    updated_at: datetime
    status: CommandStatus = CommandStatus.RECEIVED
    detail: str | None = None
    result: Mapping[str, Any] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Results:
    """The commands by id. What is not final is never dropped: the queue is bounded."""

    def __init__(self, make_id: Callable[[], str], utc: Callable[[], datetime]) -> None:
        self._make_id = make_id
        self._utc = utc
        self._commands: dict[str, QueuedCommand] = {}  # oldest first
        self.finished: dict[tuple[str, str], int] = {}  # by event type and status, for the metrics

    def begin(self, event_type: str) -> QueuedCommand:
        """A new command: received."""
        now = self._utc()
        command = QueuedCommand(self._new_id(), event_type, now, now)
        self._commands[command.id] = command
        self._make_room()
        return command

    def change(
        self,
        command: QueuedCommand,
        status: CommandStatus,
        detail: str | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Go on to this status; a final one stays."""
        if command.status.is_final:
            return
        command.status, command.detail, command.result = status, detail, result
        command.updated_at = self._utc()
        if status.is_final:
            key = (command.event_type, status.value)
            self.finished[key] = self.finished.get(key, 0) + 1
            command.ended.set()

    def find(self, command_id: str) -> QueuedCommand | None:
        """The command of that id; None when it is unknown or forgotten."""
        return self._commands.get(command_id)

    def newest(self, limit: int) -> list[QueuedCommand]:
        """The last commands, newest first."""
        return list(islice(reversed(self._commands.values()), limit))

    def _new_id(self) -> str:
        while True:
            command_id = self._make_id().replace("-", "")[:12].lower()
            if command_id not in self._commands:
                return command_id

    def _make_room(self) -> None:
        while len(self._commands) > KEPT_MAX:
            done = (found.id for found in self._commands.values() if found.status.is_final)
            oldest = next(done, None)
            if oldest is None:
                return
            del self._commands[oldest]
