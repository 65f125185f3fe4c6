"""The charge log: what is kept of a session for people, while it runs and when it is over.

The figures are part of the transaction: they are saved whenever that is, and cost no write of their
own. The record is a row of the turn that ends the session.
"""

from __future__ import annotations

from agent.core.commands import LogSession
from agent.core.figures import Figures
from agent.core.replace import replace
from agent.core.state import Charging, Running
from agent.core.turn import Turn
from agent.core.values import Reading, Transaction, TransactionEnded


def metered(turn: Turn, connector_id: int, reading: Reading) -> None:
    """Note the power of a session that is open."""
    session = turn.connector(connector_id).phase
    if isinstance(session, Running):
        _keep(turn, session, session.transaction.figures.metered(reading.power_w))


def update(turn: Turn) -> None:
    """Note when a pause of a session begins and ends."""
    for connector in turn.state.connectors:
        charging = connector.phase
        if isinstance(charging, Charging):
            is_closed, now_s = connector.contactor_closed, turn.now.monotonic_s
            _keep(turn, charging, charging.transaction.figures.switched(is_closed, now_s))


def log(turn: Turn, transaction: Transaction, ended: TransactionEnded, boot: int) -> None:
    """Write the session down. ``boot`` says whose untrusted clock gave the time of its end."""
    figures = transaction.figures.until(turn.now.monotonic_s)
    turn.emit(LogSession(replace(transaction, figures=figures), ended, boot))


def _keep(turn: Turn, session: Running, figures: Figures) -> None:
    transaction = session.transaction
    if figures is not transaction.figures:
        transaction = replace(transaction, figures=figures)
        turn.put_phase(transaction.connector_id, replace(session, transaction=transaction))
