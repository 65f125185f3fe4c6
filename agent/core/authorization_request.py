"""Deciding about a tag, with or without the central system, and what follows from it.

``start`` begins; the central system's answer, its silence or the offline rules end in a
grant or a refusal, and always in a stored reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agent.core import (
    authorization_contract,
    authorization_preview,
    authorization_rules,
    connector,
    connector_choice,
    local_list,
    replies,
    signals,
    transaction,
)
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import Authorize, CacheTag, ShowSignal, Signal
from agent.core.events import AuthorizeAnswered, AuthorizeFailed, StationAnswered
from agent.core.id_tag import is_valid_id_tag, same_tag
from agent.core.replies import because
from agent.core.state import (
    Asked,
    AuthorizationAttempt,
    ChargePoint,
    GrantedAuthorization,
    PendingAuthorization,
    Phase,
    PreauthorizedTag,
    Purpose,
    UnansweredAuthorization,
)
from agent.core.tag_sources import Source
from agent.core.turn import Turn
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    StopReason,
    TagRecord,
    Transaction,
    Verdict,
)

CHECKS_MAX = 8  # tags of each source that may be asked about at the same time; one more is refused
LATE_S = 60.0  # so long an answer still counts for a plug that has stayed in
VOUCHED_MAX = 32  # tags the operator asked about lately, with an accepted answer
_DECIDED_UNANSWERED = tuple(
    rule.name for rule in (Rule.LISTED_OFFLINE, Rule.CACHED_OFFLINE, Rule.UNKNOWN_ALLOWED)
)
_BACKSTOP_S = 1.0  # the link answers in time by itself; this is for the case that it does not


def start(
    turn: Turn, attempt: AuthorizationAttempt, decision: Decision | None, may_wait: bool = False
) -> None:
    """Let the attempt go on with what ``outlook``, or its door, has decided; else ask.

    ``may_wait``: the link may be busy with a token of the station bus first.
    """
    if decision is None:
        ask(turn, attempt, may_wait)
    elif decision.verdict is Verdict.ACCEPTED:
        grant(turn, attempt, decision)
    else:
        turn_down(turn, attempt, decision)


def ask(turn: Turn, attempt: AuthorizationAttempt, may_wait: bool = False) -> None:
    """Ask the central system; one question serves everybody who wants to know about this tag."""
    if not is_valid_id_tag(attempt.id_tag):
        refuse(turn, attempt, Rule.UNTELLABLE)
        return
    if _has_no_place(turn.state, attempt.source):
        refuse(turn, attempt, Rule.TOO_MANY)
        return
    timeout_s = turn.state.rules.authorize_timeout_s
    is_asked = any(check.asks_about(attempt.id_tag) for check in turn.state.checking)
    most_s = (2 * timeout_s if may_wait else timeout_s) + _BACKSTOP_S
    check = PendingAuthorization(attempt, by_s=turn.now.monotonic_s + most_s)
    turn.state = replace(turn.state, checking=(*turn.state.checking, check))
    if attempt.purpose is not Purpose.AUTHORIZE_ONLY:
        turn.emit(ShowSignal(Signal.CHECKING))
    if not is_asked:
        contract = authorization_contract.to_ask_about(turn.state, attempt)
        turn.emit(Authorize(attempt.id_tag, timeout_s, contract, attempt.source))


def _has_no_place(state: ChargePoint, source: Source) -> bool:
    return sum(check.attempt.source is source for check in state.checking) >= CHECKS_MAX


def without_station(state: ChargePoint) -> ChargePoint:
    """As if no token of the station bus were being asked about."""
    kept = tuple(check for check in state.checking if not check.gives_way)
    return replace(state, checking=kept)


def give_way(turn: Turn, connectors: tuple[int, ...]) -> None:
    """Give up what is asked about tokens of the station bus that mean these connectors."""
    for check in turn.state.checking:
        if check.gives_way and not set(connectors).isdisjoint(check.attempt.connectors):
            turn.drop_check(check)
            refuse(turn, check.attempt, Rule.OWN_READER_FIRST)


# --- the answer ----------------------------------------------------------------------------------


def authorize_answered(turn: Turn, event: AuthorizeAnswered, facts: TagRecord | None) -> None:
    """Authorize.conf came: remember it (late ones too), and decide what waited for it."""
    remember(turn, event.id_tag, event.info)
    local_list.note_conflict(turn, event.id_tag, event.info, facts)
    if event.info.status is not AuthorizationStatus.ACCEPTED:
        _forget_vouched(turn, event.id_tag)
        _take_back(turn, event)
    else:
        _grant_late(turn, event)
    for check in _take_checks(turn, event.id_tag):
        match check.attempt.purpose:
            case Purpose.STOP:
                _answered_stop(turn, check.attempt, event)
            case Purpose.AUTHORIZE_ONLY:
                _answered_question(turn, check.attempt, event)
            case _:
                decision = authorization_rules.decide_answer(event.info)
                decision = replace(decision, certificate_status=event.certificate_status)
                start(turn, check.attempt, decision)


def _take_back(turn: Turn, event: AuthorizeAnswered) -> None:
    """A refusal that comes too late for the decision still counts while the plug is waited for."""
    for grant in turn.state.waiting:
        if grant.rule in _DECIDED_UNANSWERED and same_tag(grant.id_tag, event.id_tag):
            turn.drop_grant(grant)
            decision = authorization_rules.decide_answer(event.info)
            connector.give_back(turn, grant, decision)
            turn.emit(ShowSignal(signals.of_decision(decision)))


def _note_unanswered(turn: Turn, attempt: AuthorizationAttempt) -> None:
    """Whoever was refused for silence only, and has plugged in, may still get his answer."""
    if attempt.purpose is not Purpose.START or len(attempt.connectors) != 1:
        return
    place = turn.connector(attempt.connectors[0])
    if not place.plugged:
        return
    until_s = turn.now.monotonic_s + LATE_S
    answered = replace(attempt, tag_requests=())  # as refused
    late = UnansweredAuthorization(answered, place.plugged_at_s, until_s)
    others = [u for u in turn.state.unanswered if u.attempt.source is not attempt.source]
    same = [u for u in turn.state.unanswered if u.attempt.source is attempt.source]
    turn.state = replace(turn.state, unanswered=(*others, *[*same, late][-CHECKS_MAX:]))


def _grant_late(turn: Turn, event: AuthorizeAnswered) -> None:
    """An acceptance that comes too late for the decision still counts while his plug is in."""
    mine = [u for u in turn.state.unanswered if same_tag(u.attempt.id_tag, event.id_tag)]
    others = tuple(u for u in turn.state.unanswered if u not in mine)
    turn.state = replace(turn.state, unanswered=others)
    for late in mine[-1:]:
        place = turn.connector(late.attempt.connectors[0])
        is_there = place.plugged and place.plugged_at_s == late.plugged_at_s
        if is_there and turn.now.monotonic_s <= late.until_s:
            decision = authorization_rules.decide_answer(event.info)
            grant(turn, late.attempt, replace(decision, detail="the answer came late"))


def remember(turn: Turn, id_tag: str, info: IdTagInfo) -> None:
    """Put what the central system said about a tag into the cache, if it says something."""
    # ConcurrentTx says something about a transaction, nothing about the tag.
    says_something = info.status is not AuthorizationStatus.CONCURRENT_TX
    is_random = any(same_tag(tag, id_tag) for tag in turn.state.random_tags)
    is_enabled = turn.state.configuration.boolean("AuthorizationCacheEnabled")
    if says_something and is_enabled and not is_random:
        turn.emit(CacheTag(id_tag, authorization_rules.to_remember(info)))


def authorize_failed(turn: Turn, event: AuthorizeFailed) -> None:
    """No answer: the offline rules decide on this presentation. Nonsense as an answer refuses."""
    for check in _take_checks(turn, event.id_tag):
        attempt = check.attempt
        if attempt.purpose is Purpose.AUTHORIZE_ONLY or not event.is_answer:
            _decide_unanswered(turn, attempt, event.problem)
        else:
            refuse(turn, attempt, Rule.ANSWER_UNUSABLE, event.problem)


def give_up_checks(turn: Turn) -> None:
    """Checks whose time is over are decided by the offline rules."""
    for check in turn.state.checking:
        if turn.now.monotonic_s >= check.by_s:
            turn.drop_check(check)
            if check.accepted is not None:
                grant(turn, check.attempt, check.accepted, is_wanted=True)
                continue
            limit_s = turn.state.rules.authorize_timeout_s
            _decide_unanswered(turn, check.attempt, f"no answer within {limit_s:g} s")


def _take_checks(turn: Turn, id_tag: str) -> list[PendingAuthorization]:
    mine = [check for check in turn.state.checking if check.asks_about(id_tag)]
    turn.state = replace(
        turn.state, checking=tuple(check for check in turn.state.checking if check not in mine)
    )
    return mine


def _decide_unanswered(turn: Turn, attempt: AuthorizationAttempt, problem: str) -> None:
    if attempt.purpose is Purpose.AUTHORIZE_ONLY:
        refuse(turn, attempt, Rule.NO_ANSWER, problem)
        return
    policy = authorization_rules.policy_of(turn.state.configuration)
    if attempt.purpose is not Purpose.STOP:
        decision = authorization_contract.decide_offline(
            turn.state, attempt, problem
        ) or authorization_rules.decide_offline(attempt.facts, policy, turn.now.utc, problem)
        start(turn, attempt, decision)
        if decision.verdict is Verdict.REFUSED:
            _note_unanswered(turn, attempt)
        return

    def decide(running: Transaction) -> Decision:
        decision = authorization_rules.decide_stop(
            running, attempt.id_tag, attempt.facts, policy, False, turn.now.utc
        )
        assert decision is not None  # only asked about while online
        return replace(decision, detail=problem)

    _decided_stop(turn, attempt, decide)


def _answered_stop(turn: Turn, attempt: AuthorizationAttempt, event: AuthorizeAnswered) -> None:
    _decided_stop(
        turn,
        attempt,
        lambda running: authorization_rules.decide_stop_answer(running, event.info),
    )


def _decided_stop(
    turn: Turn, attempt: AuthorizationAttempt, decide: Callable[[Transaction], Decision]
) -> None:
    """End the first session that the tag may end; else keep the last reason why not."""
    decision = because(Rule.SESSION_OVER)
    for running in _running(turn, attempt.connectors):
        decision = decide(running)
        if decision.verdict is Verdict.ACCEPTED:
            stop(turn, attempt, running, decision)
            return
    turn_down(turn, replace(attempt, connectors=attempt.connectors[:1]), decision)


def _running(turn: Turn, connector_ids: tuple[int, ...]) -> list[Transaction]:
    found = []
    for connector_id in connector_ids:
        candidate = turn.connector(connector_id)
        if candidate.phase is Phase.CHARGING and candidate.transaction is not None:
            found.append(candidate.transaction)
    return found


def _answered_question(turn: Turn, attempt: AuthorizationAttempt, event: AuthorizeAnswered) -> None:
    decision = authorization_rules.decide_answer(event.info)
    _forget_vouched(turn, attempt.id_tag)
    if decision.verdict is not Verdict.ACCEPTED:
        replies.refuse(turn, attempt, decision, "rejected")
        return
    lasting = authorization_rules.to_remember(event.info)
    if lasting is not None:
        timeout_s = turn.state.configuration.integer("ConnectionTimeOut")
        vouched = PreauthorizedTag(attempt.id_tag, lasting, turn.now.monotonic_s + timeout_s)
        turn.state = replace(turn.state, vouched=(*turn.state.vouched, vouched)[-VOUCHED_MAX:])
    replies.keep(turn, attempt, decision)
    replies.agree(turn, attempt.request_id, "applied", info=event.info)


def _forget_vouched(turn: Turn, id_tag: str) -> None:
    turn.state = replace(
        turn.state, vouched=tuple(v for v in turn.state.vouched if not same_tag(v.id_tag, id_tag))
    )


# --- what follows --------------------------------------------------------------------------------


def station_answered(turn: Turn, event: StationAnswered) -> None:
    """The station's own logic wants an accepted tag, or discards it."""
    for check in turn.state.checking:
        if check.accepted is None or not same_tag(check.attempt.id_tag, event.id_tag):
            continue
        turn.drop_check(check)
        if event.is_wanted:
            grant(turn, check.attempt, check.accepted, is_wanted=True)
        else:
            refuse(turn, check.attempt, Rule.DISCARDED)


