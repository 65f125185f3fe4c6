"""A session without a link, told afterwards to a central system that checks strictly."""

from __future__ import annotations

import asyncio

import pytest

from tests.app.box import CARD
from tests.strict.pair import a_pair

pytestmark = pytest.mark.real_time

STATUS = "StatusNotification"


async def test_a_session_without_a_link_is_told_afterwards_in_order(tmp_path, system):
    async with a_pair(tmp_path, system, AllowOfflineTxForUnknownId="true") as pair:
        await pair.box.charge(CARD)
        await asyncio.sleep(2.1)  # samples come every second
        await pair.box.tap(CARD)
        await pair.box.until(lambda: pair.box.state.transaction is None)
        assert system.calls == []
        pair.network.set()
        stop = await system.received("StopTransaction")
        told = [call.action for call in system.calls]
        assert told[0] == "BootNotification"
        besides = ("BootNotification", STATUS, "SecurityEventNotification")
        session = [action for action in told if action not in besides]
        samples = len(session) - 2
        assert samples >= 2
        assert session == ["StartTransaction", *["MeterValues"] * samples, "StopTransaction"]
        ids = {values["transactionId"] for values in system.of("MeterValues")}
        assert ids == {stop["transactionId"]}
        assert system.of("StartTransaction")[0]["timestamp"] < stop["timestamp"]
