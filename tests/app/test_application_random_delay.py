"""The random delay through the whole box: from the setting to the car, and skipped."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent.platform.errors import ControlError
from tests.app.box import CARD, Box, box_settings


async def test_a_start_waits_until_its_delay_is_over_or_is_skipped(tmp_path):
    settings = box_settings(tmp_path)
    box = Box(
        replace(settings, charge_point=replace(settings.charge_point, random_delay_max_s=1800))
    )
    await box.start()
    await box.do("sim", lever="plug", connector=1)
    await box.tap(CARD)
    await box.until(lambda: box.state.transaction is not None)
    await asyncio.sleep(5)
    assert "waits for the random delay" in (await box.status())["in_words"]
    assert not box.contactor.is_closed
    with pytest.raises(ControlError, match="there is no connector 9"):
        await box.do("skip-delay", connector=9)
    await box.do("skip-delay")
    await box.until(lambda: box.contactor.is_closed)
    await box.die()
