"""The connector state machine at the start: lock and meter first, in whatever order, or nothing."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core.commands import (
    LockConnector,
    NotifyStatus,
    OfferCurrent,
    QueueMessage,
    ReadMeter,
    SaveTransaction,
    UnlockConnector,
)
from agent.core.events import Event
from agent.core.state import Charging, Idle, Rules, Starting
from agent.core.values import LockState, PilotState, Status, TransactionBegan
from tests.core.story import (
    OTHER_CARD,
    Story,
    a_charge_point,
    a_started_story,
    charging,
    deeds,
    finish,
    listed,
    messages,
    of,
    reading,
    statuses,
    tap,
)

LOCKED = ev.LockChanged(1, LockState.LOCKED)
METER_READ = ev.MeterRead(1, reading(1000))

# --- lock and meter ------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(LOCKED, METER_READ), (METER_READ, LOCKED)])
def test_the_meter_is_read_while_the_bolt_moves_and_the_later_of_the_two_begins_the_session(
    first: Event, second: Event
):
    story = a_started_story(online=False)
    assert deeds(story.commands) == [LockConnector(1), ReadMeter(1)]
    assert deeds(story.tell(first)) == []
    assert isinstance(story.connector.phase, Starting)
    kinds = [type(command) for command in deeds(story.tell(second))]
    assert kinds == [SaveTransaction, QueueMessage, OfferCurrent]
    assert isinstance(story.connector.phase, Charging)
    (start,) = messages(story.commands)
    assert isinstance(start, TransactionBegan)
    assert start.meter_start_wh == 1000


def test_nothing_is_begun_before_the_lock_is_confirmed():
    story = a_started_story()
    story.tell(METER_READ, ev.PilotChanged(1, PilotState.C))
    story.tell(ev.LockChanged(1, LockState.MOVING))
    story.wait(59)
    assert deeds(story.commands) == [LockConnector(1), ReadMeter(1)]
    assert isinstance(story.connector.phase, Starting)


def test_nothing_is_begun_before_the_meter_has_been_read():
    story = a_started_story()
    story.tell(LOCKED, ev.PilotChanged(1, PilotState.C))
    story.wait(59)
    assert deeds(story.commands) == [LockConnector(1), ReadMeter(1)]
    assert isinstance(story.connector.phase, Starting)


def test_a_bolt_that_slips_back_before_the_meter_answers_is_ordered_again_and_waited_for():
    story = a_started_story(online=False)
    story.tell(LOCKED)
    assert deeds(story.tell(ev.LockChanged(1, LockState.UNLOCKED))) == [LockConnector(1)]
    assert deeds(story.tell(METER_READ)) == []
    kinds = [type(command) for command in deeds(story.tell(LOCKED))]
    assert kinds == [SaveTransaction, QueueMessage, OfferCurrent]


def test_a_meter_that_fails_while_the_bolt_moves_starts_nothing_and_the_bolt_is_pulled_back():
    story = a_started_story()
    commands = story.tell(ev.MeterFailed(1, "no answer"))
    assert deeds(commands) == [UnlockConnector(1)]
    assert isinstance(story.connector.phase, Idle)
    assert deeds(story.tell(LOCKED)) == [UnlockConnector(1)]
    assert messages(story.commands) == []


# --- giving up ------------------------------------------------------------------------------------


def test_a_lock_that_jams_starts_nothing_and_is_reported():
    story = a_started_story()
    commands = story.tell(ev.LockJammed(1, LockState.LOCKED))
    assert messages(story.commands) == []
    (report,) = [c.report for c in of(NotifyStatus, commands)]
    assert (report.status, report.error_code) == (Status.FAULTED, "ConnectorLockFailure")
    assert isinstance(story.connector.phase, Idle)


def test_a_jammed_lock_is_mended_by_taking_the_plug_out():
    story = a_started_story()
    story.tell(ev.LockJammed(1, LockState.LOCKED))
    assert statuses(story.tell(ev.CableUnplugged(1))) == [Status.AVAILABLE]
    assert story.connector.faults == frozenset()


def test_a_bolt_that_stands_half_way_after_a_jam_is_pulled_back():
    story = a_started_story()
    story.tell(ev.LockChanged(1, LockState.MOVING))
    assert deeds(story.tell(ev.LockJammed(1, LockState.LOCKED))) == [UnlockConnector(1)]


def test_a_silent_meter_starts_nothing_and_is_reported():
    story = a_started_story()
    story.tell(ev.LockChanged(1, LockState.LOCKED))
    commands = story.tell(ev.MeterFailed(1, "no answer"))
    assert messages(story.commands) == []
    (report,) = [c.report for c in of(NotifyStatus, commands)]
    assert (report.status, report.error_code) == (Status.FAULTED, "PowerMeterFailure")
    assert deeds(commands) == [UnlockConnector(1)]


def test_a_meter_that_answers_again_mends_the_connector():
    story = a_started_story()
    story.tell(ev.MeterFailed(1, "no answer"))
    commands = story.tell(ev.MeterRead(1, reading(1000)))
    assert statuses(commands) == [Status.PREPARING]
    assert story.connector.faults == frozenset()


def test_a_session_never_begins_on_a_reading_from_before_the_card():
    story = Story(a_charge_point())
    story.tell(ev.MeterRead(1, reading(900)), ev.CablePluggedIn(1))
    assert deeds(story.tell(tap(facts=listed()))) == [LockConnector(1), ReadMeter(1)]
    assert deeds(story.tell(ev.LockChanged(1, LockState.LOCKED))) == []
    story.tell(ev.MeterRead(1, reading(1000)))
    (start,) = messages(story.commands)
    assert isinstance(start, TransactionBegan)
    assert start.meter_start_wh == 1000


@pytest.mark.parametrize(
    "event",
    [
        ev.CableUnplugged(1),
        ev.SafetyInputTripped("residual_current"),
        ev.JournalFailed("disk full"),
        ev.ShutdownRequested(),
    ],
)
def test_a_start_is_given_up_when_its_conditions_go(event):
    story = a_started_story()
    story.tell(ev.LockChanged(1, LockState.LOCKED))
    commands = story.tell(event)
    assert UnlockConnector(1) in commands
    assert isinstance(story.connector.phase, Idle)
    story.tell(ev.MeterRead(1, reading(1000)))
    assert messages(story.commands) == []


def test_a_start_that_takes_too_long_is_given_up():
    story = a_started_story(rules=Rules(start_s=20.0))
    story.wait(19)
    assert isinstance(story.connector.phase, Starting)
    commands = story.wait(1)
    assert isinstance(story.connector.phase, Idle)
    assert deeds(commands) == [UnlockConnector(1)]


def test_a_card_while_the_cable_is_being_released_waits_for_a_new_confirmation_of_the_lock():
    story = charging()
    story.tell(tap())
    assert UnlockConnector(1) in finish(story)
    commands = story.tell(tap(OTHER_CARD, listed()))
    assert deeds(commands) == [LockConnector(1), ReadMeter(1)]
    assert deeds(story.tell(ev.MeterRead(1, reading(2000)))) == []  # the bolt stood at locked
    commands = story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert deeds(commands) == [LockConnector(1)]
    assert isinstance(story.connector.phase, Starting)
    commands = story.tell(ev.LockChanged(1, LockState.LOCKED))
    assert SaveTransaction in {type(command) for command in commands}
    assert isinstance(story.connector.phase, Charging)
