"""What a connector does or lacks: every row of the table by a story that leads to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.connector_situation import ROWS, Look, Part, Row, row_of, situation
from agent.core.faults import Fault
from agent.core.firmware_values import Firmware, FirmwareStep, FirmwareUpdate
from agent.core.state import Finished, Rules
from agent.core.values import AuthorizationStatus, IdTagInfo, LockState, PilotState
from tests.core.charging import MAX, a_profile
from tests.core.reservation_builders import reserved
from tests.core.story import (
    ALL_PARTS,
    CARD,
    NOON,
    Story,
    a_charge_point,
    a_started_story,
    charging,
    finish,
    listed,
    reading,
    tap,
)

INVALID = IdTagInfo(AuthorizationStatus.INVALID)
FIXED_CABLE = replace(ALL_PARTS, has_lock=False, has_plug=False)


def free() -> Story:
    return Story(a_charge_point())


def plugged() -> Story:
    story = free()
    story.tell(ev.CablePluggedIn(1))
    return story


def being_checked() -> Story:
    story = free()
    story.tell(tap())
    return story


def waiting_for_plug() -> Story:
    story = free()
    story.tell(tap(facts=listed()))
    story.wait(20)
    return story


def waiting_for_plug_for_ever() -> Story:
    story = Story(a_charge_point(ConnectionTimeOut="0"))
    story.tell(tap(facts=listed()))
    return story


def waiting_for_meter() -> Story:
    story = a_started_story()
    story.tell(ev.LockChanged(1, LockState.LOCKED))
    return story


def bored_vehicle() -> Story:
    story = charging()
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    return story


def faulty_pilot() -> Story:
    story = charging()
    story.tell(ev.PilotChanged(1, PilotState.E), ev.ContactorOpened(1))
    return story


def too_hot() -> Story:
    story = charging()
    story.tell(ev.SafetyInputTripped("temperature"), ev.ContactorOpened(1))
    return story


def lock_lost() -> Story:
    story = charging()
    story.tell(ev.LockChanged(1, LockState.UNLOCKED), ev.ContactorOpened(1))
    return story


def contactor_awaited() -> Story:
    story = charging()
    story.tell(ev.ContactorTripped(1, "lease expired", 1), ev.ContactorOpened(1))
    return story


def not_accepted_after_all() -> Story:
    story = charging(StopTransactionOnInvalidId="false")
    story.tell(ev.MessageAnswered(1, 1, 77, INVALID, CARD))
    story.tell(ev.ContactorOpened(1))
    return story


def being_ended() -> Story:
    story = charging()
    story.tell(tap())
    return story


def over() -> Story:
    story = being_ended()
    finish(story)
    return story


def held() -> Story:
    story = charging()
    story.tell(ev.MessageAnswered(1, 1, 77, INVALID, CARD))
    finish(story)
    return story


def limited() -> Story:
    story = charging()
    story.tell(ev.SetProfileRequested("p", 1, a_profile(1, 5.9)))
    return story


def limited_as_a_box() -> Story:
    story = charging()
    story.tell(ev.SetProfileRequested("p", 0, a_profile(1, 5.9, purpose=MAX)))
    return story


def limited_by_the_operator() -> Story:
    story = limited_as_a_box()
    story.tell(ev.LimitRequested("l", 1, 3.5))
    return story


def limited_by_its_own_profile_in_a_box_with_a_limit() -> Story:
    story = charging()
    story.tell(ev.SetProfileRequested("p", 0, a_profile(1, 20, purpose=MAX)))
    story.tell(ev.SetProfileRequested("p", 1, a_profile(2, 5.5)))
    return story


def one_too_many() -> Story:
    story = charging()
    story.tell(ev.SetProfileRequested("p", 0, a_profile(1, 10, purpose=MAX)))
    story.tell(ev.SetProfileRequested("p", 1, a_profile(2, 16, least=12.0)))
    return story


def out_of_order() -> Story:
    story = free()
    story.tell(ev.SafetyInputTripped("emergency_stop"))
    return story


def being_updated() -> Story:
    update = FirmwareUpdate("http://files.example.com", NOON, 0, 0, FirmwareStep.INSTALLING)
    story = Story(replace(a_charge_point(), firmware=Firmware(update=update)))
    story.tell(ev.TimePassed())
    return story


def out_of_service() -> Story:
    story = free()
    story.tell(ev.AvailabilityChangeRequested("a", 1, False))
    return story


def asked_of_the_station() -> Story:
    story = Story(a_charge_point(rules=Rules(asks_station=True)))
    story.tell(tap(facts=listed()))
    return story


def pilot_controller_awaited() -> Story:
    story = charging()
    story.state = replace(
        story.state,
        connectors=(replace(story.connector, confirmed_a=0.0, contactor_closed=False),),
    )
    return story


def car_pulled_off() -> Story:
    story = charging(traits=FIXED_CABLE, StopTransactionOnEVSideDisconnect="false")
    story.tell(ev.PilotChanged(1, PilotState.A), ev.ContactorOpened(1))
    return story


def contactor_awaited_at_the_end() -> Story:
    story = being_ended()
    story.tell(ev.PilotChanged(1, PilotState.B))
    return story


def meter_awaited_at_the_end() -> Story:
    story = contactor_awaited_at_the_end()
    story.tell(ev.ContactorOpened(1))
    return story


def no_card_came() -> Story:
    story = Story(a_charge_point(ConnectionTimeOut="10"))
    story.tell(ev.CablePluggedIn(1))
    story.wait(10)
    assert story.connector.phase == Finished(is_unclaimed=True)
    return story


def reserved_for_a_card() -> Story:
    return reserved()


def reserved_wherever_it_is_free() -> Story:
    return reserved(0)


SITUATIONS: list[tuple[Callable[[], Story], Part | None, str]] = [
    (being_updated, None, "out of service: firmware is being updated"),
    (out_of_service, Part.CENTRAL_SYSTEM, "out of service: the central system wants it so"),
    (free, None, "free"),
    (plugged, Part.READER, "plugged in; waiting for a card"),
    (being_checked, Part.CENTRAL_SYSTEM, "waiting for the central system's answer"),
    (asked_of_the_station, Part.READER, "waiting for the answer of the station's logic"),
    (waiting_for_plug, Part.PLUG, "card accepted; waiting for the plug, 40 s left"),
    (waiting_for_plug_for_ever, Part.PLUG, "card accepted; waiting for the plug"),
    (a_started_story, Part.LOCK, "card accepted; waiting for the bolt"),
    (waiting_for_meter, Part.METER, "card accepted; waiting for the meter"),
    (charging, None, "charging"),
    (bored_vehicle, Part.CAR, "waiting for the car: it does not ask for energy"),
    (car_pulled_off, Part.PLUG, "waiting for the car: it was pulled off the cable"),
    (faulty_pilot, Part.PILOT, "no energy: the control pilot is in state E"),
    (too_hot, Part.PROTECTION, "no energy: too hot, or its sensor is silent"),
    (lock_lost, Part.LOCK, "no energy: the lock is not confirmed"),
    (pilot_controller_awaited, Part.PILOT, "waiting for the pilot controller"),
    (contactor_awaited, Part.CONTACTOR, "waiting for the contactor"),
    (limited, Part.PILOT, "paused by a limit: 5.9 A are allowed, a car needs 6 A"),
    (limited_as_a_box, Part.PILOT, "paused by a limit: 5.9 A are allowed, a car needs 6 A"),
    (limited_by_the_operator, Part.PILOT, "paused by a limit: 3.5 A are allowed, a car needs 6 A"),
    (
        limited_by_its_own_profile_in_a_box_with_a_limit,
        Part.PILOT,
        "paused by a limit: 5.5 A are allowed, a car needs 6 A",
    ),
    (one_too_many, Part.PILOT, "paused by a limit: 0 A are allowed, a car needs 6 A"),
    (
        not_accepted_after_all,
        Part.CENTRAL_SYSTEM,
        "no energy: the central system does not accept this card",
    ),
    (being_ended, Part.CAR, "the session ends; the car is given time to stop drawing"),
    (
        contactor_awaited_at_the_end,
        Part.CONTACTOR,
        "the session ends; waiting for the contactor to open",
    ),
    (meter_awaited_at_the_end, Part.METER, "the session ends; waiting for the meter"),
    (over, Part.PLUG, "session over; the cable can be taken out"),
    (held, Part.READER, "session over; the cable is held until the card is shown again"),
    (
        no_card_came,
        Part.READER,
        "plugged in, and no card came in time; tap, or plug in once more",
    ),
    (reserved_for_a_card, Part.READER, "reserved for card 04..C4 until 2026-03-01T13:00+00:00"),
    (
        reserved_wherever_it_is_free,
        Part.READER,
        "reserved for card 04..C4 until 2026-03-01T13:00+00:00",
    ),
    (out_of_order, Part.PROTECTION, "out of order: emergency stop pressed"),
]


@pytest.mark.parametrize(
    ("story", "part", "words"),
    SITUATIONS,
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_every_situation_names_the_one_thing_that_is_missing(
    story: Callable[[], Story], part: Part | None, words: str
):
    told = story()
    found = situation(told.state, told.connector, told.now)
    assert (found.part, found.words) == (part, words)


def test_every_row_of_the_table_is_reached():
    def reached(story: Story) -> Row:
        return row_of(Look(story.state, story.connector, story.now))

    found = [reached(story()) for story, _, _ in SITUATIONS]
    assert [row.words for row in ROWS if row not in found] == []


@pytest.mark.parametrize(
    ("name", "fault", "part"),
    [
        ("emergency_stop", Fault.EMERGENCY_STOP, Part.PROTECTION),
        ("residual_current", Fault.RESIDUAL_CURRENT, Part.PROTECTION),
        ("door", Fault.DOOR, Part.PROTECTION),
    ],
)
def test_a_fault_is_marked_where_it_sits(name: str, fault: Fault, part: Part):
    story = plugged()
    story.tell(ev.SafetyInputTripped(name))
    assert fault in story.state.faults
    assert situation(story.state, story.connector, story.now).part is part


def test_a_fault_of_the_journal_is_marked_nowhere():
    story = free()
    story.state = replace(story.state, faults=frozenset({Fault.JOURNAL}))
    found = situation(story.state, story.connector, story.now)
    assert (found.part, found.words) == (None, "out of order: the journal cannot be written")


def test_what_a_weld_let_through_is_told_with_its_fault():
    story = being_ended()
    finish(story)
    story.tell(ev.ContactorClosed(1), ev.MeterRead(1, reading(2500)))
    connector = replace(story.connector, faults=frozenset({Fault.CONTACTOR_WELDED}))
    found = situation(story.state, connector, story.now)
    assert found.part is Part.CONTACTOR
    assert found.words == (
        "out of order: contactor does not open (welded); 500 Wh drawn since the last session"
    )


def test_another_connectors_card_is_not_waited_for_here():
    story = Story(a_charge_point(connectors=2))
    story.tell(tap(connectors=(2,)))
    first, second = (situation(story.state, one, story.now) for one in story.state.connectors)
    assert first.words == "free"
    assert second.part is Part.CENTRAL_SYSTEM
