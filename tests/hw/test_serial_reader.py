import fcntl
import os
import queue
import select
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.ports import BoardError
from hw.ports_reader import (
    CardArrived,
    CardLay,
    CardLeft,
    CardUnreadable,
    CodeArrived,
    ReaderEvent,
    ReaderFailed,
    ReaderRecovered,
)
from hw.serial_reader import Line, LineParser, LineTaps, SerialReader
from hw.settings import ReaderSettings

FOUR = CardArrived(bytes.fromhex("DEADBEEF"))
SEVEN = CardArrived(bytes.fromhex("044943121F1A80"))
TEN = CardArrived(bytes.fromhex("04112233445566778899"))


# --- lines


@pytest.mark.parametrize(
    ("received", "lines"),
    [
        (b"DEADBEEF\r\n", [FOUR]),
        (b"deadbeef\n", [FOUR]),
        (b"044943121F1A80\r", [SEVEN]),
        (b"04112233445566778899\r\n", [TEN]),
        (b"04:49:43:12:1f:1a:80\r\n", [SEVEN]),
        (b"04-49-43-12-1F-1A-80\n", [SEVEN]),
        (b"04 49 43 12 1F 1A 80\n", [SEVEN]),
        (b"  DEADBEEF\t \r\n", [FOUR]),
        (b"\x02044943121F1A80\x03", [SEVEN]),
        (b"\x02044943121F1A80\r\n\x03", [SEVEN]),
        (b"noise\x02DEADBEEF\x03", [FOUR]),
        (b"\xff" * 500 + b"\x02DEADBEEF\x03", [FOUR]),
        (b"DEADBEEF\nDEADBEEF\n044943121F1A80\n", [FOUR, FOUR, SEVEN]),
        (b"DE\x00AD\x7fBE\x1bEF\n", [FOUR]),
        (b"TAG-RFID-001\r\n", [CodeArrived("TAG-RFID-001")]),
        (b"1234\r\n", [CodeArrived("1234")]),
        (b"0004022250\r\n", [CodeArrived("0004022250")]),
        (b"Z\n", [CodeArrived("Z")]),
        (b"ABCDEFGHIJKLMNOPQRST\n", [CodeArrived("ABCDEFGHIJKLMNOPQRST")]),
        (b"Jane's card #7\n", [CodeArrived("Jane's card #7")]),
        (b"\r\n\r\n\x02\x03  \n", []),
        (b"DEADBEEF", []),
    ],
)
def test_a_line_is_read_as_what_it_is(received: bytes, lines: list[Line]) -> None:
    assert LineParser().feed(received) == lines


@pytest.mark.parametrize(
    ("received", "problem"),
    [
        (b"DEADBEE\n", "7 hex digits"),
        (b"4943121F1A80\n", "12 hex digits"),
        (b"0D:EA\n", "4 hex digits"),
        (b"88044943\n", "only the beginning"),
        (b"ABCDEFGHIJKLMNOPQRSTU\n", "21 characters"),
        (b"123456789012345678901\n", "21 characters"),
        (b"caf\xc3\xa9-tag\n", "no code may have"),
        (b"\xb2\xb3\n", "no code may have"),
        (b"X" * 65 + b"\n", "more than 64 bytes"),
        (b"D" * 100_000 + b"\n", "more than 64 bytes"),
    ],
)
def test_a_line_that_is_no_card_says_why_once_and_names_no_tag(
    received: bytes, problem: str
) -> None:
    (line,) = LineParser().feed(received)
    assert isinstance(line, CardUnreadable)
    assert problem in line.problem
    assert received.decode("latin-1").strip() not in line.problem


def test_the_line_after_one_that_was_too_long_is_read() -> None:
    lines = LineParser().feed(b"X" * 65 + b"\nDEADBEEF\n")
    assert lines[1:] == [FOUR]


def test_a_line_of_exactly_64_bytes_is_not_too_long() -> None:
    assert LineParser().feed(b" " * 56 + b"DEADBEEF\n") == [FOUR]


STREAM = st.lists(
    st.sampled_from([b"\x02", b"\x03", b"\r\n", b"DEADBEEF", b"04:49:43:12:1F:1A:80", b"X" * 40])
    | st.binary(max_size=80)
).map(b"".join)


@given(STREAM)
def test_any_bytes_give_only_lawful_lines(received: bytes) -> None:
    for line in LineParser().feed(received):
        match line:
            case CardArrived(uid):
                assert len(uid) in (4, 7, 10)
            case CodeArrived(code):
                assert 1 <= len(code) <= 20
                assert code.isascii()
                assert code.isprintable()
            case CardUnreadable(problem):
                assert problem


