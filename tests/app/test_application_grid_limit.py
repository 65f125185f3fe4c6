"""The grid operator's contact through the whole box: to the car, and to its proof."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hw.settings import GridLimitSettings, InputsSettings
from tests.app.box import Box, box_settings, running_box


async def proof(box: Box) -> list[tuple[str, bool, bool]]:
    """What was set, and whether its end is known, and found at a start; newest first."""
    found = await box.do("grid-limits")
    return [
        (f"{one['limit']:g} {one['unit']}", one["ended_at"] is not None, one["is_end_found"])
        for one in found
    ]


async def test_the_contact_lowers_what_is_offered_and_leaves_its_proof(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await box.do("sim", lever="grid-limit", wanted=True)
        await box.until(lambda: box.pilot.offered_a == 18.2)  # 4,200 W of one phase
        status = await box.do("status")
        limit = status["connectors"][0]["limit"]
        assert limit["words"] == "18.2 A: the grid operator"
        assert await proof(box) == [("4200 W", False, False)]
        await asyncio.sleep(900)
        await box.do("sim", lever="grid-limit", wanted=False)
        await box.until(lambda: box.pilot.offered_a == 32)
        (found,) = await box.do("grid-limits", limit=1)
        assert found["ended_at"] > found["begun_at"]
        assert found["is_time_known"]


async def test_a_power_cut_during_a_limit_leaves_an_honest_end(tmp_path):
    inputs = InputsSettings(grid_limit=GridLimitSettings(driver="simulated", current_a=13.0))
    box = Box(replace(box_settings(tmp_path), inputs=inputs))
    await box.start()
    await box.do("sim", lever="grid-limit", wanted=True)
    await box.until(lambda: bool(box.application.services.runtime.state.external_limits))
    assert await proof(box) == [("13 A", False, False)]
    await box.lose_power()
    await box.start()  # a new box of parts: its contact does not limit
    await asyncio.sleep(5)
    assert await proof(box) == [("13 A", True, True)]
    await box.die()
