"""What an invariant is, and who calls it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from agent.core.commands import Command, Row
from agent.core.events import Event
from agent.core.state import ChargePoint
from agent.store import Store
from tests.simulation.account import Receipt

if TYPE_CHECKING:
    from tests.simulation.network import Connection
    from tests.simulation.world import World


class Hooks:
    """What can be watched. Each may be overridden; those that are not cost nothing."""

    def opened(self, reader: sqlite3.Connection, store: Store) -> None:
        """A process has opened its database."""

    def ended(self) -> None:
        """A process has ended, in order or not."""

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        """The runtime has made a turn."""

    def committing(self, rows: Sequence[Row]) -> None:
        """Rows are being written: until ``committed`` they may be there or not."""

    def committed(self, rows: Sequence[Row]) -> None:
        """Rows are on the disk."""

    def moved(self, connector_id: int, part: str, what: str) -> None:
        """A simulated part has changed."""

    def attempted(self) -> None:
        """The box tries to connect."""

    def shook_hands(self) -> None:
        """A TLS handshake of the box is over, well or not."""

    def written(self, text: str) -> None:
        """The box writes this to the line."""

    def sent(self, connection: Connection, frame: Any) -> None:
        """The box has sent a frame."""

    def delivered(self, connection: Connection, text: str) -> None:
        """A frame has reached the box."""

    def received(self, receipt: Receipt) -> None:
        """The central system has counted a transaction message or a security event."""

    def settled(self) -> None:
        """The world was healed and had its ten minutes."""


class Invariant(Hooks):
    """One promise, and what it looks at."""

    promise = ""

    def __init__(self, world: World) -> None:
        self.world = world
        self.looks = 0

    def look(self) -> None:
        """There is something that the promise is about, and it is looked at now."""
        self.looks += 1

    def broken(self, detail: str) -> None:
        """The promise does not hold: the run ends here."""
        self.world.fail(f"{self.promise}: {detail}")

    def now_s(self) -> float:
        """Virtual time."""
        return asyncio.get_running_loop().time()


_HOOKS = tuple(name for name in vars(Hooks) if not name.startswith("_"))

Kind = TypeVar("Kind", bound=Invariant)


class Watch(Hooks):
    """Feeds every invariant with everything that happens."""

    def __init__(self, invariants: Sequence[Invariant]) -> None:
        self.invariants = tuple(invariants)
        for name in _HOOKS:
            hooks = tuple(
                getattr(invariant, name)
                for invariant in invariants
                if getattr(type(invariant), name) is not getattr(Hooks, name)
            )
            setattr(self, name, _all(hooks))

    def find(self, kind: type[Kind]) -> Kind:
        """The one of this kind."""
        return next(each for each in self.invariants if isinstance(each, kind))

    def looks(self) -> Counter[str]:
        """How often each had something to look at."""
        return Counter({type(each).__name__: each.looks for each in self.invariants})


def _all(hooks: Sequence[Any]) -> Any:
    def tell(*arguments: Any) -> None:
        for hook in hooks:
            hook(*arguments)

    return tell
