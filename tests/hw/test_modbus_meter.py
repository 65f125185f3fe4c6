"""The Modbus meter against pymodbus's server and against a responder that misbehaves."""

from __future__ import annotations

import logging
import math
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hw.meter_models import MODELS, Block, MeterModel, Quantity, Register, RegisterType, decode
from hw.modbus_meter import ModbusMeter
from hw.ports import BoardError, MeterError, MeterReading
from hw.register_plausibility import RegisterPlausibility, WatchedMeter
from hw.settings import MeterSettings
from tests.emulators.modbus_meter import (
    WAIT_S,
    MeterBus,
    RawResponder,
    SdmOnPty,
    SimulatedSdm,
    answer_from,
    with_crc,
)


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.slept_s.append(duration_s)
        self.now_s += duration_s


class Bench:
    """Opens meters and closes them at the end of the test."""

    def __init__(self) -> None:
        self.time = Time()
        self.meters: list[ModbusMeter] = []

    def open(self, path: str, model: str = "sdm630", **settings: object) -> ModbusMeter:
        # Long enough for a busy machine; only silence takes as long.
        chosen = MeterSettings(driver=f"modbus_{model}", port=path, baud=115_200, timeout_s=0.8)
        chosen = replace(chosen, **settings)
        meter = ModbusMeter(chosen, self.time.clock, self.time.sleep)
        self.meters.append(meter)
        return meter


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for meter in bench.meters:
        meter.shut_down()


@pytest.mark.parametrize("model", ["sdm120", "sdm230"])
def test_a_single_phase_meter_is_read(bench: Bench, model: str) -> None:
    with SdmOnPty(model, unit_id=7) as sdm:
        sdm.set(import_kwh=1234.567, power_w=3680.0, voltage_v=(230.1,), current_a=(16.0,))
        sdm.set(frequency_hz=50.02, power_factor=0.99)
        reading = bench.open(sdm.path, model, unit_id=7).read()
    assert reading == MeterReading(
        import_wh=1_234_567,
        power_w=3680.0,
        voltage_v=(230.1,),
        current_a=(16.0,),
        power_phase_w=(3680.0,),
        frequency_hz=50.02,
        power_factor=0.99,
    )


def test_a_three_phase_meter_is_read_by_one_request(bench: Bench) -> None:
    with SdmOnPty("sdm630") as sdm:
        sdm.set(import_kwh=1234.567, power_w=11040.0, frequency_hz=50.02, power_factor=0.98)
        sdm.set(voltage_v=(230.1, 231.2, 229.3), current_a=(16.0, 15.9, 16.1))
        sdm.set(power_phase_w=(3680.0, 3670.0, 3690.0))
        reading = bench.open(sdm.path).read()
        assert sdm.meter.reads == 1
    assert reading == MeterReading(
        import_wh=1_234_567,
        power_w=11040.0,
        voltage_v=(230.1, 231.2, 229.3),
        current_a=(16.0, 15.9, 16.1),
        power_phase_w=(3680.0, 3670.0, 3690.0),
        frequency_hz=50.02,
        power_factor=0.98,
    )


def test_every_reading_is_fresh(bench: Bench) -> None:
    with SdmOnPty("sdm120") as sdm:
        meter = bench.open(sdm.path, "sdm120")
        registers = []
        for import_kwh in (1.0, 1.01, 1.02):
            sdm.set(import_kwh=import_kwh)
            registers.append(meter.read().import_wh)
    assert registers == [1000, 1010, 1020]


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_keeps_its_registers_inside_blocks_that_a_meter_gives(model: str) -> None:
    table = MODELS[model]
    inside = {block.address + index for block in table.blocks for index in range(block.count)}
    for register in table.registers:
        assert {register.address, register.address + 1} <= inside
    for block in table.blocks:
        assert block.count <= 80  # hardware.md 9.1: even start, even count, at most 80
        assert block.address % 2 == block.count % 2 == 0


