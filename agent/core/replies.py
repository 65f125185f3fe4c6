"""Yes or no to a request about charging. A no is never given without its reason being kept.

``agree`` cannot refuse, and ``refuse`` cannot be silent: it stores the rule and answers in one go.
``keep`` also answers those who presented the tag: one decision, so one answer for each.
"""

from __future__ import annotations

from typing import Literal

from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import RecordDecision, Reply, TagReply
from agent.core.state import Asked
from agent.core.turn import Turn
from agent.core.values import DecisionRecord, IdTagInfo, Verdict

_TEXT_MAX = 200

Agreement = Literal["Accepted", "Scheduled", "Unlocked", "applied"]


def agree(
    turn: Turn,
    request_id: str | None,
    status: Agreement = "Accepted",
    detail: str = "",
    info: IdTagInfo | None = None,
) -> None:
    """Answer that it is done, or will be tried, if the request wants an answer."""
    if request_id is not None:
        turn.emit(Reply(request_id, status, detail, info))


def because(rule: Rule, detail: str = "") -> Decision:
    """A refusal by a rule of the charge point itself; ``detail`` says what the rule does not."""
    return Decision(Verdict.REFUSED, rule, "charge point", detail=detail)


def refuse(
    turn: Turn, asked: Asked, why: Decision, status: str = "Rejected", says: str = ""
) -> None:
    """Keep why this is refused, and answer the request with ``status``, and in words."""
    keep(turn, asked, why)
    if asked.request_id is not None:
        turn.emit(Reply(asked.request_id, status, says, why.info))


def keep(turn: Turn, asked: Asked, decision: Decision) -> None:
    """Keep why something was accepted or refused, and answer those who presented the tag."""
    # Requests may name connectors that there are not: as numbers they can have any size.
    known = [c for c in asked.connectors if turn.state.has_connector(c)]
    record = DecisionRecord(
        decided_at=turn.now.utc,
        purpose=asked.purpose.value,
        connector_id=known[0] if len(known) == 1 else None,
        id_tag=_storable(asked.id_tag),
        verdict=decision.verdict,
        rule=decision.rule.name,
        source=decision.source,
        status=None if decision.info is None else decision.info.status.value,
        list_version=decision.list_version,
        cache_age_s=decision.cache_age_s,
        detail=_storable(decision.detail),
    )
    turn.emit(RecordDecision(record))
    is_accepted = decision.verdict is Verdict.ACCEPTED
    for request_id in asked.tag_requests:
        turn.emit(TagReply(request_id, is_accepted, record, decision.certificate_status))


def changed_nothing(turn: Turn, request_id: str | None, is_accepted: bool = False) -> None:
    """Answer the request of a tag that no decision was made about."""
    if request_id is not None:
        turn.emit(TagReply(request_id, is_accepted))


def _storable(text: str) -> str:
    """The text without what no file can hold: halves of characters, as JSON may bring them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[:_TEXT_MAX]
