"""A file that is not TOML: what a person has mistyped, with the line."""

from __future__ import annotations

import pytest

from agent.config.config_file import parse_config
from agent.platform.errors import ConfigError

TEXT = 'a text stands in quotation marks " "'
CASES = [
    ("url = ws://x/y", 2, TEXT),
    ("identity = CP-1", 2, TEXT),
    ("port = /dev/ttyUSB0", 2, TEXT),
    ("listen = 127.0.0.1:8080", 2, TEXT),
    ('url = "ws://x\nb = 1', 2, "a quotation mark is missing at the end of the text"),
    ('url = ws://x"', 2, "a quotation mark is missing at the beginning of the text"),
    ("url = “ws://x”", 2, 'typographic quotation marks; write straight ones: "'),
    ('url = "ws://x”', 2, 'typographic quotation marks; write straight ones: "'),
    ("“url” = 1", 2, 'typographic quotation marks; write straight ones: "'),
    ("url = \u2018ws\u2019", 2, 'typographic quotation marks; write straight ones: "'),
    ("x = 1\ny = 2\nx = 3", 4, "x stands twice, first on line 2; leave one of them out"),
    ("x = 1\n[b]\nx = 2\n[a]", 5, "[a] stands twice, first on line 1; leave one of them out"),
    ("x = 1\n[[a]]", 3, "[[a]] stands twice, first on line 1; leave one of them out"),
    ("[[b]]\nx = 1\n[b]", 4, "it is a list since line 2: each entry begins with [[ ]]"),
    ("[[b]]\nx = 1\n[[b]]\nx = 2\nx = 3", 6, "x stands twice, first on line 5; leave one of"),
    ("x = 7,5", 2, "a number is written with a point, not with a comma: 7.5"),
    ("x = { y = 7,5 }", 2, "a number is written with a point, not with a comma: 7.5"),
    ("x = 32 A", 2, "a number stands alone, without its unit"),
    ("x = 16A # wiring", 2, "a number stands alone, without its unit"),
    ("x = 017", 2, "a number does not begin with 0"),
    ("x = .5", 2, "a number begins with a digit: 0.5"),
    ('x = "b" c', 2, "something stands behind the value"),
    ("x = 1;", 2, "something stands behind the value"),
    ("[b", 2, "] is missing at the end of the section's name"),
    ("[[b]", 2, "]] is missing at the end of the section's name"),
    ("b]", 2, "[ is missing at the beginning of the section's name"),
    ("x = [1, 2\ny = 3", 2, "a bracket ] is missing at the end"),
    ("x = [1, 2", 2, "a bracket ] is missing at the end"),
    ("x = [1 2]", 2, "a comma is missing between the values in [ ]"),
    ("x = { b = 1\ny = 2", 2, "a bracket } is missing; all of { } stands on one line"),
    ("x = {\n b = 1 }", 2, "all of { } stands on one line"),
    ("x 5", 2, "= is missing between key and value"),
    ("x: 5", 2, "between key and value stands =, not :"),
    ("max current = 5", 2, "a key is one word, without blanks"),
    ("größe = 5", 2, "a key has the letters a to z, digits and _ only"),
    ("x =", 2, "x has no value after ="),
    ("x = True", 2, "write true or false, in small letters and without quotation marks"),
    ("x = yes", 2, "write true or false, in small letters and without quotation marks"),
    ('x = "C:\\dir"', 2, 'a backslash in " " is written twice'),
    ("// remark", 2, "a remark begins with #"),
    ("; remark", 2, "a remark begins with #"),
    ("= 5", 2, "a line is: key = value, or [section], or # remark"),
    ("x\u00a0= 1", 2, "an invisible character (U+00A0) must be deleted"),
    ("\ufeffx = 1", 2, "an invisible character (U+FEFF) must be deleted"),
    ('x = "a\u0001"', 2, "an invisible character (U+0001) must be deleted"),
    ("x = 'CP-1\"\ny = 2\n", 2, "a quotation mark is missing at the end of the text"),
    ("x = 'CP-1\"\ny = 'b'\n", 2, "a quotation mark is missing at the end of the text"),
    ("x = 'CP-1\"", 2, "a quotation mark is missing at the end of the text"),
    ("x = '''CP-1\ny = 2", 2, "''' begins a text that does not end"),
    ('x = "b"\ny = ["a",', 3, "a bracket ] is missing at the end"),
    ('x = ["a",\ny = 3', 2, "a bracket ] is missing at the end"),
    ('x = [\n  "a",  # first, second\n\n[b]\ny = 3', 2, "a bracket ] is missing at the end"),
    ("x = [\ny = 3", 2, "a bracket ] is missing at the end"),
    ("x = [a, b]", 2, TEXT),
    ('x = ["a", b]', 2, TEXT),
    ('x == "b"', 2, "one = stands between key and value"),
    ('x = """abc', 2, '""" begins a text that does not end'),
]


def told_of(text: str) -> str:
    with pytest.raises(ConfigError) as problem:
        parse_config(text)
    (mistake,) = problem.value.mistakes
    return mistake


@pytest.mark.parametrize(("lines", "number", "words"), CASES, ids=[case[0] for case in CASES])
def test_what_was_mistyped_is_told_with_its_line(lines: str, number: int, words: str):
    told = told_of(f"[a]\n{lines}\n")
    wanted = f"[a]\n{lines}".split("\n")[number - 1].strip()
    shown = wanted.translate({0xA0: "\\u00A0", 0xFEFF: "\\uFEFF", 1: "\\u0001"})
    assert told.startswith(f"line {number}, {shown}: {words}")


def test_the_mistake_is_found_far_below_and_without_an_end_of_line():
    assert told_of("# x\n" * 500 + "[a]\nx = 7,5").startswith("line 502, x = 7,5: a number is")


@pytest.mark.parametrize(
    "line",
    [
        "password = geheim geheim",
        "api_token: geheim",
        'authorization_key = "geheim',
        "url = ws://me:geheim@host/",
    ],
)
def test_what_may_be_a_secret_is_left_out(line: str):
    assert "geheim" not in told_of(f"[a]\n{line}\n")


def test_a_file_that_is_named_is_no_secret():
    told = told_of("authorization_key_file = /etc/key\n")
    assert told.startswith("line 1, authorization_key_file = /etc/key: ")


def test_a_long_line_is_cut():
    assert len(told_of(f"x = {'y' * 5000}")) < 200
