"""The envelope, and the schemas in both directions."""

from __future__ import annotations

import contextlib
import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agent.mqtt.envelope import (
    BYTES_MAX,
    SCHEMA_OF,
    BadMessage,
    Message,
    problem_of,
    read,
    without_stray_token,
)

ID = "57828133-8cfe-477d-b829-0b60aff90c2a"
# The examples of the published page, without the comments that stand in them.
REQUEST = {
    "id": ID,
    "name": "authorization",
    "type": "request",
    "data": {"evse_id": "GB*SEV*E123456789", "id_token": "03459512", "token_type": "ISO14443"},
}
RESPONSE = {
    "id": ID,
    "name": "authorization",
    "type": "response",
    "data": {"status": "accepted"},
}
UPDATE = {
    "id": "8562ab54-58cb-44aa-a3da-faec44dd203e",
    "name": "authorization",
    "type": "update",
    "data": {
        "evse_id": "DE*SEV*E123456789",
        "id_token": "FF44556670AA",
        "token_type": "mac_address",
        "status": "accepted",
    },
}


def message(content: dict[str, Any], **data: Any) -> Message:
    return read(json.dumps({**content, "data": {**content["data"], **data}}).encode())


@pytest.mark.parametrize("content", [REQUEST, RESPONSE, UPDATE])
def test_the_published_examples_are_good(content):
    found = read(json.dumps(content).encode())
    assert problem_of(found) == ""
    assert json.loads(found.text()) == content


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 5000 + b"]" * 5000, "nested"),
        (b"[" + b"[]," * 9000 + b"5]", "not an object"),
        (b"[]", "not an object"),
        (b'{"name": "a", "type": "request", "data": {}}', "id"),
        (b'{"id": "1", "name": "a", "type": "request", "data": {}}', "id"),
        (b'{"id": 5, "name": "a", "type": "request", "data": {}}', "id"),
        (json.dumps({**REQUEST, "name": ""}).encode(), "name"),
        (json.dumps({**REQUEST, "type": "question"}).encode(), "type"),
        (json.dumps({**RESPONSE, "data": None}).encode(), "data"),
        (json.dumps({**REQUEST, "id": "5782813-38cfe-477d-b829-0b60aff90c2a"}).encode(), "id"),
        (json.dumps({**REQUEST, "id": f"{ID}\n"}).encode(), "id"),
        (b'{"x": "' + b"a" * BYTES_MAX + b'"}', "bytes"),
    ],
)
def test_what_is_no_message_says_why_and_repeats_nothing(payload, words):
    with pytest.raises(BadMessage, match=words) as problem:
        read(payload)
    assert len(str(problem.value)) < 80


@pytest.mark.parametrize(
    "data",
    [
        {"token_type": "smoke"},
        {"token_type": None},
        {"id_token": ""},
        {"id_token": 5},
        {"id_token": "x" * 101},
        {"evse_id": 7},
    ],
)
def test_bad_data_is_named_and_not_shown(data):
    problem = problem_of(message(REQUEST, **data))
    assert problem.startswith("data")
    assert "smoke" not in problem


def test_only_free_charging_needs_no_token():
    bare = {**REQUEST, "data": {"token_type": "ISO14443"}}
    assert problem_of(message(bare))
    assert problem_of(message(bare, token_type="no_authorization")) == ""
    stray = message(REQUEST, token_type="no_authorization")
    assert problem_of(stray)  # not ours to send
    assert problem_of(without_stray_token(stray)) == ""  # and ignored when it comes
    assert without_stray_token(message(REQUEST)) == message(REQUEST)


def test_a_request_without_data_is_still_a_request():
    for data in ("null", "5", "[]"):
        text = f'{{"id": "{ID}", "name": "authorization", "type": "request", "data": {data}}}'
        assert problem_of(read(text.encode())) == "data breaks the rule required"


def test_an_id_is_repeated_to_the_letter():
    found = read(json.dumps({**REQUEST, "id": ID.upper()}).encode())
    assert json.loads(found.text())["id"] == ID.upper()


def test_what_others_add_is_ignored_and_what_we_say_has_nothing_added():
    assert problem_of(message(REQUEST, colour="red")) == ""
    assert problem_of(message(RESPONSE, reason="because"))


def test_a_message_without_a_schema_is_somebody_elses():
    assert problem_of(Message(ID, "slac_status", "update", {"anything": 1})) == ""


@pytest.mark.parametrize("name", sorted(set(SCHEMA_OF.values())))
def test_the_schemas_are_schemas(name):
    text = files("agent.mqtt").joinpath("schemas", f"{name}.json").read_text("utf-8")
    Draft202012Validator.check_schema(json.loads(text))
    assert json.loads(text)["$id"] == name


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_bytes_of_any_kind_are_a_message_or_a_sentence(payload):
    found: Message | None = None
    with contextlib.suppress(BadMessage):
        found = read(payload)
    assert found is None or found.type in ("request", "response", "update")
