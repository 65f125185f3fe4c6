"""Nothing that a log must not tell gets into a log."""

from __future__ import annotations

import json

import pytest

from agent.core.id_tag import mask
from agent.platform.redaction import one_line, redact_frame, shown_url, without_tag

TAG = "044943121F1A80"


@pytest.mark.parametrize(
    ("tag", "shown"),
    [(TAG, "04..80"), ("DEADBEEF", "DE..EF"), ("12345", ".."), ("1234", ".."), ("", "")],
)
def test_a_tag_shows_its_ends_and_a_short_one_nothing(tag: str, shown: str):
    assert mask(tag) == shown


@pytest.mark.parametrize(
    "frame",
    [
        [2, "a", "Authorize", {"idTag": TAG}],
        [3, "a", {"idTagInfo": {"status": "Accepted", "parentIdTag": TAG}}],
        [2, "a", "SendLocalList", {"localAuthorizationList": [{"idTag": TAG}]}],
        [2, "a", "Odd", {"idTag": 44943121180}],
    ],
)
def test_id_tags_are_masked_wherever_they_are(frame: list[object]):
    shown = redact_frame(json.dumps(frame))
    assert TAG not in shown
    assert "44943121180" not in shown
    assert ".." in shown


@pytest.mark.parametrize(
    "frame",
    [
        [2, "a", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "s3cret"}],
        [2, "a", "ChangeConfiguration", {"key": " authorizationKEY", "value": "s3cret"}],
        [3, "a", {"configurationKey": [{"key": "AuthorizationKey", "value": "s3cret"}]}],
        [2, "a", "GetDiagnostics", {"location": "ftp://me:s3cret@host/x"}],
        [2, "a", "GetDiagnostics", {"location": "ftp://me:not@s3cret@host/x"}],
        [2, "a", "GetLog", {"log": {"remoteLocation": "https://host/x?signature=s3cret"}}],
        [2, "a", "UpdateFirmware", {"location": "https://host/x?signature=s3cret&b=?s3cret"}],
        [2, "a", "Odd", {"password": "s3cret"}],
    ],
)
def test_secrets_never_show(frame: list[object]):
    shown = redact_frame(json.dumps(frame))
    assert "s3cret" not in shown
    assert "***" in shown


def test_the_rest_of_a_frame_stays_readable():
    frame = '[2,"a","ChangeConfiguration",{"key":"HeartbeatInterval","value":"60"}]'
    assert redact_frame(frame) == frame


@pytest.mark.parametrize("frame", [f"idTag {TAG}", "[" * 50_000, "[" + " " * 70_000 + f'"{TAG}"]'])
def test_what_cannot_be_looked_through_is_only_described(frame: str):
    shown = redact_frame(frame)
    assert TAG not in shown
    assert len(shown) < 80


def test_a_long_frame_is_cut():
    assert len(redact_frame(json.dumps(["x" * 5000]))) < 2010


def test_a_tag_in_the_words_of_the_other_side_is_masked_in_any_case():
    assert without_tag(f"unknown {TAG.lower()}!", TAG) == "unknown 04..80!"
    assert without_tag("nothing here", None) == "nothing here"


def test_a_strangers_text_becomes_one_short_line():
    assert one_line("a\nb\x1b[31m", 20) == "a?b?[31m"
    assert one_line("x" * 30, 20) == "x" * 20 + "..."


def test_an_address_shows_without_its_password():
    assert shown_url("wss://me:s3cret@host/x") == "wss://***@host/x"
