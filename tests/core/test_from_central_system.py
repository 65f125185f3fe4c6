"""What the central system says, and what it asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import (
    ApplyConfiguration,
    CacheTag,
    ClearCache,
    NotifyStatus,
    OpenContactor,
    RecordDecision,
    Reply,
    SaveConfigurationKey,
    UnlockConnector,
    WithdrawOffer,
)
from agent.core.state import Charging, Finished, Idle
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    LockState,
    Status,
    StopReason,
    TransactionEnded,
)
from tests.core.story import (
    ACCEPTED,
    ALL_PARTS,
    BLOCKED,
    CARD,
    NOON,
    Story,
    a_charge_point,
    charging,
    deeds,
    finish,
    listed,
    looked_up,
    messages,
    of,
    reading,
    statuses,
    tap,
)


def reason_of(commands) -> StopReason:
    (stop,) = messages(commands)
    assert isinstance(stop, TransactionEnded)
    return stop.reason


# --- the link ------------------------------------------------------------------------------------


def test_an_accepted_boot_reports_the_charge_point_and_every_connector():
    story = Story(a_charge_point(connectors=2, online=False))
    commands = story.tell(ev.LinkAccepted())
    reports = [(c.report.connector_id, c.report.status) for c in of(NotifyStatus, commands)]
    assert reports == [(number, Status.AVAILABLE) for number in range(3)]


@pytest.mark.parametrize(
    ("interval_s", "orders"),
    [
        (
            120,
            [
                SaveConfigurationKey("HeartbeatInterval", "120"),
                ApplyConfiguration("HeartbeatInterval", "120"),
            ],
        ),
        (300, []),  # as it was
        (0, []),
        (-5, []),
        (None, []),
        (10**9, []),  # out of range
    ],
)
def test_the_interval_of_the_boot_becomes_the_heartbeat_interval(interval_s, orders):
    story = Story(a_charge_point(online=False))
    assert deeds(story.tell(ev.LinkAccepted(interval_s))) == orders


@pytest.mark.parametrize(
    ("event", "registration"),
    [
        (ev.LinkPending("Pending"), "Pending"),
        (ev.LinkPending("Rejected"), "Rejected"),
        (ev.LinkLost("closed"), "offline"),
    ],
)
def test_without_acceptance_the_charge_point_is_offline(event, registration):
    story = Story(a_charge_point())
    story.tell(event)
    assert (story.state.online, story.state.registration) == (False, registration)


# --- what answers say about cards ----------------------------------------------------------------


ANSWERS = {
    "Authorize": lambda info: ev.AuthorizeAnswered(CARD, info),
    "StartTransaction": lambda info: ev.MessageAnswered(1, 1, 5, info, CARD),
    "StopTransaction": lambda info: ev.MessageAnswered(1, 1, None, info, CARD),
}
RUN_OUT = replace(ACCEPTED, expires_at=NOON)
FOR_ONCE = replace(ACCEPTED, is_end_unreadable=True)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize(
    ("info", "kept"),
    [(BLOCKED, BLOCKED), (ACCEPTED, ACCEPTED), (RUN_OUT, RUN_OUT), (FOR_ONCE, None)],
)
def test_what_any_answer_says_about_a_card_is_remembered_by_one_rule(answer, info, kept):
    story = Story(a_charge_point())
    assert of(CacheTag, story.tell(answer(info))) == [CacheTag(CARD, kept)]


@pytest.mark.parametrize("info", [ACCEPTED, RUN_OUT, FOR_ONCE])
def test_an_accepted_card_charges_whatever_its_date_also_after_the_answer_to_the_start(info):
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(), ev.AuthorizeAnswered(CARD, info))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    story.tell(ev.MessageAnswered(1, 1, 5, info, CARD))
    story.wait(60)
    assert isinstance(story.connector.phase, Charging)


@pytest.mark.parametrize(
    ("info", "id_tag", "keys"),
    [
        (None, CARD, {}),
        (ACCEPTED, None, {}),
        (IdTagInfo(AuthorizationStatus.CONCURRENT_TX), CARD, {}),
        (ACCEPTED, CARD, {"AuthorizationCacheEnabled": "false"}),
    ],
)
def test_an_answer_that_says_nothing_about_a_card_is_not_remembered(info, id_tag, keys):
    story = Story(a_charge_point(**keys))
    commands = story.tell(ev.MessageAnswered(1, 1, None, info, id_tag))
    assert of(CacheTag, commands) == []


# --- RemoteStopTransaction -----------------------------------------------------------------------


def test_a_remote_stop_ends_the_session_of_that_id():
    story = charging()
    story.tell(ev.MessageAnswered(1, 1, 55, ACCEPTED, CARD))
    commands = story.tell(ev.RemoteStopRequested("r1", 55))
    assert deeds(commands) == [Reply("r1", "Accepted"), WithdrawOffer(1)]
    assert reason_of(finish(story)) is StopReason.REMOTE


@pytest.mark.parametrize("transaction_id", [55, -1, 0])
def test_a_remote_stop_of_another_id_is_rejected(transaction_id):
    story = charging()
    commands = story.tell(ev.RemoteStopRequested("r1", transaction_id))
    assert deeds(commands) == [Reply("r1", "Rejected")]
    assert isinstance(story.connector.phase, Charging)


# --- UnlockConnector -----------------------------------------------------------------------------


@pytest.mark.parametrize(("connector_id", "has_lock"), [(0, True), (2, True), (1, False)])
def test_unlocking_what_does_not_exist_is_not_supported(connector_id, has_lock):
    story = Story(a_charge_point(traits=replace(ALL_PARTS, has_lock=has_lock)))
    commands = story.tell(ev.UnlockRequested("r1", connector_id))
    assert deeds(commands) == [Reply("r1", "NotSupported")]


def test_an_open_lock_is_unlocked():
    story = Story(a_charge_point())
    assert deeds(story.tell(ev.UnlockRequested("r1", 1))) == [Reply("r1", "Unlocked")]


def test_unlocking_ends_the_session_first_and_is_answered_by_the_feedback_of_the_lock():
    story = charging()
    assert deeds(story.tell(ev.UnlockRequested("r1", 1))) == [WithdrawOffer(1)]
    commands = finish(story)
    assert reason_of(commands) is StopReason.UNLOCK_COMMAND
    assert deeds(commands)[-1] == UnlockConnector(1)
    commands = story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert of(Reply, commands) == [Reply("r1", "Unlocked")]


def test_unlocking_calls_off_a_remote_start_that_waits_for_the_end_of_the_session():
    story = charging()
    story.tell(ev.StopRequested("s1", story.connector.transaction.ref))
    remote = looked_up(ev.RemoteStartRequested("r1", CARD, 1), listed())
    assert of(Reply, story.tell(remote)) == [Reply("r1", "Accepted")]
    (record,) = of(RecordDecision, story.tell(ev.UnlockRequested("r2", 1)))
    assert record.record.rule == "UNLOCKED"
    assert deeds(finish(story))[-1] == UnlockConnector(1)
    commands = story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert of(Reply, commands) == [Reply("r2", "Unlocked")]
    assert isinstance(story.connector.phase, Finished)


def test_unlocking_an_empty_socket_leaves_the_card_that_waits_for_its_plug():
    story = Story(a_charge_point())
    story.tell(ev.LockChanged(1, LockState.LOCKED), tap(facts=listed()))
    story.tell(ev.UnlockRequested("r1", 1))
    assert len(story.state.waiting) == 1


def test_a_lock_that_jams_on_unlock_is_answered_with_failure():
    story = charging()
    story.tell(ev.UnlockRequested("r1", 1))
    finish(story)
    commands = story.tell(ev.LockJammed(1, LockState.UNLOCKED))
    assert of(Reply, commands) == [Reply("r1", "UnlockFailed")]
    assert statuses(commands) == [Status.FAULTED]


def test_a_lock_that_does_not_answer_in_time_is_answered_with_failure():
    story = charging()
    story.tell(ev.UnlockRequested("r1", 1))
    finish(story)
    assert of(Reply, story.wait(9.9)) == []
    assert of(Reply, story.wait(0.1)) == [Reply("r1", "UnlockFailed")]


def test_the_plug_is_not_released_while_the_contactor_may_be_closed():
    story = charging()
    story.tell(ev.UnlockRequested("r1", 1))
    story.wait(12)
    assert of(UnlockConnector, story.commands) == []
    assert of(Reply, story.commands) == [Reply("r1", "UnlockFailed")]


def test_a_jammed_lock_is_tried_again_when_it_is_asked_for():
    story = charging()
    story.tell(tap())
    finish(story)
    story.tell(ev.LockJammed(1, LockState.UNLOCKED))
    assert deeds(story.tell(ev.UnlockRequested("r1", 1))) == [UnlockConnector(1)]
    commands = story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert of(Reply, commands) == [Reply("r1", "Unlocked")]


def test_unlocking_mends_a_lock_that_jammed_open_where_no_plug_tells():
    story = Story(a_charge_point(traits=replace(ALL_PARTS, has_plug=False)))
    story.tell(tap(facts=listed()), ev.LockJammed(1, LockState.LOCKED))
    assert deeds(story.tell(ev.UnlockRequested("r1", 1))) == [UnlockConnector(1)]
    commands = story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert of(Reply, commands) == [Reply("r1", "Unlocked")]
    assert statuses(commands) == [Status.AVAILABLE]


def test_unlocking_while_a_session_is_starting_calls_the_start_off():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    commands = story.tell(ev.UnlockRequested("r1", 1))
    assert deeds(commands) == [UnlockConnector(1)]
    assert isinstance(story.connector.phase, Idle)
    commands = story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert deeds(commands) == [Reply("r1", "Unlocked")]


def test_unlocking_gives_back_the_cable_of_a_refused_card():
    story = charging()
    story.tell(ev.MessageAnswered(1, 1, 55, BLOCKED, CARD))
    finish(story)
    assert deeds(story.tell(ev.UnlockRequested("r1", 1))) == [UnlockConnector(1)]


def test_unlocking_while_the_session_of_a_refused_card_is_being_ended_works_too():
    story = charging()
    story.tell(ev.MessageAnswered(1, 1, 55, BLOCKED, CARD))
    story.tell(ev.UnlockRequested("r1", 1))
    assert UnlockConnector(1) in finish(story)


def test_a_second_unlock_request_takes_the_place_of_the_first():
    story = charging()
    story.tell(ev.UnlockRequested("r1", 1))
    assert of(Reply, story.tell(ev.UnlockRequested("r2", 1))) == [Reply("r1", "UnlockFailed")]
    finish(story)
    commands = story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert of(Reply, commands) == [Reply("r2", "Unlocked")]


# --- ChangeConfiguration, ClearCache -------------------------------------------------------------


def test_a_changed_key_is_kept_and_applied_under_its_standard_spelling():
    story = Story(a_charge_point())
    commands = story.tell(ev.ConfigurationChangeRequested("r1", "heartbeatinterval", " 60 "))
    assert deeds(commands) == [
        SaveConfigurationKey("HeartbeatInterval", "60"),
        ApplyConfiguration("HeartbeatInterval", "60"),
        Reply("r1", "Accepted"),
    ]
    assert story.state.configuration.integer("HeartbeatInterval") == 60


@pytest.mark.parametrize(
    ("key", "value", "answer"),
    [
        ("NumberOfConnectors", "2", "Rejected"),
        ("MeterValueSampleInterval", "-1", "Rejected"),
        ("MadeUpKey", "1", "NotSupported"),
    ],
)
def test_a_key_that_cannot_be_changed_is_answered_and_nothing_else_happens(key, value, answer):
    story = Story(a_charge_point())
    before = story.state.configuration
    commands = story.tell(ev.ConfigurationChangeRequested("r1", key, value))
    assert deeds(commands) == [Reply("r1", answer)]
    assert story.state.configuration == before


@pytest.mark.parametrize(("interval_s", "due_in_s"), [("20", 20.0), ("0", None)])
def test_a_new_sample_interval_begins_a_new_grid_in_the_running_session(interval_s, due_in_s):
    story = charging(connectors=2)
    story.tell(ev.ConfigurationChangeRequested("r1", "MeterValueSampleInterval", interval_s))
    due_s = None if due_in_s is None else story.now.monotonic_s + due_in_s
    assert story.connector.phase.next_sample_s == due_s
    assert story.state.connectors[1].phase == Idle()


def test_a_changed_switch_decides_about_the_next_card():
    story = Story(a_charge_point())
    story.tell(ev.ConfigurationChangeRequested("r1", "LocalPreAuthorize", "false"))
    story.tell(tap(facts=listed()))
    assert len(story.state.checking) == 1


def test_the_cache_is_emptied_and_nothing_else():
    story = Story(a_charge_point())
    assert deeds(story.tell(ev.CacheClearRequested("r1"))) == [
        ClearCache(),
        Reply("r1", "Accepted"),
    ]


def test_a_cache_that_is_off_is_not_emptied():
    story = Story(a_charge_point(AuthorizationCacheEnabled="false"))
    assert deeds(story.tell(ev.CacheClearRequested("r1"))) == [Reply("r1", "Rejected")]


def test_a_lost_link_does_not_touch_a_running_session():
    story = charging()
    assert OpenContactor(1) not in story.tell(ev.LinkLost("closed"))
    assert story.connector.close_ordered
