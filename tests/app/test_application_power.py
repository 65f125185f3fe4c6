"""Power cuts and restarts: what begins again, what goes on, and what the central system is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.settings import AuthorizationSettings, OcppSettings
from agent.core.outbox import ANSWERED_MAX
from agent.platform.errors import LinkError
from tests.app.box import CARD, OTHER_CARD, TRANSACTION_ID, Box, box_settings, put_on_list
from tests.emulators.central_system import Error, Silence


def a_box(directory: Path, *listed: str, **rules: object) -> Box:
    settings = box_settings(directory)
    settings = replace(settings, authorization=AuthorizationSettings(**rules))  # type: ignore[arg-type]
    put_on_list(settings, *listed)
    return Box(settings)


async def test_a_known_card_charges_after_a_power_cut_without_network_and_is_told_later(tmp_path):
    box = a_box(tmp_path, CARD)
    await box.start()
    await box.central_system.received("StatusNotification", 2)
    await box.lose_power()
    box.central_system.refuse_always = LinkError("no network")
    await box.start()
    await box.charge()
    await asyncio.sleep(100)
    unknown = await box.tap(OTHER_CARD)
    assert (unknown["verdict"], unknown["rule"]) == ("refused", "OTHER_SESSION")
    await box.finish()
    assert box.central_system.of("StartTransaction") == []
    box.central_system.refuse_always = None
    stop = await box.central_system.received("StopTransaction")
    assert stop.payload["transactionId"] == TRANSACTION_ID
    await box.die()


async def test_what_was_taken_out_of_service_stays_so_whatever_kills_the_process(tmp_path):
    box = a_box(tmp_path, CARD)
    await box.start()
    await box.central_system.received("StatusNotification", 2)
    change = {"connectorId": 1, "type": "Inoperative"}
    answer = await box.central_system.send_call("ChangeAvailability", change)
    assert answer[2] == {"status": "Accepted"}
    await box.die()  # right after the answer
    await box.start()
    assert (await box.status())["status"] == "Unavailable"
    await box.lose_power()
    await box.start()
    await box.plug()
    refused = await box.tap(CARD)
    assert (refused["verdict"], refused["rule"]) == ("refused", "OUT_OF_SERVICE")
    words = "out of service: the central system wants it so"
    assert (await box.status())["in_words"] == words
    await box.central_system.send_call("ChangeAvailability", {**change, "type": "Operative"})
    await box.die()
    await box.start()
    assert (await box.status())["status"] == "Available"
    await box.die()


async def test_a_change_that_waits_for_the_end_of_a_session_survives_a_power_cut(tmp_path):
    box = a_box(tmp_path, CARD)
    await box.start()
    await box.charge()
    change = {"connectorId": 0, "type": "Inoperative"}
    answer = await box.central_system.send_call("ChangeAvailability", change)
    assert answer[2] == {"status": "Scheduled"}
    assert (await box.status())["availability"] == "inoperative when it is free"
    await box.lose_power()
    await box.start()
    await box.central_system.received("StopTransaction")
    await box.until(lambda: box.state.transaction is None)
    await asyncio.sleep(1)
    assert (await box.status())["status"] == "Unavailable"
    await box.die()


@pytest.mark.parametrize("way", ["lose_power", "die"])
async def test_a_session_goes_on_where_the_setting_says_so(tmp_path, way):
    box = a_box(tmp_path, resume_after_power_loss=True)
    await box.start()
    await box.charge()
    await asyncio.sleep(130)
    register_wh = (await box.status())["meter"]["import_wh"]
    await getattr(box, way)()
    await asyncio.sleep(3600)
    # The simulated car and meter have no memory: they are put back to where they were.
    box.settings = replace(
        box.settings,
        simulation=replace(box.settings.simulation, meter_start_wh=register_wh),
    )
    box.is_plugged_at_start = True
    await box.start()
    await box.until(lambda: box.contactor.is_closed)
    await asyncio.sleep(120)
    await box.finish()
    stop = await box.central_system.received("StopTransaction")
    assert stop.payload["reason"] == "Local"
    assert stop.payload["transactionId"] == TRANSACTION_ID
    assert stop.payload["meterStop"] > register_wh
    assert len(box.central_system.of("StartTransaction")) == 1
    await box.die()


async def test_free_charging_begins_anew_when_the_power_is_back_and_nobody_is_there(tmp_path):
    box = a_box(tmp_path, free_charging_id_tag="FREE")
    box.is_plugged_at_start = True
    await box.start()
    await box.until(lambda: box.contactor.is_closed)
    await asyncio.sleep(70)
    await box.lose_power()
    await box.start()
    await box.until(lambda: box.contactor.is_closed)
    await box.central_system.received("StartTransaction", 2)
    order = [c.action for c in box.central_system.calls if "Transaction" in c.action]
    assert order == ["StartTransaction", "StopTransaction", "StartTransaction"]
    await box.die()


async def test_a_message_is_the_same_message_with_its_attempts_after_a_restart(tmp_path):
    box = a_box(tmp_path, CARD)
    await box.start()
    await box.central_system.received("StatusNotification", 2)
    box.central_system.always("StartTransaction", Error("InternalError", "not now"))
    await box.charge()
    await box.central_system.received("StartTransaction", 2)  # after 60 s
    await asyncio.sleep(5)
    await box.die()
    await box.start()
    await box.central_system.received("StartTransaction", 3)
    await asyncio.sleep(600)
    calls = box.central_system.of("StartTransaction")
    assert len(calls) == 3  # and not three more
    assert len({call.unique_id for call in calls}) == 1
    (parked,) = (await box.do("status"))["outbox"]["parked"]
    assert parked["action"] == "StartTransaction"
    await box.die()


async def test_a_central_system_that_never_answers_does_not_block_the_queue_for_ever(tmp_path):
    box = a_box(tmp_path, CARD)
    await box.start()
    await box.central_system.received("StatusNotification", 2)
    box.central_system.always("StartTransaction", Silence())
    await box.charge()
    await asyncio.sleep(600)
    await box.finish()
    stop = await box.central_system.received("StopTransaction")
    assert stop.payload["transactionId"] == -1
    assert len({call.unique_id for call in box.central_system.of("StartTransaction")}) == 1
    await box.die()


async def test_of_all_that_happened_offline_only_the_present_status_is_reported(tmp_path):
    box = a_box(tmp_path, CARD)
    patient = OcppSettings(configuration={"ConnectionTimeOut": "600"})
    box.settings = replace(box.settings, ocpp=patient)
    await box.start()
    await box.central_system.received("StatusNotification", 2)
    box.central_system.refuse_always = LinkError("gone")
    await box.central_system.drop()
    await asyncio.sleep(10)
    reported = len(box.central_system.of("StatusNotification"))
    for _ in range(3):
        await box.charge()
        await asyncio.sleep(20)
        await box.finish()
    await box.plug()
    box.central_system.refuse_always = None
    await box.central_system.received("StopTransaction", 3)
    reports = box.central_system.of("StatusNotification")[reported:]
    assert [(call.payload["connectorId"], call.payload["status"]) for call in reports] == [
        (0, "Available"),
        (1, "Preparing"),
    ]
    await box.die()


async def test_an_idle_day_writes_nothing_to_the_disk(tmp_path):
    box = a_box(tmp_path, CARD)
    await box.start()
    await box.central_system.received("StatusNotification", 2)
    await asyncio.sleep(60)
    path = box.settings.storage_path

    def files() -> list[tuple[bytes, int]]:
        both = (path, path.with_name(path.name + "-wal"))
        return [(file.read_bytes(), file.stat().st_mtime_ns) for file in both]

    before = files()
    await asyncio.sleep(86_400)
    assert len(box.central_system.of("Heartbeat")) >= 280
    assert files() == before
    await box.die()


async def test_a_sample_costs_one_commit_and_a_queue_of_samples_few(tmp_path):
    box = a_box(tmp_path, CARD)
    await box.start()
    await box.charge()
    await asyncio.sleep(90)
    journal = box.executors["journal"]
    before = journal.count
    await asyncio.sleep(600)
    assert journal.count - before == 10
    box.central_system.refuse_always = LinkError("gone")
    await box.central_system.drop()
    await asyncio.sleep(2400)
    before, told = journal.count, len(box.central_system.of("MeterValues"))
    box.central_system.refuse_always = None
    await box.central_system.received("MeterValues", told + 40)
    assert journal.count - before <= 10  # link, samples, 40 removals
    await asyncio.sleep(5)
    assert (await box.do("status"))["outbox"]["queued_count"] == 0
    samples = [call.unique_id for call in box.central_system.of("MeterValues")]
    assert len(set(samples)) == len(samples)
    await box.die()


async def test_the_offer_is_shown_when_it_is_made_and_not_before(tmp_path):
    box = a_box(tmp_path, CARD)
    await box.start()
    await box.plug()
    box.executors["journal"].is_stuck = True
    await box.do("sim", lever="tap", card=CARD)
    await asyncio.sleep(5)
    assert (await box.status())["offered_current_a"] == 0.0
    box.executors["journal"].release()
    await box.until(lambda: box.contactor.is_closed)
    assert (await box.status())["offered_current_a"] == 32.0
    await box.die()


async def test_a_person_sees_what_waits_and_what_people_did(tmp_path):
    box = a_box(tmp_path, CARD)
    box.settings = replace(
        box.settings,
        ocpp=replace(
            box.settings.ocpp,
            configuration={
                **box.settings.ocpp.configuration,
                "TransactionMessageAttempts": "1",
            },
        ),
    )
    await box.start()
    await box.central_system.received("StatusNotification", 2)
    box.central_system.always("StartTransaction", Error("InternalError", "not now"))
    await box.charge()
    await asyncio.sleep(5)
    shown = await box.do("queue", order="show")
    assert [one["sequence"] for one in shown["outbox"]["parked"]] == [1]
    assert shown["deeds"] == []
    await box.do("queue", order="discard", ref=1)
    (deed,) = (await box.do("queue", order="show"))["deeds"]
    assert deed["deed"].startswith("message 1, StartTransaction of session 1: discarded by the")
    assert CARD not in deed["deed"]
    await box.die()


async def test_a_stop_that_waits_gets_the_number_of_its_start_when_that_is_sent_once_more(tmp_path):
    box = a_box(tmp_path, CARD)
    keys = {"TransactionMessageAttempts": "1", "TransactionMessageRetryInterval": "0"}
    configuration = {**box.settings.ocpp.configuration, **keys}
    box.settings = replace(
        box.settings, ocpp=replace(box.settings.ocpp, configuration=configuration)
    )
    await box.start()
    await box.central_system.received("StatusNotification", 2)
    box.central_system.next("StartTransaction", Error("InternalError", "not now"))
    await box.charge()
    await asyncio.sleep(5)
    box.central_system.refuse_always = LinkError("gone")
    await box.central_system.drop()
    await asyncio.sleep(30)
    await box.finish()
    await box.do("queue", order="retry", ref=1)
    box.central_system.refuse_always = None
    stop = await box.central_system.received("StopTransaction")
    assert stop.payload["transactionId"] == TRANSACTION_ID
    order = [c.action for c in box.central_system.calls if "Transaction" in c.action]
    assert order == ["StartTransaction", "StartTransaction", "StopTransaction"]
    await box.die()


@pytest.mark.parametrize("after", [1, 15])
async def test_a_power_cut_in_the_middle_of_a_long_queue_costs_some_repeats_and_nothing_else(
    tmp_path, after
):
    box = a_box(tmp_path, CARD)
    box.central_system.refuse_always = LinkError("no network")
    await box.start()
    for _ in range(2):
        await box.charge()
        await asyncio.sleep(12 * 60)
        await box.finish()
    box.central_system.refuse_always = None
    await box.central_system.received("MeterValues", after)
    await box.lose_power()
    await box.start()
    await box.central_system.received("StopTransaction", 2)
    await asyncio.sleep(600)
    of = box.central_system.of
    assert len({call.unique_id for call in of("MeterValues")}) == 24
    assert len(of("MeterValues")) <= 24 + ANSWERED_MAX
    assert len({call.unique_id for call in of("StartTransaction")}) == 2
    assert len({call.unique_id for call in of("StopTransaction")}) == 2
    over: set[int] = set()
    for call in box.central_system.calls:
        if call.action in ("MeterValues", "StopTransaction"):
            assert call.payload["transactionId"] not in over, "after its end"
        if call.action == "StopTransaction":
            over.add(call.payload["transactionId"])
    await box.die()