@given(STREAM, st.integers(1, 7))
def test_it_does_not_matter_in_which_pieces_the_bytes_arrive(received: bytes, size: int) -> None:
    parser, pieces = LineParser(), range(0, len(received), size)
    in_pieces = [line for start in pieces for line in parser.feed(received[start : start + size])]
    assert in_pieces == LineParser().feed(received)


# --- taps


def listening() -> LineTaps:
    """Taps of a reader that has been silent for long."""
    taps = LineTaps()
    assert taps.begin(-100.0) == []
    return taps


def test_what_is_printed_at_the_beginning_lay_there_until_there_is_silence() -> None:
    taps = LineTaps()
    taps.begin(10.0)
    events = [event for second in range(50) for event in taps.observe([FOUR], 10 + second * 1.9)]
    assert events == [CardLay()]
    assert taps.observe([], 105.2) == []
    assert taps.observe([FOUR], 105.3) == [FOUR]


def test_a_card_that_lies_there_when_the_looking_begins_anew_is_no_second_tap() -> None:
    taps = listening()
    assert taps.observe([FOUR], 10.0) == [FOUR]
    assert taps.begin(11.0) == [CardLeft()]
    assert taps.observe([FOUR], 12.0) == [CardLay()]
    assert taps.observe([FOUR], 20.0) == [FOUR]


def test_lines_repeated_while_the_card_rests_are_one_tap() -> None:
    taps = listening()
    events = [event for second in range(100) for event in taps.observe([FOUR], second * 1.9)]
    assert events == [FOUR]


def test_a_card_that_is_silent_for_two_seconds_has_left() -> None:
    taps = listening()
    taps.observe([FOUR], 10.0)
    assert taps.observe([], 12.0) == []
    assert taps.observe([], 12.1) == [CardLeft()]
    assert taps.observe([], 20.0) == []
    assert taps.observe([FOUR], 20.0) == [FOUR]


def test_the_same_line_after_a_long_time_is_a_second_tap_even_without_a_poll_between() -> None:
    taps = listening()
    taps.observe([FOUR], 10.0)
    assert taps.observe([FOUR], 15.0) == [CardLeft(), FOUR]


def test_another_card_replaces_the_first_at_once() -> None:
    taps = listening()
    code = CodeArrived("TAG-1")
    assert taps.observe([FOUR, FOUR, code], 10.0) == [FOUR, CardLeft(), code]


def test_unreadable_lines_are_reported_once_until_they_stop() -> None:
    taps = listening()
    bad = CardUnreadable("bad")
    events = [event for second in range(10) for event in taps.observe([bad, bad], second)]
    assert events == [bad]
    assert taps.observe([bad], 20.0) == [bad]


# --- the driver, on a real pseudo terminal


