"""The waits between attempts."""

from __future__ import annotations

import random

import pytest

from agent.ocppj.backoff import QUICK_RETURNS_MAX, QUICK_RETURNS_PER_S, Backoff


class Fixed(random.Random):
    """Draws the same share of every range."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self._share = share

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self._share


@pytest.mark.parametrize(
    ("share", "waits"),
    [
        (0.0, [3, 6, 12, 24, 48, 96, 192, 290, 290]),
        (1.0, [13, 36, 82, 174, 300, 300, 300, 300, 300]),
    ],
)
def test_the_wait_doubles_from_3_s_with_jitter_up_to_5_minutes(share: float, waits: list[float]):
    backoff = Backoff(Fixed(share))
    assert [backoff.next(was_stable=False) for _ in waits] == pytest.approx(waits)


def test_after_a_stable_link_the_first_attempt_comes_within_2_s_and_the_doubling_begins_anew():
    backoff = Backoff(Fixed(1.0))
    for _ in range(6):
        backoff.next(was_stable=False)
    assert backoff.next(was_stable=True) == pytest.approx(2)
    assert backoff.next(was_stable=False) == pytest.approx(13)


def test_a_link_that_worked_is_come_back_to_within_2_s_and_the_doubling_begins_anew():
    backoff = Backoff(Fixed(1.0))
    for _ in range(6):
        backoff.next(was_stable=False)
    assert backoff.next(was_stable=False, worked_until_s=100.0) == pytest.approx(2)
    assert backoff.next(was_stable=False) == pytest.approx(13)


def test_a_link_that_works_and_ends_at_once_again_and_again_is_come_back_to_so_often_in_so_long():
    backoff, now_s, attempts = Backoff(random.Random(1)), 0.0, 0
    while now_s < 24 * 3600:
        now_s += backoff.next(was_stable=False, worked_until_s=now_s) + 0.1
        attempts += 1
    assert attempts < 24 * 6 * (QUICK_RETURNS_MAX + 8)  # doubling fills ten minutes with eight
    burst = Backoff(Fixed(1.0))
    waits = [burst.next(was_stable=False, worked_until_s=float(i)) for i in range(14)]
    assert waits[:QUICK_RETURNS_MAX] == pytest.approx([2.0] * QUICK_RETURNS_MAX)
    assert waits[QUICK_RETURNS_MAX:] == pytest.approx([13, 36, 82, 174])
    assert burst.next(was_stable=False, worked_until_s=QUICK_RETURNS_PER_S) == pytest.approx(2)


def test_even_the_longest_waits_of_two_boxes_differ():
    def tenth_wait(seed: int) -> float:
        backoff = Backoff(random.Random(seed))
        return [backoff.next(was_stable=False) for _ in range(10)][-1]

    waits = {tenth_wait(seed) for seed in range(20)}
    assert len(waits) == 20
    assert all(290 <= wait <= 300 for wait in waits)
