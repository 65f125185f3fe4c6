"""Whom a reservation lets in, and whom not: cards, groups, remote starts, operators."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core.commands import Authorize, NotifyStatus, SaveReservations
from agent.core.faults import Fault
from agent.core.values import (
    LockState,
    PilotState,
    Status,
    TagRecord,
)
from tests.core.reservation_builders import (
    THIRD_CARD,
    a_reservation,
    charge,
    reserve,
    reserved,
    shown,
    start_of,
)
from tests.core.story import (
    ACCEPTED,
    BARE,
    BLOCKED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    cached,
    decisions,
    listed,
    looked_up,
    of,
    of_group,
    reading,
    replies,
    rules_of,
    statuses,
    tap,
)

# --- whom it lets in -----------------------------------------------------------------------------


@pytest.mark.parametrize("id_tag", [CARD, CARD.lower()])
def test_his_session_carries_the_reservation_and_ends_it(id_tag):
    story = reserved()
    charge(story, tap(id_tag, listed()))
    assert start_of(story.commands).reservation_id == 5
    assert of(SaveReservations, story.commands) == [SaveReservations(())]
    assert statuses(story.commands) == [Status.PREPARING]


def test_another_card_is_refused_with_its_own_reason_and_nobody_is_asked():
    story = reserved()
    commands = story.tell(tap(OTHER_CARD))
    assert rules_of(commands) == ["RESERVED"]
    assert of(Authorize, commands) == []
    assert shown(story) is Status.RESERVED


def test_a_plug_does_not_make_a_reserved_connector_another_mans():
    story = reserved()
    assert statuses(story.tell(ev.CablePluggedIn(1))) == []
    assert rules_of(story.tell(tap(OTHER_CARD, listed()))) == ["RESERVED"]
    charge(story)
    assert start_of(story.commands).reservation_id == 5


def test_another_card_takes_another_connector():
    story = reserved(1, connectors=2)
    (decision,) = decisions(story.tell(tap(OTHER_CARD, listed())))
    assert (decision.verdict.value, decision.connector_id) == ("accepted", 2)


def test_a_card_that_the_central_system_refuses_does_not_charge_on_its_reservation():
    story = reserved()
    story.tell(tap())
    commands = story.tell(ev.AuthorizeAnswered(CARD, BLOCKED))
    assert rules_of(commands) == ["CENTRAL_REFUSED"]
    assert shown(story) is Status.RESERVED


def test_a_card_of_the_group_is_asked_about_and_charges_under_the_reservation():
    story = reserved(parent_id_tag="FLEET")
    assert len(of(Authorize, story.tell(tap(OTHER_CARD)))) == 1
    story.tell(ev.AuthorizeAnswered(OTHER_CARD, of_group("fleet")))
    story.tell(ev.CablePluggedIn(1), ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.MeterRead(1, reading(1000)))
    start = start_of(story.commands)
    assert (start.id_tag, start.reservation_id) == (OTHER_CARD, 5)


@pytest.mark.parametrize("facts", [listed(of_group("FLEET")), cached(of_group("FLEET"))])
def test_a_card_whose_group_is_known_is_let_in_without_asking(facts):
    story = reserved(parent_id_tag="FLEET")
    commands = story.tell(tap(OTHER_CARD, facts))
    assert of(Authorize, commands) == []
    assert shown(story) is Status.PREPARING


@pytest.mark.parametrize("facts", [listed(), listed(of_group("OTHERS"))])
def test_a_card_of_another_group_or_of_none_is_refused(facts):
    story = reserved(parent_id_tag="FLEET")
    assert rules_of(story.tell(tap(OTHER_CARD, facts))) == ["RESERVED"]


def test_a_card_that_turns_out_to_be_of_another_group_is_refused_after_the_answer():
    story = reserved(parent_id_tag="FLEET")
    story.tell(tap(OTHER_CARD))
    commands = story.tell(ev.AuthorizeAnswered(OTHER_CARD, of_group("OTHERS")))
    assert rules_of(commands) == ["RESERVED"]


def test_a_card_that_turns_out_to_be_of_another_group_takes_another_connector():
    story = reserved(1, connectors=2, parent_id_tag="FLEET")
    story.tell(tap(OTHER_CARD))
    story.tell(ev.AuthorizeAnswered(OTHER_CARD, of_group("OTHERS")))
    assert [grant.connectors for grant in story.state.waiting] == [(2,)]


def test_his_card_is_meant_for_his_connector_and_not_for_any():
    story = reserved(2, connectors=3)
    story.tell(tap(facts=listed()))
    assert [grant.connectors for grant in story.state.waiting] == [(2,)]
    assert shown(story, 2) is Status.PREPARING


def test_who_plugs_in_elsewhere_charges_there_and_keeps_his_reservation():
    story = reserved(1, connectors=2)
    story.tell(ev.CablePluggedIn(2))
    charge(story, connector_id=2)
    assert start_of(story.commands).reservation_id is None
    assert story.state.reservations == (a_reservation(1),)


def test_two_plugs_wait_and_his_own_is_meant():
    story = reserved(1, connectors=2)
    story.tell(ev.CablePluggedIn(1))
    (decision,) = decisions(story.tell(tap(facts=listed())))
    assert decision.connector_id == 1


# --- any connector -------------------------------------------------------------------------------


def test_a_reservation_of_any_connector_is_shown_nowhere():
    story = reserved(0, connectors=2)
    assert [shown(story, number) for number in (0, 1, 2)] == [Status.AVAILABLE] * 3


def test_one_connector_stays_free_for_him():
    story = reserved(0, connectors=2)
    charge(story, tap(OTHER_CARD, listed()), connector_id=1)
    assert rules_of(story.tell(tap(THIRD_CARD, listed()))) == ["RESERVED"]
    story.tell(ev.CablePluggedIn(2))
    assert rules_of(story.tell(tap(THIRD_CARD, listed()))) == ["RESERVED"]
    story.tell(ev.CableUnplugged(2))
    story.commands.clear()
    charge(story, connector_id=2)
    assert start_of(story.commands).reservation_id == 5


def test_as_many_are_reserved_as_are_free():
    story = reserved(0, connectors=2)
    assert [reserve(story, 0, number=6), reserve(story, 0, number=7)] == ["Accepted", "Occupied"]
    assert reserve(story, 1, number=8) == "Occupied"


def test_his_own_reservation_of_a_connector_is_used_before_that_of_any():
    story = reserved(0, connectors=3)
    assert reserve(story, 2, number=6) == "Accepted"
    charge(story, connector_id=2)
    assert start_of(story.commands).reservation_id == 6
    assert story.state.reservations == (a_reservation(0),)


def test_a_group_may_use_the_reservation_of_any_connector():
    story = reserved(0, parent_id_tag="FLEET")
    story.tell(tap(OTHER_CARD))
    story.tell(ev.AuthorizeAnswered(OTHER_CARD, of_group("FLEET")))
    story.tell(ev.CablePluggedIn(1), ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.MeterRead(1, reading(1000)))
    assert start_of(story.commands).reservation_id == 5


def test_a_group_that_turns_out_another_does_not_take_the_last_connector():
    story = reserved(0, parent_id_tag="FLEET")
    story.tell(tap(OTHER_CARD))
    commands = story.tell(ev.AuthorizeAnswered(OTHER_CARD, of_group("OTHERS")))
    assert rules_of(commands) == ["RESERVED"]


def test_a_fault_of_the_box_and_only_that_ends_a_reservation_of_any_connector():
    story = reserved(0, connectors=2)
    story.tell(ev.MeterFailed(1, "silent"), ev.MeterFailed(2, "silent"))
    assert story.state.reservations != ()
    story.tell(ev.SafetyInputTripped("emergency_stop"))
    assert story.state.reservations == ()


def test_a_box_out_of_service_ends_a_reservation_of_any_connector():
    story = reserved(0, connectors=2)
    story.tell(ev.AvailabilityChangeRequested("a", 1, operative=False))
    assert story.state.reservations != ()
    story.tell(ev.AvailabilityChangeRequested("a", 0, operative=False))
    assert story.state.reservations == ()


# --- started by others ---------------------------------------------------------------------------


def remote_start(story: Story, id_tag: str, connector_id: int | None, facts: TagRecord) -> str:
    asked = looked_up(ev.RemoteStartRequested("r3", id_tag, connector_id), facts)
    return dict(replies(story.tell(asked)))["r3"]


@pytest.mark.parametrize(
    ("id_tag", "facts", "answer"),
    [
        (CARD, TagRecord(), "Accepted"),
        (OTHER_CARD, listed(of_group("FLEET")), "Accepted"),
        (OTHER_CARD, listed(of_group("OTHERS")), "Rejected"),
        (OTHER_CARD, TagRecord(), "Rejected"),  # nobody is asked for the group
    ],
)
def test_a_remote_start_must_be_for_whom_it_is_reserved(id_tag, facts, answer):
    story = reserved(parent_id_tag="FLEET")
    assert remote_start(story, id_tag, 1, facts) == answer
    if answer == "Accepted":
        story.tell(ev.CablePluggedIn(1), ev.LockChanged(1, LockState.LOCKED))
        story.tell(ev.MeterRead(1, reading(1000)))
        assert start_of(story.commands).reservation_id == 5


def test_a_remote_start_without_connector_takes_the_reserved_one_or_leaves_it():
    his = reserved(2, connectors=2)
    assert remote_start(his, CARD, None, TagRecord()) == "Accepted"
    assert [grant.connectors for grant in his.state.waiting] == [(2,)]
    another = reserved(1, connectors=2)
    assert remote_start(another, OTHER_CARD, None, TagRecord()) == "Accepted"
    assert [grant.connectors for grant in another.state.waiting] == [(2,)]


def test_a_remote_start_does_not_take_the_last_connector_that_is_kept_free():
    assert remote_start(reserved(0), OTHER_CARD, 1, TagRecord()) == "Rejected"
    assert remote_start(reserved(0), CARD, 1, TagRecord()) == "Accepted"


@pytest.mark.parametrize("connector_id", [0, 1])
def test_an_operator_is_told_that_it_is_reserved(connector_id):
    story = reserved(connector_id)
    asked = looked_up(ev.StartRequested("r3", 1, OTHER_CARD), listed())
    assert replies(story.tell(asked)) == [("r3", "connector_reserved")]
    trusted = ev.StartRequested("r4", 1, OTHER_CARD, is_trusted=True)
    assert replies(story.tell(trusted)) == [("r4", "connector_reserved")]
    story.tell(looked_up(ev.StartRequested("r5", 1, CARD), listed()))
    assert [grant.id_tag for grant in story.state.waiting] == [CARD]


DOORS = {
    "a card": tap(OTHER_CARD),
    "a card at the reader of this connector": tap(OTHER_CARD, connectors=(1,)),
    "a remote start": ev.RemoteStartRequested("r3", OTHER_CARD, 1),
    "a remote start without connector": ev.RemoteStartRequested("r3", OTHER_CARD),
    "the operator": ev.StartRequested("r3", 1, OTHER_CARD),
}


@pytest.mark.parametrize(
    ("then", "rule"),
    [
        (ev.AuthorizeAnswered(OTHER_CARD, of_group("FLEET")), "CENTRAL_ACCEPTED"),
        (ev.AuthorizeAnswered(OTHER_CARD, of_group("OTHERS")), "RESERVED"),
        (ev.AuthorizeAnswered(OTHER_CARD, ACCEPTED), "RESERVED"),
        (ev.AuthorizeAnswered(OTHER_CARD, BLOCKED), "CENTRAL_REFUSED"),
        (ev.AuthorizeFailed(OTHER_CARD, "no answer"), "UNKNOWN_REFUSED"),
    ],
)
@pytest.mark.parametrize("door", DOORS)
def test_a_tag_whose_group_is_not_known_is_asked_about_by_every_door(door, then, rule):
    story = Story(a_charge_point(AuthorizeRemoteTxRequests="true"))
    assert reserve(story, parent_id_tag="FLEET") == "Accepted"
    asked = story.tell(DOORS[door])
    assert [order.id_tag for order in of(Authorize, asked)] == [OTHER_CARD]
    assert rules_of(asked) == []
    assert rules_of(story.tell(then)) == [rule]
    is_let_in = rule == "CENTRAL_ACCEPTED"
    assert [grant.id_tag for grant in story.state.waiting] == [OTHER_CARD] * is_let_in
    if is_let_in:
        story.tell(ev.CablePluggedIn(1), ev.LockChanged(1, LockState.LOCKED))
        story.tell(ev.MeterRead(1, reading(1000)))
        assert start_of(story.commands).reservation_id == 5


@pytest.mark.parametrize("facts", [listed(), listed(of_group("OTHERS"))])
@pytest.mark.parametrize("door", DOORS)
def test_a_tag_whose_group_is_known_to_be_another_is_refused_by_every_door(door, facts):
    story = Story(a_charge_point(AuthorizeRemoteTxRequests="true"))
    assert reserve(story, parent_id_tag="FLEET") == "Accepted"
    event = DOORS[door]
    event = event.event if isinstance(event, ev.LookedUp) else event
    commands = story.tell(looked_up(event, facts))
    assert rules_of(commands) == ["RESERVED"]
    assert of(Authorize, commands) == []


# --- boxes with few parts ------------------------------------------------------------------------


def test_without_a_plug_sensor_his_card_begins_at_once():
    story = Story(a_charge_point(traits=BARE))
    reserve(story)
    assert rules_of(story.tell(tap(OTHER_CARD, listed()))) == ["RESERVED"]
    story.tell(tap(facts=listed()))
    assert start_of(story.commands).reservation_id == 5


def test_a_reserved_connector_is_neither_locked_nor_closed_for_whoever_plugs_in():
    story = reserved()
    story.tell(ev.CablePluggedIn(1), ev.PilotChanged(1, PilotState.C))
    told = [command for command in story.commands if not isinstance(command, NotifyStatus)]
    assert told == []
    assert Fault.METER not in story.connector.faults
