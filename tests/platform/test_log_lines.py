"""The log: no line of it can be forged, and nothing that repeats floods it."""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.app.daemon import JournalFormatter
from agent.core.visible import visible
from agent.maintenance.machine import LogRing
from agent.platform.log_lines import (
    AGAIN_S,
    AT_ONCE,
    AT_ONCE_OTHERS,
    KINDS_MAX,
    VARIED_AT_ONCE,
    LineFormatter,
    RepetitionHandler,
    Repetitions,
)
from tests.app.box import running_box

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FORGED = "a\r\n<3>forged\x1b[2J\x07\u202eright\u2028line\x85\u200b\ud800"


def record(
    text: str, *arguments: Any, level: int = logging.WARNING, name: str = "agent.x"
) -> logging.LogRecord:
    return logging.LogRecord(name, level, "x.py", 1, text, arguments, None)


class Log:
    """Repetitions with a clock to turn."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.repetitions = Repetitions(lambda: self.now_s)
        self.lines: list[str] = []

    def take(self, *records: logging.LogRecord) -> None:
        self.lines += [
            told.getMessage() for each in records for told in self.repetitions.take(each)
        ]

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.lines += [told.getMessage() for told in self.repetitions.due()]


@pytest.fixture
def log() -> Log:
    return Log()


# --- forging -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LineFormatter("%(levelname)s %(message)s"), JournalFormatter()])
def test_no_text_from_outside_makes_a_line(kind: logging.Formatter):
    for forged in (record("page: %s", FORGED), record(FORGED), record("%(x)s", {"x": FORGED})):
        written = kind.format(forged)
        assert written.isprintable()
        assert "\n" not in written


def test_no_text_of_a_mistake_looks_like_a_line():
    try:
        raise ValueError(FORGED)
    except ValueError:
        failed = logging.LogRecord("a", logging.ERROR, "", 0, "it failed", (), sys.exc_info())
    first, *others = LineFormatter("%(message)s").format(failed).splitlines()
    assert first == "it failed"
    assert others
    assert all(line.startswith("    ") and line.isprintable() for line in others)


def test_lines_for_a_help_desk_are_written_the_same_way():
    ring = LogRing(lambda: NOON, lambda: 0.0)
    ring.emit(record("page: %s", FORGED))
    assert ring.lines()[0][1] == f"WARNING page: {visible(FORGED)}"


# --- repeating -----------------------------------------------------------------------------------


def test_what_repeats_is_said_counted_and_told_when_it_has_ended(log: Log):
    again = AT_ONCE[logging.WARNING]
    for number in range(100):
        log.take(record("connector %d: meter: no answer in %d ms", 1, number))
    assert len(log.lines) == again
    log.wait(AGAIN_S)
    assert log.lines[again:] == [
        f"connector 1: meter: no answer in 99 ms (it has come {100 - again} more times)"
    ]
    log.take(record("connector %d: meter: no answer in %d ms", 1, 7))
    log.wait(AGAIN_S)
    assert log.lines[-1].endswith("7 ms (it has come 1 more times)")
    log.wait(AGAIN_S)
    assert log.lines[-1].endswith("7 ms (not again for 10 minutes)")
    told = len(log.lines)
    log.wait(AGAIN_S)
    log.take(record("connector %d: meter: no answer in %d ms", 1, 8))
    assert log.lines[told:] == ["connector 1: meter: no answer in 8 ms"]


def test_a_count_is_told_while_it_goes_on(log: Log):
    for _ in range(1800):  # an hour
        log.take(record("meter: no answer"))
        log.now_s += 2
    assert 6 <= len(log.lines) <= 10


def test_other_things_are_said_meanwhile(log: Log):
    for _ in range(10):
        log.take(record("connector 1: meter: no answer"), record("connector 2: meter: no answer"))
    log.take(record("the door is open"), record("connector 1: meter: no answer", name="other"))
    log.take(record("connector 1: meter: no answer", level=logging.ERROR))
    assert len(log.lines) == 2 * AT_ONCE[logging.WARNING] + 3


def test_what_is_said_rarely_is_always_said(log: Log):
    for _ in range(20):
        log.take(record("the link was lost"))
        log.wait(AGAIN_S + 11)
    assert log.lines == ["the link was lost"] * 20


def test_ordinary_work_is_said_more_often(log: Log):
    for _ in range(100):
        log.take(record("connector 1 is free", level=logging.INFO))
    assert len(log.lines) == AT_ONCE_OTHERS


def test_words_that_differ_each_time_do_not_help_to_flood_it(log: Log):
    for number in range(20_000):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        log.take(record("the central system says %s", word))
    assert len(log.lines) == VARIED_AT_ONCE
    assert len(log.repetitions._kinds) <= KINDS_MAX
    log.take(record("the door is open"))
    assert log.lines[-1] == "the door is open"
    log.wait(600)
    assert [line for line in log.lines if f"and {20_000 - VARIED_AT_ONCE - 1} others" in line]


def test_what_is_remembered_is_bounded(log: Log):
    for number in range(3 * KINDS_MAX):
        log.take(record("something", name=f"agent.place{number}"))
    assert len(log.lines) == 3 * KINDS_MAX
    assert len(log.repetitions._kinds) <= KINDS_MAX
    assert len(log.repetitions._places) <= KINDS_MAX


def test_a_record_whose_arguments_do_not_fit_is_counted_too(log: Log):
    for _ in range(10):
        told = log.repetitions.take(record("%d cards", "two"))
        log.lines += [str(each.msg) for each in told]
    assert log.lines == ["%d cards"] * AT_ONCE[logging.WARNING]


def test_the_outlet_hands_on_what_is_to_be_written():
    written: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    now_s = 0.0
    outlet = RepetitionHandler(Kept(), lambda: now_s)
    for _ in range(5):
        outlet.handle(record("50 %"))
    now_s = AGAIN_S + 1
    outlet.tell_due()
    assert written == ["50 %", "50 %", "50 %", "50 % (it has come 2 more times)"]


def test_the_lines_for_a_help_desk_are_not_pushed_out_by_one_that_repeats():
    ring = LogRing(lambda: NOON, lambda: 0.0)
    ring.emit(record("the door is open"))
    for number in range(5000):
        ring.emit(record("A bad message came (%d in a row)", number))
    assert len(ring.lines()) == 1 + AT_ONCE[logging.WARNING]


async def test_a_meter_that_fails_for_an_hour_is_told_in_a_few_lines(tmp_path, caplog):
    async with running_box(tmp_path) as box:
        await box.charge()
        caplog.clear()
        await box.do("sim", lever="fault", name="meter_silent")
        await asyncio.sleep(3600)
    meter = [each for each in caplog.records if "meter: " in each.getMessage()]
    assert len(meter) > 50
    repetitions = Repetitions(lambda: 0.0)
    told = [line.getMessage() for each in meter for line in repetitions.take(each)]
    assert 0 < len(told) <= 2 * AT_ONCE[logging.WARNING]
