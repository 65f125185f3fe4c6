import itertools
import logging
import queue
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from gpiozero import DigitalOutputDevice

from hw.mfrc522_chip import gain_bits
from hw.ports import BoardError
from hw.ports_reader import (
    CardArrived,
    CardLay,
    CardLeft,
    CardUnreadable,
    ReaderEvent,
    SeveralCards,
)
from tests.emulators.mfrc522_chip import Card
from tests.hw.mfrc522_bench import RST, Bench

FOUR = bytes.fromhex("DEADBEEF")
SEVEN = bytes.fromhex("044943121F1A80")
SEVEN_ALIKE = bytes.fromhex("04494399887766")  # same first level
TEN = bytes.fromhex("04112233445566778899")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(monkeypatch)
    yield bench
    bench.shut_down()


def transfers_of_one_poll(bench: Bench) -> int:
    bench.poll()
    before = bench.chip.transfers
    bench.poll()
    return bench.chip.transfers - before


# --- taps


@pytest.mark.parametrize("uid", [FOUR, SEVEN, TEN], ids=len)
def test_a_card_of_any_size_arrives_with_its_whole_uid(bench: Bench, uid: bytes) -> None:
    assert bench.poll(3) == []
    bench.chip.field.present(Card(uid))
    assert bench.poll() == [CardArrived(uid)]


def test_a_card_that_lies_there_at_the_start_is_no_tap_before_it_is_shown_again(
    bench: Bench,
) -> None:
    bench.reader(is_clear=False)
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll(100) == [CardLay()]
    bench.chip.field.remove_all()
    assert bench.poll(15) == []
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll() == [CardArrived(SEVEN)]


def test_a_card_left_lying_is_one_tap(bench: Bench) -> None:
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll(500) == [CardArrived(SEVEN)]


def test_a_card_taken_away_and_presented_again_is_a_second_tap(bench: Bench) -> None:
    card = Card(SEVEN)
    bench.chip.field.present(card)
    assert bench.poll(5) == [CardArrived(SEVEN)]
    bench.chip.field.remove_all()
    assert bench.poll(15) == [CardLeft()]
    bench.chip.field.present(card)
    assert bench.poll(5) == [CardArrived(SEVEN)]


@pytest.mark.parametrize("other", [FOUR, SEVEN_ALIKE, TEN], ids=len)
def test_two_cards_are_reported_once_and_none_is_taken(bench: Bench, other: bytes) -> None:
    bench.chip.field.present(Card(SEVEN), Card(other))
    assert bench.poll(50) == [SeveralCards()]


def test_the_card_that_remains_of_two_is_taken(bench: Bench) -> None:
    kept, removed = Card(SEVEN), Card(FOUR)
    bench.chip.field.present(kept, removed)
    assert bench.poll(10) == [SeveralCards()]
    bench.chip.field.remove(removed)
    assert bench.poll(10) == [CardArrived(SEVEN)]


def test_a_random_uid_is_delivered_like_any_other(bench: Bench) -> None:
    bench.chip.field.present(Card(b"\x08\x01\x02\x03"))
    assert bench.poll() == [CardArrived(b"\x08\x01\x02\x03")]


@pytest.mark.parametrize("fault", ["has_wrong_bcc", "has_wrong_sak_crc"])
def test_a_card_with_wrong_check_values_is_reported_once_as_unreadable(
    bench: Bench, fault: str
) -> None:
    card = Card(SEVEN)
    setattr(card, fault, True)
    bench.chip.field.present(card)
    assert [type(event) for event in bench.poll(50)] == [CardUnreadable]


def test_four_bytes_that_begin_with_the_cascade_tag_are_unreadable(bench: Bench) -> None:
    bench.chip.field.present(Card(b"\x88\x04\x49\x43"))
    (event,) = bench.poll(50)
    assert isinstance(event, CardUnreadable)
    assert "beginning of its number" in event.problem


# A 10-byte card takes WUPA, three times ANTICOLL and SELECT, HLTA.
@pytest.mark.parametrize("exchange", range(8))
@pytest.mark.parametrize("uid", [FOUR, SEVEN, TEN], ids=len)
def test_a_card_pulled_away_at_any_exchange_arrives_whole_or_not_at_all(
    bench: Bench, uid: bytes, exchange: int
) -> None:
    bench.poll()
    bench.chip.field.present(Card(uid))
    bench.chip.at_exchange(exchange, bench.chip.field.remove_all)
    was_read = exchange >= {4: 3, 7: 5, 10: 7}[len(uid)]
    assert bench.poll(20) == ([CardArrived(uid), CardLeft()] if was_read else [])


