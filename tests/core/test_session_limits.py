"""What ends or narrows a session that works well: time, energy, current, and a refusal's grace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.charge_point import still_wanted
from agent.core.commands import (
    CloseContactor,
    LowerOffer,
    OfferCurrent,
    OpenContactor,
    Reply,
    SaveTransaction,
    WithdrawOffer,
)
from agent.core.followers import next_deadline_s
from agent.core.state import Charging, Finished
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    LockState,
    PilotState,
    Status,
    StopReason,
)
from tests.core.story import (
    ACCEPTED,
    ALL_PARTS,
    BLOCKED,
    CARD,
    Story,
    a_charge_point,
    charging,
    deeds,
    finish,
    listed,
    looked_up,
    of,
    reading,
    statuses,
    stop_of,
    tap,
)


def limited(**limits: int) -> Story:
    """A session on connector 1 with these limits, begun at noon at 1000 Wh."""
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1))
    story.tell(looked_up(ev.StartRequested("s1", 1, CARD, **limits), listed()))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    story.tell(ev.PilotChanged(1, PilotState.C), ev.ContactorClosed(1))
    story.commands.clear()
    return story


# --- time and energy -----------------------------------------------------------------------------


def test_a_session_with_a_duration_ends_by_itself_when_it_is_over():
    story = limited(duration_s=300)
    story.wait(299.9)
    assert isinstance(story.connector.phase, Charging)
    assert WithdrawOffer(1) in story.wait(0.1)
    commands = finish(story)
    assert (stop_of(commands).reason, stop_of(commands).id_tag) == (StopReason.LOCAL, None)
    assert isinstance(story.connector.phase, Finished)


def test_a_duration_is_waited_for_also_when_nothing_else_happens():
    story = limited(duration_s=300)
    story.tell(ev.ConfigurationChangeRequested("c1", "MeterValueSampleInterval", "0"))
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    assert next_deadline_s(story.state, story.now) == story.now.monotonic_s + 300


def test_a_session_with_an_energy_ends_by_itself_when_that_has_flown():
    story = limited(energy_wh=500)
    assert deeds(story.tell(ev.MeterRead(1, reading(1499)))) == []
    assert deeds(story.tell(ev.MeterRead(1, reading(1500)))) == [WithdrawOffer(1)]
    assert stop_of(finish(story)).reason is StopReason.LOCAL


def test_an_energy_limit_without_a_meter_ends_nothing():
    story = Story(a_charge_point(traits=replace(ALL_PARTS, has_meter=False)))
    story.tell(ev.CablePluggedIn(1))
    story.tell(looked_up(ev.StartRequested("s1", 1, CARD, energy_wh=1), listed()))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.PilotChanged(1, PilotState.C))
    story.wait(3600)
    assert isinstance(story.connector.phase, Charging)


def test_the_limits_of_one_session_do_not_reach_into_the_next():
    story = limited(duration_s=60, energy_wh=100)
    story.tell(ev.StopRequested("x1", 1))
    finish(story)
    story.wait(60)
    story.tell(tap(facts=listed()))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(2000)))
    story.tell(ev.MeterRead(1, reading(9000)))
    story.wait(600)
    assert isinstance(story.connector.phase, Charging)


# --- current -------------------------------------------------------------------------------------


def limit(current_a: float | None) -> ev.LimitRequested:
    return ev.LimitRequested("l1", 1, current_a)


def test_another_limit_is_offered_anew_without_opening():
    story = charging()
    commands = story.tell(limit(16.0))
    assert deeds(commands) == [
        Reply("l1", "applied"),
        LowerOffer(1, 16.0),  # at once, whatever the disk does
        OfferCurrent(1, 16.0),
    ]
    assert statuses(commands) == []
    assert deeds(story.tell(limit(16.0))) == [Reply("l1", "applied")]
    assert deeds(story.tell(limit(None))) == [Reply("l1", "applied"), OfferCurrent(1, 32.0)]


def test_a_limit_above_that_of_the_box_changes_nothing():
    assert deeds(charging().tell(limit(63.0))) == [Reply("l1", "applied")]


@pytest.mark.parametrize("current_a", [0.0, 5.9])
def test_a_limit_below_six_amperes_suspends_and_a_higher_one_goes_on(current_a):
    story = charging()
    commands = story.tell(limit(current_a))
    assert deeds(commands) == [Reply("l1", "applied"), WithdrawOffer(1)]
    assert statuses(commands) == [Status.SUSPENDED_EVSE]
    assert OpenContactor(1) in story.tell(ev.PilotChanged(1, PilotState.B))  # no load any more
    story.tell(ev.ContactorOpened(1), ev.PilotChanged(1, PilotState.C))
    commands = story.tell(limit(6.0))
    assert [type(command) for command in deeds(commands)] == [Reply, OfferCurrent, CloseContactor]
    assert OfferCurrent(1, 6.0) in commands
    assert statuses(story.tell(ev.ContactorClosed(1))) == [Status.CHARGING]


def test_a_vehicle_that_draws_on_in_spite_of_the_limit_is_cut_off_after_three_seconds():
    story = charging()
    story.tell(limit(0.0))
    assert next_deadline_s(story.state, story.now) <= story.now.monotonic_s + 3
    assert OpenContactor(1) not in story.wait(2.9)
    assert OpenContactor(1) in story.wait(0.1)


def test_a_limit_that_is_lifted_before_the_contactor_has_opened_leaves_it_closed():
    story = charging()
    story.tell(limit(0.0))
    story.wait(2)
    assert deeds(story.tell(limit(8.0))) == [Reply("l1", "applied"), OfferCurrent(1, 8.0)]
    assert OpenContactor(1) not in story.wait(60)


def test_a_vehicle_that_pauses_for_a_limit_is_cut_off_at_once_when_its_lock_opens():
    story = charging()
    story.tell(limit(0.0))
    assert OpenContactor(1) in story.tell(ev.LockChanged(1, LockState.UNLOCKED))


def test_a_refused_session_is_given_no_time_by_a_limit():
    story = charging(StopTransactionOnInvalidId="false")
    story.tell(limit(0.0))
    answer = ev.MessageAnswered(1, 1, 77, BLOCKED, CARD)
    assert OpenContactor(1) in story.tell(answer)


def test_an_offer_that_waits_behind_a_newer_limit_is_not_wanted_any_more():
    story = charging()
    (old,) = of(OfferCurrent, story.tell(limit(16.0)))
    (new,) = of(OfferCurrent, story.tell(limit(10.0)))
    assert [still_wanted(story.state, order) for order in (old, new)] == [False, True]


def test_a_limit_without_a_session_is_refused():
    story = Story(a_charge_point())
    assert deeds(story.tell(limit(16.0))) == [Reply("l1", "no_transaction")]
    story = charging()
    story.tell(tap())
    assert deeds(story.tell(limit(16.0))) == [Reply("l1", "no_transaction")]


@pytest.mark.parametrize("connector_id", [0, 2])
def test_a_limit_for_an_unknown_connector_is_refused(connector_id):
    commands = charging().tell(ev.LimitRequested("l1", connector_id, 16.0))
    assert of(Reply, commands) == [Reply("l1", "no_transaction")]


def test_a_limit_ends_with_its_session():
    story = charging()
    story.tell(limit(6.0), tap())
    finish(story)
    story.wait(10)
    story.tell(tap(facts=listed()))
    commands = story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(2000)))
    assert of(OfferCurrent, commands) == [OfferCurrent(1, 32.0)]


# --- energy for a refused card -------------------------------------------------------------------


def refused(info: IdTagInfo = BLOCKED, wh: int = 1100, **given) -> Story:
    """The session's StartTransaction is refused when the meter shows ``wh``."""
    story = charging(**{"MaxEnergyOnInvalidId": "50", **given})
    if story.connector.traits.has_meter:
        story.tell(ev.MeterRead(1, reading(wh)))
    story.commands.clear()
    story.tell(ev.MessageAnswered(1, 1, 55, info, CARD))
    return story


