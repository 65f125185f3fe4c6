"""RemoteStartTransaction: what becomes of a session that the central system asks for."""

from __future__ import annotations

from agent.core import (
    authorization_preview,
    authorization_request,
    charging_profiles_installed,
    connector_choice,
    replies,
)
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.events import RemoteStartRequested
from agent.core.id_tag import is_valid_id_tag
from agent.core.replace import replace
from agent.core.replies import because
from agent.core.state import Asked, AuthorizationAttempt, ChargePoint, Purpose
from agent.core.tag_sources import Source
from agent.core.turn import Turn
from agent.core.values import TagRecord, Verdict


def requested(turn: Turn, event: RemoteStartRequested, facts: TagRecord) -> None:
    """RemoteStartTransaction.req: accepted means it will be tried (errata 3.32).

    With AuthorizeRemoteTxRequests it is decided as a card at the reader would be. Without,
    no authorization is needed: of its group only what list or cache say counts for a reservation.
    """
    asked = asked_by(event)
    served = [c for c in turn.state.connectors if event.connector_id in (None, c.connector_id)]
    ids = tuple(c.connector_id for c in served)
    attempt = AuthorizationAttempt(
        Purpose.REMOTE_START,
        event.id_tag,
        ids,
        facts=facts,
        profile=event.profile,
        source=Source.CENTRAL_SYSTEM,
    )
    decision: Decision | None = Decision(Verdict.ACCEPTED, Rule.REMOTE_TRUSTED, "central system")
    if turn.state.configuration.boolean("AuthorizeRemoteTxRequests"):
        decision = authorization_preview.foresee(turn.state, attempt, turn.now.utc)
    targets = connector_choice.the_first(
        turn.state, authorization_preview.candidates(turn.state, attempt, decision, turn.now.utc)
    )
    rule = _refusal_reason(turn.state, event)
    if rule is None and not targets:
        rule = connector_choice.refusal_reason(turn.state, served, event.id_tag)
    if rule is not None:
        replies.refuse(turn, asked, because(rule))
        return
    if event.profile is not None:
        mistake = charging_profiles_installed.mistake_in_promised(turn.state, event.profile)
        if mistake:
            replies.refuse(turn, asked, because(Rule.BAD_PROFILE, mistake))
            return
    replies.agree(turn, event.request_id)
    authorization_request.start(turn, replace(attempt, connectors=targets), decision)


def _refusal_reason(state: ChargePoint, event: RemoteStartRequested) -> Rule | None:
    """What forbids it wherever it is meant to begin."""
    if not is_valid_id_tag(event.id_tag):
        return Rule.UNTELLABLE
    if state.registration in ("Pending", "Rejected"):
        return Rule.NOT_REGISTERED
    if state.restart is not None:
        return Rule.SHUTTING_DOWN
    if event.connector_id is None:
        return None if state.rules.remote_start_takes_first else Rule.NO_CONNECTOR_NAMED
    return None if state.has_connector(event.connector_id) else Rule.UNKNOWN_CONNECTOR


def asked_by(event: RemoteStartRequested) -> Asked:
    named = () if event.connector_id is None else (event.connector_id,)
    return Asked(Purpose.REMOTE_START, event.id_tag, named, event.request_id)
