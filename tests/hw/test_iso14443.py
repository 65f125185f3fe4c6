from collections.abc import Callable

import pytest

from hw.iso14443 import (
    HALT,
    CardAnswer,
    CardFrame,
    ExchangeResult,
    anticollision,
    bcc,
    crc_a,
    is_truncated,
    look_into_field,
    select,
)
from hw.tap_detector import CollidingCards, EmptyField, FailedRead, OneCard
from tests.emulators.iso14443_cards import Card, Field, to_bits, to_bytes

FOUR = bytes.fromhex("DEADBEEF")
SEVEN = bytes.fromhex("044943121F1A80")
TEN = bytes.fromhex("04112233445566778899")


def exchange_with(field: Field) -> Callable[[CardFrame], CardAnswer]:
    """A radio without a chip: exactly one answer, or a collision."""

    def exchange(frame: CardFrame) -> CardAnswer:
        bits = to_bits(frame.payload)
        heard = field.hear(bits[: frame.last_bits] if frame.last_bits else bits)
        if not heard:
            return CardAnswer(ExchangeResult.SILENT)
        if any(answer != heard[0] for answer in heard):
            return CardAnswer(ExchangeResult.COLLIDED)
        return CardAnswer(ExchangeResult.ANSWERED, to_bytes(heard[0]), len(heard[0]))

    return exchange


def script(*answers: CardAnswer) -> Callable[[CardFrame], CardAnswer]:
    """A radio that plays back these answers, then keeps silent."""
    rest = list(answers)
    return lambda frame: rest.pop(0) if rest else CardAnswer(ExchangeResult.SILENT)


def whole(hexadecimal: str) -> CardAnswer:
    payload = bytes.fromhex(hexadecimal)
    return CardAnswer(ExchangeResult.ANSWERED, payload, len(payload) * 8)


@pytest.mark.parametrize(
    ("body", "crc"),
    [
        ("9370DEADBEEF22", "B99C"),
        ("93708804494386", "5D6C"),
        ("9570121F1A8097", "D4C8"),
        ("04", "DA17"),
        ("00", "FE51"),
        ("08", "B6DD"),
        ("18", "37CD"),
        ("20", "FC70"),
        ("5000", "57CD"),
    ],
)
def test_the_checksum_is_the_one_of_the_worked_examples(body: str, crc: str) -> None:
    assert crc_a(bytes.fromhex(body)) == bytes.fromhex(crc)


def test_the_frames_are_those_of_the_worked_examples() -> None:
    assert anticollision(0).payload == bytes.fromhex("9320")
    assert anticollision(2).payload == bytes.fromhex("9720")
    assert select(0, b"\x88\x04\x49\x43").payload == bytes.fromhex("937088044943865D6C")
    assert select(1, b"\x12\x1f\x1a\x80").payload == bytes.fromhex("9570121F1A8097D4C8")
    assert HALT.payload == bytes.fromhex("500057CD")
    assert bcc(FOUR) == 0x22


@pytest.mark.parametrize("uid", [FOUR, SEVEN, TEN], ids=len)
def test_a_single_card_is_read_completely_at_every_look(uid: bytes) -> None:
    field = Field()
    field.present(Card(uid))
    exchange = exchange_with(field)
    assert [look_into_field(exchange) for _ in range(3)] == [OneCard(uid)] * 3
    assert field.cards[0].state == "HALT"


def test_an_empty_field_is_seen_as_empty() -> None:
    assert look_into_field(exchange_with(Field())) == EmptyField()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FOUR, bytes.fromhex("DEADBEE0")),  # collide in level 1
        (FOUR, SEVEN),  # collide in the first answer
        (SEVEN, bytes.fromhex("04494399999999")),  # alike in level 1, collide in level 2
        (TEN, bytes.fromhex("04112233445500000000")),  # collide in level 3
    ],
)
def test_two_cards_collide_wherever_they_differ(first: bytes, second: bytes) -> None:
    field = Field()
    field.present(Card(first), Card(second))
    exchange = exchange_with(field)
    assert [look_into_field(exchange) for _ in range(3)] == [CollidingCards()] * 3


@pytest.mark.parametrize("fault", ["has_wrong_bcc", "has_wrong_sak_crc"])
def test_a_card_with_wrong_check_values_is_refused_at_every_look(fault: str) -> None:
    field = Field()
    card = Card(SEVEN)
    setattr(card, fault, True)
    field.present(card)
    exchange = exchange_with(field)
    for _ in range(4):  # each time: a card left half way is put back to sleep
        seen = look_into_field(exchange)
        assert isinstance(seen, FailedRead)
        assert "check" in seen.problem


ATQA = whole("0400")


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([CardAnswer(ExchangeResult.GARBLED)], "garbled"),
        ([CardAnswer(ExchangeResult.ANSWERED, b"\x04", 4)], "garbled"),
        ([ATQA], "taken away"),
        ([ATQA, CardAnswer(ExchangeResult.GARBLED)], "garbled"),
        ([ATQA, whole("DEADBEEF")], "garbled"),
        ([ATQA, CardAnswer(ExchangeResult.ANSWERED, b"", 40)], "garbled"),
        ([ATQA, whole("DEADBEEF22"), whole("08B6")], "garbled"),
        ([ATQA, whole("DEADBEEF22"), whole("08B6DE")], "checksum"),
        ([ATQA, whole("DEADBEEF22"), whole("04DA17")], "does not mark it"),
        ([ATQA, whole("8804494386"), whole("08B6DD")], "only the beginning"),
        ([ATQA, *[whole("8804494386"), whole("04DA17")] * 3], "does not end"),
    ],
)
def test_an_odd_answer_gives_a_failed_read_that_says_why(
    answers: list[CardAnswer], problem: str
) -> None:
    seen = look_into_field(script(*answers))
    assert isinstance(seen, FailedRead)
    assert problem in seen.problem.lower()


def test_four_bytes_that_begin_with_the_cascade_tag_are_a_truncated_uid() -> None:
    assert is_truncated(bytes.fromhex("88044943"))
    assert not is_truncated(bytes.fromhex("08044943"))
    assert not is_truncated(bytes.fromhex("88044943121F1A"))
