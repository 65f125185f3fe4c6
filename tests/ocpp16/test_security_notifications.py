"""Queued security events, one after the other, to a link that may refuse them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from ocpp.messages import MessageType, get_validator

from agent.core.security_event_values import (
    QueuedSecurityEvent,
    SecurityEvent,
    SecurityEventNotTold,
    SecurityEventTold,
    SecurityEventType,
    SecurityQueueWasEmpty,
    TellSecurityEvent,
)
from agent.ocpp16.requests import security_event_notification
from agent.ocpp16.security_notifications import SecurityNotifications
from agent.ocppj.pending_call import CallErrorReceived
from agent.platform.errors import AgentError, CallFailed, StoreError
from tests.core.story import NOON

EVENT = SecurityEvent(SecurityEventType.RESET_OR_REBOOT, NOON, "Reset, Soft")
QUEUED = QueuedSecurityEvent(7, "id-7", EVENT)


class Rig:
    """A link and a store of a test: what they say next, and what they were asked."""

    def __init__(self) -> None:
        self.oldest: deque[QueuedSecurityEvent | AgentError | None] = deque()
        self.refusal: CallFailed | None = None
        self.calls: list[tuple[str, object, str]] = []
        self.posted: list[object] = []
        self.sender = SecurityNotifications(self, self.read, self.posted.append)

    async def read(self) -> QueuedSecurityEvent | None:
        found = self.oldest.popleft()
        if isinstance(found, AgentError):
            raise found
        return found

    async def call(self, action: str, payload: object, unique_id: str = "") -> object:
        self.calls.append((action, payload, unique_id))
        if self.refusal is not None:
            raise self.refusal
        return {}

    async def order(self, found: QueuedSecurityEvent | AgentError | None) -> list[object]:
        """What the core hears of one order."""
        self.posted.clear()
        self.oldest.append(found)
        self.sender.perform(TellSecurityEvent(3, up_to=5))
        await asyncio.sleep(0.1)
        return list(self.posted)


@asynccontextmanager
async def a_rig() -> AsyncIterator[Rig]:
    rig = Rig()
    run = asyncio.create_task(rig.sender.run())
    try:
        yield rig
    finally:
        run.cancel()


async def test_the_oldest_event_goes_out_under_its_own_id():
    async with a_rig() as rig:
        assert await rig.order(QUEUED) == [SecurityEventTold(7, 3)]
        payload = {
            "type": "ResetOrReboot",
            "timestamp": "2026-03-01T12:00:00.000Z",
            "techInfo": "Reset, Soft",
        }
        assert rig.calls == [("SecurityEventNotification", payload, "id-7")]


async def test_an_event_that_storage_has_damaged_leaves_the_queue_and_the_log_says_so(caplog):
    async with a_rig() as rig:
        assert await rig.order(replace(QUEUED, event=None)) == [SecurityEventTold(7, 3)]
        assert rig.calls == []
        assert "Storage has damaged security event 7: it is not sent" in caplog.text


async def test_an_empty_queue_says_up_to_where():
    async with a_rig() as rig:
        assert await rig.order(None) == [SecurityQueueWasEmpty(3, up_to=5)]
        assert rig.calls == []


@pytest.mark.parametrize(
    ("refusal", "is_unwanted"),
    [
        (CallFailed("no answer"), False),
        (CallErrorReceived("InternalError", "no"), False),
        (CallErrorReceived("NotImplemented", "no"), True),
        (CallErrorReceived("NotSupported", "no"), True),
    ],
)
async def test_a_refusal_is_told_and_whether_the_message_is_unknown(refusal, is_unwanted):
    async with a_rig() as rig:
        rig.refusal = refusal
        assert await rig.order(QUEUED) == [SecurityEventNotTold(3, is_unwanted)]


async def test_a_store_that_cannot_be_read_fails_the_order_and_the_next_one_is_served():
    async with a_rig() as rig:
        assert await rig.order(StoreError("broken")) == [SecurityEventNotTold(3)]
        assert await rig.order(QUEUED) == [SecurityEventTold(7, 3)]


@pytest.mark.parametrize("kind", SecurityEventType)
def test_every_event_is_a_valid_message(kind):
    event = SecurityEvent(kind, NOON, "\u00fcber " + "x" * 400)
    validator = get_validator(MessageType.Call, "SecurityEventNotification", "1.6")
    validator.validate(security_event_notification(event))
    validator.validate(security_event_notification(SecurityEvent(kind, NOON)))
