"""The topics of the house. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.config.settings import Settings

WHOLE_BOX = 0  # in the place of a connector
_PLAIN = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Topics:
    """Below which names this box speaks and listens. Nothing in them is a wildcard."""

    root: str
    node: str  # this box among all that Home Assistant knows
    connectors: tuple[int, ...]

    @staticmethod
    def of(settings: Settings) -> Topics:
        """Those of this configuration."""
        name = settings.house.box_name or _PLAIN.sub("_", settings.charge_point.identity)
        return Topics(
            root=f"{settings.house.topic_prefix}{name}/",
            node=f"chargepoint_{name}",
            connectors=tuple(connector.id for connector in settings.connectors),
        )

    @property
    def availability(self) -> str:
        """``online`` or ``offline``."""
        return f"{self.root}availability"

    @property
    def every_connector(self) -> str:
        """The states of all connectors, those that are gone too: a subscription."""
        return f"{self.root}connector/+/state"

    def state(self, connector_id: int) -> str:
        """How a connector is, or the box."""
        return f"{self._place(connector_id)}state"

    def limit(self, connector_id: int) -> str:
        """Where a limit for it is set."""
        return f"{self._place(connector_id)}limit/set"

    def result(self, connector_id: int) -> str:
        """Where it is told what became of a limit."""
        return f"{self._place(connector_id)}limit/result"

    def _place(self, connector_id: int) -> str:
        is_box = connector_id == WHOLE_BOX
        return self.root if is_box else f"{self.root}connector/{connector_id}/"
