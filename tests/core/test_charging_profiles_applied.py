"""Charging profiles at work: installed and cleared, and felt by the sessions that run."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core import charge_point, followers
from agent.core import events as ev
from agent.core.charging_profiles import ChargingProfile, Criteria, InstalledProfile, Recurrency
from agent.core.charging_profiles_applied import RECHECK_S, composite_schedule
from agent.core.commands import (
    CloseContactor,
    Command,
    LowerOffer,
    OfferCurrent,
    OpenContactor,
    RemoveChargingProfile,
    Reply,
    SaveChargingProfile,
    WithdrawOffer,
)
from agent.core.state import ChargePoint, Rules, Traits
from agent.core.values import Instant, LockState, PilotState, Status, StopReason
from tests.core.charging import (
    ABSOLUTE,
    AMPERE,
    DAY_S,
    DEFAULT,
    MAX,
    NOON_S,
    RECURRING,
    REF,
    RELATIVE,
    TX,
    WATT,
    a_profile,
    allowed_at,
    installed,
    sets_of_profiles,
)
from tests.core.story import (
    BARE,
    BOOT_S,
    CARD,
    NOON,
    OTHER_CARD,
    Story,
    a_charge_point,
    a_transaction,
    charging,
    decisions,
    finish,
    listed,
    of,
    reading,
    replies,
    statuses,
    tap,
    with_transaction,
)
from tests.core.test_charging_composite_schedule import (
    converted,
    lowest_own,
    there,
    with_one_decimal,
)

BEGUN_S = 10  # charging() tells of ten seconds


def send(story: Story, profile: ChargingProfile, connector_id: int = 1) -> list[Command]:
    return story.tell(ev.SetProfileRequested("p", connector_id, profile))


def answer(story: Story, profile: ChargingProfile, connector_id: int = 1) -> str:
    (reply,) = of(Reply, send(story, profile, connector_id))
    return reply.status


def clear(story: Story, **criteria: object) -> list[Command]:
    return story.tell(ev.ClearProfilesRequested("c", Criteria(**criteria)))


def offered(story: Story, connector_id: int = 1) -> float | None:
    return story.state.connector(connector_id).offered_a


def begin(story: Story, connector_id: int, id_tag: str) -> None:
    """A session begins on this connector, with energy."""
    story.tell(ev.CablePluggedIn(connector_id))
    story.tell(tap(id_tag, listed(), (connector_id,)))
    story.tell(ev.LockChanged(connector_id, LockState.LOCKED))
    story.tell(ev.MeterRead(connector_id, reading(1000)))
    story.tell(ev.PilotChanged(connector_id, PilotState.C))
    story.tell(ev.ContactorClosed(connector_id))


# --- setting -------------------------------------------------------------------------------------


def test_a_profile_is_kept_and_felt_at_once_and_then_answered():
    story = charging()
    commands = send(story, a_profile(1, 10))
    assert of(SaveChargingProfile, commands) == [SaveChargingProfile(installed(1, 10))]
    assert replies(commands) == [("p", "Accepted")]
    assert of(LowerOffer, commands) == [LowerOffer(1, 10.0)]
    assert of(OfferCurrent, commands) == [OfferCurrent(1, 10.0)]


def test_a_higher_offer_waits_for_the_journal_and_nothing_is_lowered():
    story = charging()
    send(story, a_profile(1, 10))
    commands = send(story, a_profile(1, 20))
    assert of(LowerOffer, commands) == []
    assert of(OfferCurrent, commands) == [OfferCurrent(1, 20.0)]


def test_a_profile_of_the_same_id_takes_the_place_of_the_old_one():
    story = charging()
    send(story, a_profile(1, 10, level=2))
    commands = send(story, a_profile(1, 12, level=1), connector_id=0)
    assert of(RemoveChargingProfile, commands) == [RemoveChargingProfile(1)]
    assert commands.index(RemoveChargingProfile(1)) < commands.index(
        SaveChargingProfile(installed(1, 12, level=1, at=0))
    )
    assert len(story.state.charging_profiles) == 1
    assert offered(story) == 12.0


def test_another_level_stacks_on_what_is_there():
    story = charging()
    send(story, a_profile(1, 10))
    send(story, a_profile(2, 16, level=1))
    assert len(story.state.charging_profiles) == 2
    assert offered(story) == 16.0


@pytest.mark.parametrize(
    ("profile", "connector_id", "words"),
    [
        (a_profile(1, 10, purpose=MAX), 1, "belongs to connector 0"),
        (a_profile(1, 10, purpose=TX), 0, "belongs to one connector"),
        (a_profile(1, 10, purpose=TX, transaction_id=78), 1, "another transaction"),
        (a_profile(1, -1), 1, "below 0"),
        (a_profile(1, 10, level=21), 1, "stackLevel"),
    ],
)
def test_a_profile_that_cannot_be_is_rejected_in_words_and_changes_nothing(
    profile, connector_id, words
):
    story = charging()
    before = story.state.charging_profiles
    commands = send(story, profile, connector_id)
    assert [status for _, status in replies(commands)] == ["Rejected"]
    assert words in decisions(commands)[0].detail
    assert story.state.charging_profiles == before
    assert of(SaveChargingProfile, story.commands) == []


def test_a_connector_that_there_is_not_is_answered_as_such():
    assert answer(charging(), a_profile(1, 10), connector_id=2) == "UnknownConnector"
    assert answer(charging(), a_profile(1, 10), connector_id=-1) == "UnknownConnector"


def test_as_many_profiles_as_the_key_says_are_installed_and_replacing_is_always_possible():
    story = charging(MaxChargingProfilesInstalled="2")
    assert answer(story, a_profile(1, 10)) == "Accepted"
    assert answer(story, a_profile(2, 10, level=1)) == "Accepted"
    assert answer(story, a_profile(3, 10, level=2)) == "Rejected"
    assert answer(story, a_profile(3, 10, level=1)) == "Accepted"
    assert answer(story, a_profile(1, 12)) == "Accepted"


# --- the profile of a transaction ----------------------------------------------------------------


def test_a_profile_of_a_transaction_needs_one_that_runs():
    story = Story(a_charge_point())
    assert answer(story, a_profile(1, 10, purpose=TX)) == "Rejected"
    running = charging()
    assert answer(running, a_profile(1, 10, purpose=TX)) == "Accepted"
    running.tell(ev.StopRequested("s", 1))  # being ended counts as over
    assert answer(running, a_profile(2, 10, purpose=TX, level=1)) == "Rejected"


def test_a_profile_that_names_the_transaction_is_for_that_one():
    story = charging()
    sequence = story.connector.phase.start_sequence
    story.tell(ev.MessageAnswered(sequence, 1, 77, None, CARD))
    assert answer(story, a_profile(1, 10, purpose=TX, transaction_id=77)) == "Accepted"
    assert offered(story) == 10.0


def test_two_sessions_of_the_same_number_do_not_share_a_profile():
    story = charging(connectors=2)
    begin(story, 2, OTHER_CARD)
    for connector in story.state.connectors:
        ref = connector.transaction.ref
        story.tell(ev.MessageAnswered(connector.phase.start_sequence, ref, 5, None, CARD))
    assert answer(story, a_profile(1, 10, purpose=TX, transaction_id=5), 2) == "Accepted"
    assert (offered(story, 1), offered(story, 2)) == (32.0, 10.0)


def test_the_profile_ends_with_its_transaction_in_the_same_commit():
    story = charging()
    send(story, a_profile(1, 10, purpose=TX))
    send(story, a_profile(2, 12))
    story.tell(ev.StopRequested("s", 1))
    commands = finish(story)
    assert of(RemoveChargingProfile, commands) == [RemoveChargingProfile(1)]
    assert story.state.charging_profiles == (installed(2, 12),)


def test_a_relative_profile_counts_from_the_begin_of_its_transaction():
    story = charging()
    send(story, a_profile(1, 10, (60, 20), kind=RELATIVE, purpose=TX))
    assert offered(story) == 10.0
    story.wait(60 - BEGUN_S - 1)
    assert offered(story) == 10.0
    story.wait(1)
    assert offered(story) == 20.0


# --- a remote start with a profile ---------------------------------------------------------------


def remotely(story: Story, profile: ChargingProfile) -> list[Command]:
    return story.tell(ev.RemoteStartRequested("r", CARD, 1, profile=profile))


NO_START = {"begins_at_s": None}


@pytest.mark.parametrize(
    ("more", "connector_id"),
    [
        (NO_START, 1),
        (NO_START | {"purpose": TX}, 1),
        (NO_START | {"purpose": MAX}, 0),
        ({"kind": RELATIVE, "purpose": MAX}, 0),
    ],
    ids=["default", "own", "box", "relative of the box"],
)
def test_a_schedule_without_a_start_counts_from_the_moment_it_came_into_effect(more, connector_id):
    story = charging()
    story.wait(100)  # the session is older than the profile
    assert answer(story, a_profile(1, 10, (60, 8), **more), connector_id) == "Accepted"
    (kept,) = story.state.charging_profiles
    assert kept.profile.in_effect_s == math.floor(story.now.utc.timestamp())
    assert offered(story) == 10.0
    story.wait(59)
    assert offered(story) == 10.0
    story.wait(2)
    assert offered(story) == 8.0


def test_a_schedule_without_a_start_begins_with_each_session_that_comes_after_it():
    story = Story(a_charge_point())
    assert answer(story, a_profile(1, 10, (60, 8), **NO_START)) == "Accepted"
    story.wait(1000)
    begin(story, 1, CARD)
    assert offered(story) == 10.0
    story.wait(61)
    assert offered(story) == 8.0


def test_a_schedule_without_a_start_that_is_not_valid_yet_counts_from_when_it_is():
    story = charging()
    valid_from_s = math.floor(story.now.utc.timestamp()) + 100
    send(story, a_profile(1, 10, (60, 8), valid_from_s=valid_from_s, **NO_START))
    assert offered(story) == 32.0
    story.wait(101)
    assert offered(story) == 10.0
    story.wait(60)
    assert offered(story) == 8.0


def test_before_its_first_period_a_profile_says_nothing():
    story = charging()
    send(story, a_profile(1, 16, level=0))
    send(story, a_profile(2, (60, 10), level=1, **NO_START))
    assert offered(story) == 16.0
    story.wait(61)
    assert offered(story) == 10.0


def test_a_profile_that_is_refused_leaves_its_reason_for_people():
    story = charging()
    daily = a_profile(1, 10, kind=RECURRING, recurrency=Recurrency.DAILY, begins_at_s=None)
    commands = send(story, daily)
    assert replies(commands) == [("p", "Rejected")]
    (record,) = decisions(commands)
    assert (record.rule, record.detail) == (
        "BAD_PROFILE",
        "a profile of kind Recurring needs startSchedule",
    )


def test_a_remote_start_brings_the_profile_of_its_transaction():
    story = Story(a_charge_point())
    profile = a_profile(4, 13, purpose=TX, kind=RELATIVE)
    assert replies(remotely(story, profile)) == [("r", "Accepted")]
    assert story.state.charging_profiles == ()
    story.tell(ev.CablePluggedIn(1), ev.LockChanged(1, LockState.LOCKED))
    commands = story.tell(ev.MeterRead(1, reading(1000)))
    assert of(SaveChargingProfile, commands) == [
        SaveChargingProfile(InstalledProfile(profile, 1, 1))
    ]
    assert of(OfferCurrent, commands) == [OfferCurrent(1, 13.0)]  # nothing else before it


def test_a_later_profile_of_the_same_level_takes_the_place_of_that_of_the_remote_start():
    story = Story(a_charge_point())
    remotely(story, a_profile(4, 13, purpose=TX, kind=RELATIVE))
    story.tell(ev.CablePluggedIn(1), ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.MeterRead(1, reading(1000)))
    assert answer(story, a_profile(5, 9, purpose=TX, kind=RELATIVE)) == "Accepted"
    assert [one.profile.profile_id for one in story.state.charging_profiles] == [5]


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (a_profile(4, 13), "must be a TxProfile"),
        (a_profile(4, -13, purpose=TX), "below 0"),
    ],
)
def test_a_remote_start_with_a_profile_that_cannot_be_is_rejected(profile, words):
    story = Story(a_charge_point())
    commands = remotely(story, profile)
    assert [status for _, status in replies(commands)] == ["Rejected"]
    assert words in decisions(commands)[0].detail
    assert story.state.waiting == ()


def test_a_remote_start_with_one_profile_too_many_is_rejected():
    story = Story(a_charge_point(MaxChargingProfilesInstalled="1"))
    send(story, a_profile(1, 10))
    assert replies(remotely(story, a_profile(4, 13, purpose=TX))) == [("r", "Rejected")]
    assert replies(remotely(story, a_profile(1, 13, purpose=TX))) == [("r", "Accepted")]


# --- clearing ------------------------------------------------------------------------------------


def test_clearing_takes_away_what_is_meant_and_is_felt_at_once():
    story = charging()
    send(story, a_profile(1, 10))
    send(story, a_profile(2, 16, level=1))
    commands = clear(story, stack_level=1)
    assert of(RemoveChargingProfile, commands) == [RemoveChargingProfile(2)]
    assert replies(commands) == [("c", "Accepted")]
    assert offered(story) == 10.0
    assert replies(clear(story)) == [("c", "Accepted")]
    assert offered(story) == 32.0
    assert story.state.limits_change_s is None


def test_clearing_what_is_not_there_is_unknown():
    story = charging()
    send(story, a_profile(1, 10))
    assert replies(clear(story, profile_id=9)) == [("c", "Unknown")]
    assert len(story.state.charging_profiles) == 1
    clear(story)
    assert replies(clear(story)) == [("c", "Unknown")]


# --- felt at the connector -----------------------------------------------------------------------


def test_the_next_change_is_a_deadline_of_the_core():
    story = charging()
    send(story, a_profile(1, 10, (40, 16), (50, 6)))
    assert story.state.limits_change_s == pytest.approx(BOOT_S + 40)
    commands = story.wait(29.9)
    assert of(OfferCurrent, commands) == []
    assert of(OfferCurrent, story.wait(0.2)) == [OfferCurrent(1, 16.0)]
    assert of(OfferCurrent, story.wait(10)) == [OfferCurrent(1, 6.0)]


def test_below_six_amperes_the_energy_is_off_until_there_is_more():
    story = charging()
    commands = send(story, a_profile(1, 5.9, (60, 6)))
    assert WithdrawOffer(1) in commands
    assert statuses(commands) == [Status.SUSPENDED_EVSE]
    assert OpenContactor(1) in story.wait(3)  # it was given its time to stop drawing
    story.tell(ev.ContactorOpened(1))
    commands = story.wait(57)
    assert of(OfferCurrent, commands) == [OfferCurrent(1, 6.0)]
    assert len(of(CloseContactor, commands)) == 1
    story.tell(ev.ContactorClosed(1))
    assert statuses(story.commands)[-1] is Status.CHARGING


def test_a_bare_contactor_is_opened_below_six_amperes_and_closed_again():
    story = charging(traits=BARE)
    commands = send(story, a_profile(1, 0, (60, 16)))
    assert OpenContactor(1) in commands
    assert statuses(commands) == [Status.SUSPENDED_EVSE]
    story.tell(ev.ContactorOpened(1))
    commands = story.wait(60)
    assert len(of(CloseContactor, commands)) == 1


def test_a_session_that_begins_under_a_limit_of_zero_waits_for_it_to_end():
    story = Story(a_charge_point())
    send(story, a_profile(1, 0, (60, 16)))
    begin(story, 1, CARD)
    assert of(OfferCurrent, story.commands) == []
    assert of(CloseContactor, story.commands) == []
    commands = story.wait(60)
    assert of(OfferCurrent, commands) == [OfferCurrent(1, 16.0)]
    assert len(of(CloseContactor, commands)) == 1


def test_watts_become_amperes_by_the_phases_and_the_voltage_of_the_box():
    story = charging()
    send(story, a_profile(1, 5000, unit=WATT))
    assert offered(story) == 7.2  # of 7.246: never more than allowed


_watts = st.none() | st.tuples(st.integers(0, 45_000), st.sampled_from([None, 1, 2, 3]))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    phases=st.integers(1, 3),
    voltage_v=st.sampled_from([230.0, 127.5]),
    limits=st.fixed_dictionaries(
        {place: _watts for place in ((MAX, 0), (DEFAULT, 0), (DEFAULT, 1), (TX, 2))}
    ),
)
def test_cars_on_all_wired_phases_never_draw_more_than_any_watts_that_count(
    phases, voltage_v, limits
):
    traits = Traits(phases=phases, nominal_voltage_v=voltage_v)
    story = Story(a_charge_point(2, traits))
    begin(story, 1, CARD)
    begin(story, 2, OTHER_CARD)
    told = {place: limit for place, limit in limits.items() if limit is not None}
    for number, ((purpose, at), (watts, for_phases)) in enumerate(told.items(), 1):
        profile = a_profile(number, watts, unit=WATT, phases=for_phases, purpose=purpose)
        assert answer(story, profile, at) == "Accepted"
    story.wait(10)

    drawn_w = [(c.offered_a or 0.0) * phases * voltage_v for c in story.state.connectors]
    allowed = {place: watts * (1 + 1e-6) for place, (watts, _) in told.items()}
    of_all = allowed.get((DEFAULT, 0), math.inf)
    assert sum(drawn_w) <= allowed.get((MAX, 0), math.inf)
    assert drawn_w[0] <= allowed.get((DEFAULT, 1), of_all)
    assert drawn_w[1] <= allowed.get((TX, 2), of_all)
    for connector, drawn in zip(story.state.connectors, drawn_w, strict=True):
        schedule = composite_schedule(story.state, story.now, connector.connector_id, WATT, 60)
        assert drawn <= schedule.periods[0].limit + 0.1


def test_the_limit_of_the_operator_and_the_wiring_hold_beside_that_of_the_profiles():
    story = charging()
    send(story, a_profile(1, 40))
    assert offered(story) == 32.0
    story.tell(ev.LimitRequested("l", 1, 12.0))
    assert offered(story) == 12.0
    send(story, a_profile(1, 8))
    assert offered(story) == 8.0
    story.tell(ev.LimitRequested("l", 1, None))
    assert offered(story) == 8.0


def test_a_profile_on_a_free_connector_wakes_nobody():
    story = Story(a_charge_point())
    send(story, a_profile(1, 10, (60, 16)))
    assert followers.next_deadline_s(story.state, story.now) is None
    assert story.connector.allowed_a is None


def test_a_clock_that_is_corrected_is_noticed_within_a_minute():
    story = charging()
    send(story, a_profile(1, 16, (3600, 10)))
    assert story.state.limits_change_s == pytest.approx(BOOT_S + BEGUN_S + RECHECK_S)
    later = Instant(BOOT_S + BEGUN_S + 1, NOON + timedelta(hours=2))
    story.state, commands = charge_point.handle(story.state, ev.TimePassed(), later)
    assert of(OfferCurrent, commands) == [OfferCurrent(1, 10.0)]


def test_a_relative_profile_does_not_feel_the_clock_being_corrected():
    story = charging()
    send(story, a_profile(1, 10, (3600, 16), kind=RELATIVE))
    later = Instant(BOOT_S + BEGUN_S + 1, NOON + timedelta(hours=2))
    story.state, commands = charge_point.handle(story.state, ev.TimePassed(), later)
    assert of(OfferCurrent, commands) == []
    assert story.connector.offered_a == 10.0


# --- the box as a whole --------------------------------------------------------------------------


def test_the_limit_of_the_box_is_shared_by_those_who_charge():
    story = charging(connectors=2)
    send(story, a_profile(1, 32, purpose=MAX), 0)
    assert offered(story, 1) == 32.0
    begin(story, 2, OTHER_CARD)
    assert (offered(story, 1), offered(story, 2)) == (16.0, 16.0)
    story.tell(ev.StopRequested("s", 1))
    assert offered(story, 2) == 16.0  # until the contactor of the other one is open
    finish(story)
    assert offered(story, 2) == 32.0


def test_the_one_who_has_begun_is_lowered_before_the_next_one_is_offered_anything():
    story = charging(connectors=2)
    send(story, a_profile(1, 20, purpose=MAX), 0)
    begin(story, 2, OTHER_CARD)
    orders = [c for c in story.commands if isinstance(c, LowerOffer | OfferCurrent)]
    assert LowerOffer(1, 10.0) in orders
    assert OfferCurrent(2, 10.0) in orders
    assert max(o.current_a for o in orders if o.connector_id == 2) == 10.0


def test_what_is_too_little_for_two_goes_to_the_one_who_came_first():
    story = charging(connectors=2)
    send(story, a_profile(1, 11, purpose=MAX), 0)
    begin(story, 2, OTHER_CARD)
    assert (offered(story, 1), offered(story, 2)) == (11.0, None)
    assert statuses(story.commands, 2)[-1] is Status.SUSPENDED_EVSE


def test_what_a_session_may_not_use_is_left_to_the_other():
    story = charging(connectors=2)
    begin(story, 2, OTHER_CARD)
    send(story, a_profile(1, 32, purpose=MAX), 0)
    send(story, a_profile(2, 10), 1)
    assert (offered(story, 1), offered(story, 2)) == (10.0, 22.0)


def test_a_session_for_which_little_is_inefficient_gets_its_least_first():
    story = charging(connectors=2)
    send(story, a_profile(1, 24, purpose=MAX), 0)
    send(story, a_profile(2, 32, least=16.0), 1)
    begin(story, 2, OTHER_CARD)
    assert (offered(story, 1), offered(story, 2)) == (17.0, 7.0)


def test_a_refused_session_takes_no_share():
    story = charging(connectors=2, StopTransactionOnInvalidId="false")
    begin(story, 2, OTHER_CARD)
    send(story, a_profile(1, 20, purpose=MAX), 0)
    state = story.state
    refused = with_transaction(story.connector, deauthorized=True)
    story.state = replace(state, connectors=(refused, state.connectors[1]))
    story.tell(ev.TimePassed())
    assert offered(story, 2) == 10.0  # its contactor is still closed
    story.tell(ev.ContactorOpened(1))
    assert offered(story, 2) == 20.0


# --- from one process to the next ----------------------------------------------------------------


def restarted(*profiles: InstalledProfile, **rules: bool) -> Story:
    state = a_charge_point(rules=Rules(**rules))
    story = Story(replace(state, is_begun=False, charging_profiles=profiles))
    story.tell(ev.TimePassed(), ev.CablePluggedIn(1), ev.LockChanged(1, LockState.LOCKED))
    return story


OWN = installed(1, 10, purpose=TX, ref=REF)
FOUND = a_transaction(ref=REF)


def test_before_it_is_known_which_sessions_are_open_no_profile_is_forgotten():
    assert restarted(OWN).state.charging_profiles == (OWN,)


def test_the_profile_of_a_session_that_did_not_survive_the_restart_is_forgotten():
    story = restarted(OWN, installed(2, 12))
    commands = story.tell(ev.Started(()))
    assert of(RemoveChargingProfile, commands) == [RemoveChargingProfile(1)]
    assert story.state.charging_profiles == (installed(2, 12),)


def test_the_profile_of_a_session_that_is_closed_after_a_power_loss_goes_with_it():
    story = restarted(OWN)
    story.tell(ev.Started((FOUND,)))
    assert story.state.charging_profiles == (OWN,)
    commands = story.tell(ev.MeterRead(1, reading(1000)))
    assert of(RemoveChargingProfile, commands) == [RemoveChargingProfile(1)]


def test_a_session_that_goes_on_after_a_power_loss_goes_on_within_its_profile():
    story = restarted(OWN, resume_after_power_loss=True)
    story.tell(ev.PilotChanged(1, PilotState.C))
    story.tell(ev.Started((FOUND,), ending=StopReason.POWER_LOSS))
    commands = story.tell(ev.MeterRead(1, reading(1000)))
    assert of(OfferCurrent, commands) == [OfferCurrent(1, 10.0)]
    assert story.state.charging_profiles == (OWN,)


# --- what is told --------------------------------------------------------------------------------


def limits(story: Story, connector_id: int, unit=AMPERE, seconds: int = 600):
    schedule = composite_schedule(story.state, story.now, connector_id, unit, seconds)
    return [(period.starts_s, period.limit) for period in schedule.periods]


def test_the_schedule_of_a_session_counts_from_now():
    story = charging()
    send(story, a_profile(1, 10, (60, 20), kind=RELATIVE, purpose=TX))
    assert limits(story, 1) == [(0, 10.0), (60 - BEGUN_S, 20.0)]


def test_without_a_session_the_schedule_is_that_of_one_that_would_begin_now():
    story = Story(a_charge_point())
    send(story, a_profile(1, 10, (60, 20), kind=RELATIVE))
    story.seconds = 0.7
    assert limits(story, 1) == [(0, 10.0), (60, 20.0)]


def test_the_limit_of_the_operator_stands_in_the_schedule():
    story = charging()
    story.tell(ev.LimitRequested("l", 1, 12.0))
    assert limits(story, 1) == [(0, 12.0)]


def test_the_schedule_of_the_box_is_the_sum_of_its_connectors_within_its_limit():
    story = Story(a_charge_point(connectors=2))
    assert limits(story, 0) == [(0, 64.0)]
    send(story, a_profile(1, 10), 1)
    send(story, a_profile(2, 50, (60, 30), purpose=MAX), 0)
    assert limits(story, 0) == [(0, 42.0), (60, 30.0)]
    assert limits(story, 2) == [(0, 32.0), (60, 30.0)]
    assert limits(story, 0, WATT)[0] == (0, 42.0 * 690)


def test_a_recurring_profile_is_felt_again_the_next_day():
    story = charging()
    night = a_profile(1, 8, kind=RECURRING, recurrency=Recurrency.DAILY, duration_s=60)
    send(story, night)
    assert offered(story) == 8.0
    story.wait(60)
    assert offered(story) == 32.0
    assert limits(story, 1, seconds=DAY_S)[1] == (DAY_S - 60 - BEGUN_S, 8.0)


def test_the_example_in_the_documentation_holds():
    hour_s = 3600
    story = Story(a_charge_point(connectors=2))
    daily = {"kind": RECURRING, "recurrency": Recurrency.DAILY}
    at_17 = {"begins_at_s": NOON_S + 5 * hour_s, "duration_s": 4 * hour_s}
    send(story, a_profile(1, 20, purpose=MAX, **daily, **at_17), 0)
    send(story, a_profile(2, 16, begins_at_s=NOON_S - 12 * hour_s, **daily), 0)
    story.wait(4 * hour_s)
    begin(story, 1, CARD)
    own = a_profile(3, 0, (1800, 11_040), unit=WATT, purpose=TX, kind=RELATIVE)
    assert answer(story, own) == "Accepted"
    assert statuses(story.commands)[-1] is Status.SUSPENDED_EVSE
    assert limits(story, 1, seconds=2 * hour_s) == [(0, 0.0), (1800, 16.0)]
    assert limits(story, 0, seconds=2 * hour_s) == [(0, 16.0), (1800, 32.0), (3600, 20.0)]
    story.wait(1800)
    assert offered(story) == 16.0
    story.wait(3600)
    begin(story, 2, OTHER_CARD)
    assert (offered(story, 1), offered(story, 2)) == (10.0, 10.0)
    story.wait(1800)
    story.tell(ev.CableUnplugged(2), ev.ContactorOpened(2), ev.MeterRead(2, reading(2000)))
    assert (offered(story, 1), offered(story, 2)) == (16.0, None)


# --- anything ------------------------------------------------------------------------------------


def felt(profiles: list[InstalledProfile], second: int) -> float:
    """What a session on connector 2 that began at noon may draw, by the second opinion."""
    place = there()
    own = lowest_own(profiles, place, AMPERE, NOON_S + second)
    box = lowest_own([replace_purpose(one) for one in profiles], place, AMPERE, NOON_S + second)
    return with_one_decimal(min(own, box))


def replace_purpose(one: InstalledProfile) -> InstalledProfile:
    """The limit of the box as a default of all connectors; the others as nothing."""
    profile = one.profile
    is_box = profile.purpose is MAX
    if is_box and profile.counts_from_its_effect:  # and never from the begin of a session
        since_s = max(profile.in_effect_s or 0, profile.valid_from_s or 0)
        schedule = replace(profile.schedule, begins_at_s=since_s)
        profile = replace(profile, kind=ABSOLUTE, schedule=schedule)
    return replace(one, profile=replace(profile, purpose=DEFAULT if is_box else MAX))


@settings(max_examples=25, deadline=None)
@given(sets_of_profiles(), st.data())
def test_a_session_is_offered_what_the_second_opinion_says_at_every_moment(profiles, data):
    story = alone_on_connector_2(tuple(profiles))
    for step in range(12):
        wanted = felt(profiles, int(story.seconds))
        current_a = story.state.connector(2).current_a
        assert current_a == wanted or (wanted < 6 and current_a < 6)
        assert offered(story, 2) == (current_a if current_a >= 6 else None)
        # A moment more: a deadline is met rather late than early.
        story.wait(data.draw(st.integers(1, 40), label=f"wait {step}") + 0.002)


@settings(max_examples=25, deadline=None)
@given(sets_of_profiles(), st.lists(st.integers(1, 60), max_size=8))
def test_two_sessions_together_are_never_offered_more_than_the_box_may_draw(profiles, waits):
    story = alone_on_connector_2(tuple(profiles))
    begin(story, 1, OTHER_CARD)
    for seconds in (0, *waits):
        story.wait(seconds + 0.002)
        together = sum(offered(story, number) or 0.0 for number in (1, 2))
        box = allowed_at(profiles, MAX, 0, NOON_S + int(story.seconds), 0)
        assert box is None or together <= converted(box, AMPERE, there().wiring) + 1e-6


def alone_on_connector_2(profiles: tuple[InstalledProfile, ...]) -> Story:
    state: ChargePoint = replace(a_charge_point(connectors=2), charging_profiles=profiles)
    story = Story(state)
    begin(story, 2, CARD)
    return story
