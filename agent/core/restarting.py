"""The end of the process: ordered when everything is at rest, once more when it does not come.

A reset that the central system asked for is tried again ResetRetries times (section 9.1.22); then
the box goes on without it, and says so. Who was told to end is not told to go on.
"""

from __future__ import annotations

from dataclasses import replace

from agent.core.commands import Restart
from agent.core.faults import Fault
from agent.core.state import ChargePoint, RestartOrder
from agent.core.turn import Turn


def follow(turn: Turn) -> None:
    """Leave the process as soon as sessions and messages allow it, or nobody waits any more."""
    order = turn.state.restart
    if order is None:
        return
    if order.ordered:
        _try_again(turn, order)
        return
    busy = any(c.transaction is not None for c in turn.state.connectors)
    draining = order.drain and turn.state.online and turn.state.outbox.waiting > 0
    if (busy or draining) and turn.now.monotonic_s < order.by_s:
        return
    _leave(turn, order)


def deadline_s(state: ChargePoint) -> float | None:
    """Monotonic time of the next step; None: there is none."""
    order = state.restart
    if order is None or (order.ordered and not order.again):
        return None
    return order.by_s


def _try_again(turn: Turn, order: RestartOrder) -> None:
    if not order.again or turn.now.monotonic_s < order.by_s:
        return
    if order.retries < turn.state.configuration.integer("ResetRetries"):
        _leave(turn, replace(order, retries=order.retries + 1))
        return
    turn.change(restart=None, faults=turn.state.faults | {Fault.RESET_FAILED})


def _leave(turn: Turn, order: RestartOrder) -> None:
    by_s = turn.now.monotonic_s + turn.state.rules.restart_s
    turn.change(restart=replace(order, ordered=True, by_s=by_s))
    turn.order(Restart(order.again))
