"""What the configuration says of the simulated charger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import AuthorizationSettings
from agent.platform.errors import ControlError
from hw.ports import BoardError
from hw.settings import SimulatedFaultSettings, SimulationSettings
from tests.app.box import CARD, Box, box_settings


def a_box(directory: Path, faults: Sequence[tuple[int, str]] = (), **simulation: Any) -> Box:
    broken = tuple(SimulatedFaultSettings(connector=at, error_code=what) for at, what in faults)
    settings = replace(
        box_settings(directory, connectors=2),
        simulation=SimulationSettings(faults=broken, **simulation),
        authorization=AuthorizationSettings(tap_guard_s=0),
    )
    return Box(settings)


async def test_a_fault_may_stand_from_the_start(tmp_path):
    box = a_box(tmp_path, faults=[(2, "welded"), (1, "door")])
    await box.start()
    await box.central_system.received("StatusNotification", 3)
    told = [call.payload for call in box.central_system.of("StatusNotification")]
    assert {one["connectorId"]: one["status"] for one in told}[2] == "Faulted"
    assert {one["connectorId"]: one["errorCode"] for one in told}[0] != "NoError"
    await box.do("sim", lever="clear", connector=1)
    await box.die()


async def test_a_fault_that_no_part_can_have_is_named(tmp_path):
    box = a_box(tmp_path, faults=[(7, "welded")])
    with pytest.raises(BoardError, match=r"simulation.faults: there is no connector 7"):
        await box.application_that_fails()


async def test_an_error_code_may_stand_from_the_start(tmp_path):
    box = a_box(tmp_path, faults=[(2, "GroundFailure")])
    await box.start()
    await box.central_system.received("StatusNotification", 3)
    told = [call.payload for call in box.central_system.of("StatusNotification")]
    (second,) = [one for one in told if one["connectorId"] == 2]
    assert (second["status"], second["errorCode"]) == ("Faulted", "GroundFailure")
    await box.die()


@pytest.mark.parametrize(("plugged", "starts"), [(2, True), (1, False)])
async def test_where_each_connector_has_a_reader_a_card_is_for_that_one(tmp_path, plugged, starts):
    box = a_box(tmp_path, one_reader_each=True)
    await box.start()
    await box.central_system.received("StatusNotification", 3)
    await box.do("sim", lever="plug", connector=plugged)
    answer = await box.do("sim", lever="tap", card=CARD, connector=2)
    assert answer["decision"]["verdict"] == "accepted"
    await asyncio.sleep(30)
    told = [call.payload["connectorId"] for call in box.central_system.of("StartTransaction")]
    assert told == ([2] if starts else [])
    with pytest.raises(ControlError, match="there is no connector 7"):
        await box.do("sim", lever="tap", card=CARD, connector=7)
    await box.die()


async def test_one_reader_for_all_gives_the_card_to_the_connector_with_the_plug(tmp_path):
    box = a_box(tmp_path)
    await box.start()
    await box.central_system.received("StatusNotification", 3)
    await box.do("sim", lever="plug", connector=1)
    await box.do("sim", lever="tap", card=CARD, connector=2)
    start = await box.central_system.received("StartTransaction")
    assert start.payload["connectorId"] == 1
    await box.die()
