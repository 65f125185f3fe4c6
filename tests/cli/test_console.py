"""What a terminal gets, and what a pipe gets."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import struct
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from agent.cli.console import GREEN, PLAIN, Console, StyledLine, as_json, error, folded, note

LONG = error("the central system does not accept this card " * 4)


class Screen(io.StringIO):
    """A terminal that remembers, and that has no size of its own."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


@pytest.fixture
def narrow() -> Iterator[TextIO]:
    """A real terminal of 50 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    with open(slave, "w") as stream:
        yield stream
    os.close(master)


def test_a_pipe_gets_each_fact_in_one_line_without_colour():
    pipe = io.StringIO()
    Console(pipe, {"TERM": "xterm"}).tell([LONG])
    assert pipe.getvalue() == LONG + "\n"


def test_a_terminal_gets_lines_that_fit_and_red_for_what_is_wrong():
    screen = Screen()
    Console(screen, {"TERM": "xterm", "COLUMNS": "60"}).tell([LONG])
    first, *others = screen.getvalue().splitlines()
    assert first.startswith("\x1b[31merror\x1b[0m: the central")
    assert others
    assert all(len(line) <= 60 and line[:4].isspace() and line[4] != " " for line in others)


@pytest.mark.parametrize(
    "environment",
    [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}],
    ids=["NO_COLOR", "a dumb terminal", "an unknown one"],
)
def test_whoever_wants_no_colour_gets_none(environment):
    screen = Screen()
    Console(screen, environment).tell([error("no")])
    assert screen.getvalue() == "error: no\n"


def test_an_empty_no_color_is_no_wish():
    assert Console(Screen(), {"TERM": "xterm", "NO_COLOR": ""}).has_colour


def test_the_width_is_that_of_the_terminal(narrow):
    assert Console(narrow, {}).columns == 50


@pytest.mark.parametrize(
    ("told", "columns"),
    [("100", 100), ("10", 40), ("wide", 80), ("0", 80), ("", 80), ("²", 80), ("9" * 5000, 80)],
    ids=["100", "10", "a word", "0", "nothing", "no decimal digit", "5000 digits"],
)
def test_the_width_may_be_told_and_is_80_where_nobody_knows(told, columns):
    assert Console(Screen(), {"COLUMNS": told}).columns == columns


def test_what_follows_a_label_is_folded_below_itself():
    line = "link         not connected to wss://ocpp.example.com/a/long/path/to/the/CP-0001 today"
    first, second = folded(line, 80)
    assert (
        first == "link         not connected to wss://ocpp.example.com/a/long/path/to/the/CP-0001"
    )
    assert second == "             today"


def test_an_address_is_never_cut():
    address = "wss://" + "x" * 100
    assert address in folded(f"error: {address} is not there", 80)[1]


def test_the_words_that_say_good_or_bad_have_their_colour_and_no_others():
    screen = Screen()
    lines = [
        note("a fault is a fault"),
        "error: of her ways",
        StyledLine("x is in order", "is", GREEN),
    ]
    Console(screen, {"TERM": "xterm"}).tell(lines)
    assert screen.getvalue().splitlines() == [
        "\x1b[33mnote\x1b[0m: a fault is a fault",
        "error: of her ways",
        "x \x1b[32mis\x1b[0m in order",
    ]


def test_the_colour_finds_its_words_wherever_a_line_is_folded():
    screen = Screen()
    line = StyledLine(f"{'x' * 30} {'y' * 30} is in order", "is in order", GREEN)
    Console(screen, {"TERM": "xterm", "COLUMNS": "50"}).tell([line])
    assert "\x1b[32mis in order\x1b[0m" in screen.getvalue().splitlines()[1]


def test_words_that_are_folded_apart_or_have_no_colour_stay_plain():
    screen = Screen()
    apart = StyledLine(f"{'x' * 36} is in order", "is in order", GREEN)
    Console(screen, {"TERM": "xterm", "COLUMNS": "40"}).tell([apart, StyledLine("a b", "a", PLAIN)])
    assert "\x1b" not in screen.getvalue()


def test_progress_is_one_line_that_goes_away():
    screen = Screen()
    with Console(screen, {}).progress("handing over", 10) as bar:
        bar.at(5)
        bar.at(5)
        bar.at(10)
    shown = screen.getvalue().split("\r\x1b[K")
    assert shown == [
        "",
        "handing over [############............]  50%",
        "handing over [########################] 100%",
        "",
    ]


def test_progress_is_for_people_only():
    pipe = io.StringIO()
    with Console(pipe, {}).progress("handing over", 10) as bar:
        bar.at(5)
    assert pipe.getvalue() == ""


def test_work_of_nothing_is_no_division_by_zero():
    screen = Screen()
    with Console(screen, {}).progress("handing over", 0) as bar:
        bar.at(0)
    assert "  0%" in screen.getvalue()


def test_no_text_of_others_moves_the_cursor_or_turns_the_line():
    stream = io.StringIO()
    Console(stream).tell(["detail \x1b[2Ja\u202eb\nc"])
    assert stream.getvalue() == "detail ?[2Ja?b?c\n"


def test_data_for_programs_holds_codes_for_what_would_not_print():
    data = {"detail": "\x9b2J\u202e\U000e0041ä€\n", "n": [1]}
    text = as_json(data)
    assert json.loads(text) == data
    assert all(line.isprintable() for line in text.splitlines())
    assert "ä€" in text
