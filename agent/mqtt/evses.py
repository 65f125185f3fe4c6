"""EVSE ids of the bus and connectors of OCPP, and which connector a token without EVSE means."""

from __future__ import annotations

from agent.config.settings import Settings
from agent.core import connector as connectors
from agent.core import connector_choice
from agent.core.authorization_reasons import Rule
from agent.core.state import ChargePoint, Connector, Idle


class Evses:
    """The table from the configuration."""

    def __init__(self, settings: Settings) -> None:
        self._ids = {connector.id: connector.evse_id for connector in settings.connectors}
        self._connectors = {evse_id: id for id, evse_id in self._ids.items()}

    def evse_id(self, connector_id: int) -> str:
        """The name of this connector on the bus."""
        return self._ids[connector_id]

    def connector_id(self, evse_id: object) -> int | None:
        """The connector of this name; None if there is none."""
        return self._connectors.get(evse_id) if isinstance(evse_id, str) else None

    def targets(
        self, state: ChargePoint, evse_id: str | None, id_tag: str
    ) -> tuple[tuple[int, ...], Rule | None]:
        """The connectors that a token may be for, and why it can be for none.

        Without an EVSE: every connector for a tag whose session runs there, or whose plug is left
        of it: the core knows which is meant. Else the one that is plugged and waits; every
        connector while none waits; none while several do.
        """
        if evse_id is not None:
            connector_id = self._connectors.get(evse_id)
            return ((), Rule.EVSE_UNKNOWN) if connector_id is None else ((connector_id,), None)
        everywhere = tuple(connector.connector_id for connector in state.connectors)
        has_session = any(
            connector_choice.was_used_by(connector, id_tag) for connector in state.connectors
        )
        waiting = [c.connector_id for c in state.connectors if _waits(state, c)]
        if has_session or not waiting:
            return everywhere, None
        return (tuple(waiting), None) if len(waiting) == 1 else ((), Rule.SEVERAL_PLUGS)


def _waits(state: ChargePoint, connector: Connector) -> bool:
    only_here = (connector.connector_id,)
    is_promised = any(grant.connectors == only_here for grant in state.waiting)
    may_begin = isinstance(connector.phase, Idle) and connectors.may_start(state, connector)
    return connector.plugged and may_begin and not is_promised
