"""The configuration file: what is accepted, and how each mistake is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.config_file import parse_config, read_config
from agent.config.mistakes import MISTAKES_MAX
from agent.config.settings import Settings
from agent.config.toml_text import FILE_MAX_BYTES
from agent.platform.errors import ConfigError
from hw.settings import SafetyInputSettings

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")
SMALLEST = """\
[charge_point]
identity = "CP-1"
[[connectors]]
id = 1
[connectors.contactor]
driver = "simulated"
"""


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return caught.value.mistakes


def test_the_smallest_file_gives_settings_full_of_defaults():
    settings = parse_config(SMALLEST)
    assert settings.charge_point.identity == "CP-1"
    assert settings.connectors[0].contactor.driver == "simulated"
    assert settings.connectors[0].lock.driver == "none"
    assert settings.inputs.door is None
    assert settings.authorization.authorize_timeout_s == 5.0


def test_a_whole_number_is_taken_for_a_number_with_a_fraction():
    settings = parse_config(SMALLEST.replace('"CP-1"', '"CP-1"\nmax_current_a = 16'))
    assert settings.charge_point.max_current_a == 16.0
    assert isinstance(settings.charge_point.max_current_a, float)


def test_an_optional_table_is_read_when_it_is_there():
    settings = parse_config(SMALLEST + '[inputs.door]\ndriver = "gpio"\npin = 13\n')
    assert settings.inputs.door == SafetyInputSettings(driver="gpio", pin=13)


def test_inline_tables_mean_the_same_as_headers():
    inline = """
    charge_point = { identity = "CP-1" }
    connectors = [ { id = 1, contactor = { driver = "simulated" } } ]
    """
    assert parse_config(inline) == parse_config(SMALLEST)


def test_connectors_are_ordered_by_their_id():
    first, second = (f'[[connectors]]\nid = {n}\ncontactor.driver = "simulated"\n' for n in (1, 2))
    box = '[charge_point]\nidentity = "A"\n'
    ordered = parse_config(box + first + second)
    assert parse_config(box + second + first) == ordered
    assert [connector.id for connector in ordered.connectors] == [1, 2]


def test_every_mistake_is_told_at_once_in_the_order_of_the_file():
    assert mistakes_of("""\
