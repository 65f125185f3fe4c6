"""Text that others have written: no character of it moves a cursor or makes a line of its own."""

from __future__ import annotations

from agent.core.visible import visible


def test_what_would_not_print_is_a_question_mark():
    forged = "a\r\n<3>forged\x1b[2J\x07\u202eright\u2028line\x85\u200b\ud800"
    assert visible(forged) == "a??<3>forged?[2J??right?line???"


def test_what_prints_stays_as_it_is():
    assert visible("Säule 1: 5 €, \U0001f600") == "Säule 1: 5 €, \U0001f600"
