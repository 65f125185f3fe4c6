"""The self-test: while it moves parts, no session begins; and it does not begin beside one."""

from __future__ import annotations

from agent.core.commands import Reply
from agent.core.events import SelfTestBegan, SelfTestEnded
from agent.core.faults import Fault
from agent.core.state import ChargePoint, Phase
from agent.core.turn import Turn
from agent.core.values import PilotState


def began(turn: Turn, event: SelfTestBegan) -> None:
    """Keep everybody out, or say why parts may not be moved now."""
    obstacle = _obstacle(turn.state)
    if obstacle is not None:
        turn.order(Reply(event.request_id, "Rejected", obstacle))
        return
    turn.change(faults=turn.state.faults | {Fault.SELF_TEST})
    turn.order(Reply(event.request_id, "Accepted"))


def ended(turn: Turn, event: SelfTestEnded) -> None:
    """Cards are welcome again."""
    turn.change(faults=turn.state.faults - {Fault.SELF_TEST})


def _obstacle(state: ChargePoint) -> str | None:
    if Fault.SELF_TEST in state.faults:
        return "another self-test is at work"
    if state.restart is not None:
        return "the agent is about to end"
    if state.waiting or state.checking:
        return "a card has just been presented"
    for connector in state.connectors:
        name = f"connector {connector.connector_id}"
        if connector.phase not in (Phase.IDLE, Phase.FINISHED):
            return f"{name}: a session runs"
        if connector.plugged:
            return f"{name}: a plug is in"
        if connector.pilot in (PilotState.B, PilotState.C, PilotState.D):
            return f"{name}: the pilot shows a car"
    return None
