"""Who charged what stands in the charge log as the meter and the journal have it."""

from __future__ import annotations

import sqlite3

from agent.store import Store
from tests.simulation.invariants.base import Invariant
from tests.simulation.ledger import Session

_LOGGED = "SELECT ref, id_tag, connector_id, meter_start_wh, meter_stop_wh FROM charge_log"
_Row = tuple[int, str, int, int | None, int | None]


class ChargeLogIsWhole(Invariant):
    """After each start of a process, and at the end; ``EnergyIsRight`` says what the meter says."""

    promise = (
        "Each session that ended stands in the charge log exactly once, with both readings of its "
        "meter, and nothing else does"
    )

    def opened(self, reader: sqlite3.Connection, store: Store) -> None:
        if self.world.machine.starts > 1:
            self._compare(reader)

    def settled(self) -> None:
        self._compare(self.world.reader())

    def _compare(self, reader: sqlite3.Connection) -> None:
        logged: list[_Row] = reader.execute(_LOGGED).fetchall()
        ended = [_row_of(s) for s in self.world.ledger.sessions.values() if s.stops]
        if ended:
            self.look()
        for row in sorted(set(ended) ^ set(logged)):
            told = "is not in the log" if row in ended else "is in the log and was never so"
            self.broken(f"session {row[0]} {told}: {row}")


def _row_of(session: Session) -> _Row:
    start, stop = session.starts[0], session.stops[0]
    return session.ref, session.id_tag, session.connector_id, start.register_wh, stop.register_wh
