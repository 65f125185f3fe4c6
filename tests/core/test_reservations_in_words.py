"""What people read of a reservation: in status and in the diary, and never the whole card."""

from __future__ import annotations

from agent.control.event_log import sentences
from agent.control.snapshot import charge_point_snapshot
from agent.core import charge_point
from agent.core import events as ev
from tests.core.reservation_builders import a_reservation, reserved
from tests.core.story import CARD, Story, a_charge_point, ready


def told(story: Story, event: ev.Event) -> list[str]:
    before = story.state
    story.state, commands = charge_point.handle(before, ready(event), story.now)
    return sentences(before, event, story.state, commands)


def test_status_says_for_whom_and_until_when():
    words = charge_point_snapshot(reserved().state, Story(a_charge_point()).now)["connectors"][0]
    assert words["status"] == "Reserved"
    assert words["in_words"] == "reserved for card 04..C4 until 2026-03-01T13:00+00:00"


def test_the_diary_tells_its_beginning_and_its_end():
    story = Story(a_charge_point(2))
    wanted = ev.ReservationRequested("r1", a_reservation(1))
    line = "connector 1: reserved for card 04..C4 until 2026-03-01T13:00+00:00 (reservation 5)"
    assert told(story, wanted) == [line]
    assert told(story, wanted) == []
    (any_one,) = told(story, ev.ReservationRequested("r2", a_reservation(0, number=6)))
    assert any_one.startswith("one connector: reserved for card 04..C4")
    assert told(story, ev.ReservationCancelRequested("r3", 5)) == ["reservation 5 is over"]
    assert CARD not in line + any_one
