"""What the central system remembers of the messages that came: its side of the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Receipt:
    """One transaction message or security event, as it came in."""

    unique_id: str
    action: str
    payload: Mapping[str, Any]
    is_first: bool  # the same unique id had not been seen before
    at_s: float


class Account:
    """Counts each unique id once, and knows every transactionId that was ever given."""

    def __init__(self) -> None:
        self.first: dict[str, Receipt] = {}  # in the order of their coming
        self.answered: set[str] = set()  # a useful answer was given
        self.given: dict[str, list[int]] = {}  # by the unique id of the StartTransaction
        self.listeners: list[Callable[[Receipt], None]] = []
        self._next_id = 1000

    def receive(self, unique_id: str, action: str, payload: Any, at_s: float) -> None:
        """Count a message."""
        is_first = unique_id not in self.first
        receipt = Receipt(unique_id, action, payload, is_first, at_s)
        if is_first:
            self.first[unique_id] = receipt
        for listener in self.listeners:
            listener(receipt)

    def transaction_id(self, unique_id: str, forgets: bool) -> int:
        """The number for this start: the same for a repeat, unless the system ``forgets``."""
        given = self.given.setdefault(unique_id, [])
        if forgets or not given:
            self._next_id += 1
            given.append(self._next_id)
        return given[-1]