def test_the_request_on_the_wire_is_the_one_of_the_manual(bench: Bench) -> None:
    meter = SimulatedSdm("sdm630")
    with RawResponder(lambda request: [answer_from(meter, request)]) as responder:
        bench.open(responder.path).read()
        request = responder.requests.get(timeout=WAIT_S)
    assert request == bytes.fromhex("01 04 00 00 00 50 F0 36")


def test_a_silent_meter_is_an_error_that_names_port_unit_and_what_to_check(bench: Bench) -> None:
    with SdmOnPty("sdm630", unit_id=5) as sdm:
        meter = bench.open(sdm.path, unit_id=5)
        sdm.cut()
        with pytest.raises(MeterError, match="does not answer") as caught:
            meter.read()
        for word in (sdm.path, "unit id 5", "wiring", "baud rate (115200)", "parity (N)"):
            assert word in str(caught.value)
        sdm.cut(False)
        assert meter.read().voltage_v == (230.0, 230.0, 230.0)


def test_an_answer_that_comes_late_is_never_taken_for_the_next_request(bench: Bench) -> None:
    """It comes while the bus rests; were there no rest, just after the next request."""
    sdm = SimulatedSdm("sdm630")
    late: list[bytes] = []

    def respond(request: bytes) -> list[bytes]:
        answer = answer_from(sdm, request)
        if responder.requests.qsize() == 1:
            late.append(answer)
            return []
        return [*late, answer]

    def sleep(duration_s: float) -> None:
        bench.time.sleep(duration_s)
        while late:
            responder.send(late.pop())

    with RawResponder(respond) as responder:
        settings = MeterSettings(
            driver="modbus_sdm630", port=responder.path, baud=115_200, timeout_s=0.4
        )
        meter = ModbusMeter(settings, bench.time.clock, sleep)
        sdm.set(import_kwh=1.0)
        with pytest.raises(MeterError, match="does not answer"):
            meter.read()
        sdm.set(import_kwh=2.0)
        assert meter.read().import_wh == 2000
        assert bench.time.slept_s == [pytest.approx(1.0 + 0.4 + 0.0165, abs=0.001)]
        meter.shut_down()


def test_a_poll_that_comes_after_the_bus_was_quiet_waits_for_nothing(bench: Bench) -> None:
    with SdmOnPty("sdm630") as sdm:
        meter = bench.open(sdm.path)
        sdm.cut()
        with pytest.raises(MeterError):
            meter.read()
        sdm.cut(False)
        bench.time.now_s += 2.0
        meter.read()
    assert bench.time.slept_s == []


def test_two_requests_have_a_pause_between_them(bench: Bench) -> None:
    with SdmOnPty("sdm120") as sdm:
        bench.open(sdm.path, "sdm120").read()
    assert bench.time.slept_s == [pytest.approx(0.05)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_energy_that_is_no_number_is_an_error_and_never_0(bench: Bench, value: float) -> None:
    with SdmOnPty("sdm630") as sdm:
        meter = bench.open(sdm.path)
        sdm.set(import_kwh=value)
        with pytest.raises(MeterError, match=r"SDM630 gives (nan|inf|-inf) as"):
            meter.read()
        sdm.set(import_kwh=5.0)
        meter.read()


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e9])
@pytest.mark.parametrize("quantity", ["power_w", "frequency_hz", "voltage_v", "power_factor"])
def test_another_quantity_that_cannot_be_is_left_out_and_said_once(
    bench: Bench, caplog: pytest.LogCaptureFixture, quantity: str, value: float
) -> None:
    with SdmOnPty("sdm630") as sdm:
        meter = WatchedMeter(
            "connector 1 meter", bench.open(sdm.path), RegisterPlausibility(22_000)
        )
        sdm.set(import_kwh=1234.5, power_w=11.0, voltage_v=(230.0, 231.0, 232.0))
        whole = meter.read()
        is_phased = quantity == "voltage_v"
        sdm.set(**{quantity: (230.0, value, 232.0) if is_phased else value})
        left = [meter.read() for _ in range(3)]
    expected = replace(whole, **{quantity: (230.0,) if is_phased else None})
    assert left == [expected] * 3
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert said[0].startswith("connector 1 meter: gives ")
    assert quantity in said[0]


