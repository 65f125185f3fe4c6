"""The whole application in virtual time: sessions, with and without a central system."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import replace

import pytest

from agent.app.application import Application
from agent.app.environment import Environment
from agent.platform.errors import LinkError
from agent.platform.systemd import ServiceManager
from agent.runtime.clock import SystemClock
from hw.board import open_board
from tests.app.box import (
    CARD,
    OTHER_CARD,
    TRANSACTION_ID,
    Box,
    box_settings,
    put_on_list,
    running_box,
    seconds,
)


def story(box: Box) -> list[object]:
    """What the central system saw, in order: statuses of the connector by name, calls by action."""
    told: list[object] = []
    for call in box.central_system.calls:
        if call.action == "SecurityEventNotification":
            continue  # tests/app/test_application_security.py
        if call.action != "StatusNotification":
            told.append(call.action)
        elif call.payload["connectorId"] == 1:
            told.append(call.payload["status"])
    return told


async def test_a_session_is_told_in_order_with_the_energy_that_flowed(tmp_path):
    async with running_box(tmp_path) as box:
        await box.plug()
        await asyncio.sleep(10)
        assert (await box.tap())["rule"] == "CENTRAL_ACCEPTED"
        await box.until(lambda: box.contactor.is_closed)
        await asyncio.sleep(150)  # two samples
        await box.finish()
        assert story(box) == [
            "BootNotification",
            "Available",
            "Preparing",
            "Authorize",
            "StartTransaction",
            "Charging",
            "MeterValues",
            "MeterValues",
            "Finishing",
            "StopTransaction",
            "Available",
        ]
        start = box.central_system.of("StartTransaction")[0].payload
        stop = box.central_system.of("StopTransaction")[0].payload
        assert start["idTag"] == stop["idTag"] == CARD
        assert stop["transactionId"] == TRANSACTION_ID
        assert stop["meterStop"] - start["meterStart"] == pytest.approx(box.energy_wh(), abs=1)
        assert box.energy_wh() > 300
        begun_s = seconds(start["timestamp"])
        for number, call in enumerate(box.central_system.of("MeterValues"), start=1):
            assert call.payload["transactionId"] == TRANSACTION_ID
            sampled_s = seconds(call.payload["meterValue"][0]["timestamp"])
            assert sampled_s == pytest.approx(begun_s + 60 * number, abs=0.1)


async def test_status_and_why_tell_the_session_and_no_whole_tag(tmp_path):
    async with running_box(tmp_path) as box:
        assert (await box.status())["in_words"] == "free"
        await box.charge()
        await asyncio.sleep(60)
        status = await box.do("status")
        connector = status["connectors"][0]
        assert (connector["status"], connector["in_words"]) == ("Charging", "charging")
        assert connector["contactor"] == "closed"
        assert connector["lock"] == "locked"
        assert connector["session"]["id_tag"] == "04..80"
        assert connector["session"]["transaction_id"] == TRANSACTION_ID
        assert connector["session"]["energy_wh"] == pytest.approx(box.energy_wh(), abs=5)
        assert status["link"]["is_accepted"]
        assert status["outbox"]["queued_count"] == 0
        why = await box.do("why", id_tag=CARD)
        assert [decision["rule"] for decision in why] == ["CENTRAL_ACCEPTED"]
        for answer in (status, why):
            assert CARD not in json.dumps(answer)
            assert "04..80" in json.dumps(answer)


async def test_a_session_begun_offline_is_told_later_as_it_was(tmp_path):
    settings = box_settings(tmp_path)
    put_on_list(settings, CARD)
    box = Box(settings)
    box.central_system.refuse_always = LinkError("nobody is there")
    await box.start()
    await box.plug()
    refused = await box.tap(OTHER_CARD)
    assert (refused["verdict"], refused["rule"]) == ("refused", "UNKNOWN_REFUSED")
    assert refused["next"].startswith("restore the link")
    begun_s = box.clock.now().monotonic_s
    accepted = await box.tap()
    assert (accepted["rule"], accepted["source"]) == ("LISTED_OFFLINE", "local list")
    assert accepted["list_version"] == 7
    await box.until(lambda: box.contactor.is_closed)
    await asyncio.sleep(150)
    await box.finish()
    ended_s = box.clock.now().monotonic_s
    await asyncio.sleep(3600)
    assert box.central_system.calls == []
    assert (await box.do("status"))["outbox"]["queued_count"] == 4

    box.central_system.refuse_always = None
    await box.central_system.received("StopTransaction")
    told = [action for action in story(box) if str(action).endswith(("Transaction", "Values"))]
    assert told == ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]
    start = box.central_system.of("StartTransaction")[0].payload
    stop = box.central_system.of("StopTransaction")[0].payload
    assert seconds(start["timestamp"]) == pytest.approx(begun_s, abs=1)
    assert seconds(stop["timestamp"]) == pytest.approx(ended_s, abs=5)
    first, second = box.central_system.of("MeterValues")
    assert [seconds(call.payload["meterValue"][0]["timestamp"]) for call in (first, second)] == [
        pytest.approx(begun_s + 60, abs=1),
        pytest.approx(begun_s + 120, abs=1),
    ]
    assert {call.payload["transactionId"] for call in (first, second)} == {TRANSACTION_ID}
    assert stop["transactionId"] == TRANSACTION_ID
    assert stop["meterStop"] - start["meterStart"] == pytest.approx(box.energy_wh(), abs=1)
    await box.die()


async def test_a_box_without_central_system_goes_by_its_list(tmp_path):
    settings = box_settings(tmp_path, url="")
    put_on_list(settings, CARD)
    box = Box(settings)
    await box.start()
    await box.charge()
    assert (await box.status())["session"]["id_tag"] == "04..80"
    assert (await box.do("status"))["link"]["url"] == ""
    assert box.central_system.attempts == []
    await box.die()


async def test_two_connectors_charge_side_by_side(tmp_path):
    async with running_box(tmp_path, connectors=2) as box:
        for connector, card in ((1, CARD), (2, OTHER_CARD)):
            await box.do("sim", lever="plug", connector=connector)
            assert (await box.tap(card))["verdict"] == "accepted"
            await asyncio.sleep(5)
        status = await box.do("status")
        assert [one["status"] for one in status["connectors"]] == ["Charging", "Charging"]
        starts = box.central_system.of("StartTransaction")
        assert [(c.payload["connectorId"], c.payload["idTag"]) for c in starts] == [
            (1, CARD),
            (2, OTHER_CARD),
        ]


async def test_being_told_to_end_stops_the_session_first(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        began_s = box.clock.now().monotonic_s
        assert await box.shut_down() is False
        assert box.clock.now().monotonic_s - began_s < 3
        assert box.central_system.of("StopTransaction")[0].payload["reason"] == "Reboot"
        assert not box.contactor.is_closed


async def test_a_disk_that_stalls_does_not_keep_the_process_alive(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        box.executors["journal"].is_stuck = True
        began_s = box.clock.now().monotonic_s
        assert await box.shut_down() is False
        assert box.clock.now().monotonic_s - began_s < 4
        assert not box.contactor.is_closed


@pytest.mark.real_time
async def test_the_watchdog_is_not_fed_while_nobody_looks_at_the_inputs(tmp_path, monkeypatch):
    monkeypatch.setattr("agent.runtime.supervision_loop.BLIND_S", 0.2)
    clock = SystemClock()
    settings = box_settings(tmp_path, url="")
    board = open_board(settings.board, lambda: clock.now().monotonic_s, simulate=True)
    door = HangingInput()
    board = replace(board, is_polled=True, safety_inputs={"door": door})
    fed: list[float] = []
    service = ServiceManager(time.monotonic, {"WATCHDOG_USEC": "40000"})
    monkeypatch.setattr(service, "alive", lambda: fed.append(time.monotonic()))
    application = Application(
        settings, world=Environment(clock=clock, board=board), service=service
    )
    run = asyncio.create_task(application.run())
    async with asyncio.timeout(20):
        while len(fed) < 5:
            await asyncio.sleep(0.01)
        door.hangs.clear()
        while time.monotonic() - fed[-1] < 0.2:
            await asyncio.sleep(0.01)
        fed.clear()
        door.hangs.set()
        while not fed:
            await asyncio.sleep(0.01)
        application.shut_down()
        await run


class HangingInput:
    """A contact whose driver does not come back while ``hangs`` is cleared."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        self.hangs.set()

    @property
    def is_tripped(self) -> bool:
        self.hangs.wait(timeout=20)
        return False

    def shut_down(self) -> None:
        self.hangs.set()


async def test_a_reset_ends_the_session_and_asks_to_start_again(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        answer = await box.central_system.send_call("Reset", {"type": "Soft"})
        assert answer[2] == {"status": "Accepted"}
        assert await box.ended() is True
        assert box.central_system.of("StopTransaction")[0].payload["reason"] == "SoftReset"


async def test_being_told_to_end_before_it_began_changes_nothing(tmp_path):
    box = Box(box_settings(tmp_path))
    await box.start()
    await box.shut_down()
    box.application.shut_down()  # once more, when it is over
    assert not box.is_running
