"""From a token on the bus to an idTag."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.config.settings import AuthorizationSettings
from agent.core.id_tag import mask
from agent.core.values import TokenKind
from agent.mqtt.tokens import NO_TAG, BadToken, read_token, token_of

SETTINGS = AuthorizationSettings()


@pytest.mark.parametrize(
    ("token_type", "id_token", "id_tag"),
    [
        ("ISO14443", "04a2b3c4", "04A2B3C4"),
        ("ISO14443", "04:A2:B3:C4", "04A2B3C4"),
        ("ISO14443", "044943121F1A80", "044943121F1A80"),
        ("ISO14443", "04-49-43-12-1f-1a-80", "044943121F1A80"),
        ("ISO14443", "04 99 88 77 66 55 44 33 22 11", "04998877665544332211"),
        ("ISO15693", "e004010012345678", "E004010012345678"),
        ("key_code", "1234", "PIN:1234"),
        ("key_code", "1234567890123456", "PIN:1234567890123456"),
        ("local", "ticket-17", "ticket-17"),
        ("central", "REMOTE-1", "REMOTE-1"),
        ("mac_address", "FF44556670AA", "VID:FF44556670AA"),
        ("mac_address", "ff:44:55:66:70:aa", "VID:FF44556670AA"),
        ("e_maid", "DEABCC123ABC56", "DEABCC123ABC56"),
        ("e_maid", "de-abc-c123abc56-7", "DEABCC123ABC567"),
        ("e_maid", "DE*ABC*C123ABC56", "DEABCC123ABC56"),
    ],
)
def test_a_token_of_every_kind_becomes_an_id_tag(token_type, id_token, id_tag):
    token = read_token(token_type, id_token, SETTINGS)
    assert (token.id_tag, token.id_token) == (id_tag, id_token)


@pytest.mark.parametrize(
    ("token_type", "id_token"),
    [
        ("ISO14443", "04A2B3"),
        ("ISO14443", "04A2B3C4D5"),
        ("ISO14443", "not hex at all"),
        ("ISO14443", "0499887766554433221100"),
        ("ISO14443", None),
        ("ISO15693", "04A2B3C4"),
        ("ISO15693", "A004010012345678"),
        ("key_code", "123"),
        ("key_code", "12345678901234567"),
        ("key_code", "12 34"),
        ("key_code", "١٢٣٤"),
        ("local", "x" * 21),
        ("local", "tab\there"),
        ("mac_address", "FF44556670"),
        ("mac_address", "GG44556670AA"),
        ("e_maid", "DEABC"),
        ("e_maid", "DEABCC123ABC5678"),
        ("e_maid", "DEABCC123ABC5é"),
    ],
)
def test_a_token_that_has_not_the_form_of_its_kind_is_refused_without_its_text(
    token_type, id_token
):
    with pytest.raises(BadToken) as refusal:
        read_token(token_type, id_token, SETTINGS)
    assert token_type in str(refusal.value)
    assert id_token is None or id_token not in str(refusal.value)


def test_what_a_token_claims_is_known():
    free = replace(SETTINGS, free_charging_id_tag="FREE")
    assert read_token("mac_address", "FF44556670AA", SETTINGS).claim is TokenKind.AUTOCHARGE
    assert read_token("no_authorization", None, free).id_tag == "FREE"
    assert read_token("no_authorization", "stray", free).id_token is None
    assert read_token("no_authorization", None, SETTINGS).id_tag == NO_TAG
    assert read_token("ISO14443", "04A2B3C4", SETTINGS).claim is TokenKind.CARD
    assert read_token("e_maid", "DEABCC123ABC56", SETTINGS).claim is TokenKind.CONTRACT


def test_a_uid_that_is_another_each_time_is_recognised():
    assert read_token("ISO14443", "08A2B3C4", SETTINGS).is_random
    assert not read_token("ISO14443", "04A2B3C4", SETTINGS).is_random


def test_an_empty_prefix_gives_the_plain_address():
    plain = replace(SETTINGS, mac_prefix="")
    assert read_token("mac_address", "FF44556670AA", plain).id_tag == "FF44556670AA"


@pytest.mark.parametrize(
    ("id_tag", "token_type", "id_token"),
    [
        ("04A2B3C4", "ISO14443", "04A2B3C4"),
        ("044943121F1A80", "ISO14443", "044943121F1A80"),
        ("E004010012345678", "ISO15693", "E004010012345678"),
        ("VID:FF44556670AA", "mac_address", "FF44556670AA"),
        ("pin:1234", "key_code", "1234"),
        ("DEABCC123ABC56", "e_maid", "DEABCC123ABC56"),
        ("TAG-RFID-001", "local", "TAG-RFID-001"),
        ("A004010012345678", "local", "A004010012345678"),
        ("free", "no_authorization", None),
    ],
)
def test_what_nobody_remembers_is_told_by_its_form(id_tag, token_type, id_token):
    free = replace(SETTINGS, free_charging_id_tag="FREE")
    assert token_of(id_tag, free) == (token_type, id_token)


def test_without_prefix_and_free_charging_nothing_is_taken_for_them():
    plain = replace(SETTINGS, mac_prefix="")
    assert token_of("FF44556670AA", plain) == ("local", "FF44556670AA")
    assert token_of("", plain)[0] == "local"


def test_nothing_of_a_code_or_an_address_is_shown():
    for token_type, text in (("key_code", "1234"), ("mac_address", "FF44556670AA")):
        assert mask(read_token(token_type, text, SETTINGS).id_tag) in ("PIN:..", "VID:..")
