"""What follows from the decision about a tag: a grant, the end of a session, or a refusal.

Each leaves its reason in the store and shows it at the box.
"""

from __future__ import annotations

from agent.core import (
    authorization_preview,
    connector,
    connector_choice,
    replies,
    signals,
    transaction,
)
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import ShowSignal, Signal
from agent.core.events import StationAnswered
from agent.core.id_tag import is_valid_id_tag, same_tag
from agent.core.replace import replace
from agent.core.replies import because
from agent.core.state import (
    Asked,
    AuthorizationAttempt,
    ChargePoint,
    GrantedAuthorization,
    PendingAuthorization,
    Purpose,
)
from agent.core.tag_sources import Source
from agent.core.turn import Turn
from agent.core.values import StopReason, Transaction, Verdict

CHECKS_MAX = 8  # tags of each source that may be asked about at the same time; one more is refused


def station_answered(turn: Turn, event: StationAnswered) -> None:
    """The station's own logic wants an accepted tag, or discards it."""
    for check in turn.state.checking:
        if check.accepted is None or not same_tag(check.attempt.id_tag, event.id_tag):
            continue
        turn.drop_check(check)
        if event.is_wanted:
            authorize(turn, check.attempt, check.accepted, is_wanted=True)
        else:
            refuse(turn, check.attempt, Rule.DISCARDED)


def _station_is_asked(turn: Turn, attempt: AuthorizationAttempt, decision: Decision) -> bool:
    if not turn.state.rules.asks_station or has_too_many_checks(turn.state, attempt.source):
        return False  # too many questions keep no tag from charging
    by_s = turn.now.monotonic_s + turn.state.rules.station_s
    check = PendingAuthorization(attempt, by_s, accepted=decision)
    if not any(c.attempt == attempt and c.accepted == decision for c in turn.state.checking):
        turn.state = replace(turn.state, checking=(*turn.state.checking, check))
        turn.emit(ShowSignal(Signal.CHECKING))
    return True


def authorize(
    turn: Turn, attempt: AuthorizationAttempt, decision: Decision, is_wanted: bool = False
) -> None:
    """Accepted: the tag waits for its plug, at most ConnectionTimeOut seconds (section 9.1.6).

    ``is_wanted``: the station's own logic has no say, or has had it.
    """
    if not is_wanted and _station_is_asked(turn, attempt, decision):
        return
    asked_for = [turn.connector(connector_id) for connector_id in attempt.connectors]
    still_free = [c for c in asked_for if connector.may_follow(turn.state, c)]
    parent = authorization_preview.parent_of(turn.state, attempt, decision, turn.now.utc)
    open_ones = connector_choice.open_of(turn.state, still_free, attempt.id_tag, parent)
    # While the tag was being checked: taken, granted to another, out of order, or reserved.
    if not open_ones or connector_choice.are_all_granted(turn.state, attempt.id_tag, parent):
        one = replace(attempt, connectors=attempt.connectors[:1])
        why = connector_choice.refusal_reason(turn.state, asked_for, attempt.id_tag)
        refuse(turn, one, Rule.RESERVED if still_free and not open_ones else why)
        return
    wait_for_plug(turn, replace(attempt, connectors=open_ones), decision)


def wait_for_plug(turn: Turn, attempt: AuthorizationAttempt, decision: Decision) -> None:
    """The tag may charge at the first of its connectors that has a plug and is free.

    Every session passes here, at whichever entry it was asked for: no energy flows for a tag that
    no StartTransaction could carry.
    """
    if not is_valid_id_tag(attempt.id_tag):
        refuse(turn, attempt, Rule.UNTELLABLE)
        return
    timeout_s = turn.state.configuration.integer("ConnectionTimeOut")
    now_s = turn.now.monotonic_s
    granted = GrantedAuthorization(
        id_tag=attempt.id_tag,
        parent_id_tag=authorization_preview.parent_of(turn.state, attempt, decision, turn.now.utc),
        connectors=attempt.connectors,
        granted_at_s=now_s,
        until_s=now_s + timeout_s if timeout_s > 0 else None,
        rule=decision.rule.name,
        source=decision.source,
        purpose=attempt.purpose,
        request_id=attempt.request_id,
        limits=attempt.limits,
        profile=attempt.profile,
    )
    turn.state = replace(turn.state, waiting=(*turn.state.waiting, granted))
    accept(turn, attempt, decision)


def stop_session(turn: Turn, asked: Asked, running: Transaction, decision: Decision) -> None:
    """End this session by a tag."""
    transaction.order_stop(turn, running.connector_id, StopReason.LOCAL, asked.id_tag)
    ends = replace(asked, purpose=Purpose.STOP, connectors=(running.connector_id,))
    accept(turn, ends, decision)


def accepted_by(rule: Rule) -> Decision:
    """An acceptance by a rule of the charge point itself."""
    return Decision(Verdict.ACCEPTED, rule, "charge point")


def refuse(turn: Turn, asked: Asked, rule: Rule, detail: str = "") -> None:
    """Refuse by a rule of the charge point itself."""
    refuse_with(turn, asked, because(rule, detail), detail)


def refuse_with(turn: Turn, asked: Asked, decision: Decision, detail: str = "") -> None:
    """Refuse: keep the reason, show it at the box, and answer the request."""
    _show(turn, asked, decision)
    # For AUTHORIZE_ONLY no answer is no verdict: the request has failed, the tag is not refused.
    status = "failed" if asked.purpose is Purpose.AUTHORIZE_ONLY else "rejected"
    replies.refuse(turn, asked, decision, status, detail or decision.rule.says)


def accept(turn: Turn, asked: Asked, decision: Decision) -> None:
    """Keep the reason, and let the person at the box see that it is accepted."""
    _show(turn, asked, decision)
    replies.keep(turn, asked, decision)


def _show(turn: Turn, asked: Asked, decision: Decision) -> None:
    if asked.purpose is not Purpose.AUTHORIZE_ONLY:
        turn.emit(ShowSignal(signals.of_decision(decision)))


def has_too_many_checks(state: ChargePoint, source: Source) -> bool:
    return sum(check.attempt.source is source for check in state.checking) >= CHECKS_MAX
