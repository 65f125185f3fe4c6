"""ISO 14443-3 type A: frames, check values, and the way from a first request to a whole UID.

Pure: the device is one function that sends a frame and returns what came back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import xor

from hw.tap_detector import CollidingCards, EmptyField, FailedRead, FieldObservation, OneCard

CASCADE_TAG = 0x88  # stands before the first three bytes of a longer UID
SELECT_LEVELS = (0x93, 0x95, 0x97)
SAK_UID_INCOMPLETE = 0x04


class ExchangeResult(Enum):
    """How an exchange with the cards in the field ended."""

    ANSWERED = "answered"
    SILENT = "silent"
    COLLIDED = "collided"
    GARBLED = "garbled"


@dataclass(frozen=True, slots=True)
class CardFrame:
    """Bytes for the air. ``last_bits``: how many bits of the last byte are sent, 0 = all eight."""

    payload: bytes
    last_bits: int = 0


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """What came back; ``bits`` counts the valid bits of ``payload``."""

    outcome: ExchangeResult
    payload: bytes = b""
    bits: int = 0


Exchange = Callable[[CardFrame], CardAnswer]


def crc_a(payload: bytes) -> bytes:
    """CRC_A of ISO 14443-3: 0x8408 reflected, start 0x6363, low byte first on the air."""
    crc = 0x6363
    for byte in payload:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


def bcc(four: bytes) -> int:
    """Check byte of an anticollision answer: XOR of its four bytes, the cascade tag included."""
    return reduce(xor, four, 0)


WAKE_UP = CardFrame(b"\x52", last_bits=7)  # WUPA: cards in IDLE and in HALT answer
HALT = CardFrame(b"\x50\x00" + crc_a(b"\x50\x00"))  # HLTA: silence means yes


def anticollision(level: int) -> CardFrame:
    """Ask every card at cascade ``level`` (0 to 2) for its four bytes."""
    return CardFrame(bytes((SELECT_LEVELS[level], 0x20)))


def select(level: int, four: bytes) -> CardFrame:
    """Choose the card with these four bytes at cascade ``level`` (0 to 2)."""
    body = bytes((SELECT_LEVELS[level], 0x70)) + four + bytes((bcc(four),))
    return CardFrame(body + crc_a(body))


def look_into_field(exchange: Exchange) -> FieldObservation:
    """Wake the cards in the field, read a single one completely, and put it to sleep again.

    The next look wakes it anew, so a resting card is read at every look.
    """
    awake = exchange(WAKE_UP)
    if awake.outcome is ExchangeResult.SILENT:
        return EmptyField()
    if awake.outcome is ExchangeResult.COLLIDED:
        seen: FieldObservation = CollidingCards()
    elif awake.outcome is ExchangeResult.GARBLED or awake.bits != 16:
        seen = FailedRead("The card's first answer was garbled; hold it closer and still.")
    else:
        seen = _read_uid(exchange)
    # After a failure too: a card that was left half way would ignore the next wake-up. A card that
    # answers here breaks ISO 14443-3; its UID was checked by then.
    exchange(HALT)
    return seen


class _ReadFailed(Exception):
    def __init__(self, seen: FieldObservation) -> None:
        super().__init__(seen)
        self.seen = seen


def _read_uid(exchange: Exchange) -> FieldObservation:
    uid = b""
    try:
        for level in range(len(SELECT_LEVELS)):
            four = _four_bytes(exchange(anticollision(level)))
            sak = _sak(exchange(select(level, four)))
            if not sak & SAK_UID_INCOMPLETE:
                return _complete(uid + four)
            if four[0] != CASCADE_TAG:
                return FailedRead("The card announces a longer number and does not mark it.")
            uid += four[1:]
    except _ReadFailed as failure:
        return failure.seen
    return FailedRead("The card's number does not end after ten bytes.")


def _complete(uid: bytes) -> FieldObservation:
    if is_truncated(uid):
        return FailedRead("The card gave only the beginning of its number.")
    return OneCard(uid)


def is_truncated(uid: bytes) -> bool:
    """True for four bytes that begin with the cascade tag: the rest of the UID is missing."""
    return len(uid) == 4 and uid[0] == CASCADE_TAG


def _four_bytes(answer: CardAnswer) -> bytes:
    payload = _payload(answer, bits=40)
    four, check = payload[:4], payload[4]
    if bcc(four) != check:
        raise _ReadFailed(FailedRead("The check byte of the card's number is wrong."))
    return four


def _sak(answer: CardAnswer) -> int:
    payload = _payload(answer, bits=24)
    if crc_a(payload[:1]) != payload[1:]:
        raise _ReadFailed(FailedRead("The checksum of the card's answer is wrong."))
    return payload[0]


def _payload(answer: CardAnswer, bits: int) -> bytes:
    """The payload of an answer of exactly ``bits`` bits; raises _ReadFailed otherwise."""
    if answer.outcome is ExchangeResult.COLLIDED:
        raise _ReadFailed(CollidingCards())
    if answer.outcome is ExchangeResult.SILENT:
        raise _ReadFailed(FailedRead("The card was taken away too soon."))
    if (
        answer.outcome is ExchangeResult.GARBLED
        or answer.bits != bits
        or len(answer.payload) * 8 != bits
    ):
        raise _ReadFailed(FailedRead("The card's answer was garbled; hold it closer and still."))
    return answer.payload
