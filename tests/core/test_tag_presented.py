"""What a presented tag is for, and what follows from the decision about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.authorization_outcome import CHECKS_MAX
from agent.core.commands import (
    Authorize,
    CacheTag,
    LockConnector,
    ReadMeter,
    Reply,
    ShowSignal,
    Signal,
)
from agent.core.state import Idle, Rules, Starting
from agent.core.tag_presented import RANDOM_TAGS_MAX
from agent.core.tag_sources import Source
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    LockState,
    Status,
)
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    cached,
    charging,
    decisions,
    deeds,
    listed,
    looked_up,
    of,
    reading,
    rules_of,
    statuses,
    tap,
)

CONCURRENT = IdTagInfo(AuthorizationStatus.CONCURRENT_TX)
RANDOM_ALLOWED = Rules(allow_random_uid=True)


# --- to start ------------------------------------------------------------------------------------


def test_a_listed_card_on_a_plugged_connector_begins_to_lock_at_once():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1))
    assert deeds(story.tell(tap(facts=listed()))) == [LockConnector(1), ReadMeter(1)]
    assert isinstance(story.connector.phase, Starting)


def test_a_card_before_the_plug_waits_for_it_and_the_connector_shows_preparing():
    story = Story(a_charge_point())
    commands = story.tell(tap(facts=listed()))
    assert deeds(commands) == []
    assert statuses(commands) == [Status.PREPARING]
    assert of(ShowSignal, commands) == [
        ShowSignal(Signal.ACCEPTED),
        ShowSignal(Signal.WAITING_FOR_PLUG),
    ]
    assert deeds(story.tell(ev.CablePluggedIn(1))) == [LockConnector(1), ReadMeter(1)]
    assert story.state.waiting == ()


def test_an_unknown_card_is_asked_about_and_the_box_says_so():
    story = Story(a_charge_point())
    commands = story.tell(tap())
    assert of(Authorize, commands) == [Authorize(CARD, timeout_s=5.0)]
    assert of(ShowSignal, commands) == [ShowSignal(Signal.CHECKING)]


def test_a_refused_card_starts_nothing_even_when_plugged_in():
    story = Story(a_charge_point())
    commands = story.tell(ev.CablePluggedIn(1), tap(), ev.AuthorizeAnswered(CARD, BLOCKED))
    assert deeds(commands) == [Authorize(CARD, 5.0), CacheTag(CARD, BLOCKED)]
    assert ShowSignal(Signal.REFUSED) in commands
    assert statuses(commands) == [Status.PREPARING]
    assert isinstance(story.connector.phase, Idle)


def test_the_grant_is_void_after_connection_time_out():
    story = Story(a_charge_point(ConnectionTimeOut="30"))
    story.tell(tap(facts=listed()))
    assert statuses(story.wait(29)) == []
    assert statuses(story.wait(1)) == [Status.AVAILABLE]
    assert deeds(story.tell(ev.CablePluggedIn(1))) == []


def test_a_plug_at_the_very_deadline_comes_too_late():
    story = Story(a_charge_point(ConnectionTimeOut="30"))
    story.tell(tap(facts=listed()))
    story.seconds = 30
    assert deeds(story.tell(ev.CablePluggedIn(1))) == []


def test_a_connection_time_out_of_zero_waits_for_ever():
    story = Story(a_charge_point(ConnectionTimeOut="0"))
    story.tell(tap(facts=listed()))
    story.wait(100_000)
    assert deeds(story.tell(ev.CablePluggedIn(1))) == [LockConnector(1), ReadMeter(1)]


def test_a_card_is_not_asked_about_twice_while_the_answer_is_on_its_way():
    story = Story(a_charge_point())
    story.tell(tap())
    assert story.tell(tap(CARD.lower())) == []


def test_one_question_serves_a_card_and_a_remote_start_of_the_same_tag():
    story = Story(a_charge_point(connectors=2, AuthorizeRemoteTxRequests="true"))
    commands = story.tell(ev.CablePluggedIn(1), tap(), ev.RemoteStartRequested("r1", CARD, 2))
    assert of(Authorize, commands) == [Authorize(CARD, 5.0)]


def test_a_second_card_is_not_promised_the_connector_of_one_that_is_being_checked():
    story = Story(a_charge_point())
    story.tell(tap())
    assert rules_of(story.tell(tap(OTHER_CARD, listed()))) == ["ONE_AT_A_TIME"]
    assert rules_of(story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))) == ["CENTRAL_ACCEPTED"]


def test_a_second_card_may_be_checked_for_another_connector_meanwhile():
    story = Story(a_charge_point(connectors=2))
    story.tell(ev.CablePluggedIn(1))
    story.tell(tap())
    story.tell(ev.CablePluggedIn(2))
    story.tell(tap(OTHER_CARD, listed()))
    story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    granted = [connector.grant for connector in story.state.connectors]
    assert [grant.id_tag for grant in granted if grant] == [CARD, OTHER_CARD]


def test_two_cards_that_wait_get_the_connectors_in_the_order_they_came():
    story = Story(a_charge_point(connectors=2))
    story.tell(tap(CARD, listed()), tap(OTHER_CARD, listed()))
    story.tell(ev.CablePluggedIn(2), ev.CablePluggedIn(1))
    granted = [connector.grant for connector in story.state.connectors]
    assert [grant.id_tag for grant in granted if grant] == [OTHER_CARD, CARD]


def test_a_card_that_waits_never_begins_on_the_plug_another_card_has_used():
    story = Story(a_charge_point(connectors=2))
    story.tell(tap(CARD, listed()), tap(OTHER_CARD, listed()), ev.CablePluggedIn(2))
    story.tell(ev.LockJammed(2, LockState.LOCKED), ev.LockChanged(2, LockState.UNLOCKED))
    assert [grant.connectors for grant in story.state.waiting] == [(1,)]
    assert isinstance(story.state.connectors[1].phase, Idle)


def test_a_card_that_was_promised_only_the_connector_now_taken_is_forgotten():
    story = Story(a_charge_point())
    story.tell(tap(CARD, listed()))
    first = story.state.waiting[0]
    story.state = replace(story.state, waiting=(first, replace(first, id_tag=OTHER_CARD)))
    story.tell(ev.CablePluggedIn(1))
    assert story.state.waiting == ()


def test_an_answer_finds_its_connector_taken_and_says_so():
    story = Story(a_charge_point(connectors=2))
    story.tell(tap(), ev.RemoteStartRequested("r1", OTHER_CARD, 1), ev.CablePluggedIn(1))
    story.tell(ev.MeterFailed(2, "silent"))
    commands = story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert rules_of(commands) == ["NO_CONNECTOR"]
    assert story.state.waiting == ()


def test_an_answer_grants_only_the_connectors_that_are_still_free():
    story = Story(a_charge_point(connectors=2))
    story.tell(tap(), ev.RemoteStartRequested("r1", OTHER_CARD, 1), ev.CablePluggedIn(1))
    story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert [grant.connectors for grant in story.state.waiting] == [(2,)]


# --- calling off ---------------------------------------------------------------------------------


def test_the_same_card_again_calls_the_start_off():
    story = Story(a_charge_point())
    story.tell(tap(facts=listed()))
    story.wait(5)
    commands = story.tell(tap(facts=listed()))
    assert rules_of(commands) == ["CANCELLED"]
    assert statuses(commands) == [Status.AVAILABLE]


def test_a_nervous_second_tap_does_not_call_the_start_off():
    story = Story(a_charge_point())
    story.tell(tap(facts=listed()))
    story.wait(4.9)
    assert story.tell(tap(facts=listed())) == []
    assert len(story.state.waiting) == 1


def test_another_card_does_not_call_a_start_off():
    story = Story(a_charge_point())
    story.tell(tap(facts=listed()))
    story.wait(10)
    assert rules_of(story.tell(tap(OTHER_CARD, listed()))) == ["NO_CONNECTOR"]
    assert len(story.state.waiting) == 1


def test_the_same_card_changes_nothing_while_lock_and_meter_are_getting_ready():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    story.wait(10)
    assert story.tell(tap(facts=listed())) == []
    assert isinstance(story.connector.phase, Starting)


# --- asking --------------------------------------------------------------------------------------


def test_without_an_answer_in_time_the_offline_rules_decide():
    story = Story(a_charge_point(LocalPreAuthorize="false"))
    story.tell(tap(facts=listed()))
    (record,) = decisions(story.wait(6))
    assert (record.rule, record.detail) == ("LISTED_OFFLINE", "no answer within 5 s")


def test_an_authorize_that_failed_lets_the_offline_rules_decide_at_once():
    story = Story(a_charge_point())
    story.tell(tap())
    (record,) = decisions(story.tell(ev.AuthorizeFailed(CARD, "CALLERROR InternalError")))
    assert (record.rule, record.detail) == ("UNKNOWN_REFUSED", "CALLERROR InternalError")


@pytest.mark.parametrize("facts", [None, listed(), cached()])
def test_nonsense_as_an_answer_refuses_whatever_the_offline_rules_would_do(facts):
    story = Story(a_charge_point(AllowOfflineTxForUnknownId="true", LocalPreAuthorize="false"))
    story.tell(tap(facts=facts))
    (record,) = decisions(story.tell(ev.AuthorizeFailed(CARD, "no status", is_answer=True)))
    assert (record.rule, record.detail) == ("ANSWER_UNUSABLE", "no status")
    assert (story.state.waiting, story.state.unanswered) == ((), ())


def test_a_late_answer_is_remembered_but_decides_nothing_any_more():
    story = Story(a_charge_point())
    story.tell(tap())
    story.wait(6)
    commands = story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert deeds(commands) == [CacheTag(CARD, ACCEPTED)]
    assert decisions(commands) == []


def test_two_checks_of_one_tag_are_each_decided_at_their_own_time():
    story = Story(a_charge_point(connectors=2, AuthorizeRemoteTxRequests="true"))
    story.tell(ev.CablePluggedIn(1), tap())
    story.wait(3)
    story.tell(ev.RemoteStartRequested("r1", CARD, 2))
    assert [record.purpose for record in decisions(story.wait(3))] == ["start"]
    assert [record.purpose for record in decisions(story.wait(3))] == ["remote start"]


def test_one_answer_serves_two_checks_of_one_tag():
    story = Story(a_charge_point(connectors=2, AuthorizeRemoteTxRequests="true"))
    story.tell(ev.CablePluggedIn(1), tap(), ev.RemoteStartRequested("r1", CARD, 2))
    commands = story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))
    assert [record.purpose for record in decisions(commands)] == ["start", "remote start"]
    assert len(of(CacheTag, commands)) == 1


def test_an_answer_is_not_remembered_while_the_cache_is_off():
    story = Story(a_charge_point(AuthorizationCacheEnabled="false"))
    story.tell(tap())
    assert of(CacheTag, story.tell(ev.AuthorizeAnswered(CARD, ACCEPTED))) == []


def test_concurrent_tx_says_nothing_about_the_card_and_is_not_remembered():
    story = Story(a_charge_point())
    story.tell(tap())
    commands = story.tell(ev.AuthorizeAnswered(CARD, CONCURRENT))
    assert of(CacheTag, commands) == []
    assert rules_of(commands) == ["CENTRAL_REFUSED"]


@pytest.mark.parametrize("online", [True, False])
def test_a_random_uid_is_refused_and_nobody_is_asked_about_it(online):
    story = Story(a_charge_point(online=online, AllowOfflineTxForUnknownId="true"))
    commands = story.tell(tap("08A2B3C4", listed(), is_random=True))
    assert deeds(commands) == []
    assert rules_of(commands) == ["RANDOM_UID"]


def test_a_random_uid_ends_no_session_and_calls_no_start_off():
    story = Story(a_charge_point())
    story.tell(tap(facts=listed()))
    story.wait(10)
    assert rules_of(story.tell(tap(is_random=True))) == ["RANDOM_UID"]
    assert len(story.state.waiting) == 1
    assert rules_of(charging().tell(tap(is_random=True))) == ["RANDOM_UID"]


def test_a_random_uid_charges_like_any_card_where_the_configuration_allows_it():
    story = Story(a_charge_point(rules=RANDOM_ALLOWED))
    story.tell(ev.CablePluggedIn(1))
    assert Authorize("08A2B3C4", 5.0) in story.tell(tap("08A2B3C4", is_random=True))
    story.tell(ev.AuthorizeAnswered("08A2B3C4", ACCEPTED))
    assert isinstance(story.connector.phase, Starting)


@pytest.mark.parametrize("waited_s", [1, 7])
def test_a_random_uid_is_never_remembered_in_time_or_late(waited_s):
    story = Story(a_charge_point(rules=RANDOM_ALLOWED))
    story.tell(tap("08A2B3C4", is_random=True))
    story.wait(waited_s)
    assert of(CacheTag, story.tell(ev.AuthorizeAnswered("08A2B3C4", ACCEPTED))) == []


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_random_uid_is_not_remembered_from_the_answer_to_its_transaction_either(is_allowed):
    story = Story(a_charge_point(rules=Rules(allow_random_uid=is_allowed)))
    story.tell(tap("08A2B3C4", is_random=True))
    answer = ev.MessageAnswered(1, 1, 55, ACCEPTED, "08A2B3C4")
    assert of(CacheTag, story.tell(answer)) == []


def test_only_the_latest_random_uids_are_kept_in_mind():
    story = Story(a_charge_point(online=False))
    for number in range(RANDOM_TAGS_MAX + 5):
        story.tell(tap(f"08{number:06}", is_random=True))
    assert len(story.state.random_tags) == RANDOM_TAGS_MAX
    assert story.state.random_tags[-1] == f"08{RANDOM_TAGS_MAX + 4:06}"


def test_no_more_cards_are_checked_at_once_than_the_limit():
    story = Story(a_charge_point(connectors=CHECKS_MAX + 2))
    served = tuple(range(1, CHECKS_MAX + 3))
    for number in range(CHECKS_MAX):
        story.tell(tap(f"CARD-{number}", connectors=served))
    assert rules_of(story.tell(tap("ONE-MORE", connectors=served))) == ["TOO_MANY"]
    assert len(story.state.checking) == CHECKS_MAX


# --- remote start --------------------------------------------------------------------------------


def test_a_remote_start_is_accepted_and_waits_for_the_plug_without_a_question():
    story = Story(a_charge_point())
    commands = story.tell(ev.RemoteStartRequested("r1", "APP-7", 1))
    assert deeds(commands) == [Reply("r1", "Accepted")]
    assert statuses(commands) == [Status.PREPARING]
    assert deeds(story.tell(ev.CablePluggedIn(1))) == [LockConnector(1), ReadMeter(1)]


def test_a_remote_start_is_authorized_like_a_card_where_the_key_says_so():
    story = Story(a_charge_point(AuthorizeRemoteTxRequests="true"))
    commands = story.tell(ev.RemoteStartRequested("r1", "APP-7", 1))
    assert deeds(commands) == [
        Reply("r1", "Accepted"),
        Authorize("APP-7", 5.0, source=Source.CENTRAL_SYSTEM),
    ]
    commands = story.tell(ev.AuthorizeAnswered("APP-7", BLOCKED))
    assert [(r.purpose, r.rule) for r in decisions(commands)] == [
        ("remote start", "CENTRAL_REFUSED")
    ]
    assert story.state.waiting == ()


def test_a_remote_start_of_a_listed_tag_is_authorized_by_the_list():
    story = Story(a_charge_point(AuthorizeRemoteTxRequests="true"))
    assert rules_of(story.tell(looked_up(ev.RemoteStartRequested("r1", CARD, 1), listed()))) == [
        "LISTED"
    ]


@pytest.mark.parametrize("connector_id", [0, 2, -1])
def test_a_remote_start_for_an_unknown_connector_is_rejected(connector_id):
    story = Story(a_charge_point())
    commands = story.tell(ev.RemoteStartRequested("r1", CARD, connector_id))
    assert deeds(commands) == [Reply("r1", "Rejected")]


@pytest.mark.parametrize(
    "before",
    [
        ev.SafetyInputTripped("door"),
        ev.JournalFailed("disk full"),
        ev.ShutdownRequested(),
        ev.LinkPending("Pending"),
        ev.RemoteStartRequested("r0", OTHER_CARD, 1),
    ],
)
def test_a_remote_start_that_cannot_be_tried_is_rejected(before):
    story = Story(a_charge_point())
    story.tell(before)
    commands = story.tell(ev.RemoteStartRequested("r1", CARD, 1))
    assert of(Reply, commands) == [Reply("r1", "Rejected")]


def test_a_remote_start_is_rejected_where_a_session_runs():
    assert deeds(charging().tell(ev.RemoteStartRequested("r1", CARD, 1))) == [
        Reply("r1", "Rejected")
    ]


def test_the_card_that_a_remote_start_named_ends_its_session():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), ev.RemoteStartRequested("r1", CARD, 1))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    story.wait(10)
    assert rules_of(story.tell(tap())) == ["SAME_CARD"]
