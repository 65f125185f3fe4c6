import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.ports_reader import (
    CardArrived,
    CardLay,
    CardLeft,
    CardUnreadable,
    ReaderEvent,
    SeveralCards,
)
from hw.tap_detector import (
    CollidingCards,
    EmptyField,
    FailedRead,
    FieldObservation,
    OneCard,
    TapDetector,
)

UID_A = bytes.fromhex("DEADBEEF")
UID_B = bytes.fromhex("044943121F1A80")
A, B = OneCard(UID_A), OneCard(UID_B)
EMPTY, TWO, BAD = EmptyField(), CollidingCards(), FailedRead("it failed")
GONE = [EMPTY] * 12  # 1.1 s at ten polls a second


class Reader:
    """A detector that is polled ten times a second, and has seen its field empty."""

    def __init__(self, period_ms: int = 100) -> None:
        self.detector = TapDetector()
        self._period_ms = period_ms
        self._polls = -len(GONE)
        assert self.see(*GONE) == []

    def see(self, *observations: FieldObservation) -> list[ReaderEvent]:
        events: list[ReaderEvent] = []
        for seen in observations:
            events += self.detector.observe(seen, self._polls * self._period_ms / 1000)
            self._polls += 1
        return events


def test_a_card_that_arrives_is_one_tap_at_the_first_read() -> None:
    assert Reader().see(EMPTY, A) == [CardArrived(UID_A)]