@pytest.mark.parametrize("name", ["voltage_v", "import_kwh"])
def test_words_in_the_wrong_order_are_an_error_that_says_so(bench: Bench, name: str) -> None:
    def swapped(number: float) -> float:
        high, low = struct.unpack(">HH", struct.pack(">f", number))
        return float(struct.unpack(">f", struct.pack(">HH", low, high))[0])

    with SdmOnPty("sdm630") as sdm:
        meter = bench.open(sdm.path)
        meter.read()
        wrong = (swapped(230.1),) * 3 if name == "voltage_v" else swapped(1234.567)
        sdm.set(**{name: wrong})
        with pytest.raises(MeterError, match="its words are in another order"):
            meter.read()


def _broken_crc(answer: bytes) -> list[bytes]:
    return [answer[:-1] + bytes((answer[-1] ^ 0x40,))]


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        pytest.param(_broken_crc, "does not answer", id="wrong checksum"),
        pytest.param(lambda answer: [answer[:40]], "does not answer", id="half an answer"),
        pytest.param(lambda answer: [b"\x00" * 12], "does not answer", id="zeros only"),
        pytest.param(lambda answer: [bytes(range(200, 256))], "does not answer", id="noise only"),
        pytest.param(
            lambda answer: [with_crc(b"\x01\x84\x02")], "Modbus exception 2", id="exception"
        ),
        pytest.param(
            lambda answer: [with_crc(b"\x01\x04\x04\x43\x66\x19\x9a")],
            "gave 2 registers, not 80",
            id="answer to another question",
        ),
        pytest.param(
            lambda answer: [with_crc(b"\x09" + answer[1:-2])], "does not answer", id="other unit"
        ),
    ],
)
def test_a_bad_answer_is_an_error_and_the_next_good_one_is_read(
    bench: Bench, spoil: object, problem: str
) -> None:
    sdm = SimulatedSdm("sdm630")
    sdm.set(import_kwh=3.0)

    def respond(request: bytes) -> list[bytes]:
        answer = answer_from(sdm, request)
        return spoil(answer) if responder.requests.qsize() == 1 else [answer]

    with RawResponder(respond) as responder:
        meter = bench.open(responder.path)
        with pytest.raises(MeterError, match=problem):
            meter.read()
        assert meter.read().import_wh == 3000


def test_an_answer_in_two_pieces_is_read(bench: Bench) -> None:
    sdm = SimulatedSdm("sdm630")
    sdm.set(import_kwh=3.0)

    def respond(request: bytes) -> list[bytes]:
        answer = answer_from(sdm, request)
        return [answer[:50], answer[50:]]

    with RawResponder(respond) as responder:
        assert bench.open(responder.path).read().import_wh == 3000


def test_a_port_that_is_pulled_out_is_an_error_and_works_again_when_plugged_in(
    bench: Bench,
) -> None:
    with SdmOnPty("sdm630") as sdm:
        meter = bench.open(sdm.path)
        meter.read()
        sdm.unplug()
        with pytest.raises(MeterError, match="check that its adapter is plugged in"):
            meter.read()
        with pytest.raises(MeterError, match=r"ttyMeter of the meter is not there"):
            meter.read()
        sdm.plug()
        sdm.set(import_kwh=4.0)
        assert meter.read().import_wh == 4000


def test_a_meter_whose_port_comes_later_opens_without_an_error(bench: Bench) -> None:
    sdm = SdmOnPty("sdm630")
    meter = bench.open(sdm.path)
    with pytest.raises(MeterError, match="is not there"):
        meter.read()
    with sdm:
        assert meter.read().frequency_hz == 50.0


