"""The operator asks for a session: the way of a card, and one answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.authorization_outcome import CHECKS_MAX
from agent.core.commands import (
    Authorize,
    LockConnector,
    ReadMeter,
    Reply,
    Restart,
    ShowSignal,
    Signal,
)
from agent.core.state import Charging, Finished, GrantedAuthorization, Idle, Starting
from agent.core.tag_sources import Source
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    LockState,
    PilotState,
    Status,
    TagRecord,
)
from tests.core.story import (
    ACCEPTED,
    ALL_PARTS,
    BLOCKED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    charging,
    decisions,
    deeds,
    finish,
    listed,
    looked_up,
    of,
    of_group,
    reading,
    replies,
    rules_of,
    statuses,
    tap,
)

STORED = "stored, to be delivered later"
CONCURRENT = IdTagInfo(AuthorizationStatus.CONCURRENT_TX)


def ask_session(
    request_id: str = "s1", id_tag: str = CARD, facts: TagRecord | None = None, **fields
) -> ev.LookedUp:
    """The operator asks for a session on connector 1; of a listed tag, unless ``facts`` differ."""
    asked = ev.StartRequested(request_id, **{"connector_id": 1, **fields, "id_tag": id_tag})
    return looked_up(asked, facts or listed())


def an_asked_session(**given) -> Story:
    """Plugged in, asked for, locked and metered: its StartTransaction waits for an answer."""
    story = Story(a_charge_point(**given))
    story.tell(ev.CablePluggedIn(1), ask_session())
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    assert isinstance(story.connector.phase, Charging)
    return story


def start_answer(info: IdTagInfo | None = ACCEPTED, sequence: int = 1) -> ev.MessageAnswered:
    return ev.MessageAnswered(sequence, 1, 55, info, CARD)


# --- a session -----------------------------------------------------------------------------------


def test_a_session_that_was_asked_for_takes_the_way_of_a_card():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1))
    commands = story.tell(ask_session())
    assert deeds(commands) == [LockConnector(1), ReadMeter(1)]
    (record,) = decisions(commands)
    assert (record.purpose, record.rule, record.connector_id) == ("operator start", "LISTED", 1)


def test_a_session_is_applied_when_the_central_system_has_accepted_its_start():
    story = an_asked_session()
    assert replies(story.commands) == []
    answer = of_group("FLEET")
    assert of(Reply, story.tell(start_answer(answer))) == [Reply("s1", "applied", "", answer)]


def test_a_session_is_rejected_when_the_central_system_refuses_its_start():
    story = an_asked_session()
    assert of(Reply, story.tell(start_answer(BLOCKED))) == [Reply("s1", "rejected", "", BLOCKED)]


def test_a_session_is_applied_when_the_answer_to_its_start_says_nothing_about_the_tag():
    assert of(Reply, an_asked_session().tell(start_answer(None))) == [Reply("s1", "applied")]


def test_a_session_begun_offline_is_applied_as_soon_as_it_is_stored():
    story = an_asked_session(online=False)
    assert of(Reply, story.commands) == [Reply("s1", "applied", STORED)]
    story.tell(ev.LinkAccepted())
    assert replies(story.tell(start_answer(BLOCKED))) == []


@pytest.mark.parametrize("lost", [ev.LinkLost("gone"), ev.LinkPending("Pending")])
def test_a_session_is_applied_when_the_link_goes_before_its_start_is_answered(lost):
    story = an_asked_session()
    assert of(Reply, story.tell(lost)) == [Reply("s1", "applied", STORED)]
    story.tell(ev.LinkAccepted())
    assert replies(story.tell(start_answer())) == []


def test_a_session_is_applied_when_its_start_is_given_up():
    story = an_asked_session(TransactionMessageAttempts="1")
    detail = "StartTransaction was given up: CALLERROR GenericError"
    commands = story.tell(ev.MessageFailed(1, "CALLERROR GenericError"))
    assert of(Reply, commands) == [Reply("s1", "applied", detail)]


def test_a_start_that_will_be_tried_again_is_not_given_up():
    story = an_asked_session(TransactionMessageAttempts="2")
    assert replies(story.tell(ev.MessageFailed(1, "no answer"))) == []
    story.wait(60)
    assert replies(story.tell(start_answer())) == [("s1", "applied")]


def test_a_start_behind_another_row_that_is_given_up_still_waits_for_its_answer():
    story = charging(connectors=2, TransactionMessageAttempts="1")
    story.tell(ev.CablePluggedIn(2), ask_session(id_tag=OTHER_CARD, connector_id=2))
    story.tell(ev.LockChanged(2, LockState.LOCKED), ev.MeterRead(2, reading(0)))
    assert replies(story.tell(ev.MessageFailed(1, "no answer"))) == []
    assert replies(story.tell(ev.MessageFailed(2, "no answer"))) == [("s1", "applied")]


def test_a_start_that_the_journal_has_lost_is_given_up():
    story = an_asked_session()
    commands = story.tell(ev.OutboxWasEmpty(1))
    detail = "StartTransaction was given up: it is not in the outbox any more"
    assert of(Reply, commands) == [Reply("s1", "applied", detail)]


def test_a_session_that_is_over_before_its_start_is_answered_is_applied_with_a_word_about_it():
    story = an_asked_session()
    commands = story.tell(ev.CableUnplugged(1), ev.MeterRead(1, reading(1000)))
    detail = "over before the central system answered StartTransaction"
    assert of(Reply, commands) == [Reply("s1", "applied", detail)]
    assert replies(story.tell(start_answer())) == []


def test_a_session_waits_for_its_plug_and_expires_without_one():
    story = Story(a_charge_point(ConnectionTimeOut="30"))
    commands = story.tell(ask_session())
    assert replies(commands) == []
    assert statuses(commands) == [Status.PREPARING]
    assert of(Reply, story.wait(30)) == [Reply("s1", "expired", "no car was plugged in in time")]
    assert story.state.waiting == ()


def test_a_session_that_must_not_wait_is_refused_without_a_plug():
    story = Story(a_charge_point())
    assert deeds(story.tell(ask_session(must_be_plugged=True))) == [Reply("s1", "not_plugged")]
    story.tell(ev.CablePluggedIn(1))
    assert deeds(story.tell(ask_session("s2", must_be_plugged=True))) == [
        LockConnector(1),
        ReadMeter(1),
    ]


def test_where_only_the_pilot_sees_the_vehicle_it_says_whether_one_is_there():
    traits = replace(ALL_PARTS, has_plug=False)
    story = Story(a_charge_point(traits=traits))
    assert deeds(story.tell(ask_session(must_be_plugged=True))) == [Reply("s1", "not_plugged")]
    story.tell(ev.PilotChanged(1, PilotState.B))
    story.tell(ask_session("s2", must_be_plugged=True))
    assert isinstance(story.connector.phase, Starting)


@pytest.mark.parametrize("connector_id", [0, 2, -1])
def test_a_session_on_an_unknown_connector_is_refused(connector_id):
    story = Story(a_charge_point())
    commands = story.tell(ask_session(connector_id=connector_id))
    assert deeds(commands) == [Reply("s1", "unknown_connector")]


@pytest.mark.parametrize(
    ("before", "status"),
    [
        (ev.SafetyInputTripped("door"), "connector_faulted"),
        (ev.MeterFailed(1, "silent"), "connector_faulted"),
        (ev.JournalFailed("full"), "connector_faulted"),
        (ev.ShutdownRequested(), "connector_unavailable"),
        (tap(OTHER_CARD, listed()), "transaction_active"),
        (tap(OTHER_CARD), "transaction_active"),  # being asked about
        (ev.RemoteStartRequested("r1", OTHER_CARD, 1), "transaction_active"),
    ],
)
def test_a_session_that_cannot_begin_is_refused_at_once(before, status):
    story = Story(a_charge_point())
    story.tell(before)
    assert of(Reply, story.tell(ask_session())) == [Reply("s1", status)]


def test_a_session_is_refused_where_one_is_starting_or_running_and_waits_for_one_that_ends():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    assert replies(story.tell(ask_session("s1"))) == [("s1", "transaction_active")]
    story = charging()
    assert replies(story.tell(ask_session("s2"))) == [("s2", "transaction_active")]
    story.tell(tap())
    assert replies(story.tell(ask_session("s3"))) == []
    finish(story)
    assert isinstance(story.connector.phase, Starting)


def test_a_session_may_follow_another_on_the_same_plug():
    story = charging()
    story.tell(tap())
    finish(story)
    assert isinstance(story.connector.phase, Finished)
    story.tell(ask_session(must_be_plugged=True))
    assert isinstance(story.connector.phase, Starting)


def test_a_session_may_begin_while_a_card_is_still_asked_about_to_stop_the_one_before():
    story = charging(facts=listed(of_group("FLEET")))
    story.tell(tap(OTHER_CARD))
    story.tell(ev.CableUnplugged(1), ev.ContactorOpened(1), ev.MeterRead(1, reading(1100)))
    assert [check.attempt.connectors for check in story.state.checking] == [(1,)]
    assert replies(story.tell(ask_session())) == []
    assert len(story.state.waiting) == 1


def test_a_session_is_refused_when_every_connector_is_promised_to_cards_that_wait():
    story = Story(a_charge_point(connectors=2))
    story.tell(tap("ANNA", listed()), tap("BERT", listed()))
    commands = story.tell(ask_session())
    assert rules_of(commands) == ["NO_CONNECTOR"]
    assert of(Reply, commands) == [Reply("s1", "transaction_active")]
    assert len(story.state.waiting) == 2


def test_one_who_waits_for_a_connector_out_of_order_takes_no_place_of_another():
    story = Story(a_charge_point(connectors=2))
    story.tell(ask_session("s1", connector_id=2), ev.LockJammed(2, LockState.LOCKED))
    assert replies(story.tell(ask_session("s2", OTHER_CARD))) == []
    assert [grant.connectors for grant in story.state.waiting] == [(2,), (1,)]


def test_a_session_for_an_unknown_tag_is_asked_about_and_its_refusal_told():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1))
    commands = story.tell(ev.StartRequested("s1", 1, CARD))
    assert deeds(commands) == [Authorize(CARD, 5.0, source=Source.OPERATOR)]
    assert of(ShowSignal, commands) == [ShowSignal(Signal.CHECKING)]
    commands = story.tell(ev.AuthorizeAnswered(CARD, BLOCKED))
    assert of(Reply, commands) == [
        Reply("s1", "rejected", "the central system refuses this card", BLOCKED)
    ]
    assert isinstance(story.connector.phase, Idle)


def test_a_session_for_an_unknown_tag_is_refused_offline_with_the_reason():
    story = Story(a_charge_point(online=False))
    (reply,) = of(Reply, story.tell(ev.StartRequested("s1", 1, CARD)))
    assert reply.status == "rejected"
    assert reply.detail == "offline: this card is neither in the local list nor remembered"


def test_a_session_without_an_answer_in_time_is_decided_by_the_offline_rules():
    story = Story(a_charge_point())
    story.tell(ev.StartRequested("s1", 1, CARD))
    assert replies(story.wait(6)) == [("s1", "rejected")]


def test_a_session_beyond_the_questions_that_may_be_open_is_rejected():
    story = Story(a_charge_point(connectors=CHECKS_MAX + 1))
    for number in range(CHECKS_MAX + 1):
        asked = ev.StartRequested(f"s{number}", number + 1, f"CARD-{number}")
        commands = story.tell(asked)
    assert replies(commands) == [(f"s{CHECKS_MAX}", "rejected")]


def test_a_trusted_session_asks_nobody():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1))
    commands = story.tell(ev.StartRequested("s1", 1, "NOBODY", is_trusted=True))
    assert deeds(commands) == [LockConnector(1), ReadMeter(1)]
    assert rules_of(commands) == ["TRUSTED"]


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (TagRecord(), "UNKNOWN_REFUSED"),
        (listed(BLOCKED), "LISTED_REFUSED"),
        (None, "LISTED_OFFLINE"),
    ],
)
def test_without_a_link_there_is_no_central_system_to_try_and_the_rules_decide(facts, rule):
    story = Story(a_charge_point(online=False))
    assert rules_of(story.tell(ask_session(facts=facts, is_trusted=True))) == [rule]


@pytest.mark.parametrize(
    ("then", "detail"),
    [
        (ev.LockJammed(1, LockState.LOCKED), "the start was given up"),
        (ev.CableUnplugged(1), "the start was given up"),
        (ev.UnlockRequested("u1", 1), "the connector was unlocked"),
        (ev.ShutdownRequested(), "the start was given up"),
    ],
)
def test_a_start_that_is_given_up_is_rejected(then, detail):
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), ask_session())
    (reply,) = [r for r in of(Reply, story.tell(then)) if r.request_id == "s1"]
    assert reply.status == "rejected"
    assert reply.detail.startswith(detail)


def test_a_session_that_waits_for_its_plug_is_called_off_by_its_own_card():
    story = Story(a_charge_point())
    story.tell(ask_session())
    story.wait(5)
    (reply,) = of(Reply, story.tell(tap()))
    assert (reply.request_id, reply.status) == ("s1", "rejected")


def test_a_session_that_waits_for_its_plug_is_rejected_when_another_card_is_first():
    story = Story(a_charge_point(connectors=2))
    story.tell(ask_session())
    first = GrantedAuthorization(OTHER_CARD, None, (1,), 0.0, None, "LISTED")
    story.state = replace(story.state, waiting=(first, *story.state.waiting))
    assert of(Reply, story.tell(ev.CablePluggedIn(1))) == [
        Reply("s1", "rejected", "another card was first")
    ]


def test_a_restart_rejects_what_waits_and_what_is_being_asked_about():
    story = Story(a_charge_point(connectors=3))
    story.tell(ask_session("s1"), ev.StartRequested("s2", 2, OTHER_CARD))
    story.tell(ev.AuthorizeRequested("q1", "CLEO"))
    commands = story.tell(ev.ShutdownRequested())
    assert of(Reply, commands) == [
        Reply("s1", "rejected", "the box is about to restart"),
        Reply("s2", "rejected", "the box is about to restart"),
        Reply("q1", "failed", "the box is about to restart"),
    ]
    assert commands.index(Restart(again=False)) > commands.index(of(Reply, commands)[-1])