[charge_point]
idenity = "secret"
phases = 4
[reader]
driver = "rc522"
poll_ms = true
[[connectors]]
id = 1
[connectors.contactor]
driver = "gpio"
pin = "17"
[connectors.lock]
driver = "motor"
""") == [
        "charge_point.identity is missing: the name the central system knows this box by"
        " (1 to 48 chars) (in the table at line 1)",
        "charge_point.idenity is not a known key; did you mean identity? (line 2)",
        "charge_point.phases must be a whole number from 1 to 3, got 4 (line 3)",
        'reader.driver must be one of "mfrc522", "serial", "simulated", "none", got "rc522";'
        ' did you mean "mfrc522"? (line 5)',
        "reader.poll_ms must be a whole number from 20 to 1000, got true (line 6)",
        'connectors[id=1].contactor.pin must be a whole number from 0 to 53, got "17"'
        " (write it without quotes) (line 11)",
        'connectors[id=1].lock.lock_pin is missing; driver = "motor" needs it'
        " (in the table at line 12)",
        'connectors[id=1].lock.unlock_pin is missing; driver = "motor" needs it'
        " (in the table at line 12)",
        "connectors[id=1].lock.feedback_pin is missing; energy flows only with the lock confirmed"
        " (in the table at line 12)",
    ]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("[reader]\nconnectors = 1", "reader.connectors must be a list of values in [ ], got 1"),
        ('[reader]\nconnectors = ["1"]', "reader.connectors[1] must be a whole number, got"),
        ("[reader]\nconnectors = [true]", "reader.connectors[1] must be a whole number, got true"),
        ("[reader]\nport = 5", 'reader.port must be a text in quotes " ", got 5'),
        ('[reader]\nport = "a\\u0000b"', "reader.port must not have invisible characters"),
        (f'[reader]\nport = "{"x" * 501}"', "reader.port must have at most 500 characters"),
        ("[reader]\npoll_ms = 100.0", "reader.poll_ms must be a whole number from 20 to 1000"),
        ("[reader]\npoll_ms = 19", "reader.poll_ms must be a whole number from 20 to 1000, got 19"),
        ("[reader]\npoll_ms = 2026-01-01", "got 2026-01-01 (line 8)"),
        ("[reader]\ndriver = 5", 'reader.driver must be one of "mfrc522", "serial"'),
        (
            "[authorization]\ntap_guard_s = nan",
            "tap_guard_s must be a number from 0 to 60, got nan",
        ),
        (
            "[authorization]\ntap_guard_s = inf",
            "tap_guard_s must be a number from 0 to 60, got inf",
        ),
        ("[authorization]\ntap_guard_s = true", "must be a number from 0 to 60, got true"),
        (f"[authorization]\ntap_guard_s = 0x{'f' * 900}", "got a huge number"),
        ("[authorization]\nstop_by_second_tap = 1", "must be true or false, got 1"),
        ('[authorization]\nstop_by_second_tap = "true"', 'got "true" (write it without quotes)'),
        ("[inputs]\ndoor = 13", "inputs.door must be a table, got 13"),
        ("[inputs.door]\n", 'inputs.door.pin is missing; driver = "gpio" needs it'),
        ("[lamp]\nled = 1", "lamp is not a known key; "),
        ("[[reader]]\n", "reader must be a table, got"),
        ("[storage]\nidentity = 1", "storage.identity is not a known key; it belongs to [charge"),
        ("[reader]\nzzzzzz = 1", "reader.zzzzzz is not a known key; known here: driver, connec"),
        ('[reader]\n"a\\nb" = 1', 'reader."a\\u000Ab" is not a known key'),
    ],
)
def test_a_wrong_value_is_told_with_its_key_what_is_allowed_and_what_was_given(lines, told):
    sentences = mistakes_of(SMALLEST + lines)
    assert len(sentences) == 1
    assert told in sentences[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["charge_point.identity is missing: ", "connectors is missing: "]),
        ("charge_point = 1", ["charge_point must be a table", "connectors is missing"]),
        (
            '[charge_point]\nidentity = "A"\n[connectors]\nid = 1',
            ["connectors must be a list of tables [[connectors]], got a table"],
        ),
        (
            'connectors = [1, {id = 1}]\n[charge_point]\nidentity = "A"',
            [
                "connectors[1] must be a table, got 1",
                "connectors[id=1].contactor.driver is missing",
            ],
        ),
        ('connectors = []\n[charge_point]\nidentity = "A"', ["connectors must have at least one"]),
    ],
)
def test_missing_sections_are_told_by_the_keys_they_must_have(text, told):
    sentences = mistakes_of(text)
    assert len(sentences) == len(told)
    for sentence, begin in zip(sentences, told, strict=True):
        assert sentence.startswith(begin)


def test_the_value_of_an_unknown_key_is_not_repeated_because_it_may_be_a_secret():
    text = SMALLEST + '[central_system]\nauthorization_key = "hunter2hunter2"\n'
    (sentence,) = mistakes_of(text)
    assert "did you mean authorization_key_file?" in sentence
    assert "hunter2" not in sentence


def test_a_flood_of_mistakes_is_cut_and_counted():
    tables = "".join(f"[[connectors]]\nid = {n + 100}\nx = 1\ny = 2\n" for n in range(60))
    sentences = mistakes_of(tables)
    assert len(sentences) == MISTAKES_MAX + 1
    assert sentences[-1].startswith("... and ")


def test_more_unknown_keys_than_anyone_reads_are_counted():
    sentences = mistakes_of(SMALLEST + "[reader]\n" + "".join(f"x{n} = 1\n" for n in range(50)))
    assert sum("is not a known key" in sentence for sentence in sentences) == 20
    assert any("reader has 30 more unknown keys" in sentence for sentence in sentences)


def test_a_table_of_free_keys_has_a_limit():
    text = SMALLEST + "[ocpp.configuration]\n" + "".join(f"x{n} = 1\n" for n in range(201))
    told = "ocpp.configuration must have at most 200 keys, got 201 (line 7)"
    assert mistakes_of(text) == [told]


def test_a_list_of_tables_has_a_limit():
    text = '[charge_point]\nidentity = "A"\n' + "[[connectors]]\n" * 65
    assert mistakes_of(text) == ["connectors must have at most 64 entries, got 65 (line 3)"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("identity = CP-1\n", "line 1, identity = CP-1: a text"),
        ("[a]\nb = 1\nb = 2\n", "line 3, b = 2: b stands twice"),
        ("x = " + "[" * 5000, "nested too deeply"),
        ("x = 1" + "1" * 5000, "too many digits"),
        ("[" + ".".join("a" * 200) + "]", "Line 1 has more than 100 dots"),
    ],
)
def test_broken_toml_is_told_with_its_place(text, told):
    (sentence,) = mistakes_of(text)
    assert told in sentence


def test_a_file_saved_with_byte_order_mark_and_windows_line_ends_is_read(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode())
    assert read_config(path) == parse_config(SMALLEST)


def test_the_lines_of_mistakes_are_right_with_windows_line_ends():
    sentences = mistakes_of((SMALLEST + "[reader]\npoll_ms = 1\n").replace("\n", "\r\n"))
    assert [sentence[-8:] for sentence in sentences] == ["(line 8)"]


def told_of(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    (sentence,) = caught.value.mistakes
    return sentence


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path):
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (FILE_MAX_BYTES + 1))
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'# one\nidentity = "K\xf6ln"\n')
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert told_of(tmp_path / "none.toml").endswith("none.toml: there is no such file")
    assert told_of(tmp_path).endswith(": it is a folder")
    assert told_of(large).endswith("the file is larger than 1 MiB")
    assert told_of(latin).endswith("line 2 is not UTF-8: save the file as UTF-8 text")
    assert told_of(pipe).endswith("it is a device or a pipe, not a file")
    assert "its links lead in a circle" in told_of(loop)
    assert told_of(Path("a\0b")) == "'a\\x00b' is not a file name"


def test_a_file_without_read_permission_is_told_as_such(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(SMALLEST)
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read everything: be somebody else for a moment
        os.seteuid(65534)
    try:
        assert told_of(path).endswith("has no right to it")
    finally:
        os.seteuid(user)


def outcome_of(read: Callable[[], Settings]) -> Settings | list[str]:
    try:
        return read()
    except ConfigError as error:
        return error.mistakes


def is_settings_or_sentences(outcome: Settings | list[str]) -> bool:
    if isinstance(outcome, Settings):
        return True
    return bool(outcome) and all(told and "\n" not in told for told in outcome)


@given(st.binary(max_size=300))
def test_any_bytes_give_settings_or_a_config_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    assert is_settings_or_sentences(outcome_of(lambda: read_config(path)))


JUNK = st.one_of(
    st.sampled_from(["[", "]", "=", "\n", '"', "'", "{", "}", ",", ".", "#", "'''", '"""', "\x00"]),
    st.sampled_from(["-1", "true", "nan", "1e400", "0x10", "1979-05-27", "{ id = 1 }", "[[1]]"]),
    st.sampled_from(["id = 1", "[[connectors]]", "[reader.driver]", "pin = 17", "\r", "\ufeff"]),
    st.text(max_size=5),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), JUNK), min_size=1, max_size=4))
