"""May this idTag charge? The decision and the reason for it (OCPP 1.6 sections 3.5 and 4.1).

Every function here is a table in prose: facts in, decision out. ``None`` means "ask the central
system first".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.core.configuration import Configuration
from agent.core.id_tag import same_tag
from agent.core.reasons import Rule
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    TagFacts,
    Transaction,
    Verdict,
)

# ConcurrentTx counts as valid in the list (section 3.5.2), and is no acceptance anywhere else.
_VALID = (AuthorizationStatus.ACCEPTED, AuthorizationStatus.CONCURRENT_TX)


@dataclass(frozen=True, slots=True)
class Policy:
    """The switches that decide who is asked."""

    use_list: bool
    use_cache: bool
    pre_authorize: bool  # online: list and cache may decide
    authorize_offline: bool  # offline: list and cache may decide
    allow_unknown_offline: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome with its reason."""

    verdict: Verdict
    rule: Rule
    source: str
    info: IdTagInfo | None = None  # what was known about the tag
    list_version: int | None = None
    cache_age_s: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    info: IdTagInfo
    source: str  # "local list" or "cache"
    list_version: int | None = None
    cache_age_s: int | None = None

    def decide(self, verdict: Verdict, rule: Rule, detail: str = "") -> Decision:
        return Decision(
            verdict, rule, self.source, self.info, self.list_version, self.cache_age_s, detail
        )


def policy_of(configuration: Configuration) -> Policy:
    """Read the switches."""
    return Policy(
        use_list=configuration.boolean("LocalAuthListEnabled"),
        use_cache=configuration.boolean("AuthorizationCacheEnabled"),
        pre_authorize=configuration.boolean("LocalPreAuthorize"),
        authorize_offline=configuration.boolean("LocalAuthorizeOffline"),
        allow_unknown_offline=configuration.boolean("AllowOfflineTxForUnknownId"),
    )


def effective(info: IdTagInfo, utc: datetime) -> AuthorizationStatus:
    """The status now: a valid tag whose expiry has passed is Expired (section 7.27)."""
    if info.status in _VALID and info.expires_at is not None:
        return AuthorizationStatus.EXPIRED if info.expires_at <= utc else info.status
    return info.status


def decide_start(
    facts: TagFacts, policy: Policy, online: bool, utc: datetime, why_offline: str = ""
) -> Decision | None:
    """Decide on a tag presented to start; None: ask the central system."""
    if not online:
        return decide_offline(facts, policy, utc, why_offline)
    known = _look_up(facts, policy, utc)
    if known is not None and policy.pre_authorize and _is_accepted(known, utc):
        listed = known.source == "local list"
        return known.decide(Verdict.ACCEPTED, Rule.LISTED if listed else Rule.CACHED)
    # A known tag that is not accepted is asked about while we can: the list may be out of date,
    # and sections 3.5.1 and 3.5.4 leave the way open.
    return None


def decide_answer(info: IdTagInfo, utc: datetime) -> Decision:
    """Decide on the central system's answer to Authorize."""
    accepted = effective(info, utc) is AuthorizationStatus.ACCEPTED
    rule = Rule.CENTRAL_ACCEPTED if accepted else Rule.CENTRAL_REFUSED
    verdict = Verdict.ACCEPTED if accepted else Verdict.REFUSED
    return Decision(verdict, rule, "central system", info)


def decide_offline(facts: TagFacts, policy: Policy, utc: datetime, detail: str) -> Decision:
    """Decide without the central system; ``detail`` says why it was not asked."""
    known = _look_up(facts, policy, utc)
    if known is None:
        if policy.allow_unknown_offline:
            return Decision(Verdict.ACCEPTED, Rule.UNKNOWN_ALLOWED, "offline rule", detail=detail)
        return Decision(Verdict.REFUSED, Rule.UNKNOWN_REFUSED, "offline rule", detail=detail)
    if not _is_accepted(known, utc):
        return known.decide(Verdict.REFUSED, _refused_offline(known), detail)
    if policy.authorize_offline or policy.allow_unknown_offline:
        # A known good tag is never worse off than an unknown one.
        listed = known.source == "local list"
        rule = Rule.LISTED_OFFLINE if listed else Rule.CACHED_OFFLINE
        return known.decide(Verdict.ACCEPTED, rule, detail)
    return known.decide(Verdict.REFUSED, Rule.OFFLINE_OFF, detail)


