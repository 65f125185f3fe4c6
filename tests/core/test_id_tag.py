"""From a UID to an idTag, and comparing idTags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.id_tag import (
    WRITTEN_MAX,
    SoughtTag,
    about_others,
    can_be_read,
    id_tag_from_uid,
    is_random_uid,
    is_valid_id_tag,
    mask,
    same_tag,
    sought_tag,
    tag_as_told,
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
    ("id_tag", "shown"),
    [
        ("04943121AF1A80", "04..80"),
        ("ABCDEF", "AB..EF"),
        ("ABCDE", ".."),
        ("", ""),
        ("PIN:1234", "PIN:.."),
    ],
)
def test_others_see_only_the_ends_of_an_id_tag(id_tag, shown):
    assert mask(id_tag) == shown


@pytest.mark.parametrize(
    ("id_tag", "driver", "form", "can"),
    [
        ("04A2B3C4", "mfrc522", "hex", True),
        ("04a2b3c4d5e6f7", "mfrc522", "hex", True),
        ("0102030405060708090A", "mfrc522", "hex", True),
        ("04A2B3", "mfrc522", "hex", False),
        ("FAMILY", "mfrc522", "hex", False),
        ("04:A2:B3:C4", "mfrc522", "hex", False),
        ("74095673", "mfrc522", "decimal", True),
        ("074095673", "mfrc522", "decimal", False),
        ("04A2B3C4", "mfrc522", "decimal", False),
        ("04A2B3C4", "mfrc522", "first4", True),
        ("04A2B3C4D5E6F7", "mfrc522", "first4", False),
        ("04:A2:B3:C4:D5:E6:F7", "mfrc522", "hex_colons", True),
        ("04A2B3C4", "mfrc522", "hex_colons", False),
        ("04A2B3C4", "serial", "hex", True),
        ("FAMILY-01", "serial", "hex", True),  # a ready-made code
        ("1234", "serial", "hex", True),
        ("04A2B3", "serial", "hex", False),  # a damaged UID
        ("04A2B3C4", "serial", "decimal", False),
        ("FAMILY-01", "simulated", "hex", True),
    ],
)
def test_what_the_configured_reader_can_tell(id_tag, driver, form, can):
    assert can_be_read(id_tag, driver, form) is can
    assert bool(about_others([id_tag], driver, form)) is not can
    assert about_others([id_tag], "none", form) == ""


@given(st.sampled_from((4, 7)).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
def test_every_tag_that_a_reader_makes_can_be_read_in_that_form(uid):
    for form in ("hex", "decimal", "first4", "hex_colons"):
        for order in ("normal", "reversed"):
            tag = id_tag_from_uid(uid, order, form)
            for driver in ("mfrc522", "serial", "simulated"):
                assert can_be_read(tag, driver, form)


def test_how_many_are_others_is_said():
    assert about_others(["04A2B3C4", "A", "B"], "mfrc522", "hex") == (
        "2 of 3 idTags cannot come from the card reader (mfrc522, uid_format hex)"
    )


@pytest.mark.parametrize(
    "written", ["04:a2:b3:c4", "04-A2-B3-C4", "04 A2 B3 C4", "0x04A2B3C4", "04A2B3C4"]
)
def test_a_uid_that_a_person_writes_is_the_tag_that_the_reader_makes_of_it(written):
    assert tag_as_told(written, "hex") == "04A2B3C4"


@pytest.mark.parametrize("text", ["FAMILY-01", "04A2-B3C4", "PIN:1234", ""])
def test_a_text_that_is_no_written_uid_stays_as_it_is(text):
    assert tag_as_told(text, "decimal") == text


@pytest.mark.parametrize(
    ("written", "form", "problem"),
    [
        ("0x04A2B", "hex", "has 5 hex digits: the UID of a card has one of 8, 14, 20"),
        ("04:A2:B3", "hex", "has 6 hex digits: the UID of a card has one of 8, 14, 20"),
        ("04:A2:B3:C4", "decimal", "is written in hex, but reader.uid_format of this box is"),
        ("04:A2:B3:C4", "first4", "is a whole UID, but reader.uid_format of this box is first4"),
    ],
)
def test_a_written_uid_that_the_reader_cannot_tell_is_refused_with_a_sentence(
    written, form, problem
):
    with pytest.raises(ValueError, match=f"{written} {problem}"):
        tag_as_told(written, form)


def test_a_tag_is_looked_for_as_it_is_written_and_as_the_reader_tells_it():
    assert sought_tag(" 04:a2:b3:c4", "hex") == SoughtTag(" 04:a2:b3:c4", "04A2B3C4")
    assert sought_tag("04:a2:b3:c4", "hex_colons") == SoughtTag("04:a2:b3:c4", "04:A2:B3:C4")
    assert sought_tag("family-01", "hex") == SoughtTag("family-01", "family-01")


@pytest.mark.parametrize(
    ("written", "form", "problem"),
    [
        ("04:A2:B3", "hex", "04:A2:B3 has 6 hex digits: the UID of a card has one of 8, 14, 20"),
        ("04:A2:B3:C4", "decimal", "04:A2:B3:C4 is written in hex, but reader.uid_format of this"),
        ("X" * 21, "hex", f"{'X' * 21} is too long: a tag has 20 characters at most"),
    ],
)
def test_what_no_reader_can_tell_is_looked_for_as_it_is_written_and_the_reason_is_kept(
    written, form, problem
):
    sought = sought_tag(written, form)
    assert (sought.written, sought.told) == (written, written)
    assert sought.problem.startswith(problem)


def test_the_longest_way_to_write_a_uid_fits_where_tags_are_typed():
    longest = "0x" + ":".join(["04"] * 10)
    assert len(longest) == WRITTEN_MAX
    assert tag_as_told(longest, "hex") == "04" * 10
