"""What comes over the wire is read without trust."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.ocpp16.schemas import KNOWN_ACTIONS, check_call
from agent.ocppj.frames import (
    BadCall,
    BadFrame,
    Call,
    CallError,
    CallRefused,
    CallResult,
    call_text,
    error_text,
    parse,
    result_text,
)


@pytest.mark.parametrize(
    ("data", "frame"),
    [
        ('[2,"a","Reset",{"type":"Hard"}]', Call("a", "Reset", {"type": "Hard"})),
        ('[2,"a","Reset",null]', Call("a", "Reset", None)),
        (b'[2,"a","Reset",{}]', Call("a", "Reset", {})),
        ('[2,"' + "a" * 100 + '","Reset",{}]', Call("a" * 100, "Reset", {})),
        ('[3,"a",{"x":1}]', CallResult("a", {"x": 1})),
        ('[3,"a"]', CallResult("a", {})),
        ('[3,"a",{},"extra"]', CallResult("a", {})),
        ('[4,"a","InternalError","why",{"x":1}]', CallError("a", "InternalError", "why", {"x": 1})),
        ('[4,"a","Odd"]', CallError("a", "Odd", "", {})),
        ('[4,"a"]', CallError("a", "GenericError", "", {})),
        ('[4,"a",null,null,null]', CallError("a", "GenericError", "", {})),
        ('[2,"a","\\ud83d\\ude00",{}]', Call("a", "\U0001f600", {})),
    ],
)
def test_a_message_is_read(data: str | bytes, frame: object):
    assert parse(data) == frame


@pytest.mark.parametrize(
    ("data", "count"),
    [('[2,"a"]', 2), ('[2,"a","Reset"]', 3), ('[2,"a","Reset",{},{}]', 5)],
)
def test_a_call_with_the_wrong_number_of_elements_is_answered(data: str, count: int):
    frame = parse(data)
    assert isinstance(frame, BadCall)
    assert (frame.unique_id, frame.code) == ("a", "FormationViolation")
    assert str(count) in frame.description


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ('"ChangeConfiguration",{"key":"\\ud800","value":"1"}]', "PropertyConstraintViolation"),
        ('"Reset",{"type":"x\\udfff"}]', "PropertyConstraintViolation"),
        ('"\\ud800",{}]', "PropertyConstraintViolation"),
        ('"Reset",{"x":1e999}]', "PropertyConstraintViolation"),
        ('"Reset",{"x":NaN}]', "FormationViolation"),
        ('"Reset",{"x":1]', "FormationViolation"),
        ('"Reset",{}', "FormationViolation"),
        ('"Reset",' + "[" * 30 + "]" * 31, "FormationViolation"),
        ('"Reset",{"x":' + "9" * 5000 + "}]", "GenericError"),
    ],
)
def test_a_call_whose_id_was_read_is_answered_whatever_is_wrong_with_the_rest(rest: str, code: str):
    for begin in ('[2,"a",', '[2,"\\u0061",'):
        frame = parse(begin + rest)
        assert isinstance(frame, BadCall)
        assert (frame.unique_id, frame.code) == ("a", code)
        assert 0 < len(frame.description) < 100


def test_a_call_whose_action_is_no_string_is_answered():
    assert isinstance(parse('[2,"a",5,{}]'), BadCall)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "nonsense",
        "{}",
        "[]",
        "null",
        "2",
        '[1,"a"]',
        '["2","a","Reset",{}]',
        '[true,"a","Reset",{}]',
        "[2]",
        '[2,5,"Reset",{}]',
        '[2,"","Reset",{}]',
        '[2,"' + "a" * 300 + '","Reset",{}]',
        "[3]",
        "[3,null,{}]",
        '[2,"\\ud800","Reset",{}]',
        '[2,"' + "a" * 3000 + '","Reset",{]',
        '[3,"a",{"x":"\\ud800"}]',
        '[3,"a"',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_cannot_be_answered_is_dropped_with_a_reason(data: str | bytes):
    frame = parse(data)
    assert isinstance(frame, BadFrame)
    assert len(frame.problem) < 100


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.text() | st.binary() | st.lists(JSON, max_size=6).map(json.dumps))
@example('[4,"a",{"x":1},[],5]')
def test_nothing_that_comes_in_raises(data: str | bytes):
    frame = parse(data)
    assert isinstance(frame, Call | CallResult | CallError | BadCall | BadFrame)


@given(st.sampled_from(sorted(KNOWN_ACTIONS)), JSON)
def test_no_payload_raises_anything_but_a_refusal(action: str, payload: object):
    with contextlib.suppress(CallRefused):
        assert isinstance(check_call(action, payload), dict)


def test_frames_are_written_compact_and_in_the_order_of_the_standard():
    assert call_text("a", "Heartbeat", {}) == '[2,"a","Heartbeat",{}]'
    assert result_text("a", {"x": 1}) == '[3,"a",{"x":1}]'
    assert error_text("a", "GenericError", "why") == '[4,"a","GenericError","why",{}]'


def test_a_description_is_cut_to_the_length_of_the_standard():
    assert len(json.loads(error_text("a", "GenericError", "x" * 1000))[3]) == 255
