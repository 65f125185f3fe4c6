"""Where a tag comes from. Each source has its own share; the charger's own reader comes first."""

from __future__ import annotations

from agent.core.key_enum import KeyEnum


class Source(KeyEnum):
    """Who presented a tag, or asked about it."""

    READER = "the charger's own reader"
    STATION = "the station bus"
    CENTRAL_SYSTEM = "the central system"
    OPERATOR = "the operator"