@pytest.mark.parametrize(
    "status", [s for s in AuthorizationStatus if s is not AuthorizationStatus.ACCEPTED]
)
def test_a_refused_session_goes_on_for_the_energy_of_the_key_counted_from_the_refusal(status):
    story = refused(IdTagInfo(status))
    assert of(OpenContactor, story.commands) == []
    assert of(SaveTransaction, story.commands)[-1].transaction.deauthorized
    assert deeds(story.tell(ev.MeterRead(1, reading(1149)))) == []
    assert deeds(story.tell(ev.MeterRead(1, reading(1150)))) == [WithdrawOffer(1)]
    assert stop_of(finish(story)).reason is StopReason.DE_AUTHORIZED


def test_after_the_grace_a_session_that_is_left_open_gets_no_more_energy():
    story = refused(StopTransactionOnInvalidId="false")
    commands = story.tell(ev.MeterRead(1, reading(1150)))
    assert deeds(commands) == [OpenContactor(1), WithdrawOffer(1)]
    assert statuses(commands) == [Status.SUSPENDED_EVSE]
    story.wait(3600)
    assert isinstance(story.connector.phase, Charging)


def test_a_vehicle_may_pause_and_go_on_within_the_grace():
    story = refused()
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    assert of(CloseContactor, story.tell(ev.PilotChanged(1, PilotState.C))) != []


def test_the_grace_is_given_once_however_often_the_refusal_comes():
    story = refused()
    story.tell(ev.MeterRead(1, reading(1140)))
    story.tell(ev.MessageAnswered(1, 1, 55, BLOCKED, CARD))
    assert WithdrawOffer(1) in story.tell(ev.MeterRead(1, reading(1150)))


def test_without_the_key_there_is_no_grace():
    assert WithdrawOffer(1) in refused(MaxEnergyOnInvalidId="0").commands


def test_without_a_meter_there_is_no_grace():
    story = refused(traits=replace(ALL_PARTS, has_meter=False))
    assert WithdrawOffer(1) in story.commands


def test_a_meter_that_fails_ends_the_grace_because_nobody_counts():
    assert WithdrawOffer(1) in refused().tell(ev.MeterFailed(1, "silent"))


def test_a_session_that_is_accepted_needs_no_grace():
    story = refused(ACCEPTED)
    assert deeds(story.tell(ev.MeterRead(1, reading(99_000)))) == []


def test_the_grace_of_one_session_does_not_reach_into_the_next():
    story = refused()
    story.tell(ev.CableUnplugged(1), ev.ContactorOpened(1), ev.MeterRead(1, reading(1120)))
    story.tell(ev.PilotChanged(1, PilotState.A), ev.LockChanged(1, LockState.UNLOCKED))
    story.wait(60)
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1120)))
    story.tell(ev.ConfigurationChangeRequested("c1", "MaxEnergyOnInvalidId", "0"))
    commands = story.tell(ev.MessageAnswered(3, 2, 56, BLOCKED, CARD))
    assert WithdrawOffer(1) in commands
