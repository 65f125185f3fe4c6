"""JSON from outside: what it says is read, and nothing of it keeps the interpreter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.platform import bounded_json
from agent.platform.bounded_json import (
    AT_ONCE_MAX,
    CONTAINERS_MAX,
    DEPTH_MAX,
    MEMBERS_MAX,
    NUMBER_MAX,
    PIECE_MAX,
    VALUES_AT_ONCE_MAX,
    VALUES_MAX,
    NotJson,
    TooMuch,
    is_light,
    read_elements,
    read_json,
)

FAR = " " * AT_ONCE_MAX  # with this before it a text is read piece by piece
LONG = 2 * 1024 * 1024
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


class Seen:
    """The decoder, and what it was given at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        scan, decode = bounded_json._SCAN, bounded_json._DECODER.decode

        def scanned(text: str, at: int) -> Any:
            self.texts.append(text)
            return scan(text, at)

        def decoded(text: str) -> Any:
            self.texts.append(text)
            return decode(text)

        monkeypatch.setattr(bounded_json, "_SCAN", scanned)
        monkeypatch.setattr(bounded_json._DECODER, "decode", decoded)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


# --- it reads what is there ----------------------------------------------------------------------


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_a_text_is_read_alike_at_once_and_piece_by_piece(
    value: Any, indent: int | None, is_ascii: bool
):
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    assert read_json(text) == value
    assert read_json(FAR + text) == value
    if isinstance(value, list):
        assert list(read_elements(text)) == value
        assert list(read_elements(FAR + text)) == value


def test_what_does_not_fit_in_a_piece_is_opened(seen: Seen):
    text = "x" * PIECE_MAX
    for value in ([text] * 40, {"a": [text] * 40, "b": {text: [text]}}, [[1] * 40_000]):
        assert read_json(json.dumps(value)) == value
    assert max(map(len, seen.texts)) <= AT_ONCE_MAX


def test_a_number_at_the_end_of_a_piece_is_not_cut():
    for shift in range(30):
        value = [[" " * shift, *[1234567] * 9_000]]
        assert read_json(json.dumps(value) + FAR) == value


@pytest.mark.parametrize("text", ["-0.0", "-0", "-0e5", "-1e-400"])
def test_nothing_has_no_sign(text: str):
    for tried in (text, FAR + text):
        assert str(float(read_json(tried))) == "0.0"


def test_a_member_that_comes_twice_is_its_last():
    assert read_json('{"a":1,"a":2}') == {"a": 2}
    assert read_json(FAR + '{"a":"' + "x" * PIECE_MAX + '","a":2}') == {"a": 2}


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "]", "1 2", "[]]", "'a'"),
        *("{", '{"a"', '{"a":', '{"a":1', '{"a":1,}', "{1:2}", '{"a" 1}', '{"a":1 "b":2}', "{]"),
        *("NaN", "[Infinity]", "[-Infinity]", "[1e999]", '["\x01"]', '"\\ud800"', '["\\uDC00x"]'),
        *(nested(DEPTH_MAX + 2), "[" * 100_000, '{"a":' * 100_000, "[0" + ",[0" * 100_000),
        *("-", "[01]", "[1.]", "tru", '"a', '"\\x"', "9" * (NUMBER_MAX + 1)),
        *(f"[{'9' * NUMBER_MAX}.5]", "\ufeff[]"),
    ],
)
def test_what_is_no_json_is_refused_at_once_and_piece_by_piece(text: str):
    for tried in (text, FAR + text, text + FAR, f"[{FAR}{text},"):
        with pytest.raises(NotJson, match=r"^it "):
            read_json(tried)
        with pytest.raises(NotJson, match=r"^it "):
            list(read_elements(tried))


def test_the_depth_is_limited_at_once_and_piece_by_piece():
    deepest = nested(DEPTH_MAX)
    long = "[" * DEPTH_MAX + ",".join(["1"] * PIECE_MAX) + "]" * DEPTH_MAX
    for text in (deepest, FAR + deepest, FAR + long):
        read_json(text)
        for deeper in (f"[{text}]", f'{{"a":{text}}}'):
            with pytest.raises(NotJson, match="nested more than"):
                read_json(deeper)


def test_what_is_no_array_has_no_elements():
    for text in ("{}", "5", FAR + '{"a":1}', FAR + "5"):
        with pytest.raises(NotJson, match="not an array"):
            list(read_elements(text))


def test_elements_come_before_the_rest_is_looked_at():
    elements = read_elements(f'[2,"id",{FAR}nonsense')
    assert [next(elements), next(elements)] == [2, "id"]
    with pytest.raises(NotJson):
        next(elements)


def test_a_refusal_tells_where_it_was_noticed_and_repeats_nothing():
    for text in ('{"secret" 5}', FAR + '{"secret" 5}', '["secret', FAR + '["secret'):
        with pytest.raises(NotJson) as refused:
            read_json(text)
        assert "secret" not in str(refused.value)
        assert refused.value.position > len(text) - 12


# --- and never too much at once ------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit", ["[]", "{}", "1.5", '""', "7", '{"a":1}', '[1,"x"]', '"\\ud83d\\ude00"', '"\\u00e9"']
)
def test_no_call_of_the_decoder_gets_many_characters_or_values(seen: Seen, unit: str):
    for length in (1000, AT_ONCE_MAX - 10, AT_ONCE_MAX + 10, LONG):
        text = f"[{','.join([unit] * (length // (len(unit) + 1)))}]"
        for tried in (text, text[:-1], text.replace(",", ", ")):
            try:
                read_json(tried)
            except NotJson:
                continue
    for given_text in seen.texts:
        assert len(given_text) <= AT_ONCE_MAX
        assert is_light(given_text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"[{','.join(['[]'] * (CONTAINERS_MAX + 1))}]", "lists and objects"),
        (f"[{','.join(['7'] * (VALUES_MAX + 2))}]", "values"),
        ("{" + ",".join(f'"{n:05}":[1,2]' for n in range(MEMBERS_MAX * 9)) + "}", "members"),
        (f'["{"x" * (AT_ONCE_MAX + 1)}"]', "string"),
        (f'{{"{"x" * (AT_ONCE_MAX + 1)}":1}}', "string"),
        ("1" * (NUMBER_MAX + 1), "digits"),
        ("1." + "1" * NUMBER_MAX, "digits"),
    ],
    ids=lambda value: value[:12],
)
def test_too_much_is_refused_before_it_is_built(text: str, problem: str):
    with pytest.raises(TooMuch, match=problem):
        read_json(text)


def test_as_much_as_the_longest_local_list_needs_is_read():
    info = {"status": "Accepted", "expiryDate": "2027-01-01T00:00:00Z", "parentIdTag": "X" * 20}
    entries = [{"idTag": f"{n:020}", "idTagInfo": info} for n in range(10_000)]
    for indent in (None, 1):
        assert read_json(json.dumps(entries, indent=indent)) == entries


def test_what_is_light_is_short_and_has_few_values():
    assert is_light(" " * AT_ONCE_MAX)
    assert not is_light(" " * (AT_ONCE_MAX + 1))
    assert is_light("," * VALUES_AT_ONCE_MAX)
    assert not is_light("," * (VALUES_AT_ONCE_MAX + 1))


def test_blanks_are_passed_over_in_steps():
    reader = bounded_json._Reader(" " * LONG + "[]" + " " * LONG)
    assert reader.value() == []
    reader.end()