class Bench:
    """A reader on a pseudo terminal behind a link, so that it can be unplugged and come back."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "reader"
        self.now_s = 100.0
        self._ends: tuple[int, int] | None = None
        self.reader = SerialReader(
            ReaderSettings(driver="serial", port=str(self.path)),
            lambda: self.now_s,
            read_timeout_s=0.02,
        )

    def is_silent(self) -> None:
        """The port is open, and for a while nothing comes."""
        assert self.after(0) == []
        assert self.after(2.1) == []

    def plug_in(self) -> None:
        self._ends = os.openpty()
        tty.setraw(self._ends[1])
        self.path.symlink_to(os.ttyname(self._ends[1]))

    def pull_out(self) -> None:
        if self._ends is not None:
            self.path.unlink()
            for end in self._ends:
                os.close(end)
            self._ends = None

    def prints(self, received: bytes) -> list[ReaderEvent]:
        assert self._ends is not None
        os.write(self._ends[0], received)
        for _ in range(1000):  # the kernel hands the bytes over in its own time
            select.select([self._ends[1]], [], [], 5)
            waiting = fcntl.ioctl(self._ends[1], termios.FIONREAD, bytes(4))
            if int.from_bytes(waiting, sys.byteorder) == len(received):
                break
        return self.reader.poll_once()

    def after(self, seconds: float) -> list[ReaderEvent]:
        self.now_s += seconds
        return self.reader.poll_once()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.reader.shut_down()
    bench.pull_out()


def test_a_printed_card_arrives_and_leaves(bench: Bench) -> None:
    bench.plug_in()
    bench.is_silent()
    assert bench.prints(b"\x02044943121F1A80\r\n\x03") == [SEVEN]
    assert bench.after(1.5) == []
    assert bench.prints(b"044943121F1A80\r\n") == []
    assert bench.after(2.1) == [CardLeft()]
    assert bench.prints(b"TAG-RFID-001\r\n") == [CodeArrived("TAG-RFID-001")]


def test_what_was_printed_while_nobody_looked_is_nothing(bench: Bench) -> None:
    bench.plug_in()
    assert bench._ends is not None
    os.write(bench._ends[0], b"DEADBEEF\nDEADBEEF\nDEADB")
    bench.is_silent()
    assert bench.prints(b"DEADBEEF\n") == [FOUR]


def test_a_card_that_lies_there_when_the_port_opens_is_no_tap(bench: Bench) -> None:
    bench.plug_in()
    assert bench.after(0) == []
    assert bench.prints(b"121F1A80\nDEADBEEF\n") == [CardLay()]  # first the end of a line
    bench.now_s += 1.9
    assert bench.prints(b"DEADBEEF\n") == []
    assert bench.after(2.1) == []
    assert bench.prints(b"DEADBEEF\n") == [FOUR]


def test_a_line_that_comes_in_two_pieces_is_one_card(bench: Bench) -> None:
    bench.plug_in()
    bench.is_silent()
    assert bench.prints(b"0449") == []
    assert bench.prints(b"43121F1A80\r\n") == [SEVEN]


def test_a_missing_port_is_reported_once_and_opened_when_it_appears(bench: Bench) -> None:
    (event,) = bench.after(0)
    assert isinstance(event, ReaderFailed)
    assert str(bench.path) in event.problem
    assert [bench.after(1.0) for _ in range(20)] == [[]] * 20
    bench.plug_in()
    assert bench.after(3.1) == [ReaderRecovered()]
    assert bench.after(2.1) == []
    assert bench.prints(b"DEADBEEF\n") == [FOUR]


def test_the_port_is_tried_only_every_few_seconds(bench: Bench) -> None:
    bench.after(0)
    bench.plug_in()
    assert bench.after(2.9) == []
    assert bench.after(0.2) == [ReaderRecovered()]


def test_a_reader_that_is_unplugged_in_mid_line_comes_back_with_a_clean_line(
    bench: Bench,
) -> None:
    bench.plug_in()
    bench.is_silent()
    assert bench.prints(b"DEAD") == []
    bench.pull_out()
    assert [type(event) for event in bench.after(0)] == [ReaderFailed]
    bench.plug_in()
    assert bench.after(3.1) == [ReaderRecovered()]
    assert bench.after(2.1) == []
    assert bench.prints(b"DEADBEEF\n") == [FOUR]


def test_a_card_that_lay_there_when_the_port_was_lost_leaves(bench: Bench) -> None:
    bench.plug_in()
    bench.is_silent()
    assert bench.prints(b"DEADBEEF\n") == [FOUR]
    bench.pull_out()
    assert [type(event) for event in bench.after(2.1)] == [ReaderFailed, CardLeft]


def test_an_unexpected_failure_is_logged_and_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ValueError("no such speed")

    monkeypatch.setattr(bench.reader, "_serial_class", broken)
    (event,) = bench.after(0)
    assert isinstance(event, ReaderFailed)
    assert "no such speed" in event.problem
    assert "Traceback" in caplog.text


def test_a_port_in_use_is_reported(bench: Bench) -> None:
    bench.plug_in()
    bench.is_silent()
    second = SerialReader(
        ReaderSettings(driver="serial", port=str(bench.path)), lambda: 0.0, read_timeout_s=0.02
    )
    (event,) = second.poll_once()
    assert isinstance(event, ReaderFailed)
    assert "no other program" in event.problem
    second.shut_down()


def test_a_reader_without_a_port_is_a_clear_error() -> None:
    with pytest.raises(BoardError, match=r"reader\.port is missing"):
        SerialReader(ReaderSettings(driver="serial"), lambda: 0.0)


def test_the_thread_waits_for_a_port_reads_a_card_and_ends_when_told(bench: Bench) -> None:
    events: queue.Queue[ReaderEvent] = queue.Queue()
    bench.reader.start(events.put)
    assert isinstance(events.get(timeout=5), ReaderFailed)
    bench.plug_in()
    bench.now_s += 10
    assert events.get(timeout=5) == ReaderRecovered()
    bench.now_s += 3
    assert bench._ends is not None
    os.write(bench._ends[0], b"DEADBEEF\r\n")
    assert events.get(timeout=5) == FOUR
    bench.reader.shut_down()
    bench.reader.shut_down()
    assert bench.reader.poll_once() == []


def test_the_thread_survives_a_listener_that_raises(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    events: queue.Queue[ReaderEvent] = queue.Queue()

    def report(event: ReaderEvent) -> None:
        events.put(event)
        raise ValueError("the listener is broken")

    bench.reader.start(report)
    assert isinstance(events.get(timeout=5), ReaderFailed)
    bench.plug_in()
    bench.now_s += 10
    assert events.get(timeout=5) == ReaderRecovered()
    bench.reader.shut_down()
    assert caplog.text.count("an event was lost") == 2
