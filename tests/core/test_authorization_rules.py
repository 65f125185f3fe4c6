"""May this idTag charge? Every branch of the decision, with its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import (
    Decision,
    Policy,
    decide_answer,
    decide_offline,
    decide_start,
    decide_stop,
    decide_stop_answer,
    effective,
    known_parent,
    policy_of,
    to_remember,
)
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    TagRecord,
    Verdict,
)
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    NOON,
    OTHER_CARD,
    a_charge_point,
    a_transaction,
    cached,
    listed,
    of_group,
)

OPEN = Policy(
    use_list=True,
    use_cache=True,
    pre_authorize=True,
    authorize_offline=True,
    allow_unknown_offline=False,
)
NO_LIST = replace(OPEN, use_list=False)
NO_CACHE = replace(OPEN, use_cache=False)
ALWAYS_ASK = replace(OPEN, pre_authorize=False)
NOT_OFFLINE = replace(OPEN, authorize_offline=False)
ANYONE_OFFLINE = replace(OPEN, allow_unknown_offline=True)
CONTRADICTORY = replace(NOT_OFFLINE, allow_unknown_offline=True)

EXPIRED = IdTagInfo(AuthorizationStatus.EXPIRED)
INVALID = IdTagInfo(AuthorizationStatus.INVALID)
CONCURRENT = IdTagInfo(AuthorizationStatus.CONCURRENT_TX)
RUN_OUT = replace(ACCEPTED, expires_at=NOON)
ENDLESS_PERHAPS = replace(ACCEPTED, is_end_unreadable=True)
STILL_GOOD = replace(ACCEPTED, expires_at=NOON + timedelta(seconds=1))
LIST, CACHE, CENTRAL = "local list", "cache", "central system"
OFFLINE, BOX = "offline rule", "charge point"

YES, NO = Verdict.ACCEPTED, Verdict.REFUSED


def outcome(decision: Decision | None) -> tuple[Verdict, Rule, str] | None:
    return None if decision is None else (decision.verdict, decision.rule, decision.source)


def both(list_entry: IdTagInfo, cache_entry: IdTagInfo) -> TagRecord:
    return replace(cached(cache_entry), list_entry=list_entry, list_version=7)


# --- start, online -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "policy", "expected"),
    [
        (listed(), OPEN, (YES, Rule.LISTED, LIST)),
        (listed(STILL_GOOD), OPEN, (YES, Rule.LISTED, LIST)),
        (listed(CONCURRENT), OPEN, (YES, Rule.LISTED, LIST)),
        (cached(), OPEN, (YES, Rule.CACHED, CACHE)),
        (both(ACCEPTED, BLOCKED), OPEN, (YES, Rule.LISTED, LIST)),
        (both(BLOCKED, ACCEPTED), NO_LIST, (YES, Rule.CACHED, CACHE)),
    ],
)
def test_online_a_known_good_card_starts_without_a_question(facts, policy, expected):
    assert outcome(decide_start(facts, policy, online=True, utc=NOON)) == expected


@pytest.mark.parametrize(
    ("facts", "policy"),
    [
        (TagRecord(), OPEN),
        (listed(BLOCKED), OPEN),
        (listed(RUN_OUT), OPEN),
        (cached(INVALID), OPEN),
        (cached(EXPIRED), OPEN),
        (cached(RUN_OUT), OPEN),
        (cached(CONCURRENT), OPEN),
        (both(BLOCKED, ACCEPTED), OPEN),  # the list wins, and it does not accept
        (listed(), NO_LIST),
        (cached(), NO_CACHE),
        (listed(), ALWAYS_ASK),
        (cached(), ALWAYS_ASK),
        (TagRecord(), ANYONE_OFFLINE),
    ],
)
def test_online_the_central_system_is_asked_about_every_other_card(facts, policy):
    assert decide_start(facts, policy, online=True, utc=NOON) is None


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (ACCEPTED, (YES, Rule.CENTRAL_ACCEPTED, CENTRAL)),
        (STILL_GOOD, (YES, Rule.CENTRAL_ACCEPTED, CENTRAL)),
        (RUN_OUT, (YES, Rule.CENTRAL_ACCEPTED, CENTRAL)),
        (ENDLESS_PERHAPS, (YES, Rule.CENTRAL_ACCEPTED, CENTRAL)),
        (BLOCKED, (NO, Rule.CENTRAL_REFUSED, CENTRAL)),
        (EXPIRED, (NO, Rule.CENTRAL_REFUSED, CENTRAL)),
        (INVALID, (NO, Rule.CENTRAL_REFUSED, CENTRAL)),
        (CONCURRENT, (NO, Rule.CENTRAL_REFUSED, CENTRAL)),
    ],
)
def test_the_answer_of_the_central_system_decides(info, expected):
    decision = decide_answer(info)
    assert outcome(decision) == expected
    assert decision.info == info


@pytest.mark.parametrize(
    ("info", "is_remembered"),
    [
        (ACCEPTED, True),
        (STILL_GOOD, True),
        (RUN_OUT, True),  # as what it is: expired
        (ENDLESS_PERHAPS, False),
        (BLOCKED, True),
        (replace(BLOCKED, is_end_unreadable=True), True),  # its date ends no refusal
    ],
)
def test_an_answer_is_remembered_unless_nobody_knows_how_long_it_is_good(info, is_remembered):
    assert to_remember(info) == (info if is_remembered else None)


@pytest.mark.parametrize("source", [listed, cached])
@pytest.mark.parametrize(("info", "group"), [(ACCEPTED, "FLEET"), (RUN_OUT, None), (BLOCKED, None)])
def test_what_does_not_accept_a_tag_tells_no_group_of_it(source, info, group):
    facts = source(replace(info, parent_id_tag="FLEET"))
    assert known_parent(facts, a_charge_point().configuration, NOON) == group


# --- start, offline ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "policy", "expected"),
    [
        (listed(), OPEN, (YES, Rule.LISTED_OFFLINE, LIST)),
        (listed(CONCURRENT), OPEN, (YES, Rule.LISTED_OFFLINE, LIST)),
        (listed(), ALWAYS_ASK, (YES, Rule.LISTED_OFFLINE, LIST)),
        (cached(), OPEN, (YES, Rule.CACHED_OFFLINE, CACHE)),
        (listed(BLOCKED), OPEN, (NO, Rule.LISTED_REFUSED, LIST)),
        (listed(RUN_OUT), OPEN, (NO, Rule.LISTED_REFUSED, LIST)),
        (listed(BLOCKED), ANYONE_OFFLINE, (NO, Rule.LISTED_REFUSED, LIST)),
        (listed(BLOCKED), NOT_OFFLINE, (NO, Rule.LISTED_REFUSED, LIST)),
        (both(BLOCKED, ACCEPTED), OPEN, (NO, Rule.LISTED_REFUSED, LIST)),
        (cached(INVALID), OPEN, (NO, Rule.CACHED_REFUSED, CACHE)),
        (cached(CONCURRENT), OPEN, (NO, Rule.CACHED_REFUSED, CACHE)),
        (cached(BLOCKED), ANYONE_OFFLINE, (NO, Rule.CACHED_REFUSED, CACHE)),
        (cached(RUN_OUT), OPEN, (NO, Rule.CACHED_REFUSED, CACHE)),
        (cached(RUN_OUT), ANYONE_OFFLINE, (NO, Rule.CACHED_REFUSED, CACHE)),
        (listed(RUN_OUT), ANYONE_OFFLINE, (NO, Rule.LISTED_REFUSED, LIST)),
        (listed(), NOT_OFFLINE, (NO, Rule.OFFLINE_OFF, LIST)),
        (cached(), NOT_OFFLINE, (NO, Rule.OFFLINE_OFF, CACHE)),
        (listed(), CONTRADICTORY, (YES, Rule.LISTED_OFFLINE, LIST)),
        (cached(), CONTRADICTORY, (YES, Rule.CACHED_OFFLINE, CACHE)),
        (TagRecord(), OPEN, (NO, Rule.UNKNOWN_REFUSED, OFFLINE)),
        (listed(), NO_LIST, (NO, Rule.UNKNOWN_REFUSED, OFFLINE)),
        (cached(), NO_CACHE, (NO, Rule.UNKNOWN_REFUSED, OFFLINE)),
        (TagRecord(), ANYONE_OFFLINE, (YES, Rule.UNKNOWN_ALLOWED, OFFLINE)),
        (TagRecord(), CONTRADICTORY, (YES, Rule.UNKNOWN_ALLOWED, OFFLINE)),
    ],
)
def test_offline_list_cache_and_switches_decide_each_branch_with_its_reason(
    facts, policy, expected
):
    decision = decide_offline(facts, policy, NOON, "link down")
    assert outcome(decision) == expected
    assert decision.detail == "link down"
    assert decide_start(facts, policy, online=False, utc=NOON, why_offline="link down") == decision


def test_a_decision_from_the_list_names_its_version():
    decision = decide_start(listed(version=42), OPEN, online=True, utc=NOON)
    assert decision is not None
    assert (decision.list_version, decision.cache_age_s) == (42, None)


@pytest.mark.parametrize(("age_s", "noted_s"), [(90, 90), (-30, 0)])
def test_a_decision_from_the_cache_names_its_age_which_is_never_negative(age_s, noted_s):
    decision = decide_start(cached(age_s=age_s), OPEN, online=True, utc=NOON)
    assert decision is not None
    assert (decision.list_version, decision.cache_age_s) == (None, noted_s)


@pytest.mark.parametrize(
    ("info", "status"),
    [
        (ACCEPTED, AuthorizationStatus.ACCEPTED),
        (STILL_GOOD, AuthorizationStatus.ACCEPTED),
        (RUN_OUT, AuthorizationStatus.EXPIRED),
        (replace(BLOCKED, expires_at=NOON), AuthorizationStatus.BLOCKED),
        (CONCURRENT, AuthorizationStatus.CONCURRENT_TX),
    ],
)
def test_an_accepted_card_expires_at_its_instant_and_other_statuses_stay(info, status):
    assert effective(info, NOON) is status


# --- stop ----------------------------------------------------------------------------------------

GROUPED = a_transaction(parent_id_tag="FLEET")
ALONE = a_transaction()


@pytest.mark.parametrize("online", [True, False])
def test_the_card_that_started_ends_the_session_without_a_question(online):
    decision = decide_stop(ALONE, CARD.lower(), TagRecord(), OPEN, online, NOON)
    assert outcome(decision) == (YES, Rule.SAME_CARD, BOX)


@pytest.mark.parametrize("online", [True, False])
def test_another_card_cannot_end_a_session_that_has_no_group(online):
    decision = decide_stop(ALONE, OTHER_CARD, listed(of_group("FLEET")), OPEN, online, NOON)
    assert outcome(decision) == (NO, Rule.OTHER_SESSION, BOX)


@pytest.mark.parametrize(
    ("facts", "policy", "online", "expected"),
    [
        (listed(of_group("fleet")), OPEN, True, (YES, Rule.SAME_GROUP, LIST)),
        (cached(of_group("FLEET")), OPEN, True, (YES, Rule.SAME_GROUP, CACHE)),
        (listed(of_group("OTHER")), OPEN, True, (NO, Rule.OTHER_GROUP, LIST)),
        (listed(ACCEPTED), OPEN, True, (NO, Rule.OTHER_GROUP, LIST)),
        (listed(of_group("FLEET")), ALWAYS_ASK, True, None),
        (listed(replace(BLOCKED, parent_id_tag="FLEET")), OPEN, True, None),
        (TagRecord(), OPEN, True, None),
        (listed(of_group("FLEET")), OPEN, False, (YES, Rule.SAME_GROUP, LIST)),
        (listed(of_group("FLEET")), ALWAYS_ASK, False, (YES, Rule.SAME_GROUP, LIST)),
        (cached(of_group("OTHER")), OPEN, False, (NO, Rule.OTHER_GROUP, CACHE)),
        (TagRecord(), OPEN, False, (NO, Rule.GROUP_UNKNOWN, OFFLINE)),
        (TagRecord(), ANYONE_OFFLINE, False, (NO, Rule.GROUP_UNKNOWN, OFFLINE)),
        (listed(BLOCKED), OPEN, False, (NO, Rule.LISTED_REFUSED, LIST)),
        (cached(BLOCKED), OPEN, False, (NO, Rule.CACHED_REFUSED, CACHE)),
        (listed(of_group("FLEET")), NOT_OFFLINE, False, (NO, Rule.OFFLINE_OFF, LIST)),
    ],
)
def test_another_card_ends_a_session_only_as_an_accepted_member_of_its_group(
    facts, policy, online, expected
):
    assert outcome(decide_stop(GROUPED, OTHER_CARD, facts, policy, online, NOON)) == expected


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (of_group("FLEET"), (YES, Rule.SAME_GROUP, CENTRAL)),
        (of_group("OTHER"), (NO, Rule.OTHER_GROUP, CENTRAL)),
        (ACCEPTED, (NO, Rule.OTHER_GROUP, CENTRAL)),
        (replace(BLOCKED, parent_id_tag="FLEET"), (NO, Rule.CENTRAL_REFUSED, CENTRAL)),
        (replace(RUN_OUT, parent_id_tag="FLEET"), (YES, Rule.SAME_GROUP, CENTRAL)),
    ],
)
def test_the_central_system_says_whether_another_card_is_of_the_group(info, expected):
    assert outcome(decide_stop_answer(GROUPED, info)) == expected


# --- switches ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("LocalAuthListEnabled", "use_list"),
        ("AuthorizationCacheEnabled", "use_cache"),
        ("LocalPreAuthorize", "pre_authorize"),
        ("LocalAuthorizeOffline", "authorize_offline"),
        ("AllowOfflineTxForUnknownId", "allow_unknown_offline"),
    ],
)
def test_each_switch_is_its_own_configuration_key(key, field):
    usual = policy_of(a_charge_point().configuration)
    assert usual == OPEN
    opposite = not getattr(usual, field)
    changed = policy_of(a_charge_point(**{key: str(opposite)}).configuration)
    assert changed == replace(usual, **{field: opposite})
