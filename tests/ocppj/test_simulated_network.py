"""The simulated cut of the network."""

from __future__ import annotations

import asyncio

import pytest

from agent.ocppj.simulated_network import NetworkSwitch
from agent.platform.errors import LinkError
from tests.emulators.central_system import FakeCentralSystem


async def open_wire(switch: NetworkSwitch):
    return await switch("ws://central.test", headers={}, ssl=None, open_timeout_s=1)


async def test_it_lets_connections_through_until_it_is_cut_and_again_when_it_is_mended():
    switch = NetworkSwitch(FakeCentralSystem().connect)
    await open_wire(switch)
    switch.cut()
    with pytest.raises(LinkError, match="cut"):
        await open_wire(switch)
    switch.mend()
    await open_wire(switch)


async def test_a_cut_ends_the_connections_that_there_are():
    switch = NetworkSwitch(FakeCentralSystem().connect)
    wire = await open_wire(switch)
    switch.cut()
    with pytest.raises(LinkError):
        async with asyncio.timeout(60):
            await wire.receive()
