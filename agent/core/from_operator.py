"""What the operator asks for through the control API: sessions, stops, questions, limits.

It takes the same way as a card: the decision, the grant and the transaction are those of a tap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent.core import (
    asking,
    authorization,
    availability,
    choosing,
    connector,
    outbox,
    transaction,
)
from agent.core import events as ev
from agent.core.authorization import Decision
from agent.core.commands import Reply
from agent.core.events import Event
from agent.core.id_tag import same_tag
from agent.core.reasons import Rule
from agent.core.state import Attempt, Connector, Limits, Phase, Purpose, Vouched
from agent.core.turn import Turn
from agent.core.values import AuthorizationStatus, StopReason, Verdict


def _session_asked(turn: Turn, event: ev.SessionAsked) -> None:
    refusal = _why_no_session(turn, event)
    if refusal is not None:
        turn.order(Reply(event.request_id, refusal))
        return
    attempt = Attempt(
        Purpose.OPERATOR_START,
        event.id_tag,
        (event.connector_id,),
        event.facts,
        request_id=event.request_id,
        limits=Limits(event.duration_s, event.energy_wh),
    )
    decision = _decided_already(turn, event)
    if decision is None:
        asking.decide_start(turn, attempt)
    else:
        asking.grant(turn, attempt, decision)


def _why_no_session(turn: Turn, event: ev.SessionAsked) -> str | None:
    if not turn.state.has_connector(event.connector_id):
        return "unknown_connector"
    wanted = turn.connector(event.connector_id)
    if turn.state.restart is not None or connector.has_forbidding_fault(turn.state, wanted):
        return "connector_faulted"
    if not availability.lets_begin(turn.state, wanted):
        return "connector_unavailable"
    if wanted.phase not in (Phase.IDLE, Phase.FINISHED) or _is_promised(turn, wanted):
        return "transaction_active"
    parent = authorization.known_parent(event.facts, turn.state.configuration, turn.now.utc)
    if not choosing.is_open_to(
        turn.state, event.connector_id, event.id_tag, parent, hoping=parent is None
    ):
        return "connector_reserved"
    if event.must_be_plugged and not wanted.is_plugged:
        return "not_plugged"
    return None


def _is_promised(turn: Turn, wanted: Connector) -> bool:
    only_here = (wanted.connector_id,)
    return any(grant.connectors == only_here for grant in turn.state.waiting) or any(
        check.attempt.connectors == only_here and check.attempt.purpose is not Purpose.STOP
        for check in turn.state.checking
    )


def _decided_already(turn: Turn, event: ev.SessionAsked) -> Decision | None:
    if event.is_trusted:
        return asking.local(Verdict.ACCEPTED, Rule.TRUSTED)
    for vouched in turn.state.vouched:
        if same_tag(vouched.id_tag, event.id_tag) and _still_counts(turn, vouched):
            return Decision(Verdict.ACCEPTED, Rule.VOUCHED, "central system", vouched.info)
    return None


def _still_counts(turn: Turn, vouched: Vouched) -> bool:
    status = authorization.effective(vouched.info, turn.now.utc)
    return turn.now.monotonic_s < vouched.until_s and status is AuthorizationStatus.ACCEPTED


def _stop_asked(turn: Turn, event: ev.StopAsked) -> None:
    for candidate in turn.state.connectors:
        running = candidate.transaction
        if running is None or running.ref != event.transaction_ref:
            continue
        transaction.order_stop(turn, candidate.connector_id, StopReason.LOCAL)
        stop = turn.connector(candidate.connector_id).stop
        assert stop is not None
        if stop.request_id is not None:  # somebody else waits for the same end
            turn.order(Reply(stop.request_id, "applied"))
        waiting = replace(stop, request_id=event.request_id)
        turn.change_connector(candidate.connector_id, stop=waiting)
        return
    turn.order(Reply(event.request_id, "no_transaction"))


def _tag_questioned(turn: Turn, event: ev.TagQuestioned) -> None:
    if not turn.state.online:
        turn.order(Reply(event.request_id, "not_connected"))
        return
    attempt = Attempt(Purpose.QUESTION, event.id_tag, request_id=event.request_id)
    if turn.state.restart is not None:
        asking.refuse(turn, attempt, Rule.SHUTTING_DOWN)
        return
    asking.ask(turn, attempt)


def _limit_asked(turn: Turn, event: ev.LimitAsked) -> None:
    is_known = turn.state.has_connector(event.connector_id)
    if not is_known or turn.connector(event.connector_id).phase is not Phase.CHARGING:
        turn.order(Reply(event.request_id, "no_transaction"))
        return
    turn.change_connector(event.connector_id, limit_a=event.current_a)
    turn.order(Reply(event.request_id, "applied"))


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {
    ev.SessionAsked: _session_asked,
    ev.StopAsked: _stop_asked,
    ev.TagQuestioned: _tag_questioned,
    ev.LimitAsked: _limit_asked,
    ev.RetryAsked: outbox.retry,
    ev.DiscardAsked: outbox.discard,
}
