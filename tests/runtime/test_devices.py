"""Hardware on one side, core on the other: what an order does, and what a part's word becomes."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.core import commands as co
from agent.core import events as ev
from agent.core.events import Event
from agent.core.values import Reading
from agent.runtime.devices import METER_FAILURES_MAX, Devices
from hw.board import open_board
from hw.ports import MeterReading, Signal, Trip
from hw.ports_reader import (
    CardArrived,
    CardLeft,
    CardUnreadable,
    CodeArrived,
    ReaderFailed,
    ReaderRecovered,
    SeveralCards,
)
from hw.settings import ReaderSettings
from hw.simulated.meter import BACKWARDS_WH
from tests.app.box import box_settings
from tests.emulators.inline_executor import InlineExecutor
from tests.emulators.virtual_clock import NOON, VirtualClock

SIMULATED = ReaderSettings(driver="simulated")
UID = bytes.fromhex("044943121F1A80")


@dataclass
class Bench:
    """Devices on a simulated board; what they post is kept."""

    directory: Path
    reader: ReaderSettings = SIMULATED
    connectors: int = 1
    posted: list[Event] = field(default_factory=list)
    looks: int = 0
    is_watched: bool = True

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        settings = box_settings(self.directory, connectors=self.connectors)
        settings = replace(settings, reader=self.reader)
        self.board = open_board(settings.board, lambda: self.clock.now().monotonic_s, simulate=True)
        self.executor = InlineExecutor("meters")
        self.devices = Devices(
            self.board,
            self.reader,
            self.clock,
            self.posted.append,
            self.executor,
            self._look,
            lambda: self.is_watched,
        )
        self.devices.start()

    def _look(self) -> None:
        self.looks += 1

    def with_parts(self, **parts: object) -> Devices:
        """Devices of the same board, with other parts at its connector."""
        return Devices(
            replace(self.board, connectors=(replace(self.parts, **parts),)),
            self.reader,
            self.clock,
            self.posted.append,
            self.executor,
            self._look,
        )

    def perform(self, order: co.Command) -> None:
        self.devices.performers[type(order)](order)

    @property
    def parts(self):
        return self.board.connectors[0]

    def fault(self, name: str) -> None:
        self.board.simulation.fault(1, name)

    def take(self) -> list[Event]:
        taken, self.posted[:] = list(self.posted), []
        return taken

    async def asked(self) -> list[Event]:
        """What one ReadMeter gives."""
        self.perform(co.ReadMeter(1))
        await asyncio.sleep(0.1)
        return self.take()


# --- orders --------------------------------------------------------------------------------------


async def test_closing_arms_and_closes_and_has_its_effect_looked_at(tmp_path):
    bench = Bench(tmp_path)
    bench.perform(co.CloseContactor(1, 1, trips_seen=0, for_s=5.0))
    assert bench.parts.contactor.is_closed
    assert bench.looks == 1
    bench.perform(co.OpenContactor(1))
    assert not bench.parts.contactor.is_closed
    assert bench.looks == 2


async def test_a_contactor_that_refuses_to_close_is_a_warning_and_nothing_more(tmp_path, caplog):
    bench = Bench(tmp_path)
    bench.parts.contactor.trip(Trip.REFLEX)
    bench.perform(co.CloseContactor(1, 1, trips_seen=0, for_s=5.0))
    assert not bench.parts.contactor.is_closed
    assert "connector 1: not closed:" in caplog.text
    assert bench.looks == 1
    bench.perform(co.CloseContactor(1, 1, trips_seen=1, for_s=5.0))
    assert bench.parts.contactor.is_closed


async def test_renewing_never_closes_and_keeps_closed(tmp_path):
    bench = Bench(tmp_path)
    bench.perform(co.RenewContactor(1, 5.0))
    assert not bench.parts.contactor.is_closed
    bench.perform(co.CloseContactor(1, 1, trips_seen=0, for_s=5.0))
    await asyncio.sleep(4)
    bench.perform(co.RenewContactor(1, 5.0))
    await asyncio.sleep(4)
    bench.parts.contactor.step(bench.clock.now().monotonic_s)
    assert bench.parts.contactor.is_closed


async def test_nothing_is_kept_closed_when_nobody_looks_at_the_inputs(tmp_path, caplog):
    bench = Bench(tmp_path)
    bench.perform(co.CloseContactor(1, 1, trips_seen=0, for_s=5.0))
    bench.is_watched = False
    bench.perform(co.RenewContactor(1, 5.0))
    assert not bench.parts.contactor.is_closed
    bench.perform(co.CloseContactor(1, 1, trips_seen=0, for_s=5.0))
    assert not bench.parts.contactor.is_closed
    assert caplog.text.count("the inputs are no longer watched") == 1


async def test_the_current_is_offered_and_withdrawn(tmp_path):
    bench = Bench(tmp_path)
    assert bench.devices.offered_a(1) == 0.0
    bench.perform(co.OfferCurrent(1, 16.0))
    assert bench.parts.pilot.offered_a == bench.devices.offered_a(1) == 16.0
    bench.perform(co.WithdrawOffer(1))
    assert bench.parts.pilot.offered_a == bench.devices.offered_a(1) == 0.0


async def test_an_offer_is_lowered_but_never_raised_or_begun_by_that(tmp_path):
    bench = Bench(tmp_path)
    bench.perform(co.LowerOffer(1, 10.0))
    assert bench.parts.pilot.offered_a == 0.0  # the offer itself still waits for the journal
    bench.perform(co.OfferCurrent(1, 16.0))
    bench.perform(co.LowerOffer(1, 20.0))
    assert bench.parts.pilot.offered_a == 16.0
    bench.perform(co.LowerOffer(1, 10.0))
    assert bench.parts.pilot.offered_a == 10.0
    bench.perform(co.WithdrawOffer(1))
    bench.perform(co.LowerOffer(1, 6.0))
    assert bench.parts.pilot.offered_a == 0.0


async def test_the_lock_is_driven_both_ways(tmp_path):
    bench = Bench(tmp_path)
    bench.perform(co.LockConnector(1))
    assert bench.parts.lock.bolt.is_driven
    bench.perform(co.UnlockConnector(1))
    assert not bench.parts.lock.bolt.is_driven


@pytest.mark.parametrize("signal", list(co.Signal))
async def test_every_signal_of_the_core_is_shown(tmp_path, signal):
    bench = Bench(tmp_path)
    bench.perform(co.ShowSignal(signal))
    assert bench.board.indicator.signal is Signal[signal.name]


async def test_orders_for_parts_that_a_box_does_not_have_do_nothing(tmp_path):
    bench = Bench(tmp_path)
    devices = bench.with_parts(lock=None, pilot=None, meter=None, plug=None)
    for order in (
        co.LockConnector(1),
        co.UnlockConnector(1),
        co.OfferCurrent(1, 16.0),
        co.LowerOffer(1, 10.0),
        co.WithdrawOffer(1),
        co.ReadMeter(1),
    ):
        devices.performers[type(order)](order)
    assert bench.executor.count == 0
    assert bench.looks == 0


# --- meter ---------------------------------------------------------------------------------------


async def test_a_meter_that_is_asked_answers_with_whole_watt_hours(tmp_path):
    bench = Bench(tmp_path)
    bench.perform(co.CloseContactor(1, 1, trips_seen=0, for_s=5.0))
    bench.board.simulation.plug(1)
    bench.perform(co.OfferCurrent(1, 16.0))
    await asyncio.sleep(3)
    (read,) = await bench.asked()
    assert read.connector_id == 1
    assert read.reading.import_wh == math.floor(16 * 230 * 3 / 3600)
    assert read.reading.read_at == NOON + timedelta(seconds=3)
    assert read.reading.power_w == 16 * 230


@pytest.mark.parametrize("fault", ["meter_silent", "meter_nan"])
async def test_a_meter_that_is_asked_and_fails_is_told_at_once(tmp_path, fault):
    bench = Bench(tmp_path)
    bench.fault(fault)
    (failed,) = await bench.asked()
    assert isinstance(failed, ev.MeterFailed)
    bench.board.simulation.clear(1)
    (read,) = await bench.asked()
    assert isinstance(read, ev.MeterRead)


async def test_a_register_that_runs_backwards_is_not_told(tmp_path):
    bench = Bench(tmp_path)
    bench.perform(co.CloseContactor(1, 1, trips_seen=0, for_s=3600.0))
    bench.board.simulation.plug(1)
    bench.perform(co.OfferCurrent(1, 32.0))
    await asyncio.sleep(1800)
    (before,) = await bench.asked()
    bench.fault("meter_backwards")
    assert isinstance((await bench.asked())[0], ev.MeterFailed)
    (after,) = await bench.asked()
    assert after.reading.offset_wh == pytest.approx(BACKWARDS_WH, abs=2)
    assert after.reading.import_wh >= before.reading.import_wh > 0


async def test_two_orders_to_read_are_one_reading(tmp_path):
    bench = Bench(tmp_path)
    bench.perform(co.ReadMeter(1))
    bench.perform(co.ReadMeter(1))
    await asyncio.sleep(0.1)
    assert bench.executor.count == 1
    assert len(await bench.asked()) == 2  # the first, and a fresh one now


@contextlib.asynccontextmanager
async def polling(bench: Bench, busy: bool):
    poll_s = dict.fromkeys((parts.connector_id for parts in bench.board.connectors), 2.0)
    task = asyncio.create_task(bench.devices.poll_meters(poll_s, lambda connector_id: busy))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(("busy", "readings"), [(True, 61), (False, 5)])
async def test_a_meter_is_polled_in_its_rhythm_and_less_when_nobody_charges(
    tmp_path, busy, readings
):
    bench = Bench(tmp_path, connectors=2)
    async with polling(bench, busy):
        await asyncio.sleep(121)
        for connector_id in (1, 2):
            mine = [e for e in bench.posted if e.connector_id == connector_id]
            assert len(mine) == readings


async def test_without_a_meter_polling_rests_and_does_not_end(tmp_path):
    polling = Bench(tmp_path).with_parts(meter=None).poll_meters({}, lambda connector_id: True)
    task = asyncio.create_task(polling)
    await asyncio.sleep(121)
    assert not task.done()
    task.cancel()


async def test_a_poll_that_fails_is_told_only_when_it_has_failed_several_times(tmp_path, caplog):
    bench = Bench(tmp_path)
    bench.fault("meter_silent")
    async with polling(bench, busy=True):
        await asyncio.sleep(2.0 * (METER_FAILURES_MAX - 1) - 0.1)
        assert bench.take() == []
        await asyncio.sleep(0.2)
        assert [type(event) for event in bench.take()] == [ev.MeterFailed]
        bench.board.simulation.clear(1)
        await asyncio.sleep(2)
        assert [type(event) for event in bench.take()] == [ev.MeterRead]
    assert caplog.text.count("connector 1: meter:") == 1


async def test_a_meter_that_fails_without_a_session_is_asked_again_soon(tmp_path):
    bench = Bench(tmp_path)
    bench.fault("meter_silent")
    async with polling(bench, busy=False):
        await asyncio.sleep(5)
        assert [type(event) for event in bench.take()] == [ev.MeterFailed]


class OddMeter:
    """A driver with a mistake in it."""

    def read(self) -> MeterReading:
        raise KeyError("register")

    def shut_down(self) -> None:
        pass


async def test_a_mistake_in_a_driver_is_a_meter_that_fails(tmp_path, caplog):
    bench = Bench(tmp_path)
    devices = bench.with_parts(meter=OddMeter())
    devices.performers[co.ReadMeter](co.ReadMeter(1))
    await asyncio.sleep(0.1)
    assert [type(event) for event in bench.take()] == [ev.MeterFailed]
    assert "register" in caplog.text


class EveryValue:
    """A meter that knows everything."""

    def read(self) -> MeterReading:
        return MeterReading(1234.999, 7000.5, (230.0,) * 3, (10.1,) * 3, (2333.5,) * 3, 50.01, 0.98)

    def shut_down(self) -> None:
        pass


async def test_every_value_of_the_meter_reaches_the_core(tmp_path):
    bench = Bench(tmp_path)
    devices = bench.with_parts(meter=EveryValue())
    devices.performers[co.ReadMeter](co.ReadMeter(1))
    await asyncio.sleep(0.1)
    (read,) = bench.take()
    phases = ((230.0,) * 3, (10.1,) * 3, (2333.5,) * 3)
    assert read.reading == Reading(1234, NOON, 7000.5, *phases, 50.01, 0.98)


# --- reader --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("happened", "events"),
    [
        (CardArrived(UID), [ev.TagPresented("044943121F1A80", (1,))]),
        (CardArrived(UID[:4]), [ev.TagPresented("04494312", (1,))]),
        (CardArrived(b"\x08\x01\x02\x03"), [ev.TagPresented("08010203", (1,), is_random=True)]),
        (CodeArrived("TAG-RFID-001"), [ev.TagPresented("TAG-RFID-001", (1,))]),
        (CardLeft(), []),
        (SeveralCards(), [ev.CardNotTaken("more than one card in the field: show one alone")]),
        (CardUnreadable("half a card"), [ev.CardNotTaken("half a card")]),
        (ReaderFailed("no answer"), [ev.ReaderFailed("no answer")]),
        (ReaderRecovered(), [ev.ReaderRecovered()]),
    ],
)
async def test_what_the_reader_says_becomes_an_event(tmp_path, happened, events):
    bench = Bench(tmp_path)
    bench.devices.reader_says(happened)
    assert bench.posted == events


@pytest.mark.parametrize("happened", [CardArrived(UID), CodeArrived("TAG-RFID-001")])
async def test_a_card_is_confirmed_at_the_box_before_anything_is_decided(tmp_path, happened):
    bench = Bench(tmp_path)
    bench.devices.reader_says(happened)
    assert bench.board.indicator.signal is Signal.CARD_READ


@pytest.mark.parametrize(
    ("order", "form", "uid", "id_tag"),
    [
        ("normal", "hex", UID, "044943121F1A80"),
        ("reversed", "hex", UID, "801A1F12434904"),
        ("normal", "decimal", UID[:4], str(0x04494312)),
        ("reversed", "decimal", UID[:4], str(0x12434904)),
        ("normal", "first4", UID, "04494312"),
        ("reversed", "first4", UID, "801A1F12"),
        ("normal", "hex_colons", UID[:4], "04:49:43:12"),
        ("normal", "hex_colons", UID, "04:49:43:12:1F:1A:80"),
    ],
)
async def test_a_uid_becomes_an_id_tag_as_the_settings_say(tmp_path, order, form, uid, id_tag):
    reader = ReaderSettings(driver="simulated", uid_order=order, uid_format=form)
    bench = Bench(tmp_path, reader=reader)
    bench.devices.reader_says(CardArrived(uid))
    assert bench.posted == [ev.TagPresented(id_tag, (1,))]


async def test_a_uid_that_does_not_fit_its_form_is_not_taken(tmp_path):
    reader = ReaderSettings(driver="simulated", uid_format="hex_colons")
    bench = Bench(tmp_path, reader=reader)
    bench.devices.reader_says(CardArrived(bytes(10)))
    (refused,) = bench.posted
    assert isinstance(refused, ev.CardNotTaken)
    assert "reader.uid_format does not fit this card" in refused.problem


@pytest.mark.parametrize("code", ["", "x" * 21, "line\nbreak", "K\u00e4rtchen", "\x00"])
async def test_a_code_that_is_no_id_tag_is_not_taken_and_not_repeated(tmp_path, code):
    bench = Bench(tmp_path)
    bench.devices.reader_says(CodeArrived(code))
    assert bench.posted == [ev.CardNotTaken("the code has more than 20 or unprintable characters")]


@pytest.mark.parametrize(("served", "connectors"), [((), (1, 2)), ((2,), (2,))])
async def test_a_card_is_for_the_connectors_that_the_reader_serves(tmp_path, served, connectors):
    bench = Bench(tmp_path, ReaderSettings(driver="simulated", connectors=served), connectors=2)
    bench.devices.reader_says(CardArrived(UID))
    assert bench.posted == [ev.TagPresented("044943121F1A80", connectors)]
