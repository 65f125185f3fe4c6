"""ISO 14443 type A cards, and the field they lie in. Bits are lists of 0 and 1, first one first.

Source: ISO/IEC 14443-3 (final committee draft, wg8.de N3613): commands and states in chapter 6,
CRC_A in annex B. Nothing here is taken from the driver.
"""

from __future__ import annotations

from collections.abc import Iterable

Bits = list[int]


def to_bits(payload: Iterable[int]) -> Bits:
    """Least significant bit first, as on the air."""
    return [byte >> bit & 1 for byte in payload for bit in range(8)]


def to_bytes(bits: Bits) -> bytes:
    """The reverse; a last incomplete byte is filled with zeros."""
    return bytes(
        sum(bit << place for place, bit in enumerate(bits[start : start + 8]))
        for start in range(0, len(bits), 8)
    )


def crc_a(frame: bytes) -> bytes:
    """CRC_A of annex B bit by bit: x^16 + x^12 + x^5 + 1, from 0x6363, low byte first."""
    register = to_bits((0x63, 0x63))  # lowest bit first
    for bit in to_bits(frame):
        out = register.pop(0) ^ bit
        register.append(out)
        register[10] ^= out
        register[3] ^= out
    return to_bytes(register)


def _bcc(level: bytes) -> int:
    """The four bytes of a cascade level, added without carry."""
    first, second, third, fourth = level
    return first ^ second ^ third ^ fourth


class Card:
    """A type A card with a UID of 4, 7 or 10 bytes. States as in ISO 14443-3, 6.3."""

    def __init__(self, uid: bytes, sak: int = 0x08, atqa: bytes | None = None) -> None:
        sizes = {4: 0x00, 7: 0x40, 10: 0x80}
        self.uid = uid
        self.sak = sak
        self.atqa = atqa or bytes((sizes[len(uid)] | 0x04, 0x00))
        self.has_wrong_bcc = False
        self.has_wrong_sak_crc = False
        self.power_up()

    @property
    def levels(self) -> list[bytes]:
        """The four bytes of each cascade level, with cascade tags."""
        groups, rest = [], self.uid
        while len(rest) > 4:
            groups.append(b"\x88" + rest[:3])
            rest = rest[3:]
        return [*groups, rest]

    def power_up(self) -> None:
        """The field comes on, or the card enters it."""
        self.state = "IDLE"
        self._level = 0
        self._comes_from_halt = False

    def hear(self, bits: Bits) -> Bits | None:
        """What the card answers to these bits; None = silence."""
        if len(bits) == 7:
            return self._hear_short(to_bytes(bits)[0])
        frame = to_bytes(bits)
        if self.state == "ACTIVE" and frame == b"\x50\x00\x57\xcd":
            self.state = "HALT"
            return None
        if self.state == "READY" and frame[0] == 0x93 + 2 * self._level and len(frame) >= 2:
            return self._hear_cascade(frame, bits)
        return self._fall_back()

    def _hear_short(self, command: int) -> Bits | None:
        wakes = {0x26: ("IDLE",), 0x52: ("IDLE", "HALT")}.get(command, ())
        if self.state not in wakes:
            return self._fall_back()
        self._comes_from_halt = self.state == "HALT"
        self.state, self._level = "READY", 0
        return to_bits(self.atqa)

    def _hear_cascade(self, frame: bytes, bits: Bits) -> Bits | None:
        own = self.levels[self._level]
        check = _bcc(own) ^ (0xFF if self.has_wrong_bcc else 0)
        number = to_bits(own + bytes((check,)))
        if frame[1] == 0x70:
            is_meant = frame[2:7] == own + bytes((_bcc(own),)) and frame[7:] == crc_a(frame[:7])
            return self._selected() if is_meant else self._fall_back()
        known = ((frame[1] >> 4) - 2) * 8 + (frame[1] & 0x07)
        if known < 0 or len(bits) != 16 + known:
            return self._fall_back()
        return number[known:] if number[:known] == bits[16:] else None

    def _selected(self) -> Bits:
        is_last = self._level == len(self.levels) - 1
        sak = bytes((self.sak if is_last else 0x04,))
        self._level += 1
        if is_last:
            self.state = "ACTIVE"
        crc = crc_a(sak + b"\x01") if self.has_wrong_sak_crc else crc_a(sak)
        return to_bits(sak + crc)

    def _fall_back(self) -> Bits | None:
        if self.state in ("READY", "ACTIVE"):
            self.state = "HALT" if self._comes_from_halt else "IDLE"
        return None  # silence


class Field:
    """The space before the antenna."""

    def __init__(self) -> None:
        self.cards: tuple[Card, ...] = ()

    def present(self, *cards: Card) -> None:
        """Lay cards into the field, beside those that are there."""
        for card in cards:
            card.power_up()
        self.cards += cards

    def remove(self, card: Card) -> None:
        """Take one card away."""
        self.cards = tuple(each for each in self.cards if each is not card)

    def remove_all(self) -> None:
        """Take all cards away."""
        self.cards = ()

    def hear(self, bits: Bits) -> list[Bits]:
        """The answers of all cards at once."""
        return [answer for card in self.cards if (answer := card.hear(bits)) is not None]
