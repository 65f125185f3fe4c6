"""What the operator asks for through the control API: sessions, stops, questions, limits.

It takes the same way as a card: the decision, the grant and the transaction are those of a tap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.core import (
    authorization_outcome,
    authorization_preview,
    authorization_request,
    authorization_rules,
    connector_choice,
    connector_ev_presence,
    outbox,
    replies,
    transaction,
)
from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.events import Event
from agent.core.id_tag import same_tag
from agent.core.replace import replace
from agent.core.replies import because
from agent.core.state import (
    Asked,
    AuthorizationAttempt,
    ChargePoint,
    Charging,
    PreauthorizedTag,
    Purpose,
    SessionLimits,
    Stopping,
)
from agent.core.tag_sources import Source
from agent.core.turn import Turn
from agent.core.values import AuthorizationStatus, Instant, StopReason, TagRecord, Verdict

# Why no session can begin there, in stable words for programs.
STATUSES = {
    Rule.UNKNOWN_CONNECTOR: "unknown_connector",
    Rule.FAULTED: "connector_faulted",
    Rule.JOURNAL_FAILED: "connector_faulted",
    Rule.SHUTTING_DOWN: "connector_unavailable",
    Rule.OUT_OF_SERVICE: "connector_unavailable",
    Rule.UPDATING: "connector_unavailable",
    Rule.RESERVED: "connector_reserved",
    Rule.NO_CONNECTOR: "transaction_active",
    Rule.ONE_AT_A_TIME: "transaction_active",
    Rule.NOT_PLUGGED: "not_plugged",
}


def start_requested(turn: Turn, event: ev.StartRequested, facts: TagRecord) -> None:
    """The operator asks for a session; it is decided on as a card's would be."""
    attempt = _attempt(event, facts)
    found = foresee(turn.state, event, facts, turn.now)
    if isinstance(found, Rule):
        replies.refuse(turn, attempt, because(found), STATUSES[found])
    else:
        authorization_request.start(turn, attempt, found)


def foresee(
    state: ChargePoint, event: ev.StartRequested, facts: TagRecord, now: Instant
) -> Rule | Decision | None:
    """What would become of it now: a rule, where no session can begin; or the decision on the tag.

    None: the central system would be asked about it. The control API looks with this whether a
    command is possible before it takes it.
    """
    attempt = _attempt(event, facts)
    decision = _decided_already(state, event, now) or authorization_preview.foresee(
        state, attempt, now.utc
    )
    targets = authorization_preview.candidates(state, attempt, decision, now.utc)
    return _refusal_reason(state, event, targets) or decision


def _attempt(event: ev.StartRequested, facts: TagRecord) -> AuthorizationAttempt:
    return AuthorizationAttempt(
        Purpose.OPERATOR_START,
        event.id_tag,
        (event.connector_id,),
        event.request_id,
        facts=facts,
        limits=SessionLimits(event.duration_s, event.energy_wh),
        source=Source.OPERATOR,
    )


def _refusal_reason(
    state: ChargePoint, event: ev.StartRequested, targets: tuple[int, ...]
) -> Rule | None:
    if not state.has_connector(event.connector_id):
        return Rule.UNKNOWN_CONNECTOR
    wanted = state.connector(event.connector_id)
    if event.must_be_plugged and not connector_ev_presence.is_connected(wanted):
        return Rule.NOT_PLUGGED
    if state.restart is not None:
        return Rule.SHUTTING_DOWN
    return None if targets else connector_choice.refusal_reason(state, [wanted], event.id_tag)


def _decided_already(state: ChargePoint, event: ev.StartRequested, now: Instant) -> Decision | None:
    """Simulated hardware takes any tag, to try the central system; offline the rules decide."""
    if event.is_trusted and state.online:
        return authorization_outcome.accepted_by(Rule.TRUSTED)
    for preauthorized in state.preauthorized:
        if same_tag(preauthorized.id_tag, event.id_tag) and _still_counts(preauthorized, now):
            return Decision(Verdict.ACCEPTED, Rule.VOUCHED, "central system", preauthorized.info)
    return None


def _still_counts(preauthorized: PreauthorizedTag, now: Instant) -> bool:
    status = authorization_rules.effective(preauthorized.info, now.utc)
    return now.monotonic_s < preauthorized.until_s and status is AuthorizationStatus.ACCEPTED


def _stop_requested(turn: Turn, event: ev.StopRequested) -> None:
    for candidate in turn.state.connectors:
        running = candidate.transaction
        if running is None or running.ref != event.transaction_ref:
            continue
        transaction.order_stop(turn, candidate.connector_id, StopReason.LOCAL)
        ending = turn.connector(candidate.connector_id).phase
        if isinstance(ending, Stopping):
            # Another request waits for the same end.
            replies.agree(turn, ending.stop.request_id, "applied")
            stop = replace(ending.stop, request_id=event.request_id)
            turn.put_phase(candidate.connector_id, replace(ending, stop=stop))
        return
    asked = Asked(Purpose.OPERATOR_STOP, request_id=event.request_id)
    detail = f"our own number {event.transaction_ref}"
    replies.refuse(turn, asked, because(Rule.NO_SESSION, detail), "no_transaction")


def authorize_requested(turn: Turn, event: ev.AuthorizeRequested, facts: TagRecord) -> None:
    """Ask the central system about a tag, whatever list and cache say."""
    attempt = AuthorizationAttempt(
        Purpose.AUTHORIZE_ONLY,
        event.id_tag,
        (),
        event.request_id,
        facts=facts,
        source=Source.OPERATOR,
    )
    if not turn.state.online:
        replies.refuse(turn, attempt, because(Rule.NOT_CONNECTED), "not_connected")
        return
    if turn.state.restart is not None:
        authorization_outcome.refuse(turn, attempt, Rule.SHUTTING_DOWN)
        return
    authorization_request.ask(turn, attempt)


def _limit_requested(turn: Turn, event: ev.LimitRequested) -> None:
    is_known = turn.state.has_connector(event.connector_id)
    charging = turn.connector(event.connector_id).phase if is_known else None
    if not isinstance(charging, Charging):
        asked = Asked(Purpose.LIMIT, "", (event.connector_id,), event.request_id)
        replies.refuse(turn, asked, because(Rule.NO_SESSION), "no_transaction")
        return
    turn.put_phase(event.connector_id, replace(charging, limit_a=event.current_a))
    replies.agree(turn, event.request_id, "applied")


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {
    ev.StopRequested: _stop_requested,
    ev.LimitRequested: _limit_requested,
    ev.RetryRequested: outbox.retry,
    ev.DiscardRequested: outbox.discard,
}
