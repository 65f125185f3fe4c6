"""From a card's UID to an idTag, and comparing idTags.

OCPP 1.6 section 3.9 wants the hex digits of the UID, byte 0 first: 4 bytes give 8 digits, 7 give
14, 10 give 20, which is exactly the longest idTag. The other forms exist for sites that enrolled
their cards with other equipment.
"""

from __future__ import annotations

ID_TAG_MAX = 20  # CiString20Type, OCPP 1.6 section 7.28


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
