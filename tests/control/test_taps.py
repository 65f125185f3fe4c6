"""The way of a tap: each step once, with its time, until energy flows or a reason ends it."""

from __future__ import annotations

from dataclasses import replace

from agent.control.taps import (
    TAPS_KEPT,
    Tap,
    Turned,
    after,
    follow,
    steps_as_data,
    tap_as_data,
    way_line,
    written,
)
from agent.core import charge_point
from agent.core import events as ev
from agent.core.commands import QueueMessage, Row
from agent.core.events import Event
from agent.core.state import ChargePoint, Rules
from agent.core.values import LockState, PilotState, TagRecord
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    BOOT_S,
    CARD,
    OTHER_CARD,
    a_charge_point,
    at,
    listed,
    reading,
    ready,
    tap,
)


class Box:
    """A charge point whose taps are followed; what it writes is committed when a test says so."""

    def __init__(self, state: ChargePoint | None = None) -> None:
        self.state = state or a_charge_point()
        self.taps: tuple[Tap, ...] = ()
        self.rows: list[Row] = []
        self.seconds = 0.0

    def tell(self, event: Event | ev.LookedUp, after_s: float = 0.0) -> None:
        self.seconds += after_s
        before, now = self.state, at(self.seconds)
        self.state, commands = charge_point.handle(before, ready(event), now)
        posted = event.event if isinstance(event, ev.LookedUp) else event
        self.taps = follow(self.taps, Turned(before, posted, self.state, commands), now)
        self.rows += [command for command in commands if isinstance(command, QueueMessage)]

    def show(
        self, card: str = CARD, look_up_s: float = 0.002, facts: TagRecord | None = None
    ) -> None:
        shown = tap(card, facts, (1,))
        read_s = BOOT_S + self.seconds
        self.tell(replace(shown, event=replace(shown.event, read_s=read_s)), look_up_s)

    def write(self, after_s: float) -> None:
        self.seconds += after_s
        self.taps = written(self.taps, self.rows, BOOT_S + self.seconds)
        self.rows.clear()

    def steps(self, place: int = 0) -> dict[str, float]:
        return {step["step"]: step["after_s"] for step in steps_as_data(self.taps[place])}

    def end(self, place: int = 0) -> str:
        return str(steps_as_data(self.taps[place])[-1]["says"])


def begun(box: Box) -> None:
    box.tell(ev.LockChanged(1, LockState.LOCKED), 0.3)
    box.tell(ev.MeterRead(1, reading(1000)), 0.1)
    box.write(0.02)
    box.tell(ev.PilotChanged(1, PilotState.C))
    box.tell(ev.ContactorClosed(1), 0.05)


def a_session() -> Box:
    box = Box()
    box.tell(ev.CablePluggedIn(1))
    box.show(facts=listed())
    begun(box)
    return box


def test_a_listed_card_goes_from_the_reader_to_energy_without_a_question():
    box = a_session()
    assert box.steps() == {
        "read": 0.0,
        "looked up": 0.002,
        "decided": 0.002,
        "locked": 0.302,
        "on disk": 0.422,
        "closed": 0.472,
    }
    assert not box.taps[0].awaits


def test_an_unknown_card_is_asked_about_and_the_answer_decides():
    box = Box()
    box.tell(ev.CablePluggedIn(1))
    box.show()
    box.tell(ev.AuthorizeAnswered(CARD, ACCEPTED), 0.05)
    begun(box)
    steps = box.steps()
    assert list(steps) == [
        "read", "looked up", "asked", "decided", "locked", "on disk", "closed",
    ]  # fmt: skip
    assert (steps["asked"], steps["decided"]) == (0.002, 0.052)


def test_a_refused_card_ends_with_its_reason():
    box = Box()
    box.show()
    box.tell(ev.AuthorizeAnswered(CARD, BLOCKED), 0.05)
    assert list(box.steps()) == ["read", "looked up", "asked", "decided"]
    assert box.end() == "the central system refuses this card"
    assert not box.taps[0].awaits


def test_a_card_that_cannot_be_read_ends_at_the_reader():
    box = Box()
    box.tell(ev.CardNotTaken("more than one card in the field: show one alone"))
    assert list(box.steps()) == ["read"]
    assert "more than one card" in box.end()