class NewReader(Reader):
    """One that has just begun: nobody knows what lies in its field."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = TapDetector()


@pytest.mark.parametrize(
    "lying",
    [
        [A] * 1000,
        [EMPTY, EMPTY, *[A] * 100],  # it misses a poll now and then
        [*[EMPTY] * 9, A, EMPTY, A] * 20,
        [BAD, BAD, *[A] * 20],
        [*[A] * 20, *[B] * 20],  # another one was below it
    ],
)
def test_a_card_that_lies_there_at_the_beginning_is_no_tap_and_is_told_once(
    lying: list[FieldObservation],
) -> None:
    assert NewReader().see(*lying) == [CardLay()]


def test_a_card_that_lay_there_is_a_tap_once_it_is_shown_again() -> None:
    reader = NewReader()
    assert reader.see(*[A] * 20, *GONE) == [CardLay()]
    assert reader.see(A) == [CardArrived(UID_A)]


def test_two_cards_that_lie_there_at_the_beginning_are_told_and_neither_is_a_tap() -> None:
    assert NewReader().see(TWO, TWO, *[A] * 20) == [SeveralCards(), CardLay()]


def test_who_looks_anew_asks_for_an_empty_field_first() -> None:
    reader = Reader()
    assert reader.see(A) == [CardArrived(UID_A)]
    assert reader.detector.begin() == [CardLeft()]
    assert reader.detector.begin() == []
    assert reader.see(*[A] * 20, *GONE, B) == [CardLay(), CardArrived(UID_B)]


def test_a_card_left_lying_is_one_tap_for_ever() -> None:
    assert Reader().see(*[A] * 10_000) == [CardArrived(UID_A)]


def test_a_card_is_gone_after_a_second_of_misses() -> None:
    reader = Reader()
    reader.see(A)
    assert reader.see(*[EMPTY] * 10) == []
    assert reader.see(EMPTY) == [CardLeft()]
    assert reader.see(*GONE) == []


def test_a_slow_poll_needs_three_misses_too() -> None:
    reader = Reader(period_ms=1000)
    reader.see(A)
    assert reader.see(EMPTY, EMPTY) == []
    assert reader.see(EMPTY) == [CardLeft()]


def test_a_card_that_misses_polls_now_and_then_stays_one_tap() -> None:
    assert Reader().see(*[A, EMPTY, EMPTY, A, *[EMPTY] * 9] * 50) == [CardArrived(UID_A)]


def test_a_card_taken_away_and_presented_again_is_a_second_tap() -> None:
    assert Reader().see(A, *GONE, A) == [CardArrived(UID_A), CardLeft(), CardArrived(UID_A)]


def test_another_card_without_a_pause_is_taken_once_it_stays() -> None:
    reader = Reader()
    assert reader.see(A, B, B) == [CardArrived(UID_A)]
    assert reader.see(B) == [CardLeft(), CardArrived(UID_B)]


def test_two_cards_that_answer_in_turns_are_several_and_the_second_is_never_taken() -> None:
    assert Reader().see(*[A, B] * 50) == [CardArrived(UID_A), SeveralCards()]


def test_two_cards_are_reported_once_and_none_is_taken() -> None:
    assert Reader().see(*[TWO] * 100) == [SeveralCards()]


def test_a_single_collision_of_a_card_that_comes_in_is_not_reported() -> None:
    assert Reader().see(TWO, A, A, A) == [CardArrived(UID_A)]


def test_a_card_of_a_wallet_that_answers_alone_for_a_moment_is_not_taken() -> None:
    assert Reader().see(*[TWO, TWO, A, A] * 5, *GONE) == [SeveralCards()]


def test_the_card_that_remains_alone_is_taken_once_it_stays() -> None:
    reader = Reader()
    assert reader.see(TWO, TWO) == [SeveralCards()]
    assert reader.see(B, B) == []
    assert reader.see(B) == [CardArrived(UID_B)]


def test_a_second_card_laid_beside_the_first_does_not_make_a_second_tap() -> None:
    assert Reader().see(A, *[TWO] * 20, *[A] * 20) == [CardArrived(UID_A), SeveralCards()]


def test_two_cards_are_reported_again_after_the_field_was_empty() -> None:
    assert Reader().see(TWO, TWO, *GONE, TWO, TWO) == [SeveralCards(), SeveralCards()]


def test_a_card_pulled_away_in_mid_read_is_nothing() -> None:
    assert Reader().see(BAD, *GONE, BAD, BAD, *GONE) == []


def test_a_card_that_cannot_be_read_is_reported_once_per_presentation() -> None:
    reader = Reader()
    assert reader.see(BAD, BAD) == []
    assert reader.see(*[BAD] * 100) == [CardUnreadable("it failed")]
    assert reader.see(*GONE) == []
    assert reader.see(BAD, EMPTY, BAD, EMPTY, BAD) == [CardUnreadable("it failed")]


def test_a_card_that_fails_twice_at_the_edge_is_still_a_tap() -> None:
    assert Reader().see(BAD, BAD, A) == [CardArrived(UID_A)]


def test_a_resting_card_that_becomes_unreadable_neither_leaves_nor_nags() -> None:
    reader = Reader()
    assert reader.see(A, *[BAD] * 30) == [CardArrived(UID_A)]
    assert reader.see(*[BAD] * 30) == [CardUnreadable("it failed")]
    assert reader.see(*[A] * 20, *[BAD] * 60, A) == []
    assert reader.see(*GONE) == [CardLeft()]


def test_the_detector_is_idle_only_while_nothing_is_about() -> None:
    reader = Reader()
    assert not TapDetector().is_idle
    for observations, is_idle in [([], True), ([A], False), (GONE, True), ([BAD], False)]:
        reader.see(*observations)
        assert reader.detector.is_idle is is_idle


FIELD = st.lists(st.sampled_from([A, B, EMPTY, TWO, BAD]), max_size=200)


@given(FIELD, st.sampled_from([Reader, NewReader]))
def test_arrivals_and_departures_alternate_whatever_is_seen(
    seen: list[FieldObservation], reader: type[Reader]
) -> None:
    moves = [e for e in reader().see(*seen) if isinstance(e, CardArrived | CardLeft)]
    assert [type(move) for move in moves] == ([CardArrived, CardLeft] * len(moves))[: len(moves)]


@given(FIELD)
def test_only_a_card_that_was_read_can_arrive(seen: list[FieldObservation]) -> None:
    reader = Reader()
    for observation in seen:
        for event in reader.see(observation):
            if isinstance(event, CardArrived):
                assert observation == OneCard(event.uid)


@given(st.lists(st.sampled_from([A, B, EMPTY, TWO, BAD]), max_size=300))
def test_nothing_arrives_before_the_field_was_empty_for_a_second(
    seen: list[FieldObservation],
) -> None:
    reader, empty = NewReader(), 0
    for observation in seen:
        arrived = any(isinstance(event, CardArrived) for event in reader.see(observation))
        assert not (arrived and empty < 11)  # polls, ten a second
        if empty < 11:
            empty = empty + 1 if observation == EMPTY else 0


@given(st.lists(st.sampled_from([EMPTY, TWO, BAD]), max_size=300))
def test_a_card_seen_at_least_once_a_second_never_taps_twice(
    between: list[FieldObservation],
) -> None:
    seen = [A]
    for start in range(0, len(between), 9):
        seen += [*between[start : start + 9], A]
    assert [e for e in Reader().see(*seen) if isinstance(e, CardArrived)] == [CardArrived(UID_A)]
