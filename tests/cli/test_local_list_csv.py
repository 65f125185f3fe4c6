"""A local list as a CSV file: what is written comes back, what is wrong is named by its line."""

from __future__ import annotations

import csv
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.local_list_csv import FILE_BYTES_MAX, MISTAKES_SHOWN_MAX, list_as_csv, read_list_csv
from agent.control.local_list import expiry_of
from agent.core.values import AuthorizationStatus, IdTagInfo, ListEntry
from agent.platform.errors import ListFileError

ACCEPTED = IdTagInfo(AuthorizationStatus.ACCEPTED)
END = datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)
HEAD = "id_tag,expires_at,parent_id_tag,status\n"


def read(text: str, entries_max: int = 1000) -> list[ListEntry]:
    return read_list_csv(text.encode(), entries_max)


def mistakes(text: str, entries_max: int = 1000) -> list[str]:
    with pytest.raises(ListFileError) as error:
        read(text, entries_max)
    return error.value.mistakes


def test_every_column_is_read():
    text = HEAD + "04AB,2027-12-31,FLEET,Blocked\n04AC,2027-12-31T23:59:59Z,,\n04AD\n"
    assert read(text) == [
        ListEntry("04AB", IdTagInfo(AuthorizationStatus.BLOCKED, END, "FLEET")),
        ListEntry("04AC", IdTagInfo(AuthorizationStatus.ACCEPTED, END)),
        ListEntry("04AD", ACCEPTED),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "id_tag\nA\nB\n",
        "id_tag\r\nA\r\nB\r\n",
        "\ufeffid_tag\nA\nB",
        "ID_TAG\n A \n\n,\nB\n".replace(",", ""),
        "status,id_tag\naccepted,A\nACCEPTED,B\n",
        "id_tag;status\nA;Accepted\nB;\n",
        '"id_tag","status"\n"A","Accepted"\n"B",""\n',
        "sep=;\nid_tag;status\nA;Accepted\nB;\n",
        '"sep=,"\nid_tag,status\nA,Accepted\nB,\n',
        "id_tag\tstatus\nA\tAccepted\nB\t\n",
        "sep=\t\nid_tag\tstatus\nA\tAccepted\nB\t\n",
        "idTag,status,expiryDate,parentIdTag\nA,Accepted,,\nB,,,\n",
        "\n\nId Tag\n'A\n\u201cB\u201d\n",
        'id_tag\n="A"\n"=""B"""\n',
    ],
)
def test_what_spreadsheets_and_people_write_is_read(text):
    assert read(text) == [ListEntry("A", ACCEPTED), ListEntry("B", ACCEPTED)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1 must name the columns"),
        ("A\nB\n", "line 1 must name the columns"),
        ("id_tag,colour\n", "line 1 names 'colour': it may name each of id_tag, expires_at"),
        ("id_tag,idTag\n", "line 1 names 'idTag': it may name each of"),
        ("id_tag\nA\nB,C\n", "line 3: has 2 columns, line 1 names 1"),
        ("id_tag\nA\n\n" + "B" * 21 + "\n", "line 4: id_tag must have 1 to 20 plain"),
        ("id_tag\nsm\u00f8r\n", "line 2: id_tag must have 1 to 20 plain"),
        ("id_tag,status\n,Accepted\n", "line 2: id_tag must have 1 to 20 plain"),
        ("id_tag,status\nA,Maybe\n", "line 2: status must be one of Accepted, Blocked"),
        ("id_tag,expires_at\nA,soon\n", "line 2: 'soon' is no date"),
        (
            "id_tag,expires_at\nA,12/31/2027\n",
            "line 2: '12/31/2027' does not say which is the month",
        ),
        ("id_tag,expires_at\nA,31.13.2027\n", "line 2: '31.13.2027' is no date"),
        ("id_tag,expires_at\nA,1.2.27\n", "line 2: '1.2.27' is no date: write 2027-12-31"),
        ("id_tag\n74095673.0\n", "line 2: id_tag is a number with decimals (74095673.0): format"),
        ('id_tag\n"123,0"\n', "line 2: id_tag is a number with decimals (123,0): format"),
        ("id_tag\n04A2B3C4;Accepted\n", "line 2: id_tag has a separator in it"),
        ("id_tag\n04:A2:B3\n", "line 2: id_tag 04:A2:B3 has 6 hex digits: the UID of a card"),
        ("id_tag\n0x04A2B3\n", "line 2: id_tag 0x04A2B3 has 6 hex digits: the UID of a card"),
        ("sep=x\nid_tag\nA\n", "line 1 names the separator 'x'"),
        ("sep=;\nid_tag;status\nA;B\n", "line 3: status must be one of"),
        ("id_tag,parent_id_tag\nA," + "P" * 21 + "\n", "line 2: parent_id_tag must have"),
        ("id_tag\n04ab\nX\n04AB\n", "line 4: has the same id_tag as line 2"),
        ("id_tag\n1.23457E+13\n", "line 2: id_tag is a shortened number"),
        ('id_tag\n"A\n', "is not CSV"),
    ],
)
def test_a_line_that_is_wrong_is_named(text, told):
    (mistake,) = mistakes(text)
    assert told in mistake


def test_every_wrong_line_is_named_up_to_a_limit():
    assert len(mistakes("id_tag\nA\nA\nA\n")) == 2
    many = mistakes("id_tag\n" + "A\n" * (MISTAKES_SHOWN_MAX + 6))
    assert len(many) == MISTAKES_SHOWN_MAX + 1
    assert many[-1] == "and 5 more lines"


