"""Where a key stands in the file: the right line, or none."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.config_file import parse_config
from agent.config.mistakes import find_lines
from agent.platform.errors import ConfigError

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")
TRICKY = '''\
# identity = "in a comment"
title = """
[reader]
driver = "in a text"
""" # [x]
"quoted key" = 'single # quote'
list = [ # comment ]
  "a]", 1,
  { inner = 1 },
]
inline = { pin = 17, deep = { x = 1 } }
[ table . sub ]
dotted.key = """"quotes""""
[[entries]]
id = 1
[entries.part]
pin = 1
[[entries]]
[entries.part]
pin = 2
[[entries.more]]
z = \'\'\'
pin = 3\'\'\'
last = 1979-05-27 07:32:00'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("quoted key",), 6),
        (("list",), 7),
        (("list", 2, "inner"), None),
        (("inline", "pin"), 11),
        (("inline", "deep", "x"), 11),
        (("table", "sub"), 12),
        (("table",), None),
        (("table", "sub", "dotted", "key"), 13),
        (("entries",), 14),
        (("entries", 0, "id"), 15),
        (("entries", 0, "part", "pin"), 17),
        (("entries", 1), 18),
        (("entries", 1, "part", "pin"), 20),
        (("entries", 1, "more", 0, "z"), 22),
        (("entries", 1, "more", 0, "last"), 24),
        (("nowhere",), None),
    ],
)
def test_each_key_is_found_on_its_line(path, line):
    assert find_lines(TRICKY, tomllib.loads(TRICKY)).line(path) == line


def test_a_missing_key_is_told_by_the_table_that_lacks_it():
    lines = find_lines(TRICKY, tomllib.loads(TRICKY))
    assert lines.place((("entries", 1, "id"),)) == " (in the table at line 18)"
    assert lines.place((("nowhere",),)) == ""


def test_several_keys_are_told_with_all_their_lines():
    lines = find_lines(TRICKY, tomllib.loads(TRICKY))
    keys = ("title",), ("list",), ("inline",), ("inline", "pin")
    assert lines.place(keys) == " (lines 2, 7 and 11)"


def test_a_text_that_the_scan_does_not_understand_gives_no_lines():
    text = 'a = 1\n"escaped \\" key" = 2\n'
    assert find_lines(text, tomllib.loads(text)).line(("a",)) is None


def test_lines_that_do_not_fit_the_parsed_file_are_not_used():
    assert find_lines("a = 1\nb = 2\n", {"a": 1}).line(("a",)) is None


def test_a_wrong_value_in_any_line_of_the_example_is_told_with_that_line():
    lines = EXAMPLE.splitlines()
    active = [n for n, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    assert len(active) > 40
    for number in active:
        key = lines[number].split(" = ")[0]
        changed = [*lines[:number], f"{key} = [[1]]", *lines[number + 1 :]]
        with pytest.raises(ConfigError) as caught:
            parse_config("\n".join(changed))
        place = f"(line {number + 1})"
        about_key = [told for told in caught.value.mistakes if f".{key} must be" in told]
        assert [told.endswith(place) for told in about_key] == [True], (key, caught.value.mistakes)


KEYS = st.sampled_from(["a", "b", '"c d"', "a.b", "'e'", "b . a"])
SHORT = st.sampled_from(
    ["1", '"# ["', "{}", "{ a = 1 }", "[[], {}]", '"\\""', "'\\'", '""', "'' # '", "true # b = 1"]
)
LONG = st.sampled_from(
    ["'''\n[a]\nb = 1\n'''", '"""\\\n  x"""', '"""a""b"""', "[\n1,\n# ]\n]", "[{ b = 2 }]"]
)
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, KEYS, SHORT | LONG),
    st.builds("[{}]".format, KEYS),
    st.builds("[[{}]]".format, KEYS),
    st.sampled_from(["", "# a = 1", "  "]),
)


def mentioned_key(line: str) -> str:
    return line.split("=")[0].strip("[] ").split(".")[-1].strip(" \"'")


@given(st.lists(STATEMENTS, max_size=12))
def test_a_line_is_never_a_lie(statements):
    text = "\n".join(statements)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    written = text.split("\n")
    found = find_lines(text, data)
    for path in all_paths(data):
        line = found.line(path)
        names = [part for part in path if isinstance(part, str)]
        if line is not None:  # the key itself, or the one-line value that holds it
            assert mentioned_key(written[line - 1]) in names


def all_paths(data, path=()):
    if path:
        yield path
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    for part, value in entries:
        if isinstance(value, dict | list):
            yield from all_paths(value, (*path, part))
        else:
            yield (*path, part)
