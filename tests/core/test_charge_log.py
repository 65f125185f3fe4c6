"""The charge log: what is known of a session while it runs, and its record at the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from agent.core import events as ev
from agent.core.commands import EndTransaction, LogSession, QueueMessage, SaveTransaction
from agent.core.figures import Figures
from agent.core.state import Charging, Rules
from agent.core.values import (
    AuthorizationStatus,
    Boot,
    IdTagInfo,
    LockState,
    PilotState,
    Reading,
    StopReason,
)
from tests.core.story import (
    CARD,
    NOON,
    Story,
    a_charge_point,
    a_transaction,
    charging,
    finish,
    listed,
    of,
    reading,
    tap,
)


def measured(story: Story, import_wh: int, power_w: float | None) -> list[object]:
    return list(story.tell(ev.MeterRead(1, Reading(import_wh, story.now.utc, power_w))))


def logged(story: Story) -> LogSession:
    (found,) = of(LogSession, story.commands)
    return found


def ended(story: Story, meter_wh: int = 2000) -> LogSession:
    story.tell(tap())
    finish(story, meter_wh)
    return logged(story)


def figures(story: Story) -> Figures:
    assert story.connector.transaction is not None
    return story.connector.transaction.figures


# --- the record ----------------------------------------------------------------------------------


def test_a_session_that_ends_is_logged_in_the_turn_that_ends_it():
    story = charging()
    story.tell(tap())
    commands = finish(story)
    kinds = [type(command) for command in commands]
    first = kinds.index(LogSession)
    assert kinds[first : first + 3] == [LogSession, EndTransaction, QueueMessage]
    record = logged(story)
    assert record.transaction.id_tag == CARD
    assert (record.transaction.meter_start_wh, record.ended.meter_stop_wh) == (1000, 2000)
    assert (record.ended.reason, record.ended.ended_at) == (StopReason.LOCAL, story.now.utc)


def test_the_record_says_who_accepted_the_card_and_why():
    assert ended(charging(online=False)).transaction.figures.rule == "LISTED_OFFLINE"
    assert ended(charging(online=False)).transaction.figures.source == "local list"
    remote = Story(a_charge_point(AuthorizeRemoteTxRequests="false"))
    remote.tell(ev.CablePluggedIn(1), ev.RemoteStartRequested("r", CARD, 1))
    remote.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    assert figures(remote).rule == "REMOTE_TRUSTED"


def test_a_session_that_the_central_system_refuses_afterwards_is_logged_as_deauthorized():
    story = charging()
    blocked = IdTagInfo(AuthorizationStatus.BLOCKED)
    story.tell(ev.MessageAnswered(1, 1, 55, blocked, CARD))
    finish(story)
    assert logged(story).ended.reason is StopReason.DE_AUTHORIZED
    assert logged(story).transaction.transaction_id == 55


# --- power ---------------------------------------------------------------------------------------


def test_the_highest_power_is_the_highest_that_the_meter_has_told():
    story = charging()
    for power_w in (3600.4, 11_040.6, None, 0.0):
        measured(story, 1500, power_w)
    assert ended(story).transaction.figures.highest_w == 11_041


def test_a_meter_that_tells_no_power_leaves_it_unknown():
    story = charging()
    measured(story, 1500, None)
    assert ended(story).transaction.figures.highest_w is None


def test_power_without_a_session_belongs_to_none():
    story = Story(a_charge_point())
    before = story.connector.phase
    measured(story, 1000, 7000.0)
    assert story.connector.phase == before


# --- pauses --------------------------------------------------------------------------------------


def pause(story: Story, seconds: float) -> None:
    """The car wants no energy for so long."""
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    story.wait(seconds)
    story.tell(ev.PilotChanged(1, PilotState.C), ev.ContactorClosed(1))


def test_the_longest_of_several_pauses_counts():
    story = charging()
    pause(story, 90)
    pause(story, 300.7)
    pause(story, 60)
    assert ended(story).transaction.figures.longest_pause_s == 300


def test_the_time_before_the_car_asks_for_energy_is_a_pause():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()), ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.PilotChanged(1, PilotState.B), ev.MeterRead(1, reading(1000)))
    story.wait(120)
    story.tell(ev.PilotChanged(1, PilotState.C), ev.ContactorClosed(1))
    story.wait(30)
    assert figures(story).longest_pause_s == 120


def test_the_time_after_the_car_is_full_is_a_pause_up_to_the_end():
    story = charging()
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    story.wait(7200)
    story.commands.clear()
    story.tell(tap(), ev.MeterRead(1, reading(2000)))
    assert logged(story).transaction.figures.longest_pause_s == 7200


def test_energy_without_a_break_has_no_pause():
    story = charging()
    story.wait(3600)
    assert ended(story).transaction.figures.longest_pause_s == 0


# --- across a power cut --------------------------------------------------------------------------


def test_what_is_known_so_far_is_saved_with_the_samples_and_by_no_row_of_its_own():
    story = charging(MeterValueSampleInterval="60")
    story.wait(50)
    measured(story, 1200, 7000.0)
    story.tell(ev.PilotChanged(1, PilotState.B))
    story.commands.clear()
    story.tell(ev.ContactorOpened(1))  # a pause begins: nothing is written for it
    assert of(SaveTransaction, story.commands) == []
    story.wait(60)
    measured(story, 1300, 0.0)
    (saved,) = of(SaveTransaction, story.commands)
    assert (saved.transaction.figures.highest_w, saved.transaction.figures.longest_pause_s) == (
        7000,
        60,
    )


LEFT_OPEN = a_transaction(
    begun_at=NOON - timedelta(hours=1),
    last_wh=1800,
    last_at=NOON - timedelta(minutes=5),
    figures=Figures("LISTED", "local list", 7000, 90),
)


def found(**rules: bool) -> Story:
    story = Story(replace(a_charge_point(rules=Rules(**rules)), is_begun=False))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.PilotChanged(1, PilotState.B))
    story.tell(ev.CablePluggedIn(1), ev.Started((LEFT_OPEN,)), ev.MeterRead(1, reading(1900)))
    return story


def test_a_session_that_a_power_cut_ended_is_logged_with_what_was_saved_of_it():
    story = found()
    record = logged(story)
    assert record.transaction.figures == LEFT_OPEN.figures
    assert (record.ended.meter_stop_wh, record.ended.ended_at) == (1900, LEFT_OPEN.last_at)
    assert record.ended.reason is StopReason.POWER_LOSS


def test_a_session_that_goes_on_after_a_power_cut_has_paused_since_it_was_last_seen():
    story = found(resume_after_power_loss=True)
    assert isinstance(story.connector.phase, Charging)
    story.wait(60)
    story.tell(ev.PilotChanged(1, PilotState.C), ev.ContactorClosed(1))
    record = ended(story)
    assert record.transaction.figures == Figures("LISTED", "local list", 7000, 360)
    assert record.transaction.begun_at == LEFT_OPEN.begun_at


# --- times that were believed --------------------------------------------------------------------


def test_the_record_says_whose_clock_gave_its_begin_and_its_end():
    believed = Boot(7, "this boot", NOON, is_time_known=False)
    story = Story(replace(a_charge_point(online=False), boot=believed))
    assert story.now.is_trusted
    story.state = replace(story.state, boot=believed)
    older = replace(LEFT_OPEN, begun_boot=3, boot=3)
    story.tell(ev.Started((older,)), ev.MeterRead(1, reading(1900)))
    record = logged(story)
    assert (record.transaction.begun_boot, record.boot) == (3, 3)