@pytest.mark.parametrize("exchange", range(6))
def test_two_cards_swapped_at_any_exchange_are_never_mixed(bench: Bench, exchange: int) -> None:
    bench.poll()
    first, second = Card(SEVEN), Card(SEVEN_ALIKE)
    bench.chip.field.present(first)

    def swap() -> None:
        bench.chip.field.remove(first)
        bench.chip.field.present(second)

    bench.chip.at_exchange(exchange, swap)
    arrived = [event.uid for event in bench.poll(20) if isinstance(event, CardArrived)]
    assert arrived in ([SEVEN_ALIKE], [SEVEN, SEVEN_ALIKE])


@pytest.mark.parametrize("error", [0x01, 0x02, 0x10])
@pytest.mark.parametrize("exchange", range(6))
def test_an_error_at_any_exchange_only_delays_the_tap(
    bench: Bench, exchange: int, error: int
) -> None:
    bench.poll()
    bench.chip.field.present(Card(SEVEN))
    bench.chip.at_exchange(exchange, lambda: setattr(bench.chip, "next_error", error))
    was_read = exchange == 5  # HLTA comes after the read
    assert bench.poll() == ([CardArrived(SEVEN)] if was_read else [])
    assert bench.chip.frames[-1] == "500057cd"  # whole: nothing of the bad answer in the FIFO
    assert bench.poll(20) == ([] if was_read else [CardArrived(SEVEN)])


# --- cost


def test_an_empty_poll_costs_tens_of_transfers(bench: Bench) -> None:
    assert transfers_of_one_poll(bench) < 40  # with 5 ms of waiting, a look every millisecond


def test_an_empty_field_costs_an_early_look_for_the_answer_and_a_late_one_for_the_silence(
    bench: Bench,
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        bench.chip.now_s += seconds

    bench.monkeypatch.setattr(bench.chip, "sleep", nap)
    reader = bench.reader()
    reader.poll_once()
    naps.clear()
    reader.poll_once()
    assert naps == [0.001, 0.0045]


def test_a_chip_that_never_reports_its_timer_is_looked_at_only_so_often(bench: Bench) -> None:
    naps: list[float] = []
    bench.monkeypatch.setattr(bench.chip, "sleep", naps.append)
    reader = bench.reader()
    reader.poll_once()
    naps.clear()
    bench.chip.is_deaf_until = "reopen"
    reader.poll_once()
    assert len(naps) == 40
    assert set(naps[2:]) == {0.001}


@pytest.mark.parametrize(("uid", "limit"), [(FOUR, 80), (SEVEN, 120), (TEN, 160)])
def test_reading_a_card_costs_little_more(bench: Bench, uid: bytes, limit: int) -> None:
    bench.chip.field.present(Card(uid))
    assert transfers_of_one_poll(bench) < limit


def test_a_dead_bus_costs_at_most_forty_looks(bench: Bench) -> None:
    bench.poll()
    bench.chip.bus_stuck_at = 0x00
    before = bench.chip.transfers
    bench.poll()
    assert bench.chip.transfers - before < 60


# --- pins


def test_only_the_given_reset_pin_is_driven_and_the_contactor_stays_closed(bench: Bench) -> None:
    contactor = DigitalOutputDevice(17, initial_value=True, pin_factory=bench.factory)
    bench.poll(3)
    assert bench.factory.pin(RST).function == "output"
    assert bench.factory.pin(RST).state
    assert set(bench.factory.pins) == {bench.factory.pin(pin).info for pin in (17, RST)}
    bench.readers[0].shut_down()
    assert contactor.value == 1
    assert [entry.state for entry in contactor.pin.states] == [False, True]
    assert bench.factory.pin(RST).function == "input"
    contactor.close()


def test_the_reset_pin_begins_low_and_is_released_by_the_first_poll(bench: Bench) -> None:
    bench.reader()
    assert not bench.factory.pin(RST).state
    bench.poll()
    assert bench.factory.pin(RST).state


def test_a_reset_pin_in_use_is_a_clear_error(bench: Bench) -> None:
    contactor = DigitalOutputDevice(RST, pin_factory=bench.factory)
    with pytest.raises(BoardError, match=f"pin {RST} cannot be used"):
        bench.reader()
    contactor.close()


def test_a_reset_pin_the_board_does_not_have_is_a_clear_error(bench: Bench) -> None:
    with pytest.raises(BoardError, match="pin 53 cannot be used"):
        bench.reader(reset_pin=53)


# --- packages and modules


def test_a_real_rpi_gpio_is_neither_used_nor_lost(bench: Bench) -> None:
    real_package, real = ModuleType("RPi"), ModuleType("RPi.GPIO")
    bench.monkeypatch.setitem(sys.modules, "RPi", real_package)
    bench.monkeypatch.setitem(sys.modules, "RPi.GPIO", real)
    bench.chip.field.present(Card(FOUR))
    assert bench.poll() == [CardArrived(FOUR)]
    assert (sys.modules["RPi"], sys.modules["RPi.GPIO"]) == (real_package, real)
    assert "mfrc522" not in sys.modules


def test_without_a_real_rpi_gpio_none_stays_behind(bench: Bench) -> None:
    before = set(sys.modules)
    bench.poll()
    assert not {"RPi", "RPi.GPIO", "mfrc522", "mfrc522.MFRC522"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    ("missing", "advice"),
    [("mfrc522", "pip install --no-deps mfrc522"), ("spidev", "apt install python3-spidev")],
)
def test_a_missing_package_is_named_with_the_way_to_install_it(
    bench: Bench, missing: str, advice: str
) -> None:
    class Nowhere:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            if name == missing:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    bench.monkeypatch.delitem(sys.modules, missing, raising=False)
    bench.monkeypatch.setattr(sys, "meta_path", [Nowhere, *sys.meta_path])
    with pytest.raises(BoardError, match=f"{missing}.*{advice}"):
        bench.reader()


def test_the_package_adds_no_log_handler(bench: Bench) -> None:
    before = list(logging.getLogger("mfrc522Logger").handlers)
    bench.poll()
    bench.chip.bus_stuck_at = 0x00
    bench.poll_for(100)
    assert logging.getLogger("mfrc522Logger").handlers == before


@pytest.mark.parametrize("version", [0x12, 0x88, 0x90, 0x91, 0x92, 0xB2])
def test_every_version_that_answers_is_accepted_and_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture, version: int
) -> None:
    caplog.set_level(logging.INFO)
    bench.chip.version = version
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll() == [CardArrived(SEVEN)]
    assert f"0x{version:02X}" in caplog.text
    assert ("clone" in caplog.text) is (version not in (0x91, 0x92))