def test_what_was_accepted_and_comes_to_nothing_says_why():
    box = Box()
    box.show(facts=listed())
    box.tell(ev.TimePassed(), 61.0)
    assert list(box.steps()) == ["read", "looked up", "decided", "given up"]
    assert box.end() == "no car was plugged in in time"


def test_nothing_is_on_disk_before_the_commit_has_returned():
    box = Box()
    box.tell(ev.CablePluggedIn(1))
    box.show(facts=listed())
    box.tell(ev.LockChanged(1, LockState.LOCKED))
    box.tell(ev.MeterRead(1, reading(1000)))
    assert "on disk" not in box.steps()


def test_the_card_that_ends_a_session_opens_and_writes():
    box = a_session()
    box.show(facts=listed(), look_up_s=10.0)
    box.tell(ev.ContactorOpened(1), 0.02)
    box.tell(ev.MeterRead(1, reading(2000)), 0.1)
    box.write(0.01)
    assert list(box.steps()) == ["read", "looked up", "decided", "opened", "on disk"]
    assert list(box.steps(1))[-1] == "closed"


def test_a_second_tap_that_comes_too_soon_takes_nothing_from_the_first():
    box = Box()
    box.tell(ev.CablePluggedIn(1))
    box.show(facts=listed())
    box.tell(ev.LockChanged(1, LockState.LOCKED), 0.3)
    box.tell(ev.MeterRead(1, reading(1000)), 0.1)
    box.show(facts=listed())
    assert box.end() == "the same card again, too soon after the start"
    box.write(0.02)
    box.tell(ev.PilotChanged(1, PilotState.C))
    box.tell(ev.ContactorClosed(1))
    assert list(box.steps(1))[-2:] == ["on disk", "closed"]
    assert list(box.steps(0)) == ["read", "looked up", "decided"]


def test_a_card_that_skips_the_random_delay_is_over_with_the_energy():
    box = Box(a_charge_point(rules=Rules(random_delay_max_s=600)))
    box.tell(ev.CablePluggedIn(1))
    box.show(facts=listed())
    box.tell(ev.LockChanged(1, LockState.LOCKED))
    box.tell(ev.MeterRead(1, reading(1000)))
    box.write(0.02)
    box.tell(ev.PilotChanged(1, PilotState.C))
    box.show(facts=listed(), look_up_s=10.0)
    assert tap_as_data(box.taps[0])["awaits"] == ["closed"]
    box.tell(ev.ContactorClosed(1))
    assert list(box.steps()) == ["read", "looked up", "decided", "closed"]
    assert [tap.awaits for tap in box.taps] == [(), ()]


def test_only_cards_at_the_own_reader_are_taps():
    box = Box()
    box.tell(tap(CARD))
    assert box.taps == ()


def test_a_card_that_is_shown_again_while_it_is_checked_is_no_second_tap():
    box = Box()
    box.show()
    box.show()
    assert len(box.taps) == 1
    assert tap_as_data(box.taps[0])["awaits"] == ["decided", "on disk", "closed"]


def test_the_way_is_one_line_of_text():
    way = way_line(steps_as_data(a_session().taps[0]))
    assert way == (
        "read, looked up +2 ms, decided +2 ms, locked +302 ms, on disk +422 ms, closed +472 ms"
    )
    assert (after(1.26), after(125.0)) == ("+1.3 s", "+2 min 5 s")


def test_few_are_kept_and_another_cards_decision_is_its_own():
    box = Box()
    for _ in range(TAPS_KEPT + 2):
        box.show(OTHER_CARD)
        box.tell(ev.AuthorizeAnswered(OTHER_CARD, BLOCKED), 5.0)
    box.show(CARD)
    assert len(box.taps) == TAPS_KEPT
    box.tell(ev.AuthorizeAnswered(OTHER_CARD, ACCEPTED))
    assert list(box.steps()) == ["read", "looked up", "asked"]


def test_no_whole_card_number_is_shown():
    box = a_session()
    assert CARD not in str(tap_as_data(box.taps[0]))
    assert tap_as_data(box.taps[0])["id_tag"] == "04..C4"