def test_a_file_that_is_no_serial_port_is_an_error(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("port") / "notes.txt"
    path.write_text("not a port")
    with pytest.raises(MeterError, match="check that no other program uses it"):
        bench.open(str(path)).read()


def test_two_meters_on_one_bus_are_told_apart_and_take_turns(bench: Bench) -> None:
    first, second = SimulatedSdm("sdm630", 1), SimulatedSdm("sdm120", 2)
    first.set(import_kwh=10.0)
    second.set(import_kwh=20.0)
    with MeterBus(first, second) as bus:
        meters = [bench.open(bus.path, "sdm630"), bench.open(bus.path, "sdm120", unit_id=2)]
        seen: dict[int, set[float]] = {0: set(), 1: set()}

        def poll(index: int) -> None:
            for _ in range(5):
                seen[index].add(meters[index].read().import_wh)

        threads = [threading.Thread(target=poll, args=(index,)) for index in seen]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
    assert seen == {0: {10_000}, 1: {20_000}}


def test_the_port_stays_open_until_its_last_meter_leaves(bench: Bench) -> None:
    with MeterBus(SimulatedSdm("sdm630", 1), SimulatedSdm("sdm630", 2)) as bus:
        first, second = bench.open(bus.path), bench.open(bus.path, unit_id=2)
        first.shut_down()
        first.shut_down()
        assert second.read().frequency_hz == 50.0
        with pytest.raises(MeterError, match="was shut down"):
            first.read()
        second.shut_down()
        # A new bus with other settings: nothing of the old one is left.
        assert bench.open(bus.path, baud=9600).read().frequency_hz == 50.0


@pytest.mark.parametrize("other", [{"baud": 9600}, {"parity": "E"}, {"timeout_s": 0.2}])
def test_meters_on_one_port_with_different_serial_settings_are_refused(
    bench: Bench, other: dict[str, object]
) -> None:
    bench.open("/dev/not-there")
    with pytest.raises(BoardError, match="/dev/not-there have different serial settings"):
        bench.open("/dev/not-there", unit_id=2, **other)


def test_two_meters_with_one_unit_id_are_refused(bench: Bench) -> None:
    bench.open("/dev/not-there", unit_id=3)
    with pytest.raises(BoardError, match="two meters on /dev/not-there have unit id 3"):
        bench.open("/dev/not-there", unit_id=3)


def test_a_driver_that_is_no_modbus_meter_is_refused() -> None:
    with pytest.raises(BoardError, match='"simulated" is none of modbus_sdm120'):
        ModbusMeter(MeterSettings(driver="simulated", port="/dev/not-there"))


def test_a_slow_line_gets_the_time_that_its_longest_answer_takes(bench: Bench) -> None:
    """165 bytes at 2400 baud take 0.76 s: a timeout of 0.1 s to think must not cut them off."""
    with SdmOnPty("sdm630") as sdm:
        meter = bench.open(sdm.path, baud=2400, timeout_s=0.1)
        sdm.cut()
        with pytest.raises(MeterError):
            meter.read()
        sdm.cut(False)
        meter.read()
    (rest_s,) = bench.time.slept_s
    assert rest_s == pytest.approx(1.0 + 0.1 + 173 * 11 / 2400)


def test_a_table_may_ask_for_integers_with_the_low_word_first() -> None:
    """The form of Carlo Gavazzi EM340: int32, low word first, V/10, kWh/10."""
    model = MeterModel(
        name="EM340",
        blocks=(Block(0x00, 2), Block(0x34, 2)),
        registers=(
            Register(Quantity.VOLTAGE_V, 0x00, scale=0.1, kind=RegisterType.INT32, phase=1),
            Register(Quantity.IMPORT_WH, 0x34, scale=100, kind=RegisterType.INT32),
        ),
        low_word_first=True,
    )
    words = {0x00: 2301, 0x01: 0, 0x34: 0x0001, 0x35: 0x0002}
    reading = decode(model, words)
    assert reading == MeterReading(import_wh=0x20001 * 100, voltage_v=(230.1,))