def test_a_file_that_is_too_long_or_not_text_is_refused():
    assert "line 4: too many entries" in mistakes("id_tag\nA\nB\nC\n", entries_max=2)[0]
    with pytest.raises(ListFileError, match="larger than 32 MiB"):
        read_list_csv(b"x" * (FILE_BYTES_MAX + 1), 10)
    with pytest.raises(ListFileError, match="line 2 is not UTF-8"):
        read_list_csv(b"id_tag\n\xe9\n", 10)


UID = "04A2B3C4D5E6F7"


@pytest.mark.parametrize(
    ("cell", "form", "id_tag"),
    [
        ("04:A2:B3:C4:D5:E6:F7", "hex", UID),
        ("04 a2 b3 c4 d5 e6 f7", "hex", UID),
        ("04-A2-B3-C4", "hex", "04A2B3C4"),
        ("0x04A2B3C4", "hex", "04A2B3C4"),
        ("0X04a2b3c4", "hex", "04A2B3C4"),
        ('="04:A2:B3:C4"', "hex", "04A2B3C4"),
        ("'04A2B3C4", "hex", "04A2B3C4"),
        ("01:02:03:04:05:06:07:08:09:0A", "hex", "0102030405060708090A"),
        ("04 a2 b3 c4", "hex_colons", "04:A2:B3:C4"),
        ("0x04A2B3C4", "hex_colons", "04:A2:B3:C4"),
        ("04a2b3c4", "hex", "04a2b3c4"),  # compared without regard to case
        ("10-20", "hex", "10-20"),
        ("127.0.0.1", "hex", "127.0.0.1"),
        ("VID:AABBCCDDEEFF", "hex", "VID:AABBCCDDEEFF"),
    ],
)
def test_a_uid_is_kept_as_the_reader_tells_it(cell: str, form: str, id_tag: str):
    quoted = cell.replace('"', '""')
    (entry,) = read_list_csv(f'id_tag\n"{quoted}"\n'.encode(), 10, form)
    assert entry.id_tag == id_tag


@pytest.mark.parametrize("form", ["decimal", "first4"])
def test_a_uid_that_the_readers_form_makes_another_tag_of_is_refused(form: str):
    with pytest.raises(ListFileError) as error:
        read_list_csv(b"id_tag,parent_id_tag\n04:A2:B3:C4,\nA,04:A2:B3:C4\n", 10, form)
    (mistake,) = error.value.mistakes
    assert mistake.startswith("line 2: id_tag 04:A2:B3:C4 is ")
    assert f"reader.uid_format of this box is {form}" in mistake


HOSTILE = ["=cmd()", "+1", "-1", "@SUM(A1)", "'=x", "''+x", "'plain", "'", "0412", "12E5", "1E+05"]
HOSTILE += ["04:A2:B3:C4", "0x04A2B3C4", "0x1", "123,0", "7.0", "a;b", '="x"', "'04AB"]


@pytest.mark.parametrize("tag", [*HOSTILE, ' "', ",", ";", " lead", "trail ", "a,b", 'q"q'])
def test_hostile_cells_are_harmless_in_a_spreadsheet_and_come_back_as_they_were(tag):
    entry = ListEntry(tag, IdTagInfo(AuthorizationStatus.BLOCKED, END, tag), tag.strip())
    text = list_as_csv([entry])
    for cell in next(csv.reader([text.splitlines()[1]])):
        assert cell[:1] not in tuple("=+-@")
    assert read(text) == [entry]


def test_a_file_without_the_column_leaves_names_and_an_empty_cell_takes_one_away():
    assert [entry.name for entry in read("id_tag\nA\n")] == [None]
    assert [entry.name for entry in read("id_tag,name\nA,\nB,J\u00fcrgen\nC\n")] == [
        "",
        "J\u00fcrgen",
        None,
    ]


@pytest.mark.parametrize("name", ["x" * 51, "a\x1b[0mb", "a\u202eb"])
def test_a_name_that_is_none_is_named_with_its_line(name):
    assert mistakes(f"id_tag,name\nA,Anna\nB,{name}\n") == [
        "line 3: a name has at most 50 characters, all of them printable"
    ]


tags = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
infos = st.builds(
    IdTagInfo,
    st.sampled_from(AuthorizationStatus),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    st.none() | tags,
)


tags |= st.from_regex(r"(0x)?[0-9A-Fa-f]{2}([:. -][0-9A-Fa-f]{2}){1,5}", fullmatch=True)
tags |= st.text("0123456789ABCDEFx.,:;'\"= ", min_size=1, max_size=20)
forms = st.sampled_from(["hex", "decimal", "first4", "hex_colons"])


names = st.text(max_size=50).filter(str.isprintable).map(str.strip) | tags.map(str.strip)
entries = st.builds(ListEntry, tags, infos, names)


@given(st.lists(entries, unique_by=lambda entry: entry.id_tag.lower()), forms)
def test_any_list_comes_back_as_it_was_written(entries, form):
    text = list_as_csv(entries, form)
    assert read_list_csv(text.encode(), 1000, form) == entries


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2027-12-31", END),
        ("31.12.2027", END),
        ("2027-12-31T23:59:59", END),
        ("2027-12-31t23:59:59z", END),
        ("2028-01-01T01:59:59+02:00", END),
    ],
)
def test_dates_and_instants_are_read_in_utc(text, instant):
    assert expiry_of(text) == instant


@pytest.mark.parametrize(
    "text", ["", "31.13.2027", "46752", "2027-02-30", "9999-12-31T23:00:00-05:00", "x" * 99]
)
def test_what_is_no_date_is_refused_in_words(text):
    with pytest.raises(ValueError, match="is no date"):
        expiry_of(text)
