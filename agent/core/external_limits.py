"""Limits that come from outside: of the house's energy manager, of the grid operator's contact.

They only ever lower what a connector may draw. They run out by the clock that does not jump, and
live in memory only: after a restart the house sends its own again, and the contact is read anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from agent.core.charging_limits import Rate, Wiring, rate_of
from agent.core.charging_profiles import RateUnit
from agent.core.key_enum import KeyEnum


class ExternalSource(KeyEnum):
    """Who sets such a limit; each has one at the charge point and one at each connector."""

    HOUSE = "house"
    GRID_OPERATOR = "grid_operator"


@dataclass(frozen=True, slots=True)
class ExternalLimit:
    """What one source allows at one place, until it runs out."""

    source: ExternalSource
    connector_id: int  # 0: all connectors together
    limit: float  # amperes are per phase, watts are all phases together
    unit: RateUnit
    until_s: float = math.inf  # monotonic; infinite: until it is taken back

    def rate(self, wiring: Wiring) -> Rate:
        """The limit in both units."""
        return rate_of(self.limit, self.unit, wiring)
