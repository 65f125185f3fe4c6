"""What a card reader offers to the agent, and what it reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CardArrived:
    """A card came into the field and was read completely: 4, 7 or 10 bytes, first byte first."""

    uid: bytes
    connector_id: int | None = None  # whose reader saw it; None: the one of the box
    request_id: str | None = None  # of the request that presented a simulated card


@dataclass(frozen=True, slots=True)
class CodeArrived:
    """A reader with ready-made tags delivered one: printable ASCII, 1 to 20 characters."""

    code: str
    connector_id: int | None = None  # as above
    request_id: str | None = None  # as above


@dataclass(frozen=True, slots=True)
class CardLeft:
    """The card that arrived last was removed: missed several times in a row."""


@dataclass(frozen=True, slots=True)
class CardLay:
    """A card lay there when the reader began to look, or looked again: it was not presented."""


@dataclass(frozen=True, slots=True)
class CardUnreadable:
    """Something was presented that gave no whole UID; ``problem`` is a sentence for a person."""

    problem: str


@dataclass(frozen=True, slots=True)
class SeveralCards:
    """Two or more cards lie in the field; none of them was taken."""


@dataclass(frozen=True, slots=True)
class ReaderFailed:
    """The reader does not work; it keeps trying by itself. ``problem`` is a sentence."""

    problem: str


@dataclass(frozen=True, slots=True)
class ReaderRecovered:
    """The reader works again."""


ReaderEvent = (
    CardArrived
    | CodeArrived
    | CardLeft
    | CardLay
    | CardUnreadable
    | SeveralCards
    | ReaderFailed
    | ReaderRecovered
)


class CardReader(Protocol):
    """Sees cards arrive. Works in a thread of its own between ``start`` and ``shut_down``."""

    def start(self, report: Callable[[ReaderEvent], None]) -> None:
        """Begin to look for cards; ``report`` is called from the reader's thread, never raises."""

    def shut_down(self) -> None:
        """Stop the thread (within a second) and release the device. Safe to repeat."""
