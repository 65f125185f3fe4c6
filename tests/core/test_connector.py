"""The connector state machine: what is ordered, in which order, and what opens at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import charge_point
from agent.core import events as ev
from agent.core.commands import (
    CloseContactor,
    DeliverNext,
    EndTransaction,
    LockConnector,
    LogSession,
    NotifyStatus,
    OfferCurrent,
    OpenContactor,
    QueueMessage,
    ReadMeter,
    RenewContactor,
    SaveTransaction,
    UnlockConnector,
    WithdrawOffer,
)
from agent.core.figures import Figures
from agent.core.followers import next_deadline_s
from agent.core.state import Idle
from agent.core.values import (
    LockState,
    PilotState,
    Status,
    StopReason,
    TransactionBegan,
    TransactionEnded,
)
from tests.core.story import (
    ALL_PARTS,
    BARE,
    BLOCKED,
    BOOT_S,
    CARD,
    Story,
    a_charge_point,
    a_started_story,
    a_transaction,
    at,
    charging,
    deeds,
    listed,
    messages,
    of,
    reading,
    statuses,
    stop_of,
    tap,
)

CLOSE = CloseContactor(1, transaction_ref=1, trips_seen=0, for_s=5.0)


# --- the whole session ---------------------------------------------------------------------------


def test_a_session_is_this_list_of_orders_and_no_other():
    story = Story(a_charge_point(online=False))
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    story.tell(ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.MeterRead(1, reading(1000)))
    story.tell(ev.PilotChanged(1, PilotState.B))
    story.tell(ev.PilotChanged(1, PilotState.C))
    story.tell(ev.ContactorClosed(1))
    story.wait(30)
    story.tell(tap())
    story.tell(ev.PilotChanged(1, PilotState.B))
    story.tell(ev.ContactorOpened(1))
    story.tell(ev.MeterRead(1, reading(1200)))
    story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    story.tell(ev.CableUnplugged(1))
    begun = a_transaction(figures=Figures("LISTED_OFFLINE", "local list", open_since_s=BOOT_S))
    over = replace(begun, figures=replace(begun.figures, open_since_s=None))
    ended = TransactionEnded(1200, story.now.utc, StopReason.LOCAL, id_tag=CARD)
    assert deeds(story.commands) == [
        LockConnector(1),
        ReadMeter(1),
        SaveTransaction(begun),
        QueueMessage(1, 1, TransactionBegan(1, CARD, 1000, begun.begun_at)),
        OfferCurrent(1, 32.0),
        CLOSE,
        WithdrawOffer(1),
        OpenContactor(1),
        ReadMeter(1),
        LogSession(over, ended),
        EndTransaction(1, 1200),
        QueueMessage(2, 1, ended),
        UnlockConnector(1),
    ]
    assert story.connector == replace(
        a_charge_point().connectors[0],
        plugged_at_s=story.connector.plugged_at_s,
        pilot=PilotState.B,
        reading=replace(reading(1200), offered_a=0.0, offered_w=0.0),
        ended_wh=1200,
        ended_at_s=at(30).monotonic_s,
        operations=1,
        operations_kept=1,
    )


def test_closing_is_ordered_after_the_rows_that_it_must_wait_for():
    story = a_started_story()
    story.tell(ev.PilotChanged(1, PilotState.C), ev.LockChanged(1, LockState.LOCKED))
    commands = story.tell(ev.MeterRead(1, reading(1000)))
    kinds = [type(command) for command in deeds(commands)]
    closing = [kind for kind in kinds if kind is not DeliverNext]
    assert closing[:4] == [SaveTransaction, QueueMessage, OfferCurrent, CloseContactor]


def test_it_closes_only_on_an_offer_that_the_pilot_controller_has_confirmed():
    story = charging()
    story.tell(ev.PilotComplained(1, ("silent",)))
    assert story.connector.offered_a is None
    story.tell(ev.ContactorTripped(1, "reflex", 1), ev.ContactorOpened(1))
    state = story.state
    for event in (ev.PilotComplained(1), ev.PilotChanged(1, PilotState.C)):  # it answers again
        state, commands = charge_point.handle(state, event, story.now)
        assert of(CloseContactor, commands) == []
    for told_a, closes in ((0.0, 0), (32.0, 0), (16.0, 1)):  # an older, larger offer is not meant
        phase = replace(state.connectors[0].phase, limit_a=16.0)
        limited = replace(state.connectors[0], offered_a=16.0, phase=phase)
        before = replace(state, connectors=(limited,))
        _, commands = charge_point.handle(before, ev.OfferConfirmed(1, told_a), story.now)
        assert len(of(CloseContactor, commands)) == closes


def test_a_confirmation_that_was_on_its_way_when_the_offer_was_withdrawn_closes_nothing_later():
    story = charging()
    told_a = story.connector.offered_a
    story.tell(ev.LimitRequested("r1", 1, 0.0), ev.PilotChanged(1, PilotState.B))
    story.tell(ev.ContactorOpened(1))
    assert story.connector.offered_a is None
    story.tell(ev.OfferConfirmed(1, told_a))
    state = story.state
    for event in (ev.LimitRequested("r2", 1, 32.0), ev.PilotChanged(1, PilotState.C)):
        state, commands = charge_point.handle(state, event, story.now)
        assert of(CloseContactor, commands) == []
    assert state.connectors[0].offered_a == told_a
    _, commands = charge_point.handle(state, ev.OfferConfirmed(1, told_a), story.now)
    assert len(of(CloseContactor, commands)) == 1


def test_a_box_with_no_parts_but_a_contactor_charges_as_soon_as_the_card_is_accepted():
    story = Story(a_charge_point(traits=BARE, online=False))
    kinds = [type(command) for command in deeds(story.tell(tap(facts=listed())))]
    assert kinds == [SaveTransaction, QueueMessage, OfferCurrent, CloseContactor]
    story.tell(ev.ContactorClosed(1))
    story.wait(100)
    commands = story.tell(tap())
    assert [type(c) for c in deeds(commands)] == [WithdrawOffer, OpenContactor]
    commands = story.tell(ev.ContactorOpened(1))
    assert stop_of(commands) == TransactionEnded(0, story.now.utc, StopReason.LOCAL, CARD)
    assert isinstance(story.connector.phase, Idle)


@pytest.mark.parametrize(
    ("missing", "first_orders"),
    [
        ("has_lock", [ReadMeter(1)]),
        ("has_meter", [LockConnector(1)]),
        ("has_pilot", [LockConnector(1), ReadMeter(1)]),
        ("has_plug", [LockConnector(1), ReadMeter(1)]),
    ],
)
def test_each_part_a_box_does_not_have_is_not_waited_for(missing, first_orders):
    traits = replace(ALL_PARTS, **{missing: False})
    story = a_started_story(traits)
    assert deeds(story.commands) == first_orders
    if traits.has_lock:
        story.tell(ev.LockChanged(1, LockState.LOCKED))
    if traits.has_meter:
        story.tell(ev.MeterRead(1, reading(1000)))
    if traits.has_pilot:
        story.tell(ev.PilotChanged(1, PilotState.C))
    assert of(CloseContactor, story.commands) == [CLOSE]


def test_a_box_without_meter_takes_no_samples_and_asks_for_no_time_to_take_them():
    story = charging(traits=replace(ALL_PARTS, has_meter=False))
    assert deeds(story.wait(3600)) == []
    assert story.connector.phase.next_sample_s is None


# --- energy --------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [PilotState.C, PilotState.D])
def test_the_contactor_closes_when_the_vehicle_asks_and_not_before(state):
    story = a_started_story()
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    story.tell(ev.PilotChanged(1, PilotState.B))
    assert of(CloseContactor, story.commands) == []
    assert deeds(story.tell(ev.PilotChanged(1, state))) == [CLOSE]


def test_a_vehicle_that_pauses_opens_and_closes_again_within_one_session():
    story = charging()
    paused = story.tell(ev.PilotChanged(1, PilotState.B))
    assert deeds(paused) == [OpenContactor(1)]
    assert statuses(paused) == [Status.SUSPENDED_EV]
    story.tell(ev.ContactorOpened(1))
    asking = story.tell(ev.PilotChanged(1, PilotState.C))
    assert deeds(asking) == [CLOSE]
    assert statuses(asking) == []  # the contactor is on its way: still the pause of the vehicle
    assert statuses(story.tell(ev.ContactorClosed(1))) == [Status.CHARGING]
    assert messages(story.commands) == []


def test_the_lease_is_renewed_in_every_turn_and_at_least_three_times_before_it_runs_out():
    story = charging()
    assert of(RenewContactor, story.tell(ev.ReaderFailed("dead"))) == [RenewContactor(1, 5.0)]
    assert len(of(RenewContactor, story.wait(5))) >= 3


def test_a_lease_that_ran_out_closes_again_without_ending_the_session():
    story = charging()
    commands = story.tell(ev.ContactorTripped(1, "lease expired", 1))
    assert deeds(commands) == [replace(CLOSE, trips_seen=1)]
    assert statuses(story.tell(ev.ContactorOpened(1))) == [Status.SUSPENDED_EVSE]
    assert statuses(story.tell(ev.ContactorClosed(1))) == [Status.CHARGING]
    assert messages(story.commands) == []


@pytest.mark.parametrize("state", [PilotState.E, PilotState.F])
def test_a_pilot_error_stops_the_energy_and_is_told_as_a_warning(state):
    story = charging()
    commands = story.tell(ev.PilotChanged(1, state))
    assert deeds(commands) == [OpenContactor(1), WithdrawOffer(1)]
    (report,) = [c.report for c in of(NotifyStatus, commands)]
    assert (report.status, report.error_code) == (Status.SUSPENDED_EVSE, "EVCommunicationError")
    commands = story.tell(ev.ContactorOpened(1), ev.PilotChanged(1, PilotState.C))
    assert deeds(commands) == [OfferCurrent(1, 32.0), CLOSE]
    (report,) = [c.report for c in of(NotifyStatus, commands)]
    assert (report.status, report.error_code) == (Status.SUSPENDED_EVSE, "NoError")
    assert statuses(story.tell(ev.ContactorClosed(1))) == [Status.CHARGING]


def test_a_lock_moved_by_hand_stops_the_energy_and_is_locked_again():
    story = charging()
    commands = story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert deeds(commands) == [LockConnector(1), OpenContactor(1), WithdrawOffer(1)]
    assert statuses(commands) == [Status.SUSPENDED_EVSE]
    commands = story.tell(ev.ContactorOpened(1), ev.LockChanged(1, LockState.LOCKED))
    assert deeds(commands) == [OfferCurrent(1, 32.0), CLOSE]
    assert statuses(commands) == []  # until energy flows it is we who interrupt
    assert statuses(story.tell(ev.ContactorClosed(1))) == [Status.CHARGING]


# --- samples -------------------------------------------------------------------------------------


def test_samples_are_taken_on_the_grid_of_the_transaction_and_saved_with_it():
    story = charging(MeterValueSampleInterval="60")
    assert deeds(story.wait(49.9)) == []
    assert deeds(story.wait(0.1)) == [ReadMeter(1)]
    commands = story.tell(ev.MeterRead(1, reading(1100)))
    (saved,) = of(SaveTransaction, commands)
    assert saved.transaction.last_wh == 1100
    assert saved.transaction.last_at == story.now.utc
    (queued,) = of(QueueMessage, commands)
    assert queued.transaction_ref == 1
    assert [type(command) for command in deeds(commands)][:2] == [SaveTransaction, QueueMessage]
    assert story.connector.phase.next_sample_s == story.now.monotonic_s + 60


def test_a_reading_that_nobody_asked_for_queues_nothing():
    story = charging()
    assert deeds(story.tell(ev.MeterRead(1, reading(1100)))) == []


def test_a_sample_that_failed_is_not_made_up_for_by_a_later_reading():
    story = charging()
    story.wait(50)
    story.tell(ev.MeterFailed(1, "no answer"))
    assert deeds(story.tell(ev.MeterRead(1, reading(1100)))) == []


def test_a_sample_without_any_configured_value_saves_the_register_only():
    story = charging(MeterValuesSampledData="Voltage")
    story.wait(50)
    commands = story.tell(ev.MeterRead(1, reading(1100)))
    assert [type(command) for command in deeds(commands)] == [SaveTransaction]


def test_sampling_that_is_off_asks_for_no_time():
    story = charging(MeterValueSampleInterval="0")
    story.tell(ev.PilotChanged(1, PilotState.B))
    assert next_deadline_s(story.state, story.now) is None


def test_a_refused_card_gets_no_energy_while_its_session_is_left_open():
    story = charging(StopTransactionOnInvalidId="false")
    commands = story.tell(ev.MessageAnswered(1, 1, 55, BLOCKED, CARD))
    assert OpenContactor(1) in commands
    assert statuses(commands) == [Status.SUSPENDED_EVSE]
    assert (
        deeds(story.tell(ev.PilotChanged(1, PilotState.B), ev.PilotChanged(1, PilotState.C))) == []
    )
