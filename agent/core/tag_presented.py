"""What a presented tag is for, and where a session of it may begin.

What needs no decision comes first (``tag_to_stop``: end a session, call off a start, release a
cable). Then the tag may start; only where it cannot does it count as another tag that may end a
session of its group.
"""

from __future__ import annotations

from agent.core import (
    authorization_outcome,
    authorization_preview,
    authorization_request,
    connector,
    connector_choice,
    remote_start,
    replies,
    tag_to_stop,
)
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.events import (
    AuthorizeRequested,
    Presented,
    RemoteStartRequested,
    RequestNotTaken,
    StartRequested,
    TagPresented,
)
from agent.core.id_tag import is_valid_id_tag, same_tag
from agent.core.replace import replace
from agent.core.replies import because
from agent.core.state import Asked, AuthorizationAttempt, Connector, Purpose
from agent.core.tag_sources import Source
from agent.core.turn import Turn
from agent.core.values import TagRecord, TokenKind, Verdict

# These need no authorization.
_ACCEPTED_CLAIMS = {TokenKind.FREE: Rule.FREE, TokenKind.STATION: Rule.STATION}
# No person wants to end a session with these: a vehicle identifies itself again after a pause.
_NO_PERSON = (TokenKind.AUTOCHARGE, TokenKind.CONTRACT, TokenKind.STATION)
TAG_REQUESTS_MAX = 100  # that one decision answers; one more is answered as if nothing changed
RANDOM_TAGS_MAX = 32  # tags from random UIDs that are kept in mind; the oldest is forgotten


def tag_presented(turn: Turn, event: TagPresented, facts: TagRecord) -> None:
    """Find out what the tag is for: end a session, call off a start, release a cable, or start."""
    if _needs_no_facts(turn, event, facts):
        return
    served = _served(turn, event)
    meant = connector_choice.meant_by(served, event.id_tag)
    ids = tuple(c.connector_id for c in meant)
    attempt = AuthorizationAttempt(
        Purpose.START,
        event.id_tag,
        ids,
        tag_requests=tag_to_stop.waiting_for(event),
        facts=facts,
        contract=event.contract,
        source=event.source,
    )
    if _starts(turn, attempt, event.claim):
        return
    why = connector_choice.refusal_reason(turn.state, meant, event.id_tag)
    # RESERVED is the reason to give, unless the card may be here to end a session of its group.
    has_group = any(c.transaction and c.transaction.parent_id_tag for c in served)
    is_kept = why is Rule.RESERVED and not has_group
    is_person = event.claim not in _NO_PERSON
    if is_person and not is_kept and tag_to_stop.ends_other_session(turn, attempt, served):
        return
    tag_to_stop.refuse(turn, event, why)


def _needs_no_facts(turn: Turn, event: TagPresented, facts: TagRecord) -> bool:
    """Settle what does not depend on the authorization of the tag. False: it does.

    Of ``facts`` only the group counts: a cable is released to the group, too.
    """
    if not is_valid_id_tag(event.id_tag):
        tag_to_stop.refuse(turn, event, Rule.UNTELLABLE)
        return True
    if event.is_random:
        tags = (*turn.state.random_tags, event.id_tag)
        turn.state = replace(turn.state, random_tags=tags[-RANDOM_TAGS_MAX:])
    if turn.state.restart is not None:
        tag_to_stop.refuse(turn, event, Rule.SHUTTING_DOWN)
        return True
    if event.is_random and not turn.state.rules.allow_random_uid:
        tag_to_stop.refuse(turn, event, Rule.RANDOM_UID)
        return True
    unwanted = _unwanted_claim(turn, event.claim)
    if unwanted is not None:
        tag_to_stop.refuse(turn, event, unwanted)
        return True
    if _joins_check(turn, event):
        return True
    served = _served(turn, event)
    if event.claim in _NO_PERSON:
        if not _is_in_use(turn, event.id_tag, served):
            return False
        tag_to_stop.leave_as_it_is(turn, event)
        return True
    return tag_to_stop.ends_its_own(turn, event, facts, served)


def _served(turn: Turn, event: TagPresented) -> list[Connector]:
    return [c for c in turn.state.connectors if c.connector_id in event.connectors]


def _starts(turn: Turn, attempt: AuthorizationAttempt, claim: TokenKind) -> bool:
    """Let the tag start, or be asked about, where it can mean a connector; False: it means none."""
    rule = _ACCEPTED_CLAIMS.get(claim)
    if rule is None:
        decision = authorization_preview.foresee(turn.state, attempt, turn.now.utc)
    else:
        decision = authorization_outcome.accepted_by(rule)
    may_wait = authorization_request.without_station(turn.state) != turn.state
    targets = _candidates(turn, attempt, decision)
    if not targets:
        return False
    attempt = replace(attempt, connectors=targets)
    if decision is not None and claim is TokenKind.STATION:
        authorization_outcome.authorize(turn, attempt, decision, is_wanted=True)
    else:
        authorization_request.start(turn, attempt, decision, may_wait)
    return True


