"""What a person can ask and play through the control socket."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from types import SimpleNamespace

import pytest

from agent.control.actions import DECISIONS_MAX, ControlActions
from agent.ocppj.simulated_network import CUT
from agent.platform.errors import ControlError
from hw.simulated.part import SimulatedFault
from tests.app.box import CARD, OTHER_CARD, running_box
from tests.emulators.central_system import Error, Late, Silence
from tests.emulators.virtual_clock import NOON


async def test_every_answer_is_plain_data(tmp_path):
    async with running_box(tmp_path, connectors=2) as box:
        box.central_system.always("StartTransaction", Error())
        await box.charge()
        await asyncio.sleep(600)
        for request in ({"do": "status"}, {"do": "why"}):
            answer = await box.do(request["do"])
            assert json.loads(json.dumps(answer)) == answer


async def test_the_queue_is_told_with_what_was_set_aside_and_why(tmp_path):
    async with running_box(tmp_path) as box:
        box.central_system.always("StartTransaction", Error("InternalError", f"no {CARD} here"))
        await box.charge()
        await asyncio.sleep(30)
        box.central_system.always("MeterValues", Silence())
        queue = (await box.do("status"))["outbox"]
        assert queue["queued_count"] == 1
        assert queue["oldest_queued_at"].startswith("2026-03-01T12:00:0")
        await asyncio.sleep(300)
        queue = (await box.do("status"))["outbox"]
        assert queue["parked_count"] == 1
        assert "no 04..80 here" in queue["parked"][0]["problem"]


# --- why -----------------------------------------------------------------------------------------


async def test_why_tells_the_newest_first_of_one_card_or_of_all(tmp_path):
    async with running_box(tmp_path) as box:
        box.central_system.accepted_tags = {CARD}
        await box.tap(OTHER_CARD)
        await box.tap(CARD)
        every = await box.do("why")
        assert [one["verdict"] for one in every] == ["accepted", "refused"]
        assert [one["id_tag"] for one in every] == ["04..80", "04..C4"]
        assert [one["rule"] for one in await box.do("why", id_tag=CARD)] == ["CENTRAL_ACCEPTED"]
        assert len(await box.do("why", limit=1)) == 1
        assert await box.do("why", id_tag="NEVER") == []
        refused = every[1]
        assert refused["reason"] == "the central system refuses this card"
        assert refused["next"].startswith("look the card up")
        assert refused["line"].startswith("card 04..C4 refused")
        assert [step["step"] for step in refused["steps"]] == [
            "read", "looked up", "asked", "decided",
        ]  # fmt: skip


@pytest.mark.parametrize("limit", [0, -1, DECISIONS_MAX + 1, "ten", 1.5, None, True])
async def test_a_limit_that_makes_no_sense_is_refused(tmp_path, limit):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match="limit must be a whole number from 1 to 100"):
            await box.do("why", limit=limit)


@pytest.mark.parametrize("id_tag", [7, ["A"], {}])
async def test_a_tag_that_is_no_text_is_refused(tmp_path, id_tag):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match="id_tag must be a text"):
            await box.do("why", id_tag=id_tag)


# --- sim -----------------------------------------------------------------------------------------


async def test_each_lever_moves_what_it_names(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await box.do("sim", lever="energy", wanted=False)
        await asyncio.sleep(10)
        assert (await box.status())["status"] == "SuspendedEV"
        assert not box.contactor.is_closed
        await box.do("sim", lever="energy", wanted=True)
        await box.until(lambda: box.contactor.is_closed)
        with pytest.raises(ControlError, match="the lock holds the plug"):
            await box.unplug()
        await box.do("sim", lever="fault", name="emergency_stop")
        await asyncio.sleep(1)
        assert (await box.status())["status"] == "Faulted"
        await box.do("sim", lever="clear")
        await asyncio.sleep(1)
        await box.unplug()
        await asyncio.sleep(1)
        assert (await box.status())["status"] == "Available"


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({}, "there is no lever None"),
        ({"lever": "explode"}, "there is no lever 'explode'"),
        ({"lever": ["plug"]}, "there is no lever"),
        ({"lever": "plug", "connector": 7}, "there is no connector 7; this box has 1"),
        ({"lever": "plug", "connector": "1"}, "connector must be a number"),
        ({"lever": "plug", "connector": True}, "connector must be a number"),
        ({"lever": "fault"}, "there is no fault ''; the faults are welded,"),
        ({"lever": "fault", "name": 7}, "there is no fault '7'"),
        ({"lever": "tap"}, "a card is a UID of 8, 14 or 20 hex digits"),
        ({"lever": "tap", "card": "x" * 21}, "a card is a UID of 8, 14 or 20 hex digits"),
    ],
)
async def test_a_lever_that_does_not_exist_is_refused_and_nothing_moves(
    tmp_path, request_, sentence
):
    async with running_box(tmp_path) as box:
        with pytest.raises(ControlError, match=sentence):
            await box.do("sim", **request_)
        assert (await box.status())["in_words"] == "free"


async def test_a_plug_is_pulled_at_the_car_where_no_lock_holds_it(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        with pytest.raises(ControlError, match="the lock holds the plug"):
            await box.do("sim", lever="unplug")
        await box.do("sim", lever="unplug", at_car=True)
        await asyncio.sleep(1)
        assert (await box.status())["session"] is None


async def test_the_way_to_the_central_system_is_cut_and_mended(tmp_path):
    async with running_box(tmp_path) as box:
        await box.do("sim", lever="network", wanted=False)
        await asyncio.sleep(300)
        link = (await box.do("status"))["link"]
        assert (link["is_accepted"], link["last_problem"]) == (False, CUT)
        assert (link["last_pong_at"], link["last_pong_took_s"]) == (None, None)
        await box.do("sim", lever="network", wanted=True)
        await asyncio.sleep(400)
        mended = (await box.do("status"))["link"]
        assert mended["is_accepted"]
        assert datetime.fromisoformat(mended["last_pong_at"]) > NOON
        assert mended["last_pong_took_s"] == 0


async def test_real_hardware_has_no_levers():
    services = SimpleNamespace(runtime=None, board=SimpleNamespace(simulation=None))
    actions = ControlActions(services, lambda connector_id: 0.0)  # type: ignore[arg-type]
    with pytest.raises(ControlError, match="this box has real hardware"):
        await actions.by_name()["sim"]({"lever": "plug"})


async def test_a_tap_that_nobody_decides_on_is_answered_with_none(tmp_path):
    async with running_box(tmp_path) as box:
        await box.do("sim", lever="fault", name="reader_hang")
        began_s = box.clock.now().monotonic_s
        assert await box.tap() is None
        assert box.clock.now().monotonic_s - began_s < 10


async def test_two_taps_at_the_same_time_get_each_its_own_decision(tmp_path):
    async with running_box(tmp_path) as box:
        box.central_system.accepted_tags = {CARD}
        first, second = await asyncio.gather(box.tap(CARD), box.tap(OTHER_CARD))
        assert (first["id_tag"], first["verdict"]) == ("04..80", "accepted")
        assert (second["id_tag"], second["verdict"]) == ("04..C4", "refused")


async def test_a_decision_about_somebody_else_is_not_the_answer_to_a_tap(tmp_path):
    async with running_box(tmp_path, connectors=2) as box:
        box.central_system.next("Authorize", Late(delay_s=2))
        await box.plug()
        tap = asyncio.create_task(box.tap(CARD))
        await asyncio.sleep(1)
        remote = {"idTag": OTHER_CARD, "connectorId": 2}
        answer = await box.central_system.send_call("RemoteStartTransaction", remote)
        assert answer[2] == {"status": "Accepted"}
        assert (await tap)["id_tag"] == "04..80"


@pytest.mark.parametrize("fault", [fault.value for fault in SimulatedFault])
async def test_every_fault_is_noticed_and_mended_while_charging(tmp_path, fault):
    async with running_box(tmp_path) as box:
        before = await box.status()
        await box.charge()
        await box.do("sim", lever="fault", name=fault)
        await asyncio.sleep(20)
        if fault == "does_not_close":  # shows itself when it is told to close again
            for wanted in (False, True):
                await box.do("sim", lever="energy", wanted=wanted)
                await asyncio.sleep(20)
        if fault in ("welded", "lock_jam"):  # shows itself when it is told to move
            await box.tap()
            await asyncio.sleep(30)
        status = await box.do("status")
        connector = status["connectors"][0]
        noticed = status["faults"] or connector["error_code"] != "NoError"
        assert noticed or fault == "meter_backwards" or not box.contactor.is_closed
        await box.do("sim", lever="clear")
        await asyncio.sleep(60)
        if box.state.transaction is not None:
            await box.tap()
            await asyncio.sleep(60)
        await box.unplug()
        await asyncio.sleep(60)
        after = await box.status()
        assert (after["status"], after["in_words"]) == (before["status"], before["in_words"])
