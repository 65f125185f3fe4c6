"""The whole agent with a pilot controller on a serial line, from the plug to the last answer.

Real: the pilot drivers with pyserial and pymodbus, gpiozero, SQLite, a WebSocket. Emulated: the
controller and its car behind a pty, the contactor behind the pins; the card is simulated.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.app.application import Application
from agent.app.environment import Environment
from agent.config.config_file import parse_config
from agent.control.server import ask
from tests.box_config import config_text
from tests.emulators.central_system import FakeCentralSystem
from tests.emulators.pilot_controllers import EvseWbOnPty, OpenEvseOnPty
from tests.emulators.wired_box import CONTACTOR, WiredBox

CARD = "044943121F1A80"
LIMIT_S = 30.0  # a backstop; every wait below ends when the thing happens
CONTROLLERS = {"evse_wb": EvseWbOnPty, "openevse": OpenEvseOnPty}


@dataclass
class Box:
    """Everything a test can touch."""

    controller: EvseWbOnPty | OpenEvseOnPty
    wires: WiredBox
    central_system: FakeCentralSystem
    control: Path

    async def tap(self) -> str:
        answer = await self.ask(do="sim", lever="tap", card=CARD)
        verdict: str = answer["decision"]["verdict"]
        return verdict

    async def ask(self, **request) -> dict:
        return await asyncio.to_thread(ask, self.control, request)

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait for a claim about the emulated parts; they change in threads."""
        async with asyncio.timeout(LIMIT_S):
            while not claim():
                await asyncio.sleep(0.005)

    async def until_status(self, **wanted: str) -> dict:
        """Wait until ``status`` says so about the connector."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                connector = (await self.ask(do="status"))["connectors"][0]
                if all(connector[key] == value for key, value in wanted.items()):
                    return connector
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running_box(directory: Path, driver: str) -> AsyncIterator[Box]:
    wires, central_system = WiredBox(), FakeCentralSystem()
    with CONTROLLERS[driver]() as controller:
        async with central_system.serve() as url:
            parts = {
                "contactor": CONTACTOR,
                "plug": {"driver": "pilot"},
                "pilot": {"driver": driver, "port": controller.path},
            }
            charge_point = {"identity": "PILOT-1", "max_current_a": 32}
            text = config_text(directory, url, [parts], charge_point=charge_point)
            control = directory / "control.sock"
            world = Environment(pin_factory=wires.factory, control_path=control)
            application = Application(parse_config(text), world=world)
            run = asyncio.create_task(application.run())
            box = Box(controller, wires, central_system, control)
            try:
                async with asyncio.timeout(LIMIT_S):
                    await central_system.received("StatusNotification", 2)
                    yield box
            finally:
                application.shut_down()
                async with asyncio.timeout(LIMIT_S):
                    await run
                wires.close()
        assert controller.offered_a == 0, "the last word to a controller is: offer nothing"


@pytest.mark.real_time
@pytest.mark.parametrize("driver", CONTROLLERS)
async def test_a_car_charges_behind_a_pilot_controller(tmp_path, driver: str):
    async with running_box(tmp_path, driver) as box:
        box.controller.car.is_plugged = True
        await box.until_status(status="Preparing", pilot="B")
        assert box.controller.offered_a == 0

        assert await box.tap() == "accepted"
        await box.central_system.received("StartTransaction")
        await box.until(lambda: box.wires.energy_flows)
        assert box.controller.offered_a == 32
        await box.until_status(status="Charging", pilot="C")

        box.controller.car.wants_energy = False  # full
        await box.until(lambda: not box.wires.energy_flows)
        await box.until_status(status="SuspendedEV")

        box.controller.car.is_plugged = False
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["reason"] == "EVDisconnected"
        await box.until(lambda: box.controller.offered_a == 0)
        await box.until_status(status="Available", pilot="A")


@pytest.mark.real_time
@pytest.mark.parametrize("driver", CONTROLLERS)
async def test_a_silent_controller_opens_the_contactor_and_the_session_waits(tmp_path, driver: str):
    async with running_box(tmp_path, driver) as box:
        box.controller.car.is_plugged = True
        await box.until_status(pilot="B")
        assert await box.tap() == "accepted"
        await box.until(lambda: box.wires.energy_flows)

        box.controller.mood = "silent"
        await box.until(lambda: not box.wires.energy_flows)
        connector = await box.until_status(status="SuspendedEVSE", error_code="InternalError")
        assert connector["in_words"] == "no energy: pilot controller is silent"
        assert connector["session"] is not None

        box.controller.mood = "good"
        await box.until(lambda: box.wires.energy_flows)
        await box.until_status(status="Charging", error_code="NoError")
        assert len(box.central_system.of("StartTransaction")) == 1
        assert box.central_system.of("StopTransaction") == []


@pytest.mark.real_time
async def test_the_rating_of_the_cable_limits_what_is_offered(tmp_path):
    async with running_box(tmp_path, "evse_wb") as box:
        box.controller.car.cable_a = 20
        box.controller.car.is_plugged = True
        await box.until_status(pilot="B")
        assert await box.tap() == "accepted"
        connector = await box.until_status(status="Charging")
        assert connector["offered_current_a"] == 20
        assert box.controller.current == 20


@pytest.mark.real_time
async def test_a_fault_of_the_controller_ends_the_session(tmp_path):
    async with running_box(tmp_path, "openevse") as box:
        box.controller.car.is_plugged = True
        await box.until_status(pilot="B")
        assert await box.tap() == "accepted"
        await box.until(lambda: box.wires.energy_flows)
        box.controller.fault = 0x06
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["reason"] == "Other"
        assert not box.wires.energy_flows
        await box.until_status(status="Faulted", error_code="GroundFailure")
        box.controller.fault = 0
        await box.until_status(status="Finishing", error_code="NoError")
