"""Making a reservation, what ends it, and what the central system is told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import charge_point, followers
from agent.core import events as ev
from agent.core.commands import SaveReservations, ShowSignal, Signal
from agent.core.state import ChargePoint, Rules
from agent.core.values import (
    Instant,
    Status,
)
from tests.core.reservation_builders import (
    HOUR_S,
    a_reservation,
    cancel,
    reserve,
    reserved,
    shown,
)
from tests.core.story import (
    OTHER_CARD,
    Story,
    a_charge_point,
    at,
    charging,
    listed,
    of,
    reading,
    replies,
    rules_of,
    statuses,
    tap,
)

# --- making one ----------------------------------------------------------------------------------


def test_a_free_connector_is_reserved_stored_and_reported():
    story = Story(a_charge_point())
    story.tell(ev.TimePassed())
    commands = story.tell(ev.ReservationRequested("r1", a_reservation()))
    assert replies(commands) == [("r1", "Accepted")]
    assert of(SaveReservations, commands) == [SaveReservations((a_reservation(),))]
    assert statuses(commands) == [Status.RESERVED]


@pytest.mark.parametrize("seconds", [-HOUR_S, 0])
def test_an_end_that_is_past_is_rejected(seconds):
    story = Story(a_charge_point())
    assert reserve(story, seconds=seconds) == "Rejected"
    assert story.state.reservations == ()


@pytest.mark.parametrize("connector_id", [0, 1])
@pytest.mark.parametrize(
    ("before", "answer"),
    [
        (ev.MeterFailed(1, "silent"), "Faulted"),
        (ev.AvailabilityChangeRequested("a", 1, operative=False), "Unavailable"),
        (ev.CablePluggedIn(1), "Occupied"),
        (ev.ReservationRequested("r0", a_reservation(1, OTHER_CARD, 4)), "Occupied"),
        (ev.TimePassed(), "Rejected"),
    ],
    ids=["faulted", "unavailable", "plugged", "reserved", "free"],
)
def test_what_the_place_is_comes_before_an_end_that_is_past(connector_id, before, answer):
    story = Story(a_charge_point())
    story.tell(before)
    assert reserve(story, connector_id, seconds=-HOUR_S) == answer


def test_a_reservation_for_any_shows_the_only_connector_as_reserved():
    story = Story(a_charge_point())
    story.tell(ev.LinkAccepted())
    commands = story.tell(ev.ReservationRequested("r1", a_reservation(0)))
    assert statuses(commands) == [Status.RESERVED]
    assert of(ShowSignal, commands) == [ShowSignal(Signal.RESERVED)]
    assert statuses(story.tell(ev.CablePluggedIn(1))) == []  # by somebody: it stays so
    assert statuses(story.tell(ev.CableUnplugged(1))) == []
    assert statuses(story.tell(ev.ReservationCancelRequested("r2", 5))) == [Status.AVAILABLE]


def test_a_reservation_for_any_shows_the_last_free_one_of_two_as_reserved():
    story = reserved(0, connectors=2)
    assert (shown(story, 1), shown(story, 2)) == (Status.AVAILABLE, Status.AVAILABLE)
    story.tell(ev.CablePluggedIn(1))
    assert (shown(story, 1), shown(story, 2)) == (Status.PREPARING, Status.RESERVED)
    story.tell(ev.CableUnplugged(1))
    assert (shown(story, 1), shown(story, 2)) == (Status.AVAILABLE, Status.AVAILABLE)
    story.tell(ev.AvailabilityChangeRequested("a", 2, operative=False))
    assert (shown(story, 1), shown(story, 2)) == (Status.RESERVED, Status.UNAVAILABLE)


@pytest.mark.parametrize("id_tag", ["", "X" * 21, "ÄÖ"])
def test_a_tag_that_nobody_can_have_is_rejected(id_tag):
    assert reserve(Story(a_charge_point()), id_tag=id_tag) == "Rejected"


def test_a_connector_that_is_not_there_is_rejected():
    assert reserve(Story(a_charge_point(2)), 3) == "Rejected"


def test_nothing_is_reserved_before_a_restart():
    story = Story(a_charge_point(rules=Rules(reset_s=9.0)))
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()), ev.ResetRequested("x", hard=False))
    assert reserve(story) == "Rejected"


@pytest.mark.parametrize("connector_id", [0, 1])
def test_a_fault_is_answered_faulted(connector_id):
    story = Story(a_charge_point())
    story.tell(ev.MeterFailed(1, "silent"))
    assert reserve(story, connector_id) == "Faulted"


@pytest.mark.parametrize("connector_id", [0, 1])
def test_a_connector_out_of_service_is_answered_unavailable(connector_id):
    story = Story(a_charge_point())
    story.tell(ev.AvailabilityChangeRequested("a", connector_id, operative=False))
    assert reserve(story, connector_id) == "Unavailable"


def test_with_one_connector_broken_and_the_other_out_of_service_any_one_is_unavailable():
    story = Story(a_charge_point(2))
    story.tell(ev.MeterFailed(1, "silent"))
    story.tell(ev.AvailabilityChangeRequested("a", 2, operative=False))
    assert reserve(story, 0) == "Unavailable"


@pytest.mark.parametrize("connector_id", [0, 1])
@pytest.mark.parametrize(
    "before",
    [
        (ev.CablePluggedIn(1),),
        (tap(facts=listed()),),
        (tap(),),  # the central system is being asked
        (ev.ReservationRequested("r0", a_reservation(1, OTHER_CARD, 4)),),
        (ev.ReservationRequested("r0", a_reservation(0, OTHER_CARD, 4)),),
    ],
    ids=["plug", "card", "card being checked", "reserved", "any one reserved"],
)
def test_a_connector_in_use_is_answered_occupied(connector_id, before):
    story = Story(a_charge_point())
    story.tell(*before)
    assert reserve(story, connector_id) == "Occupied"


@pytest.mark.parametrize("connector_id", [0, 1])
def test_a_connector_that_charges_is_answered_occupied(connector_id):
    assert reserve(charging(), connector_id) == "Occupied"


def test_the_same_tag_does_not_get_a_connector_twice():
    assert reserve(reserved(), number=6) == "Occupied"


def test_any_one_is_not_reserved_where_the_box_does_not_do_so():
    story = Story(a_charge_point(ReserveConnectorZeroSupported="false"))
    assert reserve(story, 0) == "Rejected"


def test_the_same_reservation_id_replaces_what_it_meant():
    story = reserved(1, connectors=2)
    assert reserve(story, 2, OTHER_CARD) == "Accepted"
    assert story.state.reservations == (a_reservation(2, OTHER_CARD),)
    assert (shown(story, 1), shown(story, 2)) == (Status.AVAILABLE, Status.RESERVED)


def test_the_same_reservation_id_may_only_change_its_end():
    story = reserved()
    assert reserve(story, seconds=2 * HOUR_S) == "Accepted"
    assert story.state.reservations == (a_reservation(seconds=2 * HOUR_S),)


def test_a_replacement_that_cannot_be_leaves_the_old_one():
    story = reserved(1, connectors=2)
    story.tell(ev.CablePluggedIn(2))
    assert reserve(story, 2) == "Occupied"
    assert story.state.reservations == (a_reservation(1),)


def test_whoever_may_plug_in_anywhere_is_left_the_other_connector():
    story = Story(a_charge_point(2))
    story.tell(tap(OTHER_CARD, listed()))
    assert reserve(story, 1) == "Accepted"
    story.tell(ev.CablePluggedIn(1))
    assert story.state.connectors[0].grant is None
    story.tell(ev.CablePluggedIn(2))
    assert story.state.connectors[1].grant is not None


def test_whoever_may_plug_in_anywhere_is_not_left_without_any():
    story = Story(a_charge_point(2))
    story.tell(tap(OTHER_CARD, listed()))
    assert [reserve(story, 1), reserve(story, 2, number=6)] == ["Accepted", "Occupied"]


def test_his_own_card_that_waits_already_stays_welcome():
    story = Story(a_charge_point(2))
    story.tell(tap(facts=listed()))
    assert reserve(story, 1) == "Accepted"
    story.tell(ev.CablePluggedIn(1))
    assert story.state.connectors[0].grant is not None


# --- its end -------------------------------------------------------------------------------------


def test_at_its_end_the_connector_is_free_again_and_this_is_told():
    story = reserved()
    assert story.wait(HOUR_S - 1) == []
    commands = story.wait(2)
    assert of(SaveReservations, commands) == [SaveReservations(())]
    assert statuses(commands) == [Status.AVAILABLE]


def test_cancelled_it_is_over_and_this_is_told():
    story = reserved()
    commands = story.tell(ev.ReservationCancelRequested("r2", 5))
    assert replies(commands) == [("r2", "Accepted")]
    assert of(SaveReservations, commands) == [SaveReservations(())]
    assert statuses(commands) == [Status.AVAILABLE]


def test_what_is_not_reserved_cannot_be_cancelled():
    story = reserved()
    assert cancel(story, 6) == "Rejected"
    assert story.state.reservations == (a_reservation(),)


def test_cancelled_with_a_plug_in_it_is_preparing():
    story = reserved()
    story.tell(ev.CablePluggedIn(1))
    assert statuses(story.tell(ev.ReservationCancelRequested("r2", 5))) == [Status.PREPARING]


def test_a_fault_ends_it_for_good():
    story = reserved()
    assert statuses(story.tell(ev.MeterFailed(1, "silent"))) == [Status.FAULTED]
    assert statuses(story.tell(ev.MeterRead(1, reading(5)))) == [Status.AVAILABLE]


def test_a_fault_that_is_only_a_warning_does_not_end_it():
    story = reserved()
    story.tell(ev.ReaderFailed("dead"))
    assert story.state.reservations == (a_reservation(),)


def test_change_availability_ends_it():
    story = reserved()
    commands = story.tell(ev.AvailabilityChangeRequested("a", 1, operative=False))
    assert replies(commands) == [("a", "Accepted")]
    assert statuses(commands) == [Status.UNAVAILABLE]
    assert story.state.reservations == ()


def test_a_card_that_does_not_plug_in_leaves_it_as_it_was_over_available():
    story = reserved()
    story.tell(tap(facts=listed()))
    commands = story.wait(65)
    assert statuses(commands) == [Status.AVAILABLE, Status.RESERVED]


def test_a_start_that_is_given_up_leaves_it_as_it_was():
    story = reserved()
    story.tell(tap(facts=listed()), ev.CablePluggedIn(1), ev.CableUnplugged(1))
    assert story.state.reservations == (a_reservation(),)


def test_free_charging_begins_at_its_end_and_not_before():
    story = Story(a_charge_point(rules=Rules(free_charging_id_tag="FREE")))
    reserve(story)
    assert rules_of(story.tell(ev.CablePluggedIn(1))) == ["RESERVED"]
    assert rules_of(story.wait(HOUR_S)) == ["FREE"]


def test_cancelled_with_a_plug_in_free_charging_begins():
    story = Story(a_charge_point(rules=Rules(free_charging_id_tag="FREE")))
    reserve(story)
    story.tell(ev.CablePluggedIn(1))
    assert rules_of(story.tell(ev.ReservationCancelRequested("r2", 5))) == ["FREE"]


def test_switched_off_the_profile_keeps_nobody_out():
    state = replace(
        a_charge_point(SupportedFeatureProfiles="Core"), reservations=(a_reservation(),)
    )
    story = Story(state)
    story.tell(ev.Started())
    assert story.state.reservations == ()


# --- clocks and restarts -------------------------------------------------------------------------


def handle_at(state: ChargePoint, seconds: float, off_s: float = 0.0) -> ChargePoint:
    """A turn so many seconds after noon, with UTC off by ``off_s``."""
    now = at(seconds)
    wrong = Instant(now.monotonic_s, now.utc + timedelta(seconds=off_s))
    return charge_point.handle(state, ev.TimePassed(), wrong)[0]


def test_a_clock_that_is_set_moves_the_end_with_it():
    state = reserved().state
    assert followers.next_deadline_s(state, at(0)) == at(HOUR_S).monotonic_s
    ahead = Instant(at(10).monotonic_s, at(1810).utc)
    assert followers.next_deadline_s(state, ahead) == at(1800).monotonic_s
    assert handle_at(state, 1700, off_s=1800).reservations == (a_reservation(),)
    assert handle_at(state, 1800, off_s=1800).reservations == ()
    assert handle_at(state, HOUR_S, off_s=-60).reservations == (a_reservation(),)


def found_at_start(seconds: float, **fields: object) -> Story:
    """A process that begins so late, with a reservation in its store."""
    state = replace(a_charge_point(**fields), reservations=(a_reservation(),), is_begun=False)
    story = Story(state)
    story.seconds = seconds
    return story


def test_after_a_restart_it_still_holds():
    story = found_at_start(60)
    commands = story.tell(ev.Started())
    assert statuses(commands) == [Status.RESERVED]
    assert rules_of(story.tell(tap(OTHER_CARD, listed()))) == ["RESERVED"]


def test_what_has_expired_while_the_box_was_off_is_over():
    story = found_at_start(HOUR_S)
    assert followers.next_deadline_s(story.state, story.now) is None
    commands = story.tell(ev.Started())
    assert of(SaveReservations, commands) == [SaveReservations(())]
    assert shown(story) is Status.AVAILABLE


def test_a_reservation_of_a_connector_that_the_box_had_once_is_forgotten():
    story = Story(replace(a_charge_point(), reservations=(a_reservation(2),), is_begun=False))
    story.tell(ev.Started())
    assert story.state.reservations == ()
