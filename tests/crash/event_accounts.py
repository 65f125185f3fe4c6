"""Two accounts of the same security events, and whether they agree. Pure.

The box's security log with what waits beside it, and what the central system was told.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.core.security_event_values import SecurityEventType
from tests.crash.central_system import Told

_AT_THE_END = {SecurityEventType.RESET_OR_REBOOT.value}  # recorded by a process that ends


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """An event that was seen waiting; ``number`` is that of its line in the log."""

    unique_id: str
    number: int
    type: str


@dataclass
class EventJournal:
    """Everything that was ever read from the database."""

    lines: list[str] = field(default_factory=list)  # types, at the last look
    waiting: list[WaitingEvent] = field(default_factory=list)  # at the last look
    seen_waiting: dict[str, WaitingEvent] = field(default_factory=dict)  # by unique id

    @property
    def critical(self) -> Counter[str]:
        """How often each critical type stands in the log."""
        return Counter(kind for kind in self.lines if SecurityEventType(kind).is_critical)


def event_disagreements(
    journal: EventJournal, told: Sequence[Told], repetitions: Sequence[Told]
) -> list[str]:
    """Every point on which the accounts differ, in a sentence each; none: they agree.

    ``told`` is in the order of first arrival; ``repetitions`` came again under a known id.
    """
    first = {one.unique_id: one for one in told}
    return [
        *_changed(first, repetitions),
        *_counts(journal, first),
        *_doubled(told),
        *_lost(journal, first),
        *_order(journal, told),
    ]


def _changed(first: Mapping[str, Told], repetitions: Sequence[Told]) -> Iterator[str]:
    for one in repetitions:
        if one != first[one.unique_id]:
            yield f"event {one.unique_id} came again with another content"


def _counts(journal: EventJournal, first: Mapping[str, Told]) -> Iterator[str]:
    counted = Counter(one.payload["type"] for one in first.values())
    counted.update(one.type for one in journal.waiting if one.unique_id not in first)
    for kind in sorted(journal.critical.keys() | counted.keys()):
        if journal.critical[kind] != counted[kind]:
            yield f"{kind} is {journal.critical[kind]} times in the log, told {counted[kind]} times"


def _doubled(told: Sequence[Told]) -> Iterator[str]:
    moments = Counter((one.payload["type"], one.payload["timestamp"]) for one in told)
    for (kind, at), count in moments.items():
        if count > 1:
            yield f"{kind} of {at} was told under {count} ids"


def _lost(journal: EventJournal, first: Mapping[str, Told]) -> Iterator[str]:
    for one in journal.seen_waiting.values():
        if one.unique_id not in first and one.type not in _AT_THE_END:
            yield f"{one.type}, line {one.number}, waited and never came"


def _order(journal: EventJournal, told: Sequence[Told]) -> Iterator[str]:
    seen = journal.seen_waiting
    arrived = [seen[one.unique_id] for one in told if one.unique_id in seen]
    for before, after in itertools.pairwise(arrived):
        if before.number >= after.number:
            yield f"line {after.number} was told after line {before.number}"
