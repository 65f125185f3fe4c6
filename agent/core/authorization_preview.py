"""What would be decided about a tag now, and where its session could begin: looked at, not done.

The same for every entry: which one a tag came by is not known here.
"""

from __future__ import annotations

from datetime import datetime

from agent.core import authorization_contract, authorization_rules, connector_choice
from agent.core.authorization_rules import Decision
from agent.core.state import AuthorizationAttempt, ChargePoint


def foresee(state: ChargePoint, attempt: AuthorizationAttempt, utc: datetime) -> Decision | None:
    """The decision about a tag presented to start; None: the central system must be asked."""
    decision = authorization_contract.decide_start(state, attempt)
    if decision is not None or authorization_contract.must_be_asked_about(state, attempt):
        return decision
    return authorization_rules.decide_start(
        attempt.facts,
        authorization_rules.policy_of(state.configuration),
        state.online,
        utc,
        state.registration,
    )


def candidates(
    state: ChargePoint, attempt: AuthorizationAttempt, decision: Decision | None, utc: datetime
) -> tuple[int, ...]:
    """Which of its connectors the attempt means; none: it can begin at none of them.

    While the central system must be asked, the group of the tag is not known yet (section 5.13).
    """
    served = [c for c in state.connectors if c.connector_id in attempt.connectors]
    is_open = decision is None
    parent = None if decision is None else parent_of(state, attempt, decision, utc)
    return connector_choice.candidates(state, served, attempt.id_tag, parent, hoping=is_open)


def parent_of(
    state: ChargePoint, attempt: AuthorizationAttempt, decision: Decision, utc: datetime
) -> str | None:
    """The group of the tag: by the decision, else by what list or cache say about it."""
    if decision.info is not None:
        return decision.info.parent_id_tag
    return authorization_rules.known_parent(attempt.facts, state.configuration, utc)
