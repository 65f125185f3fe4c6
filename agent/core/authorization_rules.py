"""May this idTag charge? The decision and the reason for it (OCPP 1.6 sections 3.5 and 4.1).

Every function here is a table in prose: facts in, decision out. ``None`` means "ask the central
system first".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.core.authorization_reasons import Rule
from agent.core.configuration import Configuration
from agent.core.id_tag import same_tag
from agent.core.replace import replace
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    TagRecord,
    Transaction,
    Verdict,
)

# ConcurrentTx counts as valid in the list (section 3.5.2), and is no acceptance anywhere else.
_VALID = (AuthorizationStatus.ACCEPTED, AuthorizationStatus.CONCURRENT_TX)
_LIST = "local list"


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
    info: IdTagInfo | None = None  # what was known about the tag; its status as it counts now
    list_version: int | None = None
    cache_age_s: int | None = None
    detail: str = ""
    certificate_status: str = ""  # of a contract, as the central system says


@dataclass(frozen=True, slots=True)
class _Known:
    info: IdTagInfo
    source: str  # "local list" or "cache"
    list_version: int | None = None
    cache_age_s: int | None = None

    @property
    def is_listed(self) -> bool:
        return self.source == _LIST

    @property
    def is_accepted(self) -> bool:
        return self.info.status in (_VALID if self.is_listed else _VALID[:1])

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
    """The status now of what is listed or remembered: Expired when its date is over (section 7.27).

    What the central system has just answered counts as it stands: the status decides, the date
    says how long it may be remembered.
    """
    if info.status in _VALID and info.expires_at is not None:
        return AuthorizationStatus.EXPIRED if info.expires_at <= utc else info.status
    return info.status


def to_remember(info: IdTagInfo) -> IdTagInfo | None:
    """What may be remembered of an answer; None: nothing, and what was before it counts no longer.

    A refusal lasts until another answer comes. An acceptance lasts until its date; where that
    cannot be read it is good for once, or it would be one for ever.
    """
    is_for_once = info.is_end_unreadable and info.status is AuthorizationStatus.ACCEPTED
    return None if is_for_once else info


def decide_start(
    facts: TagRecord, policy: Policy, online: bool, utc: datetime, why_offline: str = ""
) -> Decision | None:
    """Decide on a tag presented to start; None: ask the central system."""
    if not online:
        return decide_offline(facts, policy, utc, why_offline)
    known = _look_up(facts, policy, utc)
    if known is not None and policy.pre_authorize and known.is_accepted:
        return known.decide(Verdict.ACCEPTED, Rule.LISTED if known.is_listed else Rule.CACHED)
    # A known tag that is not accepted is asked about while we can: the list may be out of date,
    # and sections 3.5.1 and 3.5.4 leave the way open.
    return None


def decide_answer(info: IdTagInfo) -> Decision:
    """Decide on the central system's answer to Authorize: for this once, whatever its date."""
    accepted = info.status is AuthorizationStatus.ACCEPTED
    rule = Rule.CENTRAL_ACCEPTED if accepted else Rule.CENTRAL_REFUSED
    verdict = Verdict.ACCEPTED if accepted else Verdict.REFUSED
    return Decision(verdict, rule, "central system", info)


def decide_offline(facts: TagRecord, policy: Policy, utc: datetime, detail: str) -> Decision:
    """Decide without the central system; ``detail`` says why it was not asked."""
    known = _look_up(facts, policy, utc)
    if known is None:
        if policy.allow_unknown_offline:
            return Decision(Verdict.ACCEPTED, Rule.UNKNOWN_ALLOWED, "offline rule", detail=detail)
        return Decision(Verdict.REFUSED, Rule.UNKNOWN_REFUSED, "offline rule", detail=detail)
    if not known.is_accepted:
        # Section 3.5.4: what has expired by now is refused, even where unknown tags may charge.
        return known.decide(Verdict.REFUSED, _refused_offline(known), detail)
    if policy.authorize_offline or policy.allow_unknown_offline:
        # A known good tag is never worse off than an unknown one.
        rule = Rule.LISTED_OFFLINE if known.is_listed else Rule.CACHED_OFFLINE
        return known.decide(Verdict.ACCEPTED, rule, detail)
    return known.decide(Verdict.REFUSED, Rule.OFFLINE_OFF, detail)


def known_parent(facts: TagRecord, configuration: Configuration, utc: datetime) -> str | None:
    """The group of a tag by list or cache, where these may tell; None: none, or who knows."""
    known = _look_up(facts, policy_of(configuration), utc)
    return known.info.parent_id_tag if known is not None and known.is_accepted else None


def decide_stop(
    transaction: Transaction,
    id_tag: str,
    facts: TagRecord,
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
    if known is not None and may_decide and known.is_accepted:
        return _by_group(transaction, known.info, known.source, known)
    if online:
        return None
    if known is None:
        return Decision(Verdict.REFUSED, Rule.GROUP_UNKNOWN, "offline rule")
    if not known.is_accepted:
        return known.decide(Verdict.REFUSED, _refused_offline(known))
    return known.decide(Verdict.REFUSED, Rule.OFFLINE_OFF)


def decide_stop_answer(transaction: Transaction, info: IdTagInfo) -> Decision:
    """Decide on the central system's answer about a tag presented to end a transaction."""
    if info.status is not AuthorizationStatus.ACCEPTED:
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
    return Rule.LISTED_REFUSED if known.is_listed else Rule.CACHED_REFUSED


def _look_up(facts: TagRecord, policy: Policy, utc: datetime) -> _Known | None:
    """The list has priority over the cache (section 3.5.3). The status is the present one."""
    if policy.use_list and facts.list_entry is not None:
        return _Known(_now(facts.list_entry, utc), _LIST, list_version=facts.list_version)
    if policy.use_cache and facts.cache_entry is not None:
        age_s = max(0, int((utc - facts.cache_entry.heard_at).total_seconds()))
        return _Known(_now(facts.cache_entry.info, utc), "cache", cache_age_s=age_s)
    return None


def _now(info: IdTagInfo, utc: datetime) -> IdTagInfo:
    return replace(info, status=effective(info, utc))
