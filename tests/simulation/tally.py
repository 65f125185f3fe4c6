"""What happened in a run, counted: to see that everything that can go wrong does."""

from __future__ import annotations

from collections import Counter

from hw.simulated.part import SimulatedFault
from tests.simulation.central_behaviour import KINDS
from tests.simulation.disk import Trouble
from tests.simulation.network import Reach

Tally = Counter[str]

AT_SOME_MOMENT = "at some moment"
PLACES_OF_STEPS = (
    "at a write",
    "at a sync",
    "before a commit",
    "after a commit",
    "before a turn",
    "before an order",
    "before a frame",
)
"""Where a process can end: between any two steps of a turn, and at any write."""
PLACES = (AT_SOME_MOMENT, *PLACES_OF_STEPS)

KILLED = tuple(f"killed {place}" for place in PLACES)
POWER_CUT = tuple(f"power cut {place}" for place in PLACES)
PARTS = tuple(f"part: {fault.value}" for fault in SimulatedFault)
DISK = (*(f"disk: {trouble.value}" for trouble in Trouble), "disk: a slow commit")
LINE = (
    *(f"line: {reach.value}" for reach in Reach if reach is not Reach.UP),
    "line: breaks",
    "line: half open",
    "line: slow",
)
CENTRAL = (
    *(f"central system: {kind}" for kind in KINDS),
    "central system: starts again",
    "central system: speaks garbage unasked",
    "central system: shows a certificate of another authority",
)
CLOCK = ("the clock jumps", "the clock is wrong after a power cut")

CAN_HAPPEN = (
    *KILLED,
    *POWER_CUT,
    "the runtime hangs",
    "ended for a reset",
    *PARTS,
    *DISK,
    *LINE,
    *CENTRAL,
    *CLOCK,
)
"""Everything that can go wrong; a long run in which one of these is missing proves less."""


def total(tally: Tally, kinds: tuple[str, ...]) -> int:
    """How often anything of these happened."""
    return sum(tally[kind] for kind in kinds)
