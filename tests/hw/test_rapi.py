"""RAPI lines: what is sent, and what is believed of what comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.rapi import LINE_BYTES_MAX, LineSplitter, RapiAnswer, Spontaneous, command, parse, xor_of


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("GS", b"$GS^30\r"),
        ("GV", b"$GV^35\r"),
        ("SC 16 V", b"$SC 16 V^65\r"),
        ("SY 100 6", b"$SY 100 6^29\r"),
        ("SY 165", b"$SY 165^3C\r"),
    ],
)
def test_a_command_carries_the_checksum_that_the_firmware_expects(words: str, line: bytes):
    assert command(words) == line


def test_a_numbered_command_has_its_number_under_the_checksum():
    line = command("GS", 10)
    body, _, check = line.decode().strip().partition("^")
    assert body == "$GS :0A"
    assert int(check, 16) == xor_of(body)


def checked(body: str) -> str:
    return f"{body}^{xor_of(body):02X}"


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (checked("$OK 03 12 03 0140 :0A"), RapiAnswer(True, ("03", "12", "03", "0140"), 10, True)),
        (checked("$NK 13 :FF"), RapiAnswer(False, ("13",), 255, True)),
        ("$OK 1 16", RapiAnswer(True, ("1", "16"), None, False)),
        (f"$OK*{sum(b'$OK') & 0xFF:02X}", RapiAnswer(True, (), None, True)),
        (checked("$AT 03 03 16 0140"), Spontaneous("AT", ("03", "03", "16", "0140"))),
        ("$ST 03", Spontaneous("ST", ("03",))),
        ("$WF 1", Spontaneous("WF", ("1",))),
        ("$OK 03^00", None),
        ("$OK 03*00", None),
        ("$GS^30", None),
        ("OK 03", None),
        ("$OK \ufffd", None),
        ("", None),
    ],
)
def test_a_line_is_understood_or_dropped(line: str, meaning: RapiAnswer | Spontaneous | None):
    assert parse(line) == meaning


def test_a_new_dollar_begins_the_line_anew():
    assert LineSplitter().feed(b"xx$OK 1\x00$OK 2\r\n$AB") == ["$OK 2"]


def test_a_line_may_come_in_pieces():
    splitter = LineSplitter()
    assert splitter.feed(b"$O") == []
    assert splitter.feed(b"K 2\r") == ["$OK 2"]
    assert splitter.feed(b"$OK 1") == []
    splitter.forget()
    assert splitter.feed(b"2\r") == []


def test_a_line_without_end_is_dropped():
    splitter = LineSplitter()
    assert splitter.feed(b"$" + b"A" * LINE_BYTES_MAX + b"\r") == []
    assert splitter.feed(b"$OK\r") == ["$OK"]


@given(st.binary(max_size=300))
def test_no_bytes_can_upset_it(received: bytes):
    for line in LineSplitter().feed(received):
        parse(line)
