"""One turn of the core: the state so far, and the commands so far.

``charge_point.handle`` makes a Turn, lets the rules work on it and takes the result out of it, so
that from outside one turn is a function of (state, event, now).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.core.commands import Command
from agent.core.state import ChargePoint, Connector
from agent.core.values import Instant


class Turn:
    """Collects what one event changes and orders."""

    def __init__(self, state: ChargePoint, now: Instant) -> None:
        self.state = state
        self.now = now
        self.commands: list[Command] = []

    def emit(self, *commands: Command) -> None:
        """Add commands, in this order."""
        self.commands.extend(commands)

    def change(self, **fields: Any) -> None:
        """Change fields of the charge point."""
        self.state = replace(self.state, **fields)

    @property
    def time_mark(self) -> int:
        """0 while the clock is trusted, else the number of this boot."""
        boot = self.state.boot
        return 0 if self.now.is_trusted or boot is None else boot.number

    def connector(self, connector_id: int) -> Connector:
        """The connector as it stands in this turn."""
        return self.state.connector(connector_id)

    def change_connector(self, connector_id: int, **fields: Any) -> Connector:
        """Change fields of one connector and return it."""
        changed = replace(self.connector(connector_id), **fields)
        self.state = replace(
            self.state,
            connectors=tuple(
                changed if connector.connector_id == connector_id else connector
                for connector in self.state.connectors
            ),
        )
        return changed
