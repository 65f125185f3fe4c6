"""What journald reads: a level before every line, and no time of our own."""

import logging
import sys

import pytest

from agent.app.daemon import JournalFormatter


@pytest.mark.parametrize(
    ("level", "prefix"),
    [
        (logging.CRITICAL, "<3>"),
        (logging.ERROR, "<3>"),
        (logging.WARNING, "<4>"),
        (logging.INFO, "<6>"),
        (logging.DEBUG, "<7>"),
    ],
)
def test_a_line_carries_its_level_for_journald(level, prefix):
    record = logging.LogRecord("agent", level, "", 0, "connector %d is free", (1,), None)
    assert JournalFormatter().format(record) == f"{prefix}connector 1 is free"


def test_every_line_of_a_traceback_is_an_error():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "", 0, "a mistake", (), sys.exc_info())
    lines = JournalFormatter().format(record).splitlines()
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines)
