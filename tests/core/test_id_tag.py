"""From a UID to an idTag, and comparing idTags."""

from __future__ import annotations

import pytest

from agent.core.id_tag import (
    id_tag_from_uid,
    is_random_uid,
    is_valid_id_tag,
    mask,
    same_tag,
)

FOUR = bytes.fromhex("04A2B3C4")
SEVEN = bytes.fromhex("04943121AF1A80")
TEN = bytes.fromhex("04943121AF1A80112233")


@pytest.mark.parametrize(
    ("uid", "order", "form", "id_tag"),
    [
        (FOUR, "normal", "hex", "04A2B3C4"),
        (SEVEN, "normal", "hex", "04943121AF1A80"),
        (TEN, "normal", "hex", "04943121AF1A80112233"),  # 20 characters: the longest idTag
        (FOUR, "reversed", "hex", "C4B3A204"),
        (SEVEN, "reversed", "first4", "801AAF21"),
        (SEVEN, "normal", "first4", "04943121"),
        (FOUR, "normal", "decimal", "77771716"),
        (FOUR, "reversed", "decimal", "3300106756"),
        (SEVEN, "normal", "hex_colons", "04:94:31:21:AF:1A:80"),
    ],
)
def test_a_uid_becomes_an_id_tag_byte_0_first_unless_the_site_wants_it_otherwise(
    uid, order, form, id_tag
):
    assert id_tag_from_uid(uid, order, form) == id_tag


def test_an_id_tag_that_would_be_too_long_is_refused_and_never_cut():
    with pytest.raises(ValueError, match="hex_colons of a 10-byte UID has 29 characters, 20 fit"):
        id_tag_from_uid(TEN, form="hex_colons")


def test_an_unknown_form_is_named_in_the_error():
    with pytest.raises(ValueError, match="unknown form of idTag: roman"):
        id_tag_from_uid(FOUR, form="roman")


@pytest.mark.parametrize(
    ("uid", "is_random"),
    [("08A2B3C4", True), ("04A2B3C4", False), ("08943121AF1A80", False)],
)
def test_only_four_bytes_that_begin_with_08_are_random(uid, is_random):
    assert is_random_uid(bytes.fromhex(uid)) is is_random


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("A", True),
        ("A" * 20, True),
        ("TAG RFID-001", True),
        ("", False),
        ("A" * 21, False),
        ("MÜLLER", False),
        ("A\n", False),
    ],
)
def test_an_id_tag_has_1_to_20_printable_ascii_characters(text, is_valid):
    assert is_valid_id_tag(text) is is_valid


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("04a2b3c4", "04A2B3C4", True),
        ("04A2B3C4", "04A2B3C5", False),
        (None, "04A2B3C4", False),
        ("04A2B3C4", None, False),
        (None, None, False),
    ],
)
def test_id_tags_are_compared_without_regard_to_case_and_nothing_equals_nothing(one, other, same):
    assert same_tag(one, other) is same


@pytest.mark.parametrize(
    ("id_tag", "shown"), [("04943121AF1A80", "04..80"), ("ABCDEF", "AB..EF"), ("ABCDE", "..")]
)
def test_others_see_only_the_ends_of_an_id_tag(id_tag, shown):
    assert mask(id_tag) == shown
