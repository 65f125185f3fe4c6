"""What the light at the box tells a person: one signal at a time, computed from what is known."""

from __future__ import annotations

from agent.core import connector_choice, faults
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import ShowSignal, Signal
from agent.core.faults import Fault
from agent.core.state import ChargePoint, Charging
from agent.core.turn import Turn
from agent.core.values import Verdict

# Refused only because nobody could be asked: not the fault of the card.
_UNANSWERED = (
    Rule.UNKNOWN_REFUSED,
    Rule.OFFLINE_OFF,
    Rule.GROUP_UNKNOWN,
    Rule.CONTRACT_UNCHECKED,
    Rule.ANSWER_UNUSABLE,
)


def update(turn: Turn) -> None:
    """Show the lasting signal when it has changed; short ones come with decisions."""
    if turn.state is turn.before:
        return
    shown = lasting_signal(turn.state)
    has_begun = turn.state.is_begun and not turn.before.is_begun
    if has_begun or shown != lasting_signal(turn.before):
        turn.emit(shown)


def of_decision(decision: Decision) -> Signal:
    """What a person with a card is told."""
    if decision.verdict is Verdict.ACCEPTED:
        return Signal.ACCEPTED
    return Signal.REFUSED_UNANSWERED if decision.rule in _UNANSWERED else Signal.REFUSED


def lasting_signal(state: ChargePoint) -> ShowSignal:
    """What the light shows as long as nothing happens: what matters most to the next person."""
    every_fault = state.faults.union(*(c.faults for c in state.connectors))
    fault = faults.worst(frozenset(f for f in every_fault if faults.RULES[f].shows_faulted))
    if fault is not None:
        return ShowSignal(Signal.FAULT, faults.RULES[fault].flashes)
    return ShowSignal(_in_use(state) or _at_rest(state))


def _in_use(state: ChargePoint) -> Signal | None:
    charging = [c for c in state.connectors if isinstance(c.phase, Charging)]
    if any(c.contactor_closed for c in charging):
        return Signal.CHARGING
    if charging:
        return Signal.PAUSED
    return Signal.WAITING_FOR_PLUG if state.waiting else None


def _at_rest(state: ChargePoint) -> Signal:
    if all(c.out_of_service for c in state.connectors):
        return Signal.UNAVAILABLE
    if Fault.READER in state.faults:
        return Signal.READER_FAULT
    if state.registration in ("Pending", "Rejected"):
        return Signal.NOT_ACCEPTED
    if all(connector_choice.is_kept(state, c) for c in state.connectors):
        return Signal.RESERVED
    is_offline = state.rules.expects_link and not state.online
    return Signal.FREE_OFFLINE if is_offline else Signal.FREE
