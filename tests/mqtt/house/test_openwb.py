"""openWB 2 as the energy manager: the topics, types and retention that its module reads."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.app.box import POWER_W
from tests.mqtt.house.conftest import House, house

GET, SET = "openWB/mqtt/chargepoint/7/get/", "openWB/mqtt/chargepoint/7/set/current"
# As the page of openWB names them: those that it must have, and "imported".
TYPES: dict[str, type] = {
    "power": float,
    "currents": list,
    "plug_state": bool,
    "charge_state": bool,
    "phases_in_use": int,
    "imported": int,
    "evse_current": float,
}


def read(here: House) -> dict[str, Any]:
    """What openWB finds: it subscribes anew each time, and sees only what is kept."""
    return {
        topic.removeprefix(GET): json.loads(text)
        for topic, text in here.broker.kept.items()
        if topic.startswith(GET)
    }


async def test_everything_that_it_reads_is_there_in_its_types(tmp_path):
    async with house(tmp_path, openwb_charge_points=(7,)) as here:
        found = read(here)
        assert {name: type(value) for name, value in found.items()} == TYPES
        assert (found["plug_state"], found["charge_state"], found["phases_in_use"]) == (
            False,
            False,
            0,
        )
        assert found["currents"] == [0.0, 0.0, 0.0]


async def test_a_session_is_read_as_charging(tmp_path):
    async with house(tmp_path, openwb_charge_points=(7,)) as here:
        await here.box.charge()
        await here.until(status="Charging", power_w=POWER_W)
        await asyncio.sleep(30)
        found = read(here)
        assert (found["plug_state"], found["charge_state"], found["phases_in_use"]) == (
            True,
            True,
            1,
        )
        assert (found["power"], found["currents"]) == (POWER_W, [32.0, 0.0, 0.0])


async def test_its_current_is_the_limit_and_zero_pauses(tmp_path):
    async with house(tmp_path, openwb_charge_points=(7,)) as here:
        await here.box.charge()
        here.broker.send(SET, "12.34")
        await here.until(offered_current_a=12.3)
        await here.box.until(lambda: read(here)["evse_current"] == 12.3)
        here.broker.send(SET, "0")
        await here.until(status="SuspendedEVSE")
        await here.box.until(lambda: read(here)["charge_state"] is False)


async def test_what_the_broker_had_kept_of_it_does_not_count(tmp_path):
    async with house(tmp_path, openwb_charge_points=(7,)) as here:
        await here.box.charge()
        here.broker.send(SET, "0", is_kept=True)
        await asyncio.sleep(10)
        assert here.offered_a == 32
