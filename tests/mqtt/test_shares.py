"""Somebody sends tokens over the bus without end: the charger's own reader goes on, end to end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest

from tests.app.box import CARD
from tests.emulators.central_system import Late, Silence
from tests.mqtt.conftest import EVSE, READER, Station, station


@contextlib.asynccontextmanager
async def flood(here: Station, **fields: str) -> AsyncIterator[None]:
    """Twenty foreign tokens a second, another one each time."""

    async def present() -> None:
        for number in itertools.count(0x04000000):
            data = {"token_type": "ISO14443", "id_token": f"{number:08X}", **fields}
            here.broker.say(READER, "authorization", "request", data)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(present())
    await asyncio.sleep(20)
    yield
    task.cancel()


@pytest.mark.parametrize("connectors", [1, 2])
@pytest.mark.parametrize("is_plugged", [True, False])
@pytest.mark.parametrize("fields", [{}, {"evse_id": EVSE}])
@pytest.mark.parametrize("answer_s", [0.0, 0.3, 1.0, 3.0])
async def test_a_genuine_card_is_accepted(tmp_path, connectors, is_plugged, fields, answer_s):
    async with station(tmp_path, connectors=connectors) as here:
        here.box.central_system.accepted_tags.add(CARD)
        here.box.central_system.always("Authorize", Late(answer_s))
        if is_plugged:
            await here.box.plug()
        async with flood(here, **fields):
            decision = await here.box.tap(CARD)
        assert (decision["verdict"], decision["rule"]) == ("accepted", "CENTRAL_ACCEPTED")


async def test_a_listed_card_is_accepted_while_nobody_answers(tmp_path):
    async with station(tmp_path, CARD) as here:
        here.box.central_system.always("Authorize", Silence())
        await here.box.plug()
        async with flood(here):
            decision = await here.box.tap(CARD)
        assert (decision["verdict"], decision["rule"]) == ("accepted", "LISTED")


async def test_a_card_that_nobody_answers_for_is_refused_for_that(tmp_path):
    async with station(tmp_path) as here:
        here.box.central_system.always("Authorize", Silence())
        async with flood(here):
            decision = await here.box.tap(CARD)
        assert (decision["verdict"], decision["rule"]) == ("refused", "UNKNOWN_REFUSED")
        assert "no answer" in decision["line"]


async def test_every_token_of_the_flood_is_refused_with_a_true_reason(tmp_path):
    async with station(tmp_path) as here:
        here.box.central_system.accepted_tags.add("NOBODY")
        here.box.central_system.always("Authorize", Late(0.3))
        async with flood(here):
            await here.box.tap(CARD)
        rules = {decision["rule"] for decision in await here.box.do("why", limit=100)}
        assert rules == {"OWN_READER_FIRST", "ONE_AT_A_TIME", "CENTRAL_REFUSED"}
