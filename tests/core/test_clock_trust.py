"""A clock that nobody trusts, and the moment when somebody says what time it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import charge_point
from agent.core import events as ev
from agent.core.commands import (
    Command,
    CorrectTimes,
    DeliverNext,
    QueueMessage,
    SaveTransaction,
)
from agent.core.events import Event
from agent.core.state import ChargePoint
from agent.core.values import (
    AuthorizationStatus,
    Boot,
    IdTagInfo,
    Instant,
    LockState,
    PilotState,
    Reading,
    TransactionEnded,
)
from tests.core.story import (
    BOOT_S,
    NOON,
    a_charge_point,
    a_transaction,
    listed,
    messages,
    of,
    ready,
    rules_of,
    tap,
)

YEARS = timedelta(days=20_000)
BOOTED_AT = NOON - timedelta(seconds=BOOT_S)
BELIEVED = Boot(7, "this boot", BOOTED_AT - YEARS, is_time_known=False)


class Untrusted:
    """A charge point whose clock is years off until ``is_known``."""

    def __init__(self, state: ChargePoint, boot: Boot | None = BELIEVED) -> None:
        self.state = replace(state, boot=boot, owes_correction=True)
        self.seconds = 0.0
        self.is_known = False

    @property
    def now(self) -> Instant:
        utc = NOON + timedelta(seconds=self.seconds)
        believed = utc if self.is_known else utc - YEARS
        return Instant(BOOT_S + self.seconds, believed, self.is_known)

    def tell(self, *events: Event) -> list[Command]:
        commands: list[Command] = []
        for event in events:
            self.state, ordered = charge_point.handle(self.state, ready(event), self.now)
            commands += ordered
        return commands

    def read(self, import_wh: int) -> list[Command]:
        return self.tell(ev.MeterRead(1, Reading(import_wh, self.now.utc)))

    def begin(self) -> list[Command]:
        commands = self.tell(
            ev.CablePluggedIn(1), tap(facts=listed()), ev.LockChanged(1, LockState.LOCKED)
        )
        return [*commands, *self.read(1000)]


def offline(**given) -> Untrusted:
    return Untrusted(a_charge_point(online=False, **given))


def marks(commands: list[Command]) -> list[int]:
    return [command.boot for command in of(QueueMessage, commands)]


def test_messages_say_in_which_boot_their_time_was_believed():
    story = offline()
    commands = story.begin()
    assert marks(commands) == [7]
    assert messages(commands)[0].begun_at == NOON - YEARS
    assert of(CorrectTimes, commands) == []
    (saved,) = of(SaveTransaction, commands)
    assert saved.transaction.boot == 7


def test_what_waits_is_corrected_before_any_of_it_is_delivered():
    story = offline()
    story.begin()
    story.seconds, story.is_known = 600, True
    commands = story.tell(ev.LinkAccepted())
    corrections = [c for c in commands if isinstance(c, CorrectTimes | DeliverNext)]
    assert corrections == [CorrectTimes(7, BOOTED_AT), DeliverNext(up_to=1)]
    assert story.tell(ev.TimePassed()) == []  # once


def test_the_session_that_runs_is_corrected_too_and_ends_with_its_true_time():
    story = offline()
    story.begin()
    story.seconds, story.is_known = 600, True
    (saved,) = of(SaveTransaction, story.tell(ev.TimePassed()))
    assert (saved.transaction.begun_at, saved.transaction.boot) == (NOON, 0)
    story.seconds = 660
    story.tell(ev.MeterRead(1, Reading(1500, story.now.utc)))
    story.seconds = 700
    story.tell(tap(), ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    commands = story.read(1600)
    assert marks(commands) == [0]
    (stop,) = messages(commands)
    assert isinstance(stop, TransactionEnded)
    assert stop.ended_at == NOON + timedelta(seconds=700)


def test_a_sample_read_before_the_time_was_known_is_not_told_as_of_long_ago():
    story = offline()
    story.begin()
    story.seconds = 60
    story.tell(ev.TimePassed())
    old = Reading(1200, story.now.utc)
    story.is_known = True
    (sample,) = messages(story.tell(ev.MeterRead(1, old)))
    assert sample.sampled_at == NOON  # not before the session began


def test_a_session_found_open_moves_with_the_boot_that_it_was_begun_in():
    found = a_transaction(ref=4, begun_at=NOON - YEARS, last_at=NOON - YEARS, boot=7)
    story = offline()
    story.tell(ev.Started((found,)))
    story.is_known = True
    commands = story.tell(ev.MeterRead(1, Reading(1000, NOON)))
    (stop,) = messages(commands)
    assert isinstance(stop, TransactionEnded)
    assert (stop.ended_at, marks(commands)) == (NOON, [0])


def test_a_session_found_open_of_an_earlier_boot_is_corrected_with_that_boot():
    found = a_transaction(ref=4, begun_at=NOON - YEARS, last_at=NOON - YEARS, boot=6)
    story = offline()
    story.is_known = True
    assert CorrectTimes(7, BOOTED_AT) in story.tell(ev.Started((found,)))
    commands = story.tell(ev.MeterRead(1, Reading(1000, NOON)))
    assert marks(commands) == [6]
    assert of(CorrectTimes, commands) == [CorrectTimes(7, BOOTED_AT)]  # once more, after the row


def test_a_trusted_clock_at_the_start_corrects_what_an_earlier_process_has_left():
    known = replace(BELIEVED, booted_at=BOOTED_AT, is_time_known=True)
    story = Untrusted(a_charge_point(online=False), known)
    story.is_known = True
    assert of(CorrectTimes, story.tell(ev.Started())) == [CorrectTimes(7, BOOTED_AT)]


def test_nothing_is_remembered_where_the_boot_is_unknown():
    story = Untrusted(a_charge_point(online=False), boot=None)
    assert marks(story.begin()) == [0]
    story.is_known = True
    assert of(CorrectTimes, story.tell(ev.TimePassed())) == []


@pytest.mark.parametrize(
    ("expires_at", "rule"),
    [
        (NOON - YEARS - timedelta(seconds=1), "LISTED_REFUSED"),  # for sure: it was before
        (NOON - timedelta(days=1), "LISTED_OFFLINE"),  # nobody here can know that
        (NOON + timedelta(days=1), "LISTED_OFFLINE"),
    ],
)
def test_before_the_time_is_known_a_card_is_expired_only_if_that_is_sure(expires_at, rule):
    info = IdTagInfo(AuthorizationStatus.ACCEPTED, expires_at)
    commands = offline().tell(ev.CablePluggedIn(1), tap(facts=listed(info)))
    assert rules_of(commands) == [rule]


def test_samples_that_are_dropped_for_want_of_room_are_a_warning_until_all_is_delivered():
    story = offline()
    story.is_known = True
    story.begin()
    story.tell(ev.SamplesThinned(500))
    assert [fault.value for fault in story.state.faults] == ["queue_full"]
    story.tell(ev.LinkAccepted())
    story.tell(ev.MessageAnswered(1, 1, 5))
    assert story.state.faults == frozenset()
