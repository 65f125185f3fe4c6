"""Security events: what is recorded, what is queued, when it is sent, and when no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import charge_point, followers
from agent.core import events as ev
from agent.core.commands import Command, CorrectTimes, Reply
from agent.core.commands_rows import EVENT_WAITS_S, may_wait_s
from agent.core.connection_profile import ConnectionProfile
from agent.core.faults import SAFETY_INPUTS
from agent.core.firmware_values import (
    FirmwareStep,
    FirmwareUpdate,
    InstallEnded,
)
from agent.core.security_event_values import (
    TECH_INFO_MAX,
    ClearSecurityLog,
    ClearSecurityLogRequested,
    RecordSecurityEvent,
    RemoveSecurityEvents,
    SecurityEvent,
    SecurityEventNotTold,
    SecurityEvents,
    SecurityEventSeen,
    SecurityEventTold,
    SecurityEventType,
    SecurityQueueWasEmpty,
    StorageMeasured,
    TellSecurityEvent,
)
from agent.core.security_events import (
    DISABLED,
    DISK_LOW_BYTES,
    DISK_WELL_BYTES,
    PER_HOUR_MAX,
)
from agent.core.values import Boot, Instant, StopReason
from tests.core.story import BOOT_S, NOON, Story, a_charge_point, of

TYPE = SecurityEventType
STARTED = ev.Started()
LOGIN = SecurityEventSeen(TYPE.MAINTENANCE_LOGIN_FAILED, "page, from 192.0.2.7")


def recorded(commands: Iterable[Command]) -> list[tuple[SecurityEventType, str, bool]]:
    """Type, techInfo and whether the central system gets it."""
    return [
        (row.event.type, row.event.tech_info, row.is_queued)
        for row in of(RecordSecurityEvent, commands)
    ]


def orders(commands: Iterable[Command]) -> list[TellSecurityEvent]:
    return of(TellSecurityEvent, commands)


def started(online: bool = True, **keys: str) -> Story:
    """A charge point that has just begun: its startup is queued, and ordered when online."""
    story = Story(a_charge_point(online=online, **keys))
    story.tell(STARTED)
    return story


def emptied(**keys: str) -> Story:
    """Everything that was queued has been sent."""
    story = started(**keys)
    story.tell(SecurityQueueWasEmpty(order=1, up_to=1))
    story.commands.clear()
    return story


# --- which are critical --------------------------------------------------------------------------


def test_the_critical_types_are_those_of_the_white_paper():
    assert {kind.value for kind in TYPE if kind.is_critical} == {
        "FirmwareUpdated",
        "SettingSystemTime",
        "StartupOfTheDevice",
        "ResetOrReboot",
        "SecurityLogWasCleared",
        "MemoryExhaustion",
        "TamperDetectionActivated",
    }


@pytest.mark.parametrize("kind", SecurityEventType)
def test_every_type_fits_into_its_field_and_only_critical_ones_are_queued(kind):
    assert len(kind.value) <= 50
    story = emptied()
    commands = story.tell(SecurityEventSeen(kind, "seen"))
    assert recorded(commands) == [(kind, "seen", kind.is_critical)]
    assert len(orders(commands)) == kind.is_critical


def test_an_event_that_the_standard_wants_told_is_queued_though_it_is_not_critical():
    commands = emptied().tell(SecurityEventSeen(TYPE.INVALID_FIRMWARE_SIGNATURE, "x", True))
    assert recorded(commands) == [(TYPE.INVALID_FIRMWARE_SIGNATURE, "x", True)]


def test_what_others_wrote_is_cut_and_stays_on_its_line():
    event = SecurityEventSeen(TYPE.INVALID_MESSAGES, "a\nb\ud800" + "x" * 500)
    (row,) = of(RecordSecurityEvent, emptied().tell(event))
    assert row.event.tech_info.startswith("a?b\\ud800xxx")
    assert len(row.event.tech_info) == TECH_INFO_MAX


# --- what is recorded ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        (StopReason.POWER_LOSS, "the last process ended: PowerLoss"),
        (None, "no earlier start is known"),
    ],
)
def test_a_start_says_which_version_and_how_the_last_process_ended(ending, says):
    state = a_charge_point()
    state = replace(state, firmware=replace(state.firmware, version="1.2"))
    commands = Story(state).tell(ev.Started(ending=ending))
    assert recorded(commands) == [(TYPE.STARTUP_OF_THE_DEVICE, f"version 1.2; {says}", True)]


def test_a_database_that_was_replaced_has_cleared_the_log():
    commands = Story(a_charge_point()).tell(ev.Started(quarantined="moved aside"))
    assert recorded(commands)[0] == (
        TYPE.SECURITY_LOG_WAS_CLEARED,
        "the database was damaged",
        True,
    )


@pytest.mark.parametrize(("hard", "text"), [(True, "Reset, Hard"), (False, "Reset, Soft")])
def test_a_reset_is_recorded_once(hard, text):
    story = emptied()
    assert recorded(story.tell(ev.ResetRequested("r1", hard))) == [
        (TYPE.RESET_OR_REBOOT, text, True)
    ]
    assert recorded(story.tell(ev.ResetRequested("r2", hard))) == []


def test_an_agent_that_is_told_to_end_records_it_once():
    story = emptied()
    told = [(TYPE.RESET_OR_REBOOT, "the agent was told to end", True)]
    assert recorded(story.tell(ev.ShutdownRequested())) == told
    assert recorded(story.tell(ev.ShutdownRequested())) == []


@pytest.mark.parametrize("name", SAFETY_INPUTS)
def test_the_door_is_tampering_once_until_it_was_closed_and_no_other_input_is(name):
    story = emptied()
    commands = story.tell(ev.SafetyInputTripped(name), ev.SafetyInputTripped(name))
    is_door = name == "door"
    assert [kind for kind, *_ in recorded(commands)] == [TYPE.TAMPER_DETECTION_ACTIVATED] * is_door
    commands = story.tell(ev.SafetyInputCleared(name), ev.SafetyInputTripped(name))
    assert len(recorded(commands)) == is_door


def test_a_changed_security_parameter_is_named_and_its_value_is_not():
    state = a_charge_point()
    way = ConnectionProfile("ws://central.example/ocpp", 1)
    state = replace(state, approaches=replace(state.approaches, settled=way, in_use=way))
    secret = "0123456789abcdef0123456789abcdef"
    commands = Story(state).tell(ev.ConfigurationChangeRequested("r1", "authorizationkey", secret))
    assert of(Reply, commands) == [Reply("r1", "Accepted")]
    assert recorded(commands) == [(TYPE.RECONFIGURATION, "AuthorizationKey was changed", False)]


def test_a_refused_or_empty_change_of_a_security_parameter_is_no_event():
    story = emptied()
    refused = ev.ConfigurationChangeRequested("r1", "AuthorizationKey", "short")
    same = ev.ConfigurationChangeRequested("r2", DISABLED, "false")
    other = ev.ConfigurationChangeRequested("r3", "HeartbeatInterval", "10")
    assert recorded(story.tell(refused, same, other)) == []


def test_new_firmware_is_recorded_by_the_version_that_runs_after_it():
    state = a_charge_point()
    update = FirmwareUpdate(
        "http://files/x", NOON, 0, 0, FirmwareStep.RESTARTING, "1.0", is_resumed=False
    )
    firmware = replace(state.firmware, version="2.0", update=update)
    commands = Story(replace(state, firmware=firmware)).tell(STARTED)
    assert (TYPE.FIRMWARE_UPDATED, "version 2.0 runs, it was 1.0", True) in recorded(commands)


def test_a_restart_for_new_firmware_is_recorded():
    state = a_charge_point()
    update = FirmwareUpdate("http://files/x", NOON, 0, 0, FirmwareStep.INSTALLING, "1.0")
    firmware = replace(state.firmware, version="1.0", update=update, restarts_itself=True)
    commands = Story(replace(state, firmware=firmware)).tell(InstallEnded())
    assert recorded(commands) == [(TYPE.RESET_OR_REBOOT, "firmware was installed", True)]


def test_a_disk_that_fills_up_is_recorded_once_until_there_was_room_again():
    story = emptied()
    commands = story.tell(
        StorageMeasured(DISK_LOW_BYTES), StorageMeasured(DISK_LOW_BYTES - 1), StorageMeasured(0)
    )
    assert recorded(commands) == [(TYPE.MEMORY_EXHAUSTION, "20 MB of the disk are free", True)]
    assert recorded(story.tell(StorageMeasured(DISK_WELL_BYTES - 1), StorageMeasured(0))) == []
    assert recorded(story.tell(StorageMeasured(DISK_WELL_BYTES), StorageMeasured(0))) == [
        (TYPE.MEMORY_EXHAUSTION, "0 MB of the disk are free", True)
    ]


def test_a_cleared_log_begins_with_who_cleared_it():
    commands = emptied().tell(ClearSecurityLogRequested("r1", "a person"))
    assert commands[0] == ClearSecurityLog()
    assert recorded(commands) == [(TYPE.SECURITY_LOG_WAS_CLEARED, "by a person", True)]
    assert of(Reply, commands) == [Reply("r1", "applied")]


# --- the clock -----------------------------------------------------------------------------------


def _at(seconds: float, step_s: float = 0.0, is_trusted: bool = True) -> Instant:
    return Instant(BOOT_S + seconds, NOON + timedelta(seconds=seconds + step_s), is_trusted)


def test_a_clock_that_is_set_by_more_than_two_seconds_is_an_event_and_noise_is_none():
    state, commands = charge_point.handle(a_charge_point(), ev.TimePassed(), _at(0))
    assert recorded(commands) == []
    state, commands = charge_point.handle(state, ev.TimePassed(), _at(10, 2))
    assert recorded(commands) == []
    state, commands = charge_point.handle(state, ev.TimePassed(), _at(20, -3))
    assert recorded(commands) == [(TYPE.SETTING_SYSTEM_TIME, "by -3.0 s", True)]
    _, commands = charge_point.handle(state, ev.TimePassed(), _at(30, -3))
    assert recorded(commands) == []


def test_an_event_of_a_clock_that_nobody_trusts_is_marked_and_corrected_before_it_is_sent():
    boot = Boot(7, "b7", NOON - timedelta(seconds=BOOT_S), is_time_known=False)
    state = replace(a_charge_point(online=False), boot=boot)
    state, commands = charge_point.handle(state, STARTED, _at(0, is_trusted=False))
    (row,) = of(RecordSecurityEvent, commands)
    assert (row.event.boot, row.event.at) == (7, NOON)
    _, commands = charge_point.handle(state, ev.LinkAccepted(), _at(5, 86_400))
    kinds = [type(command) for command in commands]
    assert kinds.index(CorrectTimes) < kinds.index(TellSecurityEvent)
    (row,) = of(RecordSecurityEvent, commands)
    at = NOON + timedelta(days=1, seconds=5)
    assert row.event == SecurityEvent(TYPE.SETTING_SYSTEM_TIME, at, "by +86400.0 s")


# --- too often -----------------------------------------------------------------------------------


def test_what_comes_too_often_is_counted_and_the_count_is_written_when_the_hour_is_over():
    story = emptied()
    commands = story.tell(*[LOGIN] * (PER_HOUR_MAX + 5))
    assert len(recorded(commands)) == PER_HOUR_MAX
    other = SecurityEventSeen(TYPE.INVALID_MESSAGES, "another type")
    assert len(recorded(story.tell(other))) == 1
    assert recorded(story.wait(3599)) == []
    text = "5 more within an hour"
    assert recorded(story.wait(1)) == [(TYPE.MAINTENANCE_LOGIN_FAILED, text, False)]
    assert len(recorded(story.tell(LOGIN))) == 1


def test_an_hour_without_too_many_wakes_nobody():
    story = emptied()
    story.tell(LOGIN)
    commands = story.wait(7200)
    assert recorded(commands) == []
    assert recorded(story.tell(LOGIN)) == [(LOGIN.type, LOGIN.tech_info, False)]


def test_the_count_of_critical_ones_is_told_too():
    story = emptied()
    tampered = SecurityEventSeen(TYPE.TAMPER_DETECTION_ACTIVATED)
    story.tell(*[tampered] * (PER_HOUR_MAX + 1))
    assert (TYPE.TAMPER_DETECTION_ACTIVATED, "1 more within an hour", True) in recorded(
        story.wait(3600)
    )


# --- sending -------------------------------------------------------------------------------------


def test_nothing_is_sent_before_the_box_is_accepted():
    story = started(online=False)
    commands = story.tell(ev.LinkPending("Pending"), ev.TimePassed())
    assert orders(commands) == []
    assert orders(story.tell(ev.LinkAccepted())) == [TellSecurityEvent(1, 1)]


def test_what_an_earlier_process_has_left_is_sent_as_well():
    state = replace(a_charge_point(online=False), security=SecurityEvents(queued=1))
    assert orders(Story(state).tell(ev.LinkAccepted())) == [TellSecurityEvent(1, 1)]


def test_one_event_is_in_flight_at_a_time_and_leaves_the_queue_with_its_answer_only():
    story = started()
    assert orders(story.commands) == [TellSecurityEvent(1, 1)]
    assert orders(story.tell(SecurityEventSeen(TYPE.FIRMWARE_UPDATED))) == []
    commands = story.tell(SecurityEventTold(number=41, order=1))
    assert of(RemoveSecurityEvents, commands) == [RemoveSecurityEvents(41)]
    assert orders(commands) == [TellSecurityEvent(2, 2)]
    story.tell(SecurityEventTold(number=42, order=2))
    assert orders(story.tell(SecurityQueueWasEmpty(order=3, up_to=2))) == []
    assert orders(story.wait(86_400)) == []


def test_a_queue_that_was_empty_before_the_newest_event_is_read_again():
    story = started()
    story.tell(SecurityEventSeen(TYPE.FIRMWARE_UPDATED))
    assert orders(story.tell(SecurityQueueWasEmpty(order=1, up_to=1))) == [TellSecurityEvent(2, 2)]


def test_a_refused_event_is_tried_for_ever_after_waits_that_grow_to_a_quarter_of_an_hour():
    story = started()
    for order, wait_s in [(1, 60), (2, 120), (3, 180)]:
        story.tell(SecurityEventNotTold(order))
        assert orders(story.wait(wait_s - 1)) == []
        assert len(orders(story.wait(1))) == 1
    for order in range(4, 30):
        story.tell(SecurityEventNotTold(order))
        story.wait(900)
    story.tell(SecurityEventNotTold(30))
    assert orders(story.wait(899)) == []
    assert len(orders(story.wait(1))) == 1
    assert of(RemoveSecurityEvents, story.commands) == []


def test_what_waits_for_its_retry_wakes_nobody_while_notifications_are_disabled():
    story = started()
    story.tell(SecurityEventNotTold(order=1))
    assert followers.next_deadline_s(story.state, story.now) == BOOT_S + 60
    story.tell(ev.ConfigurationChangeRequested("r1", DISABLED, "true"))
    assert followers.next_deadline_s(story.state, story.now) is None
    assert orders(story.wait(1000)) == []
    story.commands.clear()
    assert len(orders(story.tell(ev.ConfigurationChangeRequested("r2", DISABLED, "false")))) == 1


def test_a_new_link_sends_at_once_and_what_the_old_one_says_late_changes_nothing():
    story = started()
    story.tell(SecurityEventNotTold(1))
    story.tell(ev.LinkLost("gone"))
    assert orders(story.tell(ev.LinkAccepted())) == [TellSecurityEvent(2, 1)]
    assert orders(story.tell(SecurityEventNotTold(1), SecurityQueueWasEmpty(1, 1))) == []
    commands = story.tell(SecurityEventTold(number=5, order=1))  # late, but taken
    assert of(RemoveSecurityEvents, commands) == [RemoveSecurityEvents(5)]
    assert orders(commands) == []


def test_a_link_that_ends_with_an_event_under_way_has_not_failed_it():
    story = started()
    story.tell(ev.LinkLost("gone"), SecurityEventNotTold(1))
    assert orders(story.tell(ev.LinkAccepted())) == [TellSecurityEvent(2, 1)]


# --- a central system that wants none ------------------------------------------------------------


def test_a_central_system_without_the_message_is_told_nothing_more_until_another_one_is_there():
    story = started()
    commands = story.tell(SecurityEventNotTold(1, is_unwanted=True))
    assert of(RemoveSecurityEvents, commands) == [RemoveSecurityEvents(None)]
    assert orders(commands) == [TellSecurityEvent(2, 1)]  # it finds nothing
    story.tell(SecurityQueueWasEmpty(2, 1))
    updated = SecurityEventSeen(TYPE.FIRMWARE_UPDATED)
    assert recorded(story.tell(updated)) == [(TYPE.FIRMWARE_UPDATED, "", False)]
    assert orders(story.tell(ev.LinkLost("gone"), ev.LinkAccepted())) == []
    elsewhere = ConnectionProfile("ws://other.example/ocpp")
    story.tell(ev.LinkLost("gone"), ev.LinkOpened(elsewhere), ev.LinkAccepted())
    commands = story.tell(updated)
    assert recorded(commands) == [(TYPE.FIRMWARE_UPDATED, "", True)]
    assert len(orders(commands)) == 1


def test_with_the_key_nothing_is_queued_or_sent_and_everything_is_recorded():
    story = started(**{DISABLED: "true"})
    assert [is_queued for *_, is_queued in recorded(story.commands)] == [False]
    assert orders(story.commands) == []


def test_what_was_queued_waits_while_the_key_is_set():
    story = started(online=False)
    commands = story.tell(ev.ConfigurationChangeRequested("r1", DISABLED, "true"))
    text = f"{DISABLED} was changed"
    assert recorded(commands) == [(TYPE.RECONFIGURATION, text, False)]
    assert orders(story.tell(ev.LinkAccepted())) == []
    commands = story.tell(ev.ConfigurationChangeRequested("r2", DISABLED, "false"))
    assert orders(commands) == [TellSecurityEvent(1, 1)]


def test_what_is_only_recorded_waits_for_a_commit_and_what_must_be_told_does_not():
    story = started(**{DISABLED: "true"})
    (only_recorded,) = of(RecordSecurityEvent, story.commands)
    (must_be_told,) = of(RecordSecurityEvent, started().commands)
    assert (may_wait_s(only_recorded), may_wait_s(must_be_told)) == (EVENT_WAITS_S, 0.0)
