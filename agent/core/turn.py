"""One turn of the core: the state so far, and the commands so far.

``charge_point.handle`` makes a Turn, lets the rules work on it and takes the result out of it, so
that from outside one turn is a function of (state, event, now).
"""

from __future__ import annotations

from agent.core.authorization_attempt import GrantedAuthorization, PendingAuthorization
from agent.core.commands import Command
from agent.core.replace import replace
from agent.core.state import ChargePoint, Connector, Phase
from agent.core.values import Instant


class Turn:
    """Collects what one event changes and orders."""

    def __init__(self, state: ChargePoint, now: Instant) -> None:
        self.before = state
        self.state = state
        self.now = now
        self.commands: list[Command] = []

    def emit(self, *commands: Command) -> None:
        """Add commands, in this order."""
        self.commands.extend(commands)

    @property
    def time_mark(self) -> int:
        """0 while the clock is trusted, else the number of this boot."""
        boot = self.state.boot
        return 0 if self.now.is_trusted or boot is None else boot.number

    def connector(self, connector_id: int) -> Connector:
        """The connector as it stands in this turn."""
        return self.state.connector(connector_id)

    def put(self, connector: Connector) -> Connector:
        """Replace the connector of that number by this one, and return it."""
        connector_id = connector.connector_id
        connectors = [
            connector if other.connector_id == connector_id else other
            for other in self.state.connectors
        ]
        self.state = replace(self.state, connectors=tuple(connectors))
        return connector

    def put_phase(self, connector_id: int, phase: Phase) -> Connector:
        """Let the connector of that number be in this phase."""
        return self.put(replace(self.connector(connector_id), phase=phase))

    def drop_grant(self, grant: GrantedAuthorization) -> None:
        """Take out an accepted tag that waits for a plug."""
        waiting = tuple(other for other in self.state.waiting if other is not grant)
        self.state = replace(self.state, waiting=waiting)

    def drop_check(self, check: PendingAuthorization) -> None:
        """Take out a tag that the central system is being asked about."""
        checking = tuple(other for other in self.state.checking if other is not check)
        self.state = replace(self.state, checking=checking)
