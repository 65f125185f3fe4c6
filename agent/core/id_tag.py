"""From a card's UID to an idTag, and comparing idTags.

OCPP 1.6 section 3.9 wants the hex digits of the UID, byte 0 first: 4 bytes give 8 digits, 7 give
14, 10 give 20, which is exactly the longest idTag. The other forms exist for sites that enrolled
their cards with other equipment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

ID_TAG_MAX = 20  # CiString20Type, OCPP 1.6 section 7.28
UID_BYTES = (4, 7, 10)  # ISO/IEC 14443-3
WRITTEN_MAX = 31  # ten bytes with 0x and separators

_SEPARATED = re.compile(r"(?:0x)?([0-9a-f]{2}(?:([:. -])[0-9a-f]{2}(?:\2[0-9a-f]{2})+)?)", re.I)
_PREFIXED = re.compile(r"0x([0-9a-f]+)", re.I)
_WHOLE_UID = {
    "hex": re.compile(r"(?:[0-9A-F]{8}|[0-9A-F]{14}|[0-9A-F]{20})", re.I),
    "first4": re.compile(r"[0-9A-F]{8}", re.I),
    "hex_colons": re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2}){3}(?:(?::[0-9A-F]{2}){3})?", re.I),
    "decimal": re.compile(r"0|[1-9][0-9]{0,19}"),
}
_DAMAGED_UID = re.compile(r"(?=.*[A-F])[0-9A-F]+", re.I)


def tag_as_told(text: str, form: str) -> str:
    """What the reader makes of a UID that a person has written with separators or ``0x``.

    ``04:A2:B3:C4``, ``04 A2 B3 C4``, ``0x04A2B3C4``; any other text is given back as it is. Raises
    ValueError with a sentence that names it for a UID that is none, or that this ``form`` does not
    tell.
    """
    digits = _digits_of(text)
    if digits is None:
        return text
    uid, shown = bytes.fromhex(digits) if len(digits) % 2 == 0 else b"", text[:WRITTEN_MAX]
    if len(uid) not in UID_BYTES:
        known = ", ".join(str(2 * count) for count in UID_BYTES)
        words = f"has {len(digits)} hex digits: the UID of a card has one of {known}"
        raise ValueError(f"{shown} {words}")
    if form == "decimal":
        raise ValueError(f"{shown} is written in hex, but reader.uid_format of this box is decimal")
    if form == "first4":
        raise ValueError(f"{shown} is a whole UID, but reader.uid_format of this box is first4")
    return id_tag_from_uid(uid, form=form)


@dataclass(frozen=True, slots=True)
class SoughtTag:
    """A tag that a person looks for: as it is written, and as the reader of this box tells it.

    Both count: a central system may have given a tag a form that the reader never tells.
    ``problem``: why the reader cannot tell it; empty: it can.
    """

    written: str
    told: str
    problem: str = ""


def sought_tag(text: str, form: str) -> SoughtTag:
    """What a person means who looks for this tag; see ``tag_as_told``."""
    try:
        told = tag_as_told(text.strip(), form)
    except ValueError as problem:
        return SoughtTag(text, text, str(problem))
    if len(told) > ID_TAG_MAX:
        words = f"{told[:WRITTEN_MAX]} is too long: a tag has {ID_TAG_MAX} characters at most"
        return SoughtTag(text, text, words)
    return SoughtTag(text, told)


def about_others(id_tags: Sequence[str], driver: str, form: str) -> str:
    """How many the configured reader can never tell, as a sentence; empty: none, or no reader.

    They may come in another way: from the central system, the station bus, an app.
    """
    if driver == "none":
        return ""
    others = [id_tag for id_tag in id_tags if not can_be_read(id_tag, driver, form)]
    if not others:
        return ""
    count = "this idTag" if len(id_tags) == 1 else f"{len(others)} of {len(id_tags)} idTags"
    return f"{count} cannot come from the card reader ({driver}, uid_format {form})"


def can_be_read(id_tag: str, driver: str, form: str) -> bool:
    """Whether the configured reader can ever tell this idTag. Without a reader nothing can."""
    if _WHOLE_UID[form].fullmatch(id_tag):
        return driver != "none"
    # Readers that print lines print ready-made codes too, but never a UID in another form.
    is_uid = _WHOLE_UID["hex"].fullmatch(id_tag) and not id_tag.isdecimal()
    return driver not in ("none", "mfrc522") and not is_uid and not _DAMAGED_UID.fullmatch(id_tag)


def _digits_of(text: str) -> str | None:
    """The hex digits of a text that is certainly a UID in a form of people's own."""
    if prefixed := _PREFIXED.fullmatch(text):
        return prefixed[1]
    separated = _SEPARATED.fullmatch(text)
    if separated is None or separated[2] is None:
        return None
    return separated[1].replace(separated[2], "")


def id_tag_from_uid(uid: bytes, order: str = "normal", form: str = "hex") -> str:
    """Return the idTag of a whole UID.

    ``order`` is normal or reversed; ``form`` is hex, decimal, first4 or hex_colons. Raises
    ValueError when the form does not fit into 20 characters.
    """
    octets = uid[::-1] if order == "reversed" else uid
    match form:
        case "hex":
            tag = octets.hex().upper()
        case "first4":
            tag = octets[:4].hex().upper()
        case "decimal":
            tag = str(int.from_bytes(octets, "big"))
        case "hex_colons":
            tag = octets.hex(":").upper()
        case _:
            raise ValueError(f"unknown form of idTag: {form}")
    if len(tag) > ID_TAG_MAX:
        raise ValueError(f"{form} of a {len(uid)}-byte UID has {len(tag)} characters, 20 fit")
    return tag


def is_random_uid(uid: bytes) -> bool:
    """True for a UID that changes at every activation: ISO 14443-3, 4 bytes beginning with 08."""
    return len(uid) == 4 and uid[0] == 0x08


def is_valid_id_tag(text: str) -> bool:
    """1 to 20 printable ASCII characters (OCPP 1.6 section 7.28, errata 3.74)."""
    return 1 <= len(text) <= ID_TAG_MAX and text.isascii() and text.isprintable()


def same_tag(one: str | None, other: str | None) -> bool:
    """Compare without regard to case; None equals nothing."""
    return one is not None and other is not None and one.casefold() == other.casefold()


def mask(id_tag: str) -> str:
    """The tag as people outside the store see it: first two and last two characters; of none, none.

    Of a tag with a prefix (``PIN:``, ``VID:``) the prefix alone: a code has few characters.
    """
    prefix, colon, _ = id_tag.partition(":")
    if colon and len(prefix) in (3, 4, 5):
        return f"{prefix}:.."
    if len(id_tag) > 5:
        return f"{id_tag[:2]}..{id_tag[-2:]}"
    return ".." if id_tag else ""