def _station_is_asked(turn: Turn, attempt: AuthorizationAttempt, decision: Decision) -> bool:
    if not turn.state.rules.asks_station or _has_no_place(turn.state, attempt.source):
        return False  # nobody is kept from charging by too many questions
    by_s = turn.now.monotonic_s + turn.state.rules.station_s
    check = PendingAuthorization(attempt, by_s, accepted=decision)
    if not any(c.attempt == attempt and c.accepted == decision for c in turn.state.checking):
        turn.state = replace(turn.state, checking=(*turn.state.checking, check))
        turn.emit(ShowSignal(Signal.CHECKING))
    return True


def grant(
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
    # Taken, promised, or out of order, while the tag was being checked; or kept for another.
    if not open_ones or connector_choice.is_promised_away(turn.state, attempt.id_tag, parent):
        one = replace(attempt, connectors=attempt.connectors[:1])
        why = connector_choice.why_nowhere(turn.state, asked_for, attempt.id_tag)
        refuse(turn, one, Rule.RESERVED if still_free and not open_ones else why)
        return
    promise(turn, replace(attempt, connectors=open_ones), decision)


def promise(turn: Turn, attempt: AuthorizationAttempt, decision: Decision) -> None:
    """The tag may charge at the first of its connectors that has a plug and is free.

    Every session begins here, whoever asked for it: no energy flows for a tag that the central
    system could not be told of.
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
        purpose=attempt.purpose,
        request_id=attempt.request_id,
        limits=attempt.limits,
        profile=attempt.profile,
    )
    turn.state = replace(turn.state, waiting=(*turn.state.waiting, granted))
    accept(turn, attempt, decision)


def stop(turn: Turn, asked: Asked, running: Transaction, decision: Decision) -> None:
    """End this session by a tag."""
    transaction.order_stop(turn, running.connector_id, StopReason.LOCAL, asked.id_tag)
    ends = replace(asked, purpose=Purpose.STOP, connectors=(running.connector_id,))
    accept(turn, ends, decision)


def local(rule: Rule) -> Decision:
    """An acceptance by a rule of the charge point itself."""
    return Decision(Verdict.ACCEPTED, rule, "charge point")


def refuse(turn: Turn, asked: Asked, rule: Rule, detail: str = "") -> None:
    """Refuse by a rule of the charge point itself."""
    turn_down(turn, asked, because(rule, detail), detail)


def turn_down(turn: Turn, asked: Asked, decision: Decision, detail: str = "") -> None:
    """Refuse: the reason is kept, the person at the box sees it, and whoever waits is told."""
    _show(turn, asked, decision)
    # Nobody has said anything about a tag that was asked about for its own sake.
    status = "failed" if asked.purpose is Purpose.AUTHORIZE_ONLY else "rejected"
    replies.refuse(turn, asked, decision, status, detail or decision.rule.says)


def accept(turn: Turn, asked: Asked, decision: Decision) -> None:
    """Keep the reason, and let the person at the box see that it is accepted."""
    _show(turn, asked, decision)
    replies.keep(turn, asked, decision)


def _show(turn: Turn, asked: Asked, decision: Decision) -> None:
    if asked.purpose is not Purpose.AUTHORIZE_ONLY:
        turn.emit(ShowSignal(signals.of_decision(decision)))
