"""The whole agent with its real drivers, on emulated parts, from the card in the field to the last
answer of the central system.

Real: the mfrc522 package, gpiozero, pymodbus and pyserial, SQLite, a WebSocket, the ocpp package.
Emulated: the MFRC522 chip behind spidev, the wiring behind the pins, the meter behind a pty.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from agent.app.application import Application
from agent.app.environment import Environment
from agent.config.config_file import parse_config
from agent.control.server import ask
from tests.box_config import config_text
from tests.emulators.central_system import FakeCentralSystem, Silence
from tests.emulators.mfrc522_chip import Card, Mfrc522Chip, install_fake_spidev
from tests.emulators.modbus_meter import SdmOnPty
from tests.emulators.wired_box import CONTACTOR, LOCK, PLUG_CONTACT, RESET, WiredBox

CARD = bytes.fromhex("044943121F1A80")
TAG = "044943121F1A80"
TRANSACTION_ID = 1000  # the first that the emulated central system gives
LIMIT_S = 20.0  # a backstop; every wait below ends when the thing happens


@dataclass
class Box:
    """Everything a test can touch."""

    chip: Mfrc522Chip
    wires: WiredBox
    meter: SdmOnPty
    central_system: FakeCentralSystem
    application: Application
    control: Path

    def present(self) -> None:
        self.chip.field.present(Card(CARD))

    def take_away(self) -> None:
        self.chip.field.remove_all()

    def reader_sees_nothing(self) -> bool:
        """A card that lies there at the start has not arrived."""
        reader = self.application.board.reader
        return reader is not None and reader._detector.is_idle

    async def ask(self, **request) -> dict:
        return await asyncio.to_thread(ask, self.control, request)

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait for a claim about the emulated parts; they change in threads."""
        async with asyncio.timeout(LIMIT_S):
            while not claim():
                await asyncio.sleep(0.005)

    async def status(self) -> dict:
        return (await self.ask(do="status"))["connectors"][0]


def _config(directory: Path, url: str, meter: str) -> str:
    parts = {
        "contactor": CONTACTOR,
        "lock": {**LOCK, "settle_ms": 10},
        "plug": PLUG_CONTACT,
        "meter": {"driver": "modbus_sdm630", "port": meter, "poll_s": 0.5},
    }
    measurands = ["Energy.Active.Import.Register", "Power.Active.Import", "Voltage"]
    names = {"identity": "Garage 7/B", "vendor": "Example", "model": "Wallbox"}
    return config_text(
        directory,
        url,
        [parts],
        keys={"MeterValueSampleInterval": 1, "MeterValuesSampledData": measurands},
        charge_point={**names, "serial_number": "SN-1"},
        reader={"driver": "mfrc522", "poll_ms": 20, "reset_pin": RESET},
    )


@contextlib.asynccontextmanager
async def running_box(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    lies_there: bool = False,
    import_kwh: float = 1234.567,
) -> AsyncIterator[Box]:
    """A box in order; ``lies_there``: a card has been lying on its reader since before."""
    chip, wires, central_system = Mfrc522Chip(), WiredBox(), FakeCentralSystem()
    if lies_there:
        chip.field.present(Card(CARD))
    install_fake_spidev(monkeypatch, chip)
    with SdmOnPty("sdm630") as meter:
        meter.set(import_kwh=import_kwh, power_w=0.0)
        async with central_system.serve() as url:
            settings = parse_config(_config(directory, url, meter.path))
            control = directory / "control.sock"
            application = Application(
                settings, world=Environment(pin_factory=wires.factory, control_path=control)
            )
            box = Box(chip, wires, meter, central_system, application, control)
            run = asyncio.create_task(application.run())
            try:
                await _or_fail(run, central_system.received("StatusNotification", 2))
                async with asyncio.timeout(LIMIT_S):
                    await box.until(lambda: lies_there or box.reader_sees_nothing())
                    yield box
            finally:
                application.shut_down()
                async with asyncio.timeout(LIMIT_S):
                    await run
                wires.close()


