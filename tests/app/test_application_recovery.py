"""What a box does about its own death and about a disk that does not obey."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.core.commands import SaveConfigurationKey
from agent.platform.errors import ControlError, StoreBusy, StoreError, StoreFull
from agent.store import Store
from hw.simulated.contactor import SimulatedContactor
from tests.app.box import (
    ACCEPTED,
    CARD,
    OTHER_CARD,
    POWER_W,
    TRANSACTION_ID,
    Box,
    box_settings,
    running_box,
)
from tests.emulators.central_system import Late
from tests.emulators.virtual_clock import NOON
from tests.store.builders import replace_list


async def test_a_session_cut_by_a_power_loss_is_closed_at_the_next_start(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await asyncio.sleep(150)
        energy_wh = box.energy_wh()
        await box.lose_power()
        await asyncio.sleep(3600)
        await box.start()
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["reason"] == "PowerLoss"
        assert stop.payload["transactionId"] == TRANSACTION_ID
        start = box.central_system.of("StartTransaction")[0].payload
        told_wh = stop.payload["meterStop"] - start["meterStart"]
        sample_wh = POWER_W * 60 / 3600
        assert energy_wh - sample_wh <= told_wh <= energy_wh
        last_sample = box.central_system.of("MeterValues")[-1].payload["meterValue"][0]
        assert stop.payload["timestamp"] == last_sample["timestamp"]
        await asyncio.sleep(600)
        assert len(box.central_system.of("StartTransaction")) == 1
        assert len(box.central_system.of("StopTransaction")) == 1
        assert not box.contactor.is_closed


async def test_the_outputs_are_open_before_anything_else_at_the_start(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        before = box.contactor
        await box.die()
        assert not before.is_closed
        await box.start()
        assert isinstance(box.contactor, SimulatedContactor)
        assert [what for _, what in box.contactor.contacts.history] == []  # it never moved


@pytest.mark.parametrize("dies_after_s", [0.01, 0.3, 1.0, 20.0, 60.0, 61.0])
async def test_whenever_it_dies_there_is_one_start_and_one_stop(tmp_path, dies_after_s):
    async with running_box(tmp_path) as box:
        box.central_system.next("StartTransaction", Late(delay_s=0.5))
        await box.plug()
        await box.tap()
        await asyncio.sleep(dies_after_s)
        await box.die()
        await box.start()
        await box.central_system.received("StopTransaction")
        await asyncio.sleep(600)
        starts = box.central_system.of("StartTransaction")
        stops = box.central_system.of("StopTransaction")
        # What was in flight at the death goes out again, under the same id.
        assert len({call.unique_id for call in starts}) == 1
        assert len(stops) == 1
        assert stops[0].payload["transactionId"] == TRANSACTION_ID
        assert (await box.do("status"))["outbox"]["queued_count"] == 0


async def test_a_death_before_the_start_was_written_leaves_nothing_behind(tmp_path):
    async with running_box(tmp_path) as box:
        box.executors["journal"].is_stuck = True
        await box.plug()
        await box.tap()
        await asyncio.sleep(5)
        assert not box.contactor.is_closed
        await box.die()
        await box.start()
        await asyncio.sleep(600)
        assert box.central_system.of("StartTransaction") == []
        assert box.central_system.of("StopTransaction") == []


async def test_a_death_before_the_stop_was_written_ends_the_session_at_its_last_sample(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await asyncio.sleep(100)
        box.executors["journal"].is_stuck = True
        await box.tap()
        await asyncio.sleep(5)
        assert not box.contactor.is_closed
        await box.die()
        await box.start()
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["reason"] == "Reboot"
        assert stop.payload["meterStop"] == pytest.approx(POWER_W * 60 / 3600, abs=2)


async def test_a_session_goes_on_while_the_disk_is_full_and_is_told_whole_afterwards(
    tmp_path, caplog
):
    caplog.set_level(logging.INFO)
    async with running_box(tmp_path) as box:
        await box.charge()
        await asyncio.sleep(70)
        box.executors["journal"].problem = StoreFull("no room on the disk")
        await asyncio.sleep(300)
        assert box.contactor.is_closed
        reports = [call.payload for call in box.central_system.of("StatusNotification")]
        box_reports = [report for report in reports if report["connectorId"] == 0]
        assert box_reports[-1]["errorCode"] == "InternalError"
        status = await box.do("status")
        assert status["faults"] == ["the journal cannot be written"]
        assert len(box.central_system.of("MeterValues")) == 1
        box.executors["journal"].problem = None
        await asyncio.sleep(10)
        assert len(box.central_system.of("MeterValues")) == 6
        await box.finish()
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["meterStop"] == pytest.approx(box.energy_wh(), abs=1)
        told = [record.message for record in caplog.records if "journal" in record.message]
        assert [line for line in told if "no room" in line] == [
            "the journal cannot be written: no room on the disk"
        ]
        assert "the journal is written again" in told


async def test_nothing_starts_while_the_disk_is_full_and_the_card_is_told_why(tmp_path):
    async with running_box(tmp_path) as box:
        box.central_system.accepted_tags = {CARD}
        box.executors["journal"].problem = StoreFull("no room on the disk")
        await box.tap(OTHER_CARD)  # its refusal cannot be written down: the trouble is known
        await box.plug()
        refused = await box.tap()
        assert (refused["verdict"], refused["rule"]) == ("refused", "JOURNAL_FAILED")
        await asyncio.sleep(60)
        assert box.state.transaction is None
        box.executors["journal"].problem = None
        await asyncio.sleep(5)
        assert (await box.tap())["verdict"] == "accepted"
        await box.until(lambda: box.contactor.is_closed)


async def test_a_session_that_could_not_be_written_down_closes_when_it_can(tmp_path):
    async with running_box(tmp_path) as box:
        await box.plug()
        box.executors["journal"].is_stuck = True
        await box.tap()
        await asyncio.sleep(1)
        box.executors["journal"].problem = StoreFull("no room on the disk")
        box.executors["journal"].release()
        await asyncio.sleep(60)
        assert box.state.transaction is not None
        assert not box.contactor.is_closed
        assert box.central_system.of("StartTransaction") == []
        box.executors["journal"].problem = None
        await box.until(lambda: box.contactor.is_closed)
        await box.central_system.received("StartTransaction")


async def test_a_disk_that_stalls_holds_up_closing_and_the_start_but_not_the_lock(tmp_path):
    async with running_box(tmp_path) as box:
        box.executors["journal"].is_stuck = True
        await box.plug()
        await box.tap()
        await asyncio.sleep(30)
        assert (await box.status())["lock"] == "locked"
        assert not box.contactor.is_closed
        assert box.pilot.offered_a == 0
        assert box.central_system.of("StartTransaction") == []
        box.executors["journal"].release()
        await box.until(lambda: box.contactor.is_closed)
        await box.central_system.received("StartTransaction")


async def test_a_disk_that_stalls_does_not_hold_up_opening(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        box.executors["journal"].is_stuck = True
        await box.do("sim", lever="fault", name="emergency_stop")
        await asyncio.sleep(0.1)
        assert not box.contactor.is_closed
        await asyncio.sleep(10)
        assert box.central_system.of("StopTransaction") == []
        box.executors["journal"].release()
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["reason"] == "EmergencyStop"


async def test_a_session_that_ended_while_its_start_was_not_written_never_closes(tmp_path):
    async with running_box(tmp_path) as box:
        box.executors["journal"].is_stuck = True
        await box.plug()
        await box.tap()
        await asyncio.sleep(5)
        await box.do("sim", lever="fault", name="door")
        await asyncio.sleep(5)
        box.executors["journal"].release()
        await box.do("sim", lever="clear")
        await asyncio.sleep(60)
        assert "contacts closed" not in [what for _, what in box.contactor.contacts.history]


async def test_a_database_that_another_program_locks_is_waited_for(tmp_path):
    async with running_box(tmp_path) as box:
        other = sqlite3.connect(box.settings.storage.path, isolation_level=None)
        await box.charge()
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(62)
        assert (await box.do("status"))["faults"] == ["the journal cannot be written"]
        assert box.central_system.of("MeterValues") == []
        other.execute("ROLLBACK")
        other.close()
        await box.central_system.received("MeterValues")
        assert (await box.do("status"))["faults"] == []
        assert box.contactor.is_closed


async def test_a_card_that_cannot_be_looked_up_is_refused_and_the_box_goes_on(tmp_path, caplog):
    async with running_box(tmp_path) as box:
        for name in ("store-reader", "reports"):
            box.executors[name].problem = StoreError("disk I/O error")
        await box.plug()
        refused = await box.tap()
        assert (refused["rule"], refused["detail"]) == ("LOOK_UP_FAILED", "disk I/O error")
        assert box.is_running
        assert "a card cannot be looked up: disk I/O error" in caplog.text
        status = await box.do("status")
        assert status["outbox"] == {"problem": "disk I/O error"}
        box.executors["store-reader"].problem = None
        assert (await box.tap())["verdict"] == "accepted"


async def test_a_card_ends_its_own_session_though_nothing_can_be_looked_up(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await asyncio.sleep(10)
        box.executors["store-reader"].problem = StoreError("disk I/O error")
        assert (await box.tap(OTHER_CARD))["rule"] == "LOOK_UP_FAILED"
        assert box.contactor.is_closed
        assert (await box.tap())["rule"] == "SAME_CARD"
        await box.until(lambda: not box.contactor.is_closed)
        box.executors["store-reader"].problem = None
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["idTag"] == CARD


async def test_a_remote_start_is_not_decided_on_a_guess_either(tmp_path):
    async with running_box(tmp_path) as box:
        await box.plug()
        box.executors["store-reader"].problem = StoreError("disk I/O error")
        answer = await box.central_system.send_call(
            "RemoteStartTransaction", {"idTag": CARD, "connectorId": 1}
        )
        assert answer[2] == {"status": "Rejected"}
        box.executors["store-reader"].problem = None
        (reason,) = await box.do("why")
        assert (reason["rule"], reason["purpose"]) == ("LOOK_UP_FAILED", "remote start")


def damage(database: Path) -> None:
    database.write_bytes(b"this is no database at all" * 400)


async def test_a_corrupt_database_is_set_aside_and_the_box_goes_on(tmp_path):
    settings = box_settings(tmp_path)
    damage(settings.storage_path)
    box = Box(settings)
    await box.start()
    report = await box.central_system.received("StatusNotification")
    assert (report.payload["connectorId"], report.payload["errorCode"]) == (0, "InternalError")
    assert report.payload["info"] == "database was corrupt: moved aside, a new one begun"
    status = await box.do("status")
    assert status["faults"] == ["database was corrupt: moved aside, a new one begun"]
    assert [one.name for one in tmp_path.glob("agent.db.corrupt-*")] != []
    await box.charge()
    await box.die()


async def test_a_stored_key_that_nobody_can_read_does_not_count_and_the_box_goes_on(
    tmp_path, caplog
):
    box = Box(box_settings(tmp_path))
    with closing(Store.open(box.settings.storage_path, now=NOON, make_id=str)) as store:
        store.commit([SaveConfigurationKey("MeterValueSampleInterval", "6\x11")], NOON)
    await box.start()
    assert "MeterValueSampleInterval must be a whole number" in caplog.text
    await box.charge()
    await box.central_system.received("MeterValues")
    await box.die()


async def test_a_database_in_use_ends_the_start_with_a_sentence_and_nothing_left_open(tmp_path):
    settings = box_settings(tmp_path)
    holder = Store.open(settings.storage_path, now=NOON, make_id=lambda: "unused")
    box = Box(settings)
    with pytest.raises(StoreBusy, match="is another chargepoint-agent running"):
        await box.application_that_fails()
    holder.close()
    await box.start()
    await box.die()


async def test_a_control_socket_that_cannot_be_ends_the_start_with_a_sentence(tmp_path):
    box = Box(box_settings(tmp_path), control_path=tmp_path / ("x" * 120))
    with pytest.raises(ControlError, match="too long"):
        await box.application_that_fails()
    again = Box(box_settings(tmp_path))  # the database was let go of
    await again.start()
    await again.die()


async def test_a_list_that_was_stored_is_found_after_the_process_died(tmp_path):
    async with running_box(tmp_path) as box:
        await box.die()
        store = Store.open(box.settings.storage_path, now=NOON, make_id=lambda: "unused")
        replace_list(store, 3, [(CARD, ACCEPTED)])
        store.close()
        await box.start()
        await box.plug()
        assert (await box.tap())["list_version"] == 3


async def test_the_last_report_says_that_every_output_is_open(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with running_box(tmp_path) as box:
        await box.charge()
        await box.shut_down()
        assert "all outputs are open; goodbye" in caplog.text
