"""Surplus charging: the central system stops and starts one vehicle a dozen times, plug in."""

from __future__ import annotations

import asyncio

import pytest

from tests.app.box import CARD, running_box

TIMES = 12
CLOUD_S = 900  # longer than ConnectionTimeOut


@pytest.mark.parametrize(
    ("named", "authorize", "waits_s"),
    [
        ({"connectorId": 1}, "true", CLOUD_S),
        ({}, "false", CLOUD_S),
        ({"connectorId": 1}, "false", 0),
        ({}, "true", 0),
    ],
)
async def test_a_vehicle_is_stopped_and_started_all_day_long(tmp_path, authorize, named, waits_s):
    keys = {"AuthorizeRemoteTxRequests": authorize, "ConnectionTimeOut": "60"}
    async with running_box(tmp_path, connectors=2, **keys) as box:
        cs = box.central_system
        await box.charge()
        started = await cs.received("StartTransaction")
        for number in range(1, TIMES + 1):
            await asyncio.sleep(60)
            cs.calls = [call for call in cs.calls if call.action != "StatusNotification"]
            running = cs.transaction_ids[started.unique_id]
            answer = await cs.send_call("RemoteStopTransaction", {"transactionId": running})
            assert answer[2] == {"status": "Accepted"}
            if waits_s:
                finishing = await cs.received("StatusNotification")
                assert finishing.payload["status"] == "Finishing"
                await asyncio.sleep(waits_s)
            start = {"idTag": CARD, **named}
            answer = await cs.send_call("RemoteStartTransaction", start)
            assert answer[2] == {"status": "Accepted"}
            started = await cs.received("StartTransaction", number + 1)
            await box.until(lambda: box.contactor.is_closed)
            assert (await cs.received("StopTransaction", number)).payload["reason"] == "Remote"
            await asyncio.sleep(1)
            told = [call.payload for call in cs.of("StatusNotification")]
            assert {one["connectorId"] for one in told} == {1}
            statuses = [one["status"] for one in told]
            assert (statuses[:2], statuses[-1]) == (["Finishing", "Preparing"], "Charging")
        assert {call.payload["connectorId"] for call in cs.of("StartTransaction")} == {1}
        assert {call.payload["idTag"] for call in cs.of("StartTransaction")} == {CARD}
        assert len(cs.of("StopTransaction")) == TIMES
