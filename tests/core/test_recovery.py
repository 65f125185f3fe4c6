"""Sessions that were open when the last process ended: closed, resumed, and on whose bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import events as ev
from agent.core.commands import (
    CloseContactor,
    NoteBoot,
    NoteEnding,
    ReadMeter,
    SaveTransaction,
    UnlockConnector,
)
from agent.core.state import Charging, Idle, Rules, Stopping, Traits
from agent.core.values import (
    Boot,
    ConnectorMeasured,
    LockState,
    PilotState,
    Status,
    StopReason,
    TransactionBegan,
)
from tests.core.story import (
    BARE,
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
    rules_of,
    statuses,
    stop_of,
    tap,
)

LAST_AT = NOON - timedelta(minutes=5)
FOUND = a_transaction(begun_at=NOON - timedelta(hours=1), last_wh=1800, last_at=LAST_AT, ref=4)
RESUMING = Rules(resume_after_power_loss=True)
BOOT = Boot(3, "this boot", NOON - timedelta(hours=2), is_time_known=True)
KW = Traits(max_power_w=60_000.0)  # 1000 Wh a minute


def started(found=FOUND, ending=StopReason.POWER_LOSS, **given) -> Story:
    """The process has started with a session open; the plug is in."""
    story = Story(replace(a_charge_point(**given), is_begun=False))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.PilotChanged(1, PilotState.B))
    if story.connector.traits.has_plug:
        story.tell(ev.CablePluggedIn(1))
    story.tell(ev.Started((found,), ending=ending))
    return story


# --- why it ended --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ending",
    [StopReason.POWER_LOSS, StopReason.REBOOT, StopReason.SOFT_RESET, StopReason.HARD_RESET],
)
def test_the_reason_is_how_the_last_process_ended(ending):
    story = started(ending=ending)
    assert stop_of(story.tell(ev.MeterRead(1, reading(1900)))).reason is ending


def test_where_nobody_knows_how_the_last_process_ended_it_was_a_power_cut():
    story = started(ending=None)
    stop = stop_of(story.tell(ev.MeterRead(1, reading(1900))))
    assert stop.reason is StopReason.POWER_LOSS


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (ev.ShutdownRequested(), StopReason.REBOOT),
        (ev.ResetRequested("r1", hard=False), StopReason.SOFT_RESET),
        (ev.ResetRequested("r1", hard=True), StopReason.HARD_RESET),
    ],
)
@pytest.mark.parametrize("has_session", [True, False])
def test_why_a_process_ends_is_noted(event, reason, has_session):
    story = charging() if has_session else Story(a_charge_point())
    story.state = replace(story.state, boot=BOOT)
    assert of(NoteEnding, story.tell(event)) == [NoteEnding(reason)]


def test_the_boot_is_noted_at_the_start():
    story = Story(replace(a_charge_point(), boot=BOOT))
    assert deeds(story.tell(ev.Started())) == [NoteBoot(BOOT)]


# --- whose energy it is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meter_wh", "billed_wh"),
    [
        (1800, 1800),
        (3800, 3800),  # two minutes at full power: one sample interval and a minute of grace
        (3801, 1800),  # more than the car can have drawn: somebody else did
        (900, 1800),  # a meter that was changed, or has lost its memory
    ],
)
def test_energy_that_cannot_be_of_this_session_is_not_on_its_bill(meter_wh, billed_wh):
    story = started(traits=KW)
    stop = stop_of(story.tell(ev.MeterRead(1, reading(meter_wh))))
    assert (stop.meter_stop_wh, stop.ended_at) == (billed_wh, LAST_AT)


@pytest.mark.parametrize(
    ("boot", "meter_wh", "billed_wh"),
    [
        (0, 1800 + 5000, 6800),  # five minutes have passed since the last sample
        (0, 1800 + 5001, 1800),
        (2, 1_000_000, 1_000_000),  # by a clock that nobody trusted: nobody knows how many
    ],
)
def test_without_samples_the_time_that_has_passed_is_the_limit(boot, meter_wh, billed_wh):
    found = replace(FOUND, boot=boot)
    story = started(found, traits=KW, MeterValueSampleInterval="0")
    assert stop_of(story.tell(ev.MeterRead(1, reading(meter_wh)))).meter_stop_wh == billed_wh


def test_the_end_of_an_ordinary_session_is_not_doubted():
    story = charging(traits=KW)
    story.tell(tap(), ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    assert stop_of(story.tell(ev.MeterRead(1, reading(900_000)))).meter_stop_wh == 900_000


# --- going on ------------------------------------------------------------------------------------


def test_a_session_goes_on_where_the_setting_says_so():
    story = started(rules=RESUMING)
    assert of(ReadMeter, story.commands) == [ReadMeter(1)]
    assert of(UnlockConnector, story.commands) == []
    assert isinstance(story.connector.phase, Stopping)
    assert messages(story.tell(ev.MeterRead(1, reading(1850)))) == []
    assert isinstance(story.connector.phase, Charging)
    assert story.connector.transaction.ref == 4
    assert of(CloseContactor, story.tell(ev.PilotChanged(1, PilotState.C)))
    story.tell(ev.ContactorClosed(1))
    assert statuses(story.commands)[-1] is Status.CHARGING
    story.wait(60)
    (sample,) = messages(story.tell(ev.MeterRead(1, reading(1950))))
    assert isinstance(sample, ConnectorMeasured)
    assert story.connector.transaction.last_wh == 1950
    assert of(TransactionBegan, messages(story.commands)) == []


def test_a_session_that_goes_on_is_as_old_as_it_was():
    story = started(rules=RESUMING)
    story.tell(ev.MeterRead(1, reading(1850)))
    age_s = story.now.monotonic_s - story.connector.transaction.begun_monotonic_s
    assert age_s == 3600


def test_a_session_that_goes_on_is_stored_with_the_register_and_the_time_of_now():
    story = started(rules=RESUMING)
    (stored,) = of(SaveTransaction, story.tell(ev.MeterRead(1, reading(1850))))
    assert (stored.transaction.last_wh, stored.transaction.last_at) == (1850, story.now.utc)
    assert stored.transaction == story.connector.transaction


def test_a_session_that_goes_on_again_and_again_before_its_next_sample_keeps_all_its_energy():
    found = FOUND
    for register_wh in (2500, 3200, 3900):  # each plausible after the one before: 2000 Wh at most
        story = started(found, rules=RESUMING, traits=KW)
        (stored,) = of(SaveTransaction, story.tell(ev.MeterRead(1, reading(register_wh))))
        found = stored.transaction
    story = started(found, ending=StopReason.SOFT_RESET, traits=KW)
    assert stop_of(story.tell(ev.MeterRead(1, reading(4600)))).meter_stop_wh == 4600


@pytest.mark.parametrize("ending", [StopReason.SOFT_RESET, StopReason.HARD_RESET])
def test_after_a_reset_nothing_goes_on(ending):
    story = started(ending=ending, rules=RESUMING)
    assert stop_of(story.tell(ev.MeterRead(1, reading(1850)))).reason is ending


@pytest.mark.parametrize(
    "found",
    [replace(FOUND, deauthorized=True), replace(FOUND, is_limited=True)],
    ids=["refused", "limited by the operator"],
)
def test_a_session_that_was_refused_or_had_limits_does_not_go_on(found):
    story = started(found, rules=RESUMING)
    assert stop_of(story.tell(ev.MeterRead(1, reading(1850)))).meter_stop_wh == 1850


@pytest.mark.parametrize("meter_wh", [900, 900_000])
def test_a_session_whose_meter_is_not_as_it_was_does_not_go_on(meter_wh):
    story = started(rules=RESUMING, traits=KW)
    assert stop_of(story.tell(ev.MeterRead(1, reading(meter_wh)))).meter_stop_wh == 1800


def test_a_session_whose_meter_is_silent_does_not_go_on():
    story = started(rules=RESUMING)
    assert stop_of(story.wait(5)).meter_stop_wh == 1800


def test_a_session_whose_car_has_gone_does_not_go_on():
    story = started(rules=RESUMING)
    story.tell(ev.CableUnplugged(1))
    assert stop_of(story.tell(ev.MeterRead(1, reading(1850)))).reason is StopReason.POWER_LOSS


def test_a_session_does_not_go_on_in_a_process_that_is_about_to_end():
    story = started(rules=RESUMING)
    story.tell(ev.ShutdownRequested())
    assert stop_of(story.tell(ev.MeterRead(1, reading(1850)))).reason is StopReason.POWER_LOSS


@pytest.mark.parametrize(
    ("traits", "pilot", "goes_on"),
    [
        (replace(BARE, has_pilot=True), PilotState.B, True),
        (replace(BARE, has_pilot=True), PilotState.A, False),
        (BARE, PilotState.A, False),  # nobody can tell
        (replace(BARE, has_plug=True), PilotState.A, True),
    ],
)
def test_somebody_must_know_that_the_car_is_still_there(traits, pilot, goes_on):
    story = Story(a_charge_point(traits=traits, rules=RESUMING))
    story.tell(ev.PilotChanged(1, pilot))
    if traits.has_plug:
        story.tell(ev.CablePluggedIn(1))
    story.tell(ev.Started((FOUND,)))
    assert (isinstance(story.connector.phase, Charging)) is goes_on


# --- free charging -------------------------------------------------------------------------------

FREE = Rules(free_charging_id_tag="FREE")


def before_start(rules: Rules) -> Story:
    """The first look at the inputs has found a plug; Started has not come yet."""
    story = Story(replace(a_charge_point(rules=rules), is_begun=False))
    assert rules_of(story.tell(ev.CablePluggedIn(1))) == []
    return story


def test_free_charging_begins_again_after_a_power_loss_without_anybody_there():
    story = before_start(FREE)
    assert rules_of(story.tell(ev.Started((FOUND,)))) == ["FREE"]
    assert stop_of(story.tell(ev.MeterRead(1, reading(1900)))).reason is StopReason.POWER_LOSS
    commands = story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1900)))
    (start,) = messages(commands)
    assert isinstance(start, TransactionBegan)
    assert (start.id_tag, start.meter_start_wh) == ("FREE", 1900)


def test_free_charging_that_goes_on_begins_no_second_session():
    story = before_start(replace(FREE, resume_after_power_loss=True))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.Started((FOUND,)))
    story.tell(ev.MeterRead(1, reading(1900)))
    assert isinstance(story.connector.phase, Charging)
    assert story.state.waiting == ()


def test_a_card_that_waits_for_another_plug_keeps_its_promise_when_a_session_goes_on():
    story = started(rules=RESUMING, connectors=2)
    story.tell(tap("SECOND", listed(), connectors=(2,)))
    story.tell(ev.MeterRead(1, reading(1850)))
    assert [grant.id_tag for grant in story.state.waiting] == ["SECOND"]


def test_nothing_begins_before_it_is_known_what_was_open():
    story = Story(replace(a_charge_point(), is_begun=False))
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    assert isinstance(story.connector.phase, Idle)