def known_parent(facts: TagFacts, configuration: Configuration, utc: datetime) -> str | None:
    """The group of a tag by list or cache, where these may tell; None: none, or who knows."""
    known = _look_up(facts, policy_of(configuration), utc)
    return None if known is None else known.info.parent_id_tag


def decide_stop(
    transaction: Transaction,
    id_tag: str,
    facts: TagFacts,
    policy: Policy,
    online: bool,
    utc: datetime,
) -> Decision | None:
    """Decide on a tag presented to end a transaction; None: ask for its group first.

    The tag that started is never asked about (section 3.4). AllowOfflineTxForUnknownId does not
    help here, because no group is known.
    """
    if same_tag(id_tag, transaction.id_tag):
        return Decision(Verdict.ACCEPTED, Rule.SAME_CARD, "charge point")
    if transaction.parent_id_tag is None:
        return Decision(Verdict.REFUSED, Rule.OTHER_SESSION, "charge point")
    known = _look_up(facts, policy, utc)
    may_decide = policy.pre_authorize if online else policy.authorize_offline
    if known is not None and may_decide and _is_accepted(known, utc):
        return _by_group(transaction, known.info, known.source, known)
    if online:
        return None
    if known is None:
        return Decision(Verdict.REFUSED, Rule.GROUP_UNKNOWN, "offline rule")
    if not _is_accepted(known, utc):
        return known.decide(Verdict.REFUSED, _refused_offline(known))
    return known.decide(Verdict.REFUSED, Rule.OFFLINE_OFF)


def decide_stop_answer(transaction: Transaction, info: IdTagInfo, utc: datetime) -> Decision:
    """Decide on the central system's answer about a tag presented to end a transaction."""
    if effective(info, utc) is not AuthorizationStatus.ACCEPTED:
        return Decision(Verdict.REFUSED, Rule.CENTRAL_REFUSED, "central system", info)
    return _by_group(transaction, info, "central system", None)


def _by_group(
    transaction: Transaction, info: IdTagInfo, source: str, known: _Known | None
) -> Decision:
    same = same_tag(info.parent_id_tag, transaction.parent_id_tag)
    verdict = Verdict.ACCEPTED if same else Verdict.REFUSED
    rule = Rule.SAME_GROUP if same else Rule.OTHER_GROUP
    if known is not None:
        return known.decide(verdict, rule)
    return Decision(verdict, rule, source, info)


def _refused_offline(known: _Known) -> Rule:
    return Rule.LISTED_REFUSED if known.source == "local list" else Rule.CACHED_REFUSED


def _look_up(facts: TagFacts, policy: Policy, utc: datetime) -> _Known | None:
    """The list has priority over the cache (section 3.5.3)."""
    if policy.use_list and facts.list_entry is not None:
        return _Known(facts.list_entry, "local list", list_version=facts.list_version)
    if policy.use_cache and facts.cache_entry is not None:
        age_s = max(0, int((utc - facts.cache_entry.heard_at).total_seconds()))
        return _Known(facts.cache_entry.info, "cache", cache_age_s=age_s)
    return None


def _is_accepted(known: _Known, utc: datetime) -> bool:
    status = effective(known.info, utc)
    if known.source == "local list" and status is AuthorizationStatus.CONCURRENT_TX:
        return True  # section 3.5.2: in the list it counts as valid
    return status is AuthorizationStatus.ACCEPTED