def _candidates(
    turn: Turn, attempt: AuthorizationAttempt, decision: Decision | None
) -> tuple[int, ...]:
    """Where it can begin. A token of the station bus that is being checked gives way to a card.

    Otherwise a service that floods the bus with tokens would lock the reader out.
    """
    state, utc = turn.state, turn.now.utc
    targets = authorization_preview.candidates(state, attempt, decision, utc)
    is_refused = decision is not None and decision.verdict is Verdict.REFUSED
    if attempt.source is not Source.READER or is_refused:
        return targets
    first = authorization_preview.candidates(
        authorization_request.without_station(state), attempt, decision, utc
    )
    if first != targets:
        authorization_request.give_way(turn, first)
    return first


def request_not_taken(turn: Turn, event: RequestNotTaken) -> None:
    """A token of the station, or an operator's request, was refused before it came here."""
    asked = Asked(event.purpose, event.id_tag, event.connectors)
    if event.purpose is Purpose.START:  # a person sees the signal
        authorization_outcome.refuse(turn, asked, event.rule, event.detail)
    else:
        replies.refuse(turn, asked, because(event.rule, event.detail))


def not_looked_up(turn: Turn, event: Presented, problem: str) -> None:
    """The store cannot be read: nothing is decided on a guess, at whichever entry the tag came.

    A tag that ends what is its own needs no decision (section 3.4).
    """
    match event:
        case TagPresented():
            if not _needs_no_facts(turn, event, TagRecord()):
                asked = tag_to_stop.asked_by(event, Purpose.START)
                authorization_outcome.refuse(turn, asked, Rule.LOOK_UP_FAILED, problem)
        case RemoteStartRequested():
            replies.refuse(
                turn, remote_start.asked_by(event), because(Rule.LOOK_UP_FAILED, problem)
            )
        case StartRequested():
            places = (event.connector_id,)
            asked = Asked(Purpose.OPERATOR_START, event.id_tag, places, event.request_id)
            authorization_outcome.refuse(turn, asked, Rule.LOOK_UP_FAILED, problem)
        case AuthorizeRequested():
            asked = Asked(Purpose.AUTHORIZE_ONLY, event.id_tag, request_id=event.request_id)
            authorization_outcome.refuse(turn, asked, Rule.LOOK_UP_FAILED, problem)


def _unwanted_claim(turn: Turn, claim: TokenKind) -> Rule | None:
    rules = turn.state.rules
    if claim is TokenKind.FREE and not rules.free_charging_id_tag:
        return Rule.FREE_OFF
    if claim is TokenKind.AUTOCHARGE and not rules.autocharge:
        return Rule.AUTOCHARGE_OFF
    return None


def charge_freely(turn: Turn, connector_id: int) -> None:
    """Free charging, when the configuration says so: the plug takes the place of the card.

    Where a session that was found open is still being closed, the next one waits for that.
    """
    state = turn.state
    id_tag = state.rules.free_charging_id_tag
    current = turn.connector(connector_id)
    if not id_tag or state.restart is not None or not state.is_begun:
        return
    if any(connector_id in grant.connectors for grant in state.waiting):
        return  # a card has it already
    # The configuration accepts this tag: what list and cache say about it does not count.
    attempt = AuthorizationAttempt(Purpose.START, id_tag, (connector_id,), facts=TagRecord())
    if connector.may_start(state, current):
        authorization_outcome.authorize(turn, attempt, authorization_outcome.accepted_by(Rule.FREE))
    elif current.stop is not None and current.stop.is_found:
        authorization_outcome.wait_for_plug(
            turn, attempt, authorization_outcome.accepted_by(Rule.FREE)
        )


def _joins_check(turn: Turn, event: TagPresented) -> bool:
    """True while the tag is being asked about already: one answer serves all who present it."""
    for check in turn.state.checking:
        attempt = check.attempt
        if attempt.purpose is Purpose.AUTHORIZE_ONLY or not same_tag(attempt.id_tag, event.id_tag):
            continue
        if len(attempt.tag_requests) >= TAG_REQUESTS_MAX:
            replies.changed_nothing(turn, event.request_id)
            return True
        waiting = (*attempt.tag_requests, *tag_to_stop.waiting_for(event))
        joined = replace(check, attempt=replace(attempt, tag_requests=waiting))
        checks = tuple(joined if other is check else other for other in turn.state.checking)
        turn.state = replace(turn.state, checking=checks)
        return True
    return False


def _is_in_use(turn: Turn, id_tag: str, served: list[Connector]) -> bool:
    """True while this tag waits for its plug, or has one of these connectors."""
    tags = [grant.id_tag for grant in turn.state.waiting]
    tags += [c.grant.id_tag for c in served if c.grant is not None]
    tags += [c.transaction.id_tag for c in served if c.transaction is not None]
    return any(same_tag(tag, id_tag) for tag in tags)
