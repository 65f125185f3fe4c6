"""How a central system can be: each a chance per call. Drawn anew every few hours."""

from __future__ import annotations

from dataclasses import dataclass, fields
from random import Random


@dataclass
class Behaviour:
    """Chances that a call is treated so; the rest is answered well, at once."""

    slow: float = 0.0  # answers within the time-out, but late
    late: float = 0.0  # answers after the time-out
    silent: float = 0.0  # takes it, never answers
    deaf: float = 0.0  # does not even take it
    refusing: float = 0.0  # CALLERROR
    odd: float = 0.0  # an answer that is slightly off, and still says everything
    useless: float = 0.0  # an answer that nobody can use
    twice: float = 0.0  # answers twice
    hanging_up: float = 0.0  # takes it and ends the connection
    forgetful: float = 0.0  # gives a repeated StartTransaction another number
    not_registered: float = 0.0  # SecurityError: it has forgotten this charge point
    not_accepting: float = 0.0  # answers a boot with Pending or Rejected

    def pick(self, random: Random) -> str:
        """What becomes of one call; ``well`` if nothing special."""
        left = random.random()
        for name in _REACTIONS:
            left -= getattr(self, name)
            if left < 0:
                return name
        return "well"

    def is_calm(self) -> bool:
        """True for a central system that does everything right."""
        return all(getattr(self, field.name) == 0.0 for field in fields(self))


_REACTIONS = (
    "slow",
    "late",
    "silent",
    "deaf",
    "refusing",
    "odd",
    "useless",
    "twice",
    "hanging_up",
    "not_registered",
)
_CHANCES = (0.0, 0.0, 0.0, 0.02, 0.1, 0.3)


def draw_behaviour(random: Random, kinds: frozenset[str]) -> Behaviour:
    """One that misbehaves only in these kinds."""
    behaviour = Behaviour()
    for field in fields(Behaviour):
        chance = random.choice(_CHANCES)
        if field.name in kinds:
            setattr(behaviour, field.name, chance / (10 if field.name == "not_registered" else 1))
    return behaviour


KINDS = tuple(field.name for field in fields(Behaviour))
