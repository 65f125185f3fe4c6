"""From a token on the bus to an OCPP 1.6 idTag (at most 20 characters), and what it claims."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import hexdigits

from agent.config.settings import AuthorizationSettings
from agent.core.id_tag import ID_TAG_MAX, is_random_uid, is_valid_id_tag, same_tag
from agent.core.values import TokenKind

NO_TAG = "no_authorization"  # in the reasons, where free charging is not switched on
BAD_TAG = "?"  # in the reasons, where a token has not the form of its kind
_SEPARATORS = str.maketrans("", "", ":- .")
_UID_DIGITS = (8, 14, 20)  # ISO 14443-3: 4, 7 or 10 bytes
_CODE_CHARACTERS = (4, 16)
_E_MAID = re.compile(r"[A-Z0-9]{14,15}")
_CLAIMS = {"mac_address": TokenKind.AUTOCHARGE, "e_maid": TokenKind.CONTRACT}
_PROVIDER = re.compile(r"[A-Z]{2}[A-Z0-9]{3}C[A-Z0-9]{8,9}")  # ISO 15118: country, provider, C


class BadToken(ValueError):
    """The token does not have the form of its kind. Names the kind, never the token."""


@dataclass(frozen=True, slots=True)
class StationToken:
    """A token as it came, and what it means here."""

    token_type: str
    id_token: str | None  # None: no_authorization
    id_tag: str
    claim: TokenKind = TokenKind.CARD
    is_random: bool = False


def read_token(
    token_type: str, id_token: str | None, settings: AuthorizationSettings
) -> StationToken:
    """Check a token and find its idTag. Raises BadToken."""
    if token_type == "no_authorization":
        # An id_token that comes with it is a mistake of the sender, and no card.
        return StationToken(
            token_type, None, settings.free_charging_id_tag or NO_TAG, TokenKind.FREE
        )
    if id_token is None:
        raise BadToken(f"{token_type} needs an id_token")
    id_tag = _id_tag_of(token_type, id_token, settings)
    if not is_valid_id_tag(id_tag):
        raise BadToken(f"{token_type} gives no idTag of 1 to {ID_TAG_MAX} plain characters")
    is_random = token_type == "ISO14443" and is_random_uid(bytes.fromhex(id_tag))
    claim = _CLAIMS.get(token_type, TokenKind.CARD)
    return StationToken(token_type, id_token, id_tag, claim, is_random)


def _id_tag_of(token_type: str, text: str, settings: AuthorizationSettings) -> str:
    match token_type:
        case "ISO14443":
            uid = _hex(token_type, text)
            if len(uid) not in _UID_DIGITS:
                raise BadToken("ISO14443 has 8, 14 or 20 hex digits")
            return uid
        case "ISO15693":
            uid = _hex(token_type, text)
            if len(uid) != 16 or not uid.startswith("E0"):
                raise BadToken("ISO15693 has 16 hex digits, E0 first")
            return uid
        case "key_code":
            low, high = _CODE_CHARACTERS
            if not low <= len(text) <= high or not text.isascii() or not text.isalnum():
                raise BadToken(f"key_code has {low} to {high} digits or letters")
            return settings.key_code_prefix + text
        case "mac_address":
            address = _hex(token_type, text)
            if len(address) != 12:
                raise BadToken("mac_address has 12 hex digits")
            return settings.mac_prefix + address
        case "e_maid":
            contract = text.upper().replace("-", "").replace("*", "")
            if not _E_MAID.fullmatch(contract):
                raise BadToken("e_maid has 14 or 15 letters and digits")
            return contract
        case "local" | "central":
            return text
        case _:
            raise BadToken("its type is not known here")


def _hex(token_type: str, text: str) -> str:
    digits = text.translate(_SEPARATORS).upper()
    if not digits or any(character not in hexdigits for character in digits):
        raise BadToken(f"{token_type} has hex digits")
    return digits


def token_of(id_tag: str, settings: AuthorizationSettings) -> tuple[str, str | None]:
    """Type and token of the bus for an idTag whose token is not remembered.

    A card at the agent's own reader, or a session resumed after a restart: known by its form.
    """
    free_tag = settings.free_charging_id_tag
    if free_tag and same_tag(id_tag, free_tag):
        return "no_authorization", None
    for token_type, prefix in (
        ("mac_address", settings.mac_prefix),
        ("key_code", settings.key_code_prefix),
    ):
        if prefix and id_tag.upper().startswith(prefix.upper()):
            return token_type, id_tag[len(prefix) :]
    if _PROVIDER.fullmatch(id_tag.upper()):
        return "e_maid", id_tag  # before the UIDs: some are hex digits too
    if all(character in hexdigits for character in id_tag):
        if len(id_tag) == 16 and id_tag.upper().startswith("E0"):
            return "ISO15693", id_tag
        if len(id_tag) in _UID_DIGITS:
            return "ISO14443", id_tag
    return "local", id_tag