def test_a_damaged_example_gives_settings_or_a_config_error(damages):
    text = EXAMPLE
    for place, length, junk in damages:
        start = int(place * len(text))
        text = text[:start] + junk + text[start + length :]
    assert is_settings_or_sentences(outcome_of(lambda: parse_config(text)))


VALUES = st.one_of(
    st.sampled_from(["1", "2", "10", "17", "-1", "0", "1.5", "9.9e99", "nan", "true", "07:32:00"]),
    st.sampled_from(['""', '"a:b"', "[]", "[1]", '["a"]', "{}", "{ a = 1 }", '"/dev/ttyUSB0"']),
    st.sampled_from(['"gpio"', '"none"', '"simulated"', '"motor"', '"serial"', '"modbus_sdm120"']),
)
ACTIVE = [n for n, line in enumerate(EXAMPLE.splitlines()) if " = " in line and line[0] != "#"]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(ACTIVE), VALUES, min_size=1, max_size=12))
def test_other_values_in_the_example_give_settings_or_a_config_error(changes):
    lines = EXAMPLE.splitlines()
    for number, value in changes.items():
        lines[number] = f"{lines[number].split(' = ')[0]} = {value}"
    assert is_settings_or_sentences(outcome_of(lambda: parse_config("\n".join(lines))))
