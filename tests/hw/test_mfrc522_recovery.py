"""What the driver does when the chip, the bus or the device fails."""

from collections.abc import Iterator

import pytest

from hw.ports_reader import CardArrived, CardLay, CardLeft, ReaderFailed, ReaderRecovered
from tests.emulators.mfrc522_chip import Card
from tests.hw.mfrc522_bench import RST, Bench

SEVEN = bytes.fromhex("044943121F1A80")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(monkeypatch)
    yield bench
    bench.shut_down()


@pytest.mark.parametrize("level", [0x00, 0xFF])
def test_a_chip_that_is_absent_at_the_start_is_reported_once_and_found_later(
    bench: Bench, level: int
) -> None:
    bench.chip.bus_stuck_at = level
    (event,) = bench.poll_for(300)
    assert isinstance(event, ReaderFailed)
    for hint in (f"{level:02X}", "3.3 V", "wiring", f"BCM {RST}", "dtparam=spi=on"):
        assert hint in event.problem
    assert bench.chip.open_devices == 0  # every try closed what it had opened
    bench.chip.bus_stuck_at = None
    assert bench.poll_for(35) == [ReaderRecovered()]
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll() == [CardArrived(SEVEN)]


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (FileNotFoundError(2, "No such file or directory"), "dtparam=spi=on"),
        (PermissionError(13, "Permission denied"), "group spi"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_a_device_that_cannot_be_opened_is_reported_with_what_to_do(
    bench: Bench, error: OSError, hint: str
) -> None:
    bench.chip.open_error = error
    (event,) = bench.poll_for(100)
    assert isinstance(event, ReaderFailed)
    assert "/dev/spidev0.0" in event.problem
    assert hint in event.problem
    bench.chip.open_error = None
    assert bench.chip.open_devices == 0
    assert bench.poll_for(31) == [ReaderRecovered()]


@pytest.mark.parametrize("level", [0x00, 0xFF])
@pytest.mark.parametrize("exchange", range(6))
def test_a_bus_that_dies_in_mid_read_is_reported_and_the_reader_recovers(
    bench: Bench, exchange: int, level: int
) -> None:
    bench.poll()
    bench.chip.field.present(Card(SEVEN))
    bench.chip.at_exchange(exchange, lambda: setattr(bench.chip, "bus_stuck_at", level))
    assert [type(event) for event in bench.poll_for(60)] == [ReaderFailed]
    bench.chip.bus_stuck_at = None
    assert bench.poll_for(31) == [ReaderRecovered(), CardLay()]  # nobody has shown it now
    bench.chip.field.remove_all()
    assert bench.poll(15) == []
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll() == [CardArrived(SEVEN)]


def test_a_card_that_stays_while_the_reader_fails_is_no_second_tap(bench: Bench) -> None:
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll(5) == [CardArrived(SEVEN)]
    bench.chip.bus_stuck_at = 0x00
    left, failed = bench.poll_for(60)
    assert (left, type(failed)) == (CardLeft(), ReaderFailed)
    bench.chip.bus_stuck_at = None
    assert bench.poll_for(60) == [ReaderRecovered(), CardLay()]


@pytest.mark.parametrize("exchange", range(6))
def test_a_brown_out_at_any_exchange_is_cured_within_a_few_polls(
    bench: Bench, exchange: int
) -> None:
    bench.poll()
    bench.chip.field.present(Card(SEVEN))
    bench.chip.at_exchange(exchange, bench.chip.brown_out)
    assert bench.poll(5) == [CardArrived(SEVEN)]


def test_a_lying_card_is_still_one_tap_after_a_brown_out(bench: Bench) -> None:
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll(5) == [CardArrived(SEVEN)]
    bench.chip.brown_out()
    assert bench.poll(20) == []


@pytest.mark.parametrize(
    ("register", "value"),
    [(0x14, 0x80), (0x2A, 0x8D), (0x2D, 0x1E), (0x15, 0x00), (0x11, 0x3F), (0x26, 0x78)],
)
def test_a_lost_register_is_noticed_by_the_watch_and_written_again(
    bench: Bench, register: int, value: int
) -> None:
    bench.poll(20)
    good = bench.chip.registers[register]
    bench.chip.registers[register] = value
    assert bench.poll_for(11) == []
    assert bench.chip.registers[register] == good


@pytest.mark.parametrize(("register", "bits"), [(0x01, 0x10), (0x08, 0x08)])
def test_power_down_and_encrypted_mode_are_noticed_by_the_watch_and_left(
    bench: Bench, register: int, bits: int
) -> None:
    bench.poll(20)
    bench.chip.registers[register] |= bits
    assert bench.poll_for(11) == []
    assert not bench.chip.registers[register] & bits


def test_the_watch_goes_on_for_ever(bench: Bench) -> None:
    bench.poll_for(35)
    bench.chip.registers[0x26] = 0x78
    assert bench.poll_for(11) == []
    assert bench.chip.registers[0x26] == 0x48


def test_a_chip_that_changes_its_version_is_started_anew(bench: Bench) -> None:
    bench.poll(20)
    bench.chip.version = 0x80
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll_for(12) == [CardArrived(SEVEN)]


def test_an_overheated_chip_is_reported(bench: Bench) -> None:
    bench.poll()
    bench.chip.is_hot = True
    (event,) = bench.poll_for(20)
    assert isinstance(event, ReaderFailed)
    assert "too hot" in event.problem


@pytest.mark.parametrize(("cure", "opened"), [("soft", 1), ("rst", 1), ("reopen", 2)])
def test_a_hung_chip_is_cured_by_the_lowest_rung_that_helps(
    bench: Bench, cure: str, opened: int
) -> None:
    bench.poll(20)
    bench.chip.is_deaf_until = cure
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll(6) == [CardArrived(SEVEN)]
    assert bench.chip.opened == opened


def test_a_chip_that_works_only_now_and_then_is_reported(bench: Bench) -> None:
    bench.poll(20)
    for count in range(0, 20, 2):
        bench.chip.at_exchange(count, lambda: setattr(bench.chip, "is_deaf_until", "soft"))
    assert ReaderFailed in [type(event) for event in bench.poll(20)]


def test_an_old_hiccup_is_forgotten(bench: Bench) -> None:
    bench.poll(20)
    for _ in range(10):
        bench.chip.is_deaf_until = "soft"
        assert bench.poll(20) == []


def test_the_chip_is_started_anew_every_quarter_of_an_hour_while_no_card_is_there(
    bench: Bench,
) -> None:
    bench.poll_s = 2.0
    bench.poll()
    starts: list[float] = []
    start = bench.chip.brown_out  # what a soft reset does to the registers

    def remember() -> None:
        starts.append(bench.chip.now_s)
        start()

    bench.chip.brown_out = remember  # type: ignore[method-assign]
    bench.poll_for(1850)
    assert len(starts) == 2
    bench.chip.field.present(Card(SEVEN))
    assert bench.poll_for(1850) == [CardArrived(SEVEN)]
    assert len(starts) == 2


def test_an_unexpected_failure_is_logged_and_counts(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.poll()
    bench.monkeypatch.setattr(bench.chip, "transfer", lambda sent: None)
    assert [type(event) for event in bench.poll_for(60)] == [ReaderFailed]
    assert "Traceback" in caplog.text
    assert "Card reader: unexpected failure" in caplog.text
