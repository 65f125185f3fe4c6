"""What happens to the process: start, journal, shutdown, reset."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import events as ev
from agent.core.commands import (
    CloseContactor,
    DeliverNext,
    EndTransaction,
    LogSession,
    NotifyStatus,
    OpenContactor,
    QueueMessage,
    ReadMeter,
    Reply,
    Restart,
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
    TransactionEnded,
)
from tests.core.story import (
    NOON,
    Story,
    a_charge_point,
    a_transaction,
    charging,
    deeds,
    listed,
    messages,
    of,
    reading,
    tap,
)

LAST_AT = NOON - timedelta(minutes=5)
LEFT_OPEN = a_transaction(begun_at=NOON - timedelta(hours=1), last_wh=1800, last_at=LAST_AT, ref=4)


def power_loss(meter_wh: int) -> TransactionEnded:
    return TransactionEnded(meter_wh, LAST_AT, StopReason.POWER_LOSS, id_tag=None)


# --- start ---------------------------------------------------------------------------------------


def test_a_session_found_open_is_closed_with_the_meter_of_now_and_the_time_of_its_last_sample():
    story = Story(a_charge_point(online=False))
    assert deeds(story.tell(ev.Started((LEFT_OPEN,)))) == [ReadMeter(1)]
    commands = story.tell(ev.MeterRead(1, reading(1900)))
    (logged,) = of(LogSession, commands)
    assert deeds(commands) == [
        logged,
        EndTransaction(4, 1900),
        QueueMessage(1, 4, power_loss(1900)),
    ]
    assert isinstance(story.connector.phase, Idle)


def test_a_session_found_open_closes_on_its_last_sample_when_the_meter_is_silent():
    story = Story(a_charge_point(online=False))
    story.tell(ev.Started((LEFT_OPEN,)))
    assert messages(story.wait(5)) == [power_loss(1800)]


def test_a_session_found_open_with_the_plug_still_in_is_finishing_and_released():
    story = Story(a_charge_point())
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.CablePluggedIn(1))
    story.tell(ev.Started((LEFT_OPEN,)), ev.MeterRead(1, reading(1900)))
    assert isinstance(story.connector.phase, Finished)
    assert of(UnlockConnector, story.commands) == [UnlockConnector(1)]
    (*_, last) = of(NotifyStatus, story.commands)
    assert last.report.status is Status.FINISHING


def test_sessions_of_a_connector_that_is_gone_or_used_twice_are_closed_at_once():
    gone = replace(LEFT_OPEN, ref=5, connector_id=9)
    twin = replace(LEFT_OPEN, ref=6)
    story = Story(a_charge_point(online=False))
    commands = story.tell(ev.Started((LEFT_OPEN, gone, twin)))
    assert of(EndTransaction, commands) == [EndTransaction(5, 1800), EndTransaction(6, 1800)]
    assert messages(commands) == [power_loss(1800), power_loss(1800)]


def test_a_damaged_record_does_not_make_a_session_end_below_its_start():
    damaged = replace(LEFT_OPEN, connector_id=9, last_wh=500)
    commands = Story(a_charge_point(online=False)).tell(ev.Started((damaged,)))
    assert messages(commands) == [power_loss(LEFT_OPEN.meter_start_wh)]


def test_a_database_begun_anew_is_told_as_a_warning_and_forbids_nothing():
    story = Story(a_charge_point())
    commands = story.tell(ev.Started(quarantined="corrupt, set aside as agent.db.bad"))
    warned, *_ = [c.report for c in of(NotifyStatus, commands)]
    assert (warned.connector_id, warned.status) == (0, Status.AVAILABLE)
    assert warned.error_code == "InternalError"
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    assert isinstance(story.connector.phase, Starting)


def test_an_ordinary_start_orders_nothing():
    assert deeds(Story(a_charge_point()).tell(ev.Started())) == []


# --- journal -------------------------------------------------------------------------------------


def test_a_journal_that_fails_forbids_new_sessions_and_lets_the_running_one_go_on():
    story = charging(connectors=2)
    commands = story.tell(ev.JournalFailed("disk full"))
    assert OpenContactor(1) not in commands
    reports = [(c.report.connector_id, c.report.status) for c in of(NotifyStatus, commands)]
    assert reports == [(0, Status.FAULTED), (1, Status.CHARGING), (2, Status.FAULTED)]
    story.tell(ev.CablePluggedIn(2), tap("SECOND", listed()))
    assert isinstance(story.state.connectors[1].phase, Idle)


def test_a_card_accepted_before_the_journal_failed_starts_when_it_has_recovered():
    story = Story(a_charge_point(ConnectionTimeOut="0"))
    story.tell(tap(facts=listed()), ev.JournalFailed("disk full"), ev.CablePluggedIn(1))
    assert isinstance(story.connector.phase, Idle)
    story.tell(ev.JournalRecovered())
    assert isinstance(story.connector.phase, Starting)
    assert Fault.JOURNAL not in story.state.faults


# --- shutdown and reset --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "again", "replies", "reason"),
    [
        (ev.ShutdownRequested(), False, [], StopReason.REBOOT),
        (
            ev.ResetRequested("r1", hard=True),
            True,
            [Reply("r1", "Accepted")],
            StopReason.HARD_RESET,
        ),
        (
            ev.ResetRequested("r1", hard=False),
            True,
            [Reply("r1", "Accepted")],
            StopReason.SOFT_RESET,
        ),
    ],
)
def test_sessions_are_ended_with_their_reason_before_the_process_is(event, again, replies, reason):
    story = charging(online=False)
    story.tell(event)
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    story.tell(ev.MeterRead(1, reading(1500)))
    (stop,) = messages(story.commands)
    assert isinstance(stop, TransactionEnded)
    assert (stop.reason, stop.meter_stop_wh) == (reason, 1500)
    assert of(Reply, story.commands) == replies
    assert of(Restart, story.commands) == [Restart(again)]


@pytest.mark.parametrize("event", [ev.ShutdownRequested(), ev.ResetRequested("r1", hard=True)])
def test_a_process_that_must_end_opens_at_once(event):
    story = charging()
    commands = [c for c in deeds(story.tell(event)) if not isinstance(c, Reply)]
    assert commands == [WithdrawOffer(1), OpenContactor(1)]


def test_a_soft_reset_gives_the_vehicle_time_to_stop_drawing():
    story = charging()
    commands = story.tell(ev.ResetRequested("r1", hard=False))
    assert deeds(commands) == [Reply("r1", "Accepted"), WithdrawOffer(1)]


@pytest.mark.parametrize("before", [(), (tap(),)])
def test_parts_that_do_not_answer_do_not_hold_up_the_end_nor_lose_the_stop(before):
    story = charging()
    story.tell(*before)
    story.tell(ev.ShutdownRequested())
    commands = story.wait(2)
    (stop,) = messages(commands)
    assert isinstance(stop, TransactionEnded)
    assert deeds(commands)[-1] == Restart(again=False)
    assert not story.connector.close_ordered


def test_a_soft_reset_waits_for_the_outbox_but_not_for_ever():
    story = charging()
    story.tell(ev.ResetRequested("r1", hard=False))
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    commands = story.tell(ev.MeterRead(1, reading(1500)))
    assert of(Restart, commands) == []
    assert of(Restart, story.wait(19)) == []
    assert of(Restart, story.wait(1)) == [Restart(again=True)]


def test_a_soft_reset_goes_on_when_the_outbox_is_empty_or_the_link_is_gone():
    for last in (ev.MessageAnswered(2, 1), ev.LinkLost("gone")):
        story = charging()
        story.tell(ev.MessageAnswered(1, 1, 55))
        story.tell(ev.ResetRequested("r1", hard=False))
        story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
        story.tell(ev.MeterRead(1, reading(1500)))
        assert of(DeliverNext, story.commands)
        assert of(Restart, story.tell(last)) == [Restart(again=True)]


def test_a_process_with_nothing_to_end_ends_at_once_and_says_so_once():
    story = Story(a_charge_point())
    assert deeds(story.tell(ev.ShutdownRequested())) == [Restart(again=False)]
    assert deeds(story.wait(60)) == []
    assert deeds(story.tell(ev.TimePassed())) == []


def test_being_told_to_end_wins_over_a_reset():
    story = charging()
    story.tell(ev.ShutdownRequested())
    commands = story.tell(ev.ResetRequested("r1", hard=True))
    assert deeds(commands) == [Reply("r1", "Accepted")]
    assert of(Restart, story.wait(2)) == [Restart(again=False)]


def test_being_told_to_end_overtakes_a_soft_reset():
    story = charging()
    story.tell(ev.ResetRequested("r1", hard=False))
    story.tell(ev.ShutdownRequested())
    assert of(Restart, story.wait(2)) == [Restart(again=False)]


def test_cards_that_wait_or_are_being_checked_are_forgotten_at_the_end():
    story = Story(a_charge_point(connectors=2))
    story.tell(tap(facts=listed()), tap("UNKNOWN"))
    story.tell(ev.ShutdownRequested())
    assert (story.state.waiting, story.state.checking) == ((), ())
    story.tell(ev.CablePluggedIn(1))
    assert of(CloseContactor, story.commands) == []
    assert isinstance(story.connector.phase, Idle)