@pytest.mark.parametrize(
    ("gain_db", "bits"), [(18, 0), (23, 0x10), (33, 0x40), (37, 0x40), (38, 0x50), (48, 0x70)]
)
def test_the_gain_is_the_highest_step_that_is_not_above_the_setting(
    bench: Bench, gain_db: int, bits: int
) -> None:
    assert gain_bits(gain_db) == bits
    bench.reader(antenna_gain_db=gain_db)
    bench.poll()
    assert bench.chip.registers[0x26] & 0x70 == bits


def test_no_uid_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench.chip.field.present(Card(SEVEN))
    bench.poll(30)
    assert SEVEN.hex() not in caplog.text.lower()


# --- thread


def test_the_thread_reports_a_tap_and_ends_when_told(bench: Bench) -> None:
    reader = bench.reader(poll_ms=20)
    events: queue.Queue[ReaderEvent] = queue.Queue()
    bench.chip.field.present(Card(SEVEN))
    reader.start(events.put)
    assert events.get(timeout=5) == CardArrived(SEVEN)
    reader.shut_down()
    reader.shut_down()
    assert reader.poll_once() == []
    assert (bench.chip.opened, bench.chip.open_devices) == (1, 0)


def test_the_thread_survives_a_listener_that_raises(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    reader = bench.reader(poll_ms=20)
    events: queue.Queue[ReaderEvent] = queue.Queue()
    calls = itertools.count()

    def report(event: ReaderEvent) -> None:
        if next(calls) == 0:
            bench.chip.field.cards = (Card(FOUR),)
            raise ValueError("the listener is broken")
        events.put(event)

    bench.chip.field.present(Card(SEVEN))
    reader.start(report)
    assert [events.get(timeout=5) for _ in range(2)] == [CardLeft(), CardArrived(FOUR)]
    assert "an event was lost" in caplog.text


def test_shutting_down_before_the_start_is_allowed(bench: Bench) -> None:
    bench.reader().shut_down()
