"""What a presented tag is for, and what follows from the decision about it.

A tag may end a session, call off a start, release a held cable, or start. The order in which these
are looked at is the order of the functions below ``card_presented``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agent.core import authorization, choosing, connector, local_list, transaction
from agent.core.authorization import Decision
from agent.core.commands import Authorize, CacheTag, RecordDecision, Reply, ShowSignal, Signal
from agent.core.events import (
    AuthorizeAnswered,
    AuthorizeFailed,
    CardPresented,
    RemoteStartRequested,
)
from agent.core.id_tag import same_tag
from agent.core.reasons import Rule
from agent.core.state import Check, Connector, Grant, Phase, Purpose
from agent.core.turn import Turn
from agent.core.values import (
    AuthorizationStatus,
    DecisionRecord,
    IdTagInfo,
    StopReason,
    TagFacts,
    Transaction,
    Verdict,
)

CHECKS_MAX = 8  # tags that may be asked about at the same time; one more is refused
RANDOM_TAGS_MAX = 32  # tags from random UIDs that are kept in mind; the oldest is forgotten
_BACKSTOP_S = 1.0  # the link answers in time by itself; this is for the case that it does not


def card_presented(turn: Turn, event: CardPresented) -> None:
    """Somebody presented a tag at the reader."""
    if event.is_random:
        tags = (*turn.state.random_tags, event.id_tag)
        turn.change(random_tags=tags[-RANDOM_TAGS_MAX:])
    if turn.state.restart is not None:
        _refuse(turn, Purpose.START, event.id_tag, None, Rule.SHUTTING_DOWN)
        return
    if any(same_tag(check.id_tag, event.id_tag) for check in turn.state.checking):
        return  # already being asked about: one answer serves both taps
    served = [c for c in turn.state.connectors if c.connector_id in event.connectors]
    if _ends_own_session(turn, event.id_tag, served):
        return
    if _calls_off(turn, event.id_tag, served):
        return
    if _releases_cable(turn, event, served):
        return
    targets = choosing.for_card(turn.state, served)
    if targets:
        _decide_start(turn, Purpose.START, event.id_tag, targets, event.facts)
        return
    if _ends_other_session(turn, event, served):
        return
    _refuse(turn, Purpose.START, event.id_tag, None, choosing.why_nowhere(turn.state, served))


def _ends_own_session(turn: Turn, id_tag: str, served: list[Connector]) -> bool:
    """The card that started a session ends it, but not by an accidental second tap."""
    for candidate in served:
        running = candidate.transaction
        if running is None or not same_tag(running.id_tag, id_tag):
            continue
        if candidate.phase is Phase.STOPPING:
            return True
        age_s = turn.now.monotonic_s - running.begun_monotonic_s
        if not turn.state.rules.stop_by_second_tap:
            _refuse(turn, Purpose.STOP, id_tag, candidate.connector_id, Rule.STOP_BY_CARD_OFF)
        elif age_s < turn.state.rules.tap_guard_s:
            _refuse(turn, Purpose.STOP, id_tag, candidate.connector_id, Rule.TOO_SOON)
        else:
            _stop(turn, id_tag, running, _local(Verdict.ACCEPTED, Rule.SAME_CARD))
        return True
    return False


def _calls_off(turn: Turn, id_tag: str, served: list[Connector]) -> bool:
    """The same card again before a plug came: OCPP 1.6 transition B1, use given up."""
    for grant in turn.state.waiting:
        if same_tag(grant.id_tag, id_tag):
            if turn.now.monotonic_s - grant.granted_at_s >= turn.state.rules.tap_guard_s:
                turn.change(waiting=tuple(g for g in turn.state.waiting if g is not grant))
                _refuse(turn, Purpose.START, id_tag, None, Rule.CANCELLED)
            return True
    return any(
        c.phase is Phase.STARTING and c.grant is not None and same_tag(c.grant.id_tag, id_tag)
        for c in served
    )


def _releases_cable(turn: Turn, event: CardPresented, served: list[Connector]) -> bool:
    """Errata 3.5: after DeAuthorized, the same card or group gets its cable back."""
    info = None
    if event.facts.list_entry is not None:
        info = event.facts.list_entry
    elif event.facts.cache_entry is not None:
        info = event.facts.cache_entry.info
    parent = None if info is None else info.parent_id_tag
    for candidate in served:
        held = candidate.held_for
        if held is not None and transaction.belongs_to(held, event.id_tag, parent):
            turn.change_connector(candidate.connector_id, held_for=None)
            decision = _local(Verdict.ACCEPTED, Rule.CABLE_RELEASED)
            _record(turn, Purpose.STOP, event.id_tag, candidate.connector_id, decision)
            return True
    return False


def _ends_other_session(turn: Turn, event: CardPresented, served: list[Connector]) -> bool:
    """Another card: a group member may end the session (OCPP 1.6 section 3.10)."""
    running = [c for c in served if c.phase is Phase.CHARGING and c.transaction is not None]
    if not running:
        return False
    policy = authorization.policy_of(turn.state.configuration)
    decision: Decision | None = None
    for candidate in running:
        assert candidate.transaction is not None
        decision = authorization.decide_stop(
            candidate.transaction,
            event.id_tag,
            event.facts,
            policy,
            turn.state.online,
            turn.now.utc,
        )
        if decision is None:
            ids = tuple(c.connector_id for c in running)
            _ask(turn, Purpose.STOP, event.id_tag, ids, event.facts)
            return True
        if decision.verdict is Verdict.ACCEPTED:
            _stop(turn, event.id_tag, candidate.transaction, decision)
            return True
    assert decision is not None
    _record(turn, Purpose.STOP, event.id_tag, running[0].connector_id, decision)
    return True


# --- remote start --------------------------------------------------------------------------------


def remote_start_requested(turn: Turn, event: RemoteStartRequested) -> None:
    """RemoteStartTransaction.req: accepted means it will be tried (errata 3.32)."""
    targets = choosing.for_remote_start(turn.state, event.connector_id)
    is_pending = turn.state.registration in ("Pending", "Rejected")
    if not targets or is_pending or turn.state.restart is not None:
        turn.order(Reply(event.request_id, "Rejected"))
        return
    turn.order(Reply(event.request_id, "Accepted"))
    if turn.state.configuration.boolean("AuthorizeRemoteTxRequests"):
        _decide_start(turn, Purpose.REMOTE_START, event.id_tag, targets, event.facts)
        return
    decision = Decision(Verdict.ACCEPTED, Rule.REMOTE_TRUSTED, "central system")
    _grant(turn, Purpose.REMOTE_START, event.id_tag, targets, decision)


# --- asking and answering ------------------------------------------------------------------------


def authorize_answered(turn: Turn, event: AuthorizeAnswered) -> None:
    """Authorize.conf came: remember it (late ones too), and decide what waited for it."""
    remember(turn, event.id_tag, event.info)
    local_list.note_conflict(turn, event.id_tag, event.info, event.facts)
    for check in _take_checks(turn, event.id_tag):
        if check.purpose is Purpose.STOP:
            _answered_stop(turn, check, event)
            continue
        decision = authorization.decide_answer(event.info, turn.now.utc)
        _decided_start(turn, check.purpose, check.id_tag, check.connectors, decision)


def remember(turn: Turn, id_tag: str, info: IdTagInfo) -> None:
    """Put what the central system said about a tag into the cache, if it says something."""
    # ConcurrentTx says something about a transaction, nothing about the tag.
    says_something = info.status is not AuthorizationStatus.CONCURRENT_TX
    is_random = any(same_tag(tag, id_tag) for tag in turn.state.random_tags)
    is_enabled = turn.state.configuration.boolean("AuthorizationCacheEnabled")
    if says_something and is_enabled and not is_random:
        turn.order(CacheTag(id_tag, info))


def authorize_failed(turn: Turn, event: AuthorizeFailed) -> None:
    """No usable answer: the offline rules decide on this presentation."""
    for check in _take_checks(turn, event.id_tag):
        _decide_unanswered(turn, check, event.problem)


def give_up_checks(turn: Turn) -> None:
    """Checks whose time is over are decided by the offline rules."""
    for check in turn.state.checking:
        if turn.now.monotonic_s >= check.by_s:
            turn.change(checking=tuple(c for c in turn.state.checking if c is not check))
            limit_s = turn.state.rules.authorize_timeout_s
            _decide_unanswered(turn, check, f"no answer within {limit_s:g} s")


def _take_checks(turn: Turn, id_tag: str) -> list[Check]:
    mine = [check for check in turn.state.checking if same_tag(check.id_tag, id_tag)]
    turn.change(checking=tuple(check for check in turn.state.checking if check not in mine))
    return mine


def _decide_unanswered(turn: Turn, check: Check, problem: str) -> None:
    policy = authorization.policy_of(turn.state.configuration)
    if check.purpose is not Purpose.STOP:
        decision = authorization.decide_offline(check.facts, policy, turn.now.utc, problem)
        _decided_start(turn, check.purpose, check.id_tag, check.connectors, decision)
        return

    def decide(running: Transaction) -> Decision:
        decision = authorization.decide_stop(
            running, check.id_tag, check.facts, policy, False, turn.now.utc
        )
        assert decision is not None  # only asked about while online
        return replace(decision, detail=problem)

    _decided_stop(turn, check, decide)


def _answered_stop(turn: Turn, check: Check, event: AuthorizeAnswered) -> None:
    _decided_stop(
        turn,
        check,
        lambda running: authorization.decide_stop_answer(running, event.info, turn.now.utc),
    )


def _decided_stop(turn: Turn, check: Check, decide: Callable[[Transaction], Decision]) -> None:
    """End the first session that the tag may end; else keep the last reason why not."""
    decision = _local(Verdict.REFUSED, Rule.SESSION_OVER)
    for running in _running(turn, check.connectors):
        decision = decide(running)
        if decision.verdict is Verdict.ACCEPTED:
            _stop(turn, check.id_tag, running, decision)
            return
    _record(turn, Purpose.STOP, check.id_tag, check.connectors[0], decision)


def _running(turn: Turn, connector_ids: tuple[int, ...]) -> list[Transaction]:
    found = []
    for connector_id in connector_ids:
        candidate = turn.connector(connector_id)
        if candidate.phase is Phase.CHARGING and candidate.transaction is not None:
            found.append(candidate.transaction)
    return found


def _decide_start(
    turn: Turn,
    purpose: Purpose,
    id_tag: str,
    targets: tuple[int, ...],
    facts: TagFacts,
) -> None:
    decision = authorization.decide_start(
        facts,
        authorization.policy_of(turn.state.configuration),
        turn.state.online,
        turn.now.utc,
        turn.state.registration,
    )
    if decision is None:
        _ask(turn, purpose, id_tag, targets, facts)
    else:
        _decided_start(turn, purpose, id_tag, targets, decision)


def _ask(
    turn: Turn, purpose: Purpose, id_tag: str, targets: tuple[int, ...], facts: TagFacts
) -> None:
    if len(turn.state.checking) >= CHECKS_MAX:
        _refuse(turn, purpose, id_tag, None, Rule.TOO_MANY)
        return
    timeout_s = turn.state.rules.authorize_timeout_s
    by_s = turn.now.monotonic_s + timeout_s + _BACKSTOP_S
    check = Check(id_tag, purpose, targets, by_s, facts)
    turn.change(checking=(*turn.state.checking, check))
    turn.order(ShowSignal(Signal.CHECKING), Authorize(id_tag, timeout_s))


# --- what follows --------------------------------------------------------------------------------


def _decided_start(
    turn: Turn, purpose: Purpose, id_tag: str, targets: tuple[int, ...], decision: Decision
) -> None:
    if decision.verdict is Verdict.ACCEPTED:
        _grant(turn, purpose, id_tag, targets, decision)
    else:
        _record(turn, purpose, id_tag, targets[0] if len(targets) == 1 else None, decision)


def _grant(
    turn: Turn, purpose: Purpose, id_tag: str, targets: tuple[int, ...], decision: Decision
) -> None:
    """Accepted: the tag waits for its plug, at most ConnectionTimeOut seconds (section 9.1.6)."""
    asked_for = [turn.connector(connector_id) for connector_id in targets]
    still_free = [c for c in asked_for if connector.may_start(turn.state, c)]
    if not still_free:  # taken, or out of order, while the tag was being checked
        _refuse(turn, purpose, id_tag, targets[0], choosing.why_nowhere(turn.state, asked_for))
        return
    timeout_s = turn.state.configuration.integer("ConnectionTimeOut")
    now_s = turn.now.monotonic_s
    grant = Grant(
        id_tag=id_tag,
        parent_id_tag=None if decision.info is None else decision.info.parent_id_tag,
        connectors=tuple(c.connector_id for c in still_free),
        granted_at_s=now_s,
        until_s=now_s + timeout_s if timeout_s > 0 else None,
        rule=decision.rule.name,
    )
    turn.change(waiting=(*turn.state.waiting, grant))
    _record(turn, purpose, id_tag, targets[0] if len(targets) == 1 else None, decision)


def _stop(turn: Turn, id_tag: str, running: Transaction, decision: Decision) -> None:
    transaction.order_stop(turn, running.connector_id, StopReason.LOCAL, id_tag)
    _record(turn, Purpose.STOP, id_tag, running.connector_id, decision)


def _local(verdict: Verdict, rule: Rule) -> Decision:
    return Decision(verdict, rule, "charge point")


def _refuse(
    turn: Turn, purpose: Purpose, id_tag: str, connector_id: int | None, rule: Rule
) -> None:
    _record(turn, purpose, id_tag, connector_id, _local(Verdict.REFUSED, rule))


def _record(
    turn: Turn, purpose: Purpose, id_tag: str, connector_id: int | None, decision: Decision
) -> None:
    """Keep the reason, and let the person at the box see the verdict."""
    accepted = decision.verdict is Verdict.ACCEPTED
    turn.order(ShowSignal(Signal.ACCEPTED if accepted else Signal.REFUSED))
    status = None
    if decision.info is not None:
        status = authorization.effective(decision.info, turn.now.utc).value
    turn.order(
        RecordDecision(
            DecisionRecord(
                decided_at=turn.now.utc,
                purpose=purpose.value,
                connector_id=connector_id,
                id_tag=id_tag,
                verdict=decision.verdict,
                rule=decision.rule.name,
                source=decision.source,
                status=status,
                list_version=decision.list_version,
                cache_age_s=decision.cache_age_s,
                detail=decision.detail,
            )
        )
    )
