"""Messages that the central system would not take: parked, shown, sent once more, given up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from agent.cli.status_view import status_lines
from agent.platform.errors import ControlError
from tests.app.box import TRANSACTION_ID, Box, running_box
from tests.emulators.central_system import Error

REFUSED = Error("InternalError", "not now")


@asynccontextmanager
async def box_with_a_parked_start(directory: Path) -> AsyncIterator[Box]:
    """A session is over whose start was refused for good."""
    keys = {"TransactionMessageAttempts": "1", "TransactionMessageRetryInterval": "0"}
    async with running_box(directory, **keys) as box:
        box.central_system.always("StartTransaction", REFUSED)
        await box.charge()
        await asyncio.sleep(30)
        await box.finish()
        await box.central_system.received("StopTransaction")
        yield box


async def parked(box: Box) -> list[dict]:
    return (await box.do("status"))["outbox"]["parked"]


async def test_a_start_that_was_given_up_leaves_its_stop_without_anybodys_number(tmp_path):
    async with box_with_a_parked_start(tmp_path) as box:
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["transactionId"] == -1
        assert [(one["action"], one["transaction_ref"]) for one in await parked(box)] == [
            ("StartTransaction", 1)
        ]
        shown = "\n".join(status_lines(await box.do("status")))
        assert "1: StartTransaction of session 1: " in shown
        assert "not now" in shown
        assert "queue retry" in shown


async def test_it_is_sent_once_more_as_the_same_message_when_a_person_says_so(tmp_path):
    async with box_with_a_parked_start(tmp_path) as box:
        first = (await box.central_system.received("StartTransaction")).unique_id
        box.central_system.always("StartTransaction", None)
        (one,) = await parked(box)
        assert await box.do("queue", order="retry", ref=one["sequence"]) == {"retried": 1}
        again = await box.central_system.received("StartTransaction", 2)
        assert again.unique_id == first
        await asyncio.sleep(1)
        assert await parked(box) == []


async def test_a_message_that_storage_has_damaged_is_parked_and_holds_up_no_other(tmp_path):
    async with running_box(tmp_path, TransactionMessageAttempts="1") as box:
        await box.charge()
        await asyncio.sleep(30)
        box.central_system.refuse_always = OSError("nobody is there")
        await box.central_system.drop()
        await box.finish()
        await box.die()
        with closing(sqlite3.connect(tmp_path / "agent.db")) as connection, connection:
            connection.execute("UPDATE outbox SET payload = '{' WHERE action = 'StopTransaction'")
        box.central_system.refuse_always = None
        await box.start()
        await box.charge()
        await box.central_system.received("StartTransaction", 2)
        (one,) = await parked(box)
        assert (one["action"], one["transaction_ref"]) == ("StopTransaction", 1)
        assert one["problem"].startswith("storage has damaged it: ")
        await box.do("queue", order="retry", ref=one["sequence"])
        await asyncio.sleep(1)
        assert await parked(box) == [one]
        assert box.central_system.of("StopTransaction") == []


async def test_a_stop_that_was_set_aside_carries_the_number_of_its_own_session(tmp_path):
    keys = {"TransactionMessageAttempts": "1", "TransactionMessageRetryInterval": "0"}
    async with running_box(tmp_path, **keys) as box:
        box.central_system.always("StopTransaction", REFUSED)
        for _ in range(2):
            await box.charge()
            await asyncio.sleep(30)
            await box.finish()
        await box.central_system.received("StopTransaction", 2)
        box.central_system.always("StopTransaction", None)
        await asyncio.sleep(1)
        for one in await parked(box):
            await box.do("queue", order="retry", ref=one["sequence"])
        await box.central_system.received("StopTransaction", 4)
        sent = [call.payload["transactionId"] for call in box.central_system.of("StopTransaction")]
        assert sent == [TRANSACTION_ID, TRANSACTION_ID + 1] * 2


async def test_it_survives_a_restart_and_can_be_given_up(tmp_path):
    async with box_with_a_parked_start(tmp_path) as box:
        await box.die()
        await box.start()
        (one,) = await parked(box)
        assert await box.do("queue", order="discard", ref=one["sequence"]) == {"discarded": 1}
        await asyncio.sleep(1)
        assert await parked(box) == []
        assert len(box.central_system.of("StartTransaction")) == 1


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"order": "retry", "ref": 99}, "no message 99 is parked"),
        ({"order": "discard", "ref": 2}, "no message 2 is parked"),
        ({"order": "retry", "ref": "1"}, "ref must be"),
        ({"order": "retry", "ref": 2**70}, "ref must be"),
        ({"order": "burn", "ref": 1}, "there is no order"),
        ({"ref": 1}, "there is no order"),
    ],
)
async def test_what_is_not_set_aside_cannot_be_touched(tmp_path, request_, problem):
    async with box_with_a_parked_start(tmp_path) as box:
        with pytest.raises(ControlError, match=problem):
            await box.do("queue", **request_)
        assert len(await parked(box)) == 1
