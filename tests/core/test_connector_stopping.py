"""The connector state machine at the end of a session: what opens, and what is let go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import (
    LockConnector,
    NotifyStatus,
    OpenContactor,
    ReadMeter,
    UnlockConnector,
    WithdrawOffer,
)
from agent.core.faults import Fault
from agent.core.state import Finished, Idle, Starting
from agent.core.values import (
    LockState,
    PilotState,
    Status,
    StopReason,
)
from tests.core.story import (
    BARE,
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
    stop_of,
    tap,
)

# --- stopping ------------------------------------------------------------------------------------


def test_the_vehicle_is_given_three_seconds_to_stop_drawing():
    story = charging()
    assert deeds(story.tell(tap())) == [WithdrawOffer(1)]
    assert deeds(story.wait(2.9)) == []
    assert deeds(story.wait(0.1)) == [OpenContactor(1)]


def test_the_contactor_opens_as_soon_as_the_vehicle_has_stopped_drawing():
    story = charging()
    story.tell(tap())
    assert deeds(story.tell(ev.PilotChanged(1, PilotState.B))) == [OpenContactor(1)]


@pytest.mark.parametrize(
    "event",
    [
        ev.CableUnplugged(1),
        ev.LockChanged(1, LockState.UNLOCKED),
        ev.PilotChanged(1, PilotState.E),
        ev.SafetyInputTripped("emergency_stop"),
    ],
)
def test_while_a_session_is_being_ended_every_reason_to_open_opens_at_once(event):
    story = charging()
    story.tell(tap())
    assert OpenContactor(1) in story.tell(event)
    assert not story.connector.close_ordered


def test_unplugging_opens_at_once_and_ends_the_session():
    story = charging()
    commands = story.tell(ev.CableUnplugged(1))
    assert deeds(commands) == [WithdrawOffer(1), OpenContactor(1)]
    assert stop_of(finish(story)).reason is StopReason.EV_DISCONNECTED
    assert isinstance(story.connector.phase, Idle)


@pytest.mark.parametrize(
    ("event", "reason", "error_code"),
    [
        (ev.SafetyInputTripped("emergency_stop"), StopReason.EMERGENCY_STOP, "OtherError"),
        (ev.SafetyInputTripped("residual_current"), StopReason.OTHER, "GroundFailure"),
        (ev.SafetyInputTripped("door"), StopReason.OTHER, "OtherError"),
        (ev.ContactorTripped(1, "welded", 1), StopReason.OTHER, "PowerSwitchFailure"),
        (ev.ContactorTripped(1, "did not close", 1), StopReason.OTHER, "PowerSwitchFailure"),
        (ev.ContactorTripped(1, "opened by itself", 1), StopReason.OTHER, "PowerSwitchFailure"),
        (ev.LockJammed(1, LockState.LOCKED), StopReason.OTHER, "ConnectorLockFailure"),
    ],
)
def test_a_fault_that_matters_opens_at_once_and_ends_the_session(event, reason, error_code):
    story = charging()
    commands = story.tell(event)
    assert not story.connector.close_ordered
    (report,) = [c.report for c in of(NotifyStatus, commands) if c.report.connector_id == 1]
    assert (report.status, report.error_code) == (Status.FAULTED, error_code)
    assert stop_of(finish(story)).reason is reason


def test_the_worst_of_two_faults_gives_the_reason():
    story = charging()
    story.state = replace(story.state, faults=frozenset({Fault.DOOR}))
    story.tell(ev.SafetyInputTripped("emergency_stop"))
    assert stop_of(finish(story)).reason is StopReason.EMERGENCY_STOP


def test_a_meter_that_fails_in_mid_session_does_not_end_it():
    story = charging()
    story.tell(ev.MeterRead(1, reading(1700)))
    commands = story.tell(ev.MeterFailed(1, "no answer"))
    assert deeds(commands) == []
    (report,) = [c.report for c in of(NotifyStatus, commands)]
    assert (report.status, report.error_code) == (Status.CHARGING, "PowerMeterFailure")
    story.tell(tap())
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    assert stop_of(story.tell(ev.MeterFailed(1, "no answer"))).meter_stop_wh == 1700


def test_a_meter_that_says_nothing_at_the_end_is_waited_for_only_so_long():
    story = charging()
    story.tell(tap())
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    assert messages(story.wait(7.9)) == []
    assert stop_of(story.wait(0.1)).meter_stop_wh == 1000


def test_a_contactor_that_does_not_report_open_is_waited_for_only_so_long():
    story = charging()
    story.tell(tap())
    story.tell(ev.PilotChanged(1, PilotState.B))
    commands = story.wait(8)
    assert ReadMeter(1) in commands
    assert stop_of(commands).reason is StopReason.LOCAL
    assert of(UnlockConnector, commands) == []  # the plug may be live


def test_a_welded_contactor_keeps_the_plug_locked_and_the_connector_out_of_order():
    story = charging()
    story.tell(tap(), ev.ContactorTripped(1, "welded", 1), ev.MeterRead(1, reading(1500)))
    story.wait(60)
    assert isinstance(story.connector.phase, Finished)
    assert of(UnlockConnector, story.commands) == []
    commands = story.tell(ev.ContactorOpened(1))
    assert deeds(commands) == [UnlockConnector(1)]
    assert statuses(commands) == []  # faulted, until a person has looked at it


@pytest.mark.parametrize(
    ("trip", "fault"),
    [("welded", Fault.CONTACTOR_WELDED), ("did not close", Fault.CONTACTOR_FAILED)],
)
def test_a_contactor_that_failed_starts_no_session_until_a_person_has_mended_it(
    trip: str, fault: Fault
):
    story = charging()
    story.tell(ev.ContactorTripped(1, trip, 1))
    finish(story)
    story.tell(ev.LockChanged(1, LockState.UNLOCKED), ev.CableUnplugged(1))
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    assert (type(story.connector.phase), story.connector.faults) == (Idle, frozenset({fault}))
    story.tell(ev.ContactorMended(1), tap(facts=listed()))
    assert (type(story.connector.phase), story.connector.faults) == (Starting, frozenset())


def test_a_contactor_that_opened_by_itself_may_be_tried_again_with_the_next_plug():
    story = charging()
    story.tell(ev.ContactorTripped(1, "opened by itself", 1))
    finish(story)
    story.tell(ev.LockChanged(1, LockState.UNLOCKED), tap(facts=listed()))
    assert (type(story.connector.phase), story.connector.faults) == (
        Finished,
        frozenset({Fault.CONTACTOR_DROPPED}),
    )
    story.tell(ev.CableUnplugged(1))
    assert (type(story.connector.phase), story.connector.faults) == (Idle, frozenset())


def test_without_plug_sensor_it_may_be_tried_again_with_the_next_card():
    story = charging(traits=BARE)
    story.tell(ev.ContactorTripped(1, "opened by itself", 1), ev.ContactorOpened(1))
    assert (type(story.connector.phase), story.connector.faults) == (Idle, frozenset())


def test_the_next_card_is_no_mending_either():
    story = charging(traits=BARE)
    story.tell(ev.ContactorTripped(1, "did not close", 1), ev.ContactorOpened(1))
    story.tell(tap(facts=listed()))
    failed = frozenset({Fault.CONTACTOR_FAILED})
    assert (type(story.connector.phase), story.connector.faults) == (Idle, failed)


def test_the_next_card_on_the_same_plug_begins_the_next_session():
    story = charging()
    story.tell(tap())
    finish(story)
    story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    story.wait(5)
    commands = story.tell(tap(facts=listed()))
    assert deeds(commands) == [LockConnector(1), ReadMeter(1)]
    assert statuses(commands) == [Status.PREPARING]
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(2100)))
    assert story.connector.transaction is not None
    assert story.connector.transaction.ref == 2


# --- the lock at rest ----------------------------------------------------------------------------


def test_a_lock_found_closed_at_start_is_opened_once():
    story = Story(a_charge_point())
    assert deeds(story.tell(ev.LockChanged(1, LockState.LOCKED))) == [UnlockConnector(1)]
    assert deeds(story.wait(3600)) == []


def test_a_bolt_that_arrives_after_its_start_was_given_up_is_pulled_back():
    story = a_started_story()
    commands = story.tell(ev.SafetyInputTripped("door"))
    assert deeds(commands) == [UnlockConnector(1)]


def test_a_lock_that_does_not_open_is_out_of_order_until_it_does():
    story = charging()
    story.tell(tap())
    finish(story)
    commands = story.tell(ev.LockJammed(1, LockState.UNLOCKED))
    assert statuses(commands) == [Status.FAULTED]
    assert deeds(story.wait(600)) == []  # the driver goes on trying by itself
    assert statuses(story.tell(ev.LockChanged(1, LockState.UNLOCKED))) == [Status.FINISHING]


def test_a_bolt_that_stands_in_the_empty_socket_stays_a_fault():
    story = charging()
    story.tell(tap())
    finish(story)
    story.tell(ev.LockJammed(1, LockState.UNLOCKED), ev.CableUnplugged(1))
    assert Fault.LOCK_FAILED in story.connector.faults
    story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert story.connector.faults == frozenset()
