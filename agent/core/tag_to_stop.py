"""What a presented tag may end: its own session or start, or a session of its group.

It may also get a cable back that is locked for it. Each way ends in one answer to whoever
presented the tag: a decision, or ``leave_as_it_is``.
"""

from __future__ import annotations

from agent.core import (
    authorization_outcome,
    authorization_request,
    authorization_rules,
    connector,
    random_delay,
    replies,
    signals,
    transaction,
)
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import ShowSignal
from agent.core.events import TagPresented
from agent.core.id_tag import same_tag
from agent.core.replace import replace
from agent.core.replies import because
from agent.core.state import (
    Asked,
    AuthorizationAttempt,
    Charging,
    Connector,
    Finished,
    Idle,
    Purpose,
    Stopping,
)
from agent.core.turn import Turn
from agent.core.values import TagRecord, Verdict


def ends_its_own(
    turn: Turn, event: TagPresented, facts: TagRecord, served: list[Connector]
) -> bool:
    """The tag ends its session, calls off its start, or gets its cable back."""
    return (
        _ends_own_session(turn, event, served)
        or _calls_off(turn, event, served)
        or _releases_cable(turn, event, facts, served)
    )


def _ends_own_session(turn: Turn, event: TagPresented, served: list[Connector]) -> bool:
    """The card that started a session ends it, but an accidental second tap does nothing."""
    id_tag = event.id_tag
    for candidate in served:
        here = (candidate.connector_id,)
        if _has_just_ended(turn, candidate, id_tag):
            refuse(turn, event, Rule.JUST_ENDED, Purpose.START, here)
            return True
        running = candidate.transaction
        if running is None or not same_tag(running.id_tag, id_tag):
            continue
        if isinstance(candidate.phase, Stopping):
            refuse(turn, event, Rule.ENDING, Purpose.START, here)
            return True
        age_s = turn.now.monotonic_s - running.begun_monotonic_s
        if age_s >= turn.state.rules.tap_guard_s and random_delay.skip_start(turn, candidate):
            asked = asked_by(event, Purpose.START, here)
            decision = authorization_outcome.accepted_by(Rule.DELAY_SKIPPED)
            authorization_outcome.accept(turn, asked, decision)
        elif not turn.state.rules.stop_by_second_tap:
            refuse(turn, event, Rule.STOP_BY_CARD_OFF, Purpose.STOP, here)
        elif age_s < turn.state.rules.tap_guard_s:
            refuse(turn, event, Rule.TOO_SOON, Purpose.STOP, here)
        else:
            decision = authorization_outcome.accepted_by(Rule.SAME_CARD)
            authorization_outcome.stop_session(
                turn, asked_by(event, Purpose.STOP), running, decision
            )
        return True
    return False


def _has_just_ended(turn: Turn, candidate: Connector, id_tag: str) -> bool:
    age_s = turn.now.monotonic_s - candidate.ended_at_s
    # Without a plug sensor it is not known that the plug stays: Idle follows at once.
    at_rest = Finished if candidate.traits.has_plug else Idle
    return (
        isinstance(candidate.phase, at_rest)
        and same_tag(candidate.ended_by, id_tag)
        and age_s < turn.state.rules.tap_guard_s
    )


def _calls_off(turn: Turn, event: TagPresented, served: list[Connector]) -> bool:
    """The same card again before a plug came: OCPP 1.6 transition B1, use given up."""
    for grant in turn.state.waiting:
        if not same_tag(grant.id_tag, event.id_tag):
            continue
        if turn.now.monotonic_s - grant.granted_at_s < turn.state.rules.tap_guard_s:
            leave_as_it_is(turn, event)
            return True
        turn.drop_grant(grant)
        called_off = because(Rule.CANCELLED)
        connector.give_back(turn, grant, called_off, tag_requests=waiting_for(event))
        turn.emit(ShowSignal(signals.of_decision(called_off)))
        return True
    if any(c.grant is not None and same_tag(c.grant.id_tag, event.id_tag) for c in served):
        leave_as_it_is(turn, event)  # it is starting
        return True
    return False


def _releases_cable(
    turn: Turn, event: TagPresented, facts: TagRecord, served: list[Connector]
) -> bool:
    """Errata 3.5: after DeAuthorized, the same card or group gets its cable back."""
    info = None
    if facts.list_entry is not None:
        info = facts.list_entry
    elif facts.cache_entry is not None:
        info = facts.cache_entry.info
    parent = None if info is None else info.parent_id_tag
    for candidate in served:
        held = candidate.phase
        if not isinstance(held, Finished) or held.held_for is None:
            continue
        if transaction.belongs_to(held.held_for, event.id_tag, parent):
            turn.put_phase(candidate.connector_id, replace(held, held_for=None))
            asked = asked_by(event, Purpose.STOP, (candidate.connector_id,))
            authorization_outcome.accept(
                turn, asked, authorization_outcome.accepted_by(Rule.CABLE_RELEASED)
            )
            return True
    return False


def ends_other_session(turn: Turn, attempt: AuthorizationAttempt, served: list[Connector]) -> bool:
    """Another card: a group member may end the session (OCPP 1.6 section 3.10)."""
    running = [c.phase.transaction for c in served if isinstance(c.phase, Charging)]
    if not running:
        return False
    policy = authorization_rules.policy_of(turn.state.configuration)
    ids = tuple(session.connector_id for session in running)
    refused: list[Decision] = []
    for session in running:
        decision = authorization_rules.decide_stop(
            session, attempt.id_tag, attempt.facts, policy, turn.state.online, turn.now.utc
        )
        if decision is None:
            authorization_request.ask(
                turn, replace(attempt, purpose=Purpose.STOP, connectors=ids, contract=None)
            )
            return True
        if decision.verdict is Verdict.ACCEPTED:
            authorization_outcome.stop_session(turn, attempt, session, decision)
            return True
        refused.append(decision)
    asked = replace(attempt, purpose=Purpose.STOP, connectors=ids[:1])
    authorization_outcome.refuse_with(turn, asked, refused[-1])
    return True


# --- its answer ---------------------------------------------------------------------------------


def leave_as_it_is(turn: Turn, event: TagPresented) -> None:
    """The tag changes nothing: it waits for its plug, or is in its session, which may go on."""
    tags = [grant.id_tag for grant in turn.state.waiting]
    for candidate in turn.state.connectors:
        if candidate.grant is not None:
            tags.append(candidate.grant.id_tag)
        if candidate.transaction is not None and not candidate.transaction.deauthorized:
            tags.append(candidate.transaction.id_tag)
    is_accepted = any(same_tag(tag, event.id_tag) for tag in tags)
    replies.changed_nothing(turn, event.request_id, is_accepted)


def refuse(
    turn: Turn,
    event: TagPresented,
    rule: Rule,
    purpose: Purpose = Purpose.START,
    connectors: tuple[int, ...] = (),
) -> None:
    authorization_outcome.refuse(turn, asked_by(event, purpose, connectors), rule)


def asked_by(event: TagPresented, purpose: Purpose, connectors: tuple[int, ...] = ()) -> Asked:
    return Asked(purpose, event.id_tag, connectors, tag_requests=waiting_for(event))


def waiting_for(event: TagPresented) -> tuple[str, ...]:
    return () if event.request_id is None else (event.request_id,)