async def _or_fail(run: asyncio.Task, waiting) -> None:
    """Wait for something, unless the application ends first: then its error is shown."""
    waiter = asyncio.ensure_future(waiting)
    await asyncio.wait([run, waiter], timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
    if not waiter.done():
        waiter.cancel()
        run.result()
        raise AssertionError("nothing came")


@pytest.mark.real_time
async def test_a_card_opens_and_closes_a_session_through_every_real_driver(tmp_path, monkeypatch):
    async with running_box(tmp_path, monkeypatch) as box:
        boot = box.central_system.of("BootNotification")[0]
        assert boot.payload["chargePointVendor"] == "Example"
        assert "Garage%207%2FB" in box.central_system.attempts[0].url
        box.wires.plug_in()
        await box.central_system.received("StatusNotification", 3)  # Preparing
        assert not box.wires.energy_flows

        box.present()
        authorize = await box.central_system.received("Authorize")
        assert authorize.payload == {"idTag": TAG}
        start = await box.central_system.received("StartTransaction")
        assert start.payload["idTag"] == TAG
        assert start.payload["meterStart"] == 1_234_567
        await box.until(lambda: box.wires.energy_flows)
        assert box.wires.is_locked

        box.meter.set(import_kwh=1234.580, power_w=7360.0)
        values = await box.central_system.received("MeterValues")
        assert values.payload["transactionId"] == TRANSACTION_ID
        sampled = values.payload["meterValue"][0]["sampledValue"]
        assert {one["measurand"] for one in sampled} == {
            "Energy.Active.Import.Register",
            "Power.Active.Import",
            "Voltage",
        }

        box.take_away()  # left lying until now: that was one tap
        assert len(box.central_system.of("Authorize")) == 1
        await _card_gone(box)
        box.present()
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["transactionId"] == TRANSACTION_ID
        assert stop.payload["meterStop"] == 1_234_580
        assert stop.payload["idTag"] == TAG
        assert stop.payload.get("reason", "Local") == "Local"
        assert not box.wires.energy_flows
        await box.until(lambda: not box.wires.is_locked)
        assert box.wires.coil_history() == [False, True, False]

        box.wires.unplug()
        await _status_is(box, "Available")
        async with asyncio.timeout(LIMIT_S):
            while (await box.ask(do="status"))["outbox"]["queued_count"]:
                await asyncio.sleep(0.005)
        actions = [call.action for call in box.central_system.calls]
        assert actions.index("StartTransaction") < actions.index("MeterValues")
        assert actions.index("MeterValues") < actions.index("StopTransaction")
        reasons = await box.ask(do="why")
        assert [reason["rule"] for reason in reasons] == ["SAME_CARD", "CENTRAL_ACCEPTED"]


@pytest.mark.real_time
async def test_a_card_that_lies_on_the_reader_when_the_service_starts_begins_no_session(
    tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    async with running_box(tmp_path, monkeypatch, lies_there=True) as box:
        box.wires.plug_in()
        await box.central_system.received("StatusNotification", 3)
        await box.until(lambda: "card not taken: a card lay on the reader" in caplog.text)
        assert await box.ask(do="why") == []
        box.take_away()
        await box.until(box.reader_sees_nothing)
        box.present()
        start = await box.central_system.received("StartTransaction")
        assert start.payload["idTag"] == TAG


@pytest.mark.real_time
async def test_a_refused_card_moves_nothing(tmp_path, monkeypatch):
    async with running_box(tmp_path, monkeypatch) as box:
        box.central_system.accepted_tags = {"DEADBEEF"}
        box.wires.plug_in()
        await box.central_system.received("StatusNotification", 3)
        box.present()
        await box.central_system.received("Authorize")
        async with asyncio.timeout(LIMIT_S):
            while not await box.ask(do="why"):
                await asyncio.sleep(0.005)
        assert (await box.ask(do="why"))[0]["rule"] == "CENTRAL_REFUSED"
        assert box.wires.coil_history() == [False]
        assert not box.wires.is_locked


@pytest.mark.real_time
async def test_a_central_system_that_is_silent_leaves_the_offline_rules(tmp_path, monkeypatch):
    async with running_box(tmp_path, monkeypatch) as box:
        box.central_system.always("Authorize", Silence())
        box.wires.plug_in()
        box.present()
        await box.central_system.received("Authorize")
        async with asyncio.timeout(LIMIT_S):
            while not await box.ask(do="why"):
                await asyncio.sleep(0.005)
        decision = (await box.ask(do="why"))[0]
        assert decision["rule"] == "UNKNOWN_REFUSED"
        assert "5 s" in decision["detail"]


@pytest.mark.real_time
async def test_pulling_the_plug_opens_at_once_and_ends_the_session(tmp_path, monkeypatch):
    async with running_box(tmp_path, monkeypatch) as box:
        box.wires.plug_in()
        box.present()
        await box.central_system.received("StartTransaction")
        await box.until(lambda: box.wires.energy_flows)
        box.wires.unplug()  # by force: the bolt broke
        await box.until(lambda: not box.wires.energy_flows)
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["reason"] == "EVDisconnected"


@pytest.mark.real_time
async def test_the_box_ends_with_every_output_open_and_the_session_recorded(tmp_path, monkeypatch):
    async with running_box(tmp_path, monkeypatch) as box:
        box.wires.plug_in()
        box.present()
        await box.central_system.received("StartTransaction")
        await box.until(lambda: box.wires.energy_flows)
        box.application.shut_down()
        stop = await box.central_system.received("StopTransaction")
        assert stop.payload["reason"] == "Reboot"
        assert datetime.fromisoformat(stop.payload["timestamp"]).tzinfo is not None
    assert box.wires.coil_history()[:3] == [False, True, False]
    assert "RPi" not in sys.modules


async def _card_gone(box: Box) -> None:
    """The reader needs three misses and a second of real time before a card counts as gone."""
    started = box.chip.transfers
    deadline_s = asyncio.get_running_loop().time() + 1.3
    await box.until(
        lambda: (
            asyncio.get_running_loop().time() > deadline_s and box.chip.transfers > started + 300
        )
    )


async def _status_is(box: Box, status: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        while (await box.status())["status"] != status:
            await asyncio.sleep(0.005)


@pytest.mark.real_time
async def test_a_meter_that_was_reset_while_the_agent_was_off_does_not_run_backwards(
    tmp_path, monkeypatch
):
    told = []
    for import_kwh in (1234.567, 0.007, 0.009):  # reset after the first process
        async with running_box(tmp_path, monkeypatch, import_kwh=import_kwh) as box:
            async with asyncio.timeout(LIMIT_S):
                while (await box.status())["meter"] is None:
                    await asyncio.sleep(0.005)
            box.wires.plug_in()
            box.present()
            start = await box.central_system.received("StartTransaction")
            told.append(start.payload["meterStart"])
    assert told == [1_234_567, 1_234_567, 1_234_569]
