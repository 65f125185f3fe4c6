"""The charge point as one function: routing, commands that came too late, deadlines."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from agent.core import charge_point, followers
from agent.core import events as ev
from agent.core.commands import (
    Authorize,
    CloseContactor,
    DeliverNext,
    OfferCurrent,
    RecordDecision,
)
from agent.core.state import Connector, RestartOrder
from agent.core.turn import Turn
from agent.core.values import LockState, PilotState
from tests.core.story import (
    ACCEPTED,
    CARD,
    Story,
    a_charge_point,
    at,
    charging,
    deeds,
    finish,
    listed,
    of,
    play,
    reading,
    tap,
)


def test_every_event_has_a_route():
    about_tags = {**charge_point._PRESENTED, **charge_point._HEARD}
    assert charge_point._ROUTES.keys() | about_tags.keys() == set(get_args(ev.Event))
    assert charge_point._ROUTES.keys() | {ev.LookedUp} == set(get_args(ev.Ready))


ABOUT_TAGS = (
    ev.TagPresented(CARD, (1,)),
    ev.RemoteStartRequested("r1", CARD, 1),
    ev.StartRequested("r1", 1, CARD),
    ev.AuthorizeRequested("r1", CARD),
    ev.AuthorizeAnswered(CARD, ACCEPTED),
    ev.MessageAnswered(1, 1, 5, ACCEPTED, CARD),
)


@pytest.mark.parametrize("event", ABOUT_TAGS, ids=lambda event: type(event).__name__)
def test_an_event_about_a_tag_that_was_not_looked_up_does_not_reach_the_core(event):
    assert {type(event) for event in ABOUT_TAGS} == set(get_args(ev.Presented | ev.Heard))
    with pytest.raises(KeyError):
        charge_point.handle(a_charge_point(), event, at(0))


@pytest.mark.parametrize("event", ABOUT_TAGS[:4], ids=lambda event: type(event).__name__)
def test_a_tag_that_could_not_be_looked_up_is_refused_for_that_reason(event):
    _, commands = play(a_charge_point(), ev.LookedUp(event, None, "disk I/O error"))
    (record,) = of(RecordDecision, commands)
    assert (record.record.rule, record.record.detail) == ("LOOK_UP_FAILED", "disk I/O error")
    assert of(Authorize, commands) == []


@pytest.mark.parametrize(
    "event",
    [
        ev.CablePluggedIn(9),
        ev.CableUnplugged(0),
        ev.PilotChanged(9, PilotState.C),
        ev.LockChanged(9, LockState.LOCKED),
        ev.LockJammed(9, LockState.LOCKED),
        ev.ContactorClosed(9),
        ev.ContactorTripped(9, "welded", 1),
        ev.MeterRead(9, reading(1)),
        ev.MeterFailed(9, "no answer"),
    ],
)
def test_an_event_of_an_unknown_connector_changes_nothing(event):
    state, _ = charge_point.handle(a_charge_point(online=False), ev.TimePassed(), at(0))
    assert charge_point.handle(state, event, at(0)) == (state, [])


def test_an_unknown_connector_is_an_error_for_whoever_asks_for_it():
    state = a_charge_point()
    assert not state.has_connector(9)
    with pytest.raises(KeyError):
        state.connector(9)


def test_a_turn_changes_one_connector_and_leaves_the_others():
    turn = Turn(a_charge_point(connectors=2), at(0))
    changed = turn.put(replace(turn.connector(2), plugged=True))
    assert turn.state.connectors == (Connector(1), changed)


# --- commands that waited for the journal --------------------------------------------------------

CLOSE = CloseContactor(1, transaction_ref=1, trips_seen=0, for_s=5.0)


def test_an_order_to_close_is_still_wanted_while_its_session_wants_it():
    assert charge_point.still_wanted(charging().state, CLOSE)


@pytest.mark.parametrize(
    "event",
    [
        ev.PilotChanged(1, PilotState.B),
        ev.CableUnplugged(1),
        ev.ContactorTripped(1, "lease expired", 1),
        ev.SafetyInputTripped("door"),
    ],
)
def test_an_order_to_close_is_dropped_when_the_world_has_moved_on(event):
    story = charging()
    story.tell(event)
    assert not charge_point.still_wanted(story.state, CLOSE)


def test_an_order_to_close_of_a_session_that_is_over_is_dropped():
    story = charging()
    story.tell(tap())
    finish(story)
    assert not charge_point.still_wanted(story.state, CLOSE)
    assert not charge_point.still_wanted(charging().state, replace(CLOSE, transaction_ref=2))


def test_an_offer_is_dropped_when_it_was_withdrawn_meanwhile():
    story = charging()
    assert charge_point.still_wanted(story.state, OfferCurrent(1, 32.0))
    story.tell(tap())
    assert not charge_point.still_wanted(story.state, OfferCurrent(1, 32.0))


def test_every_other_order_is_always_wanted():
    assert charge_point.still_wanted(a_charge_point(), DeliverNext(up_to=1))


# --- deadlines -----------------------------------------------------------------------------------


def deadline_in(story: Story) -> float | None:
    deadline_s = followers.next_deadline_s(story.state, story.now)
    return None if deadline_s is None else round(deadline_s - story.now.monotonic_s, 3)


def test_a_charge_point_at_rest_waits_for_nothing():
    assert deadline_in(Story(a_charge_point())) is None


@pytest.mark.parametrize(
    ("events", "in_s"),
    [
        ((tap(facts=listed()),), 60.0),  # ConnectionTimeOut
        ((tap(),), 6.0),  # the backstop behind the time-out of Authorize
        ((ev.CablePluggedIn(1), tap(facts=listed())), 60.0),  # lock and meter
        ((ev.LockChanged(1, LockState.LOCKED), ev.UnlockRequested("r1", 1)), 10.0),
    ],
)
def test_the_core_asks_to_be_woken_for_what_it_waits_for(events, in_s):
    story = Story(a_charge_point())
    story.tell(*events)
    assert deadline_in(story) == in_s


def test_a_closed_contactor_wants_a_turn_three_times_in_its_lease():
    assert deadline_in(charging()) == 1.667


def test_a_paused_session_waits_for_its_next_sample_only():
    story = charging()
    story.tell(ev.PilotChanged(1, PilotState.B))
    assert deadline_in(story) == 50.0


def test_a_vehicle_that_settles_is_looked_at_again_when_its_time_is_over():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()), ev.PilotChanged(1, PilotState.B))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    assert deadline_in(story) == 5.0


def test_a_stop_waits_first_for_the_vehicle_and_then_for_contactor_and_meter():
    story = charging()
    story.tell(ev.ContactorTripped(1, "lease expired", 1), tap())
    story.state = replace(story.state, connectors=(replace(story.connector, close_ordered=False),))
    assert deadline_in(story) == 3.0
    story.wait(3)
    assert deadline_in(story) == 5.0


def test_a_retry_is_waited_for_only_while_online():
    story = Story(a_charge_point())
    story.state = replace(
        story.state,
        outbox=replace(story.state.outbox, next_sequence=2, not_before_s=at(7).monotonic_s),
    )
    assert deadline_in(story) == 7.0
    story.tell(ev.LinkLost("gone"))
    assert deadline_in(story) is None


def test_a_restart_is_waited_for_until_it_is_ordered():
    story = Story(a_charge_point())
    order = RestartOrder(again=True, by_s=at(20).monotonic_s)
    story.state = replace(story.state, restart=order)
    assert deadline_in(story) == 20.0
    story.state = replace(story.state, restart=replace(order, again=False, ordered=True))
    assert deadline_in(story) is None


def test_a_second_connector_does_not_hide_the_deadline_of_the_first():
    story = Story(a_charge_point(connectors=2))
    story.tell(tap(facts=listed(), connectors=(1,)))
    story.wait(10)
    story.tell(ev.CablePluggedIn(2), tap("SECOND", listed(), connectors=(2,)))
    assert deadline_in(story) == 50.0
    assert deeds(story.wait(49)) == []
