"""The cards of this world, and what the central system says about each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from agent.core.values import AuthorizationStatus, IdTagInfo, ListEntry
from tests.simulation.clocks import START

ACCEPTED = AuthorizationStatus.ACCEPTED
BLOCKED = AuthorizationStatus.BLOCKED
EXPIRED = AuthorizationStatus.EXPIRED
INVALID = AuthorizationStatus.INVALID


@dataclass
class Card:
    """One card. ``info`` is what the central system would answer now."""

    tag: str
    owner: str
    info: IdTagInfo
    is_listed: bool

    def truth(self, now: datetime) -> IdTagInfo:
        """What the central system says at this instant."""
        expires_at = self.info.expires_at
        if expires_at is not None and expires_at <= now:
            return IdTagInfo(EXPIRED, expires_at, self.info.parent_id_tag)
        return self.info

    def is_good(self, now: datetime) -> bool:
        """True while its owner may charge."""
        return self.truth(now).status is ACCEPTED


class Wallet:
    """All cards there are."""

    def __init__(self, random: Random, hurry: float = 1.0) -> None:
        """``hurry``: so many times sooner the date of one card is over; see ``draw_scenario``."""
        soon = START + timedelta(minutes=random.randrange(60, 1800)) / hurry
        self.cards = [
            Card("04A1000000A1A1", "Ada", IdTagInfo(ACCEPTED, None, "FLEET"), True),
            Card("04A2000000A2A2", "Bert", IdTagInfo(ACCEPTED, None, "FLEET"), True),
            Card("04A3000000A3A3", "Cleo", IdTagInfo(ACCEPTED), True),
            Card("04A4000000A4A4", "Dora", IdTagInfo(ACCEPTED, soon), True),
            Card("04A5000000A5A5", "Emil", IdTagInfo(BLOCKED), True),
            Card("04A6000000A6A6", "Fay", IdTagInfo(ACCEPTED), False),
            Card("04A7000000A7A7", "Gus", IdTagInfo(ACCEPTED, None, "FLEET"), False),
            Card("04A8000000A8A8", "Hal", IdTagInfo(INVALID), False),
            Card("8B6566B9", "Ida", IdTagInfo(BLOCKED), False),
        ]
        self._by_tag = {card.tag: card for card in self.cards}

    def find(self, tag: str) -> Card | None:
        """The card with this tag, in whatever case."""
        return self._by_tag.get(tag.upper())

    def good(self, now: datetime) -> list[Card]:
        """Those whose owners may charge."""
        return [card for card in self.cards if card.is_good(now)]

    def list_entries(self) -> list[ListEntry]:
        """The local list as it should be."""
        return [ListEntry(card.tag, card.info) for card in self.cards if card.is_listed]
