"""The figures of a run, as they are printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.simulation import counting
from tests.simulation.invariants import ALL
from tests.simulation.tally import (
    CAN_HAPPEN,
    CENTRAL,
    CLOCK,
    DISK,
    KILLED,
    LINE,
    PARTS,
    POWER_CUT,
    Tally,
    total,
)

_GROUPS = {
    "kills": KILLED,
    "power cuts": POWER_CUT,
    "broken parts": PARTS,
    "troubles with the disk": DISK,
    "troubles with the line": LINE,
    "oddities of the central system": CENTRAL,
    "wrong clocks": CLOCK,
}
_OTHERS = (
    counting.OFFLINE,
    counting.FOUND,
    counting.RESUMED,
    counting.REFUSED,
    counting.REPEATED,
    counting.PARKED,
)


def tables(tally: Tally, looks: Tally) -> Iterator[str]:
    """What happened, and how often each promise was looked at, line by line."""
    for name, kinds in _GROUPS.items():
        yield f"{total(tally, kinds):8} {name}"
        yield from _lines((kind, tally[kind]) for kind in kinds)
    yield from _lines((kind, tally[kind]) for kind in tally if kind not in _grouped())
    yield "promises, and how often there was something to look at"
    yield from _lines((kind.promise, looks[kind.__name__]) for kind in ALL)


def missing(tally: Tally, looks: Tally) -> list[str]:
    """What never happened, and promises that never had anything to look at."""
    absent = [kind for kind in (*CAN_HAPPEN, *_OTHERS) if not tally[kind]]
    return absent + [kind.__name__ for kind in ALL if not looks[kind.__name__]]


def _grouped() -> set[str]:
    return {kind for kinds in _GROUPS.values() for kind in kinds}


def _lines(counted: Iterable[tuple[str, int]]) -> Iterator[str]:
    for name, count in counted:
        yield f"    {count:8} {name}"
