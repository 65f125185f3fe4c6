"""Deciding about a tag, with or without the central system, and what follows from it.

``start`` begins; the central system's answer, its silence or the offline rules end in a
grant or a refusal, and always in a stored reason.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.core import (
    authorization_contract,
    authorization_outcome,
    authorization_rules,
    connector,
    local_list,
    replies,
    signals,
)
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import Authorize, CacheTag, ShowSignal, Signal
from agent.core.events import AuthorizeAnswered, AuthorizeFailed
from agent.core.id_tag import is_valid_id_tag, same_tag
from agent.core.replace import replace
from agent.core.replies import because
from agent.core.state import (
    AuthorizationAttempt,
    ChargePoint,
    Charging,
    PendingAuthorization,
    PreauthorizedTag,
    Purpose,
    UnansweredAuthorization,
)
from agent.core.turn import Turn
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    TagRecord,
    Transaction,
    Verdict,
)

LATE_S = 60.0  # so long an answer still counts for a plug that has stayed in
PREAUTHORIZED_MAX = 32  # tags the operator asked about lately, with an accepted answer
_DECIDED_UNANSWERED = tuple(
    rule.name for rule in (Rule.LISTED_OFFLINE, Rule.CACHED_OFFLINE, Rule.UNKNOWN_ALLOWED)
)
_BACKSTOP_S = 1.0  # the link answers in time by itself; this is for the case that it does not


def start(
    turn: Turn, attempt: AuthorizationAttempt, decision: Decision | None, may_wait: bool = False
) -> None:
    """Go on with what is decided already, by ``foresee`` or at the entry; else ask.

    ``may_wait``: the link may be busy with a token of the station bus first.
    """
    if decision is None:
        ask(turn, attempt, may_wait)
    elif decision.verdict is Verdict.ACCEPTED:
        authorization_outcome.authorize(turn, attempt, decision)
    else:
        authorization_outcome.refuse_with(turn, attempt, decision)


def ask(turn: Turn, attempt: AuthorizationAttempt, may_wait: bool = False) -> None:
    """Ask the central system; one Authorize.req answers all attempts with this tag."""
    if not is_valid_id_tag(attempt.id_tag):
        authorization_outcome.refuse(turn, attempt, Rule.UNTELLABLE)
        return
    if authorization_outcome.has_too_many_checks(turn.state, attempt.source):
        authorization_outcome.refuse(turn, attempt, Rule.TOO_MANY)
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


def without_station(state: ChargePoint) -> ChargePoint:
    """As if no token of the station bus were being asked about."""
    kept = tuple(check for check in state.checking if not check.gives_way)
    return replace(state, checking=kept)


def give_way(turn: Turn, connectors: tuple[int, ...]) -> None:
    """Give up what is asked about tokens of the station bus that mean these connectors."""
    for check in turn.state.checking:
        if check.gives_way and not set(connectors).isdisjoint(check.attempt.connectors):
            turn.drop_check(check)
            authorization_outcome.refuse(turn, check.attempt, Rule.OWN_READER_FIRST)


# --- the answer ----------------------------------------------------------------------------------


def authorize_answered(turn: Turn, event: AuthorizeAnswered, facts: TagRecord | None) -> None:
    """Authorize.conf came: remember it (late ones too), and decide what waited for it."""
    remember(turn, event.id_tag, event.info)
    local_list.note_conflict(turn, event.id_tag, event.info, facts)
    if event.info.status is not AuthorizationStatus.ACCEPTED:
        _forget_preauthorized(turn, event.id_tag)
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
    """A tag refused only for silence, with its plug in, may still be accepted by a late answer."""
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
    turn.state = replace(
        turn.state, unanswered=(*others, *[*same, late][-authorization_outcome.CHECKS_MAX :])
    )


def _grant_late(turn: Turn, event: AuthorizeAnswered) -> None:
    """An acceptance that comes too late for the decision still counts while the plug is in."""
    mine = [u for u in turn.state.unanswered if same_tag(u.attempt.id_tag, event.id_tag)]
    others = tuple(u for u in turn.state.unanswered if u not in mine)
    turn.state = replace(turn.state, unanswered=others)
    for late in mine[-1:]:
        place = turn.connector(late.attempt.connectors[0])
        is_there = place.plugged and place.plugged_at_s == late.plugged_at_s
        if is_there and turn.now.monotonic_s <= late.until_s:
            decision = authorization_rules.decide_answer(event.info)
            authorization_outcome.authorize(
                turn, late.attempt, replace(decision, detail="the answer came late")
            )


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
            authorization_outcome.refuse(turn, attempt, Rule.ANSWER_UNUSABLE, event.problem)


def give_up_checks(turn: Turn) -> None:
    """Checks whose time is over are decided by the offline rules."""
    for check in turn.state.checking:
        if turn.now.monotonic_s >= check.by_s:
            turn.drop_check(check)
            if check.accepted is not None:
                authorization_outcome.authorize(turn, check.attempt, check.accepted, is_wanted=True)
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
        authorization_outcome.refuse(turn, attempt, Rule.NO_ANSWER, problem)
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
            authorization_outcome.stop_session(turn, attempt, running, decision)
            return
    authorization_outcome.refuse_with(
        turn, replace(attempt, connectors=attempt.connectors[:1]), decision
    )


def _running(turn: Turn, connector_ids: tuple[int, ...]) -> list[Transaction]:
    phases = [turn.connector(connector_id).phase for connector_id in connector_ids]
    return [phase.transaction for phase in phases if isinstance(phase, Charging)]


def _answered_question(turn: Turn, attempt: AuthorizationAttempt, event: AuthorizeAnswered) -> None:
    decision = authorization_rules.decide_answer(event.info)
    _forget_preauthorized(turn, attempt.id_tag)
    if decision.verdict is not Verdict.ACCEPTED:
        replies.refuse(turn, attempt, decision, "rejected")
        return
    lasting = authorization_rules.to_remember(event.info)
    if lasting is not None:
        timeout_s = turn.state.configuration.integer("ConnectionTimeOut")
        tag = PreauthorizedTag(attempt.id_tag, lasting, turn.now.monotonic_s + timeout_s)
        turn.state = replace(
            turn.state,
            preauthorized=(*turn.state.preauthorized, tag)[-PREAUTHORIZED_MAX:],
        )
    replies.keep(turn, attempt, decision)
    replies.agree(turn, attempt.request_id, "applied", info=event.info)


def _forget_preauthorized(turn: Turn, id_tag: str) -> None:
    others = tuple(tag for tag in turn.state.preauthorized if not same_tag(tag.id_tag, id_tag))
    turn.state = replace(turn.state, preauthorized=others)
