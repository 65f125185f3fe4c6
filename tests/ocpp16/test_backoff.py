"""The waits between attempts."""

from __future__ import annotations

import random

import pytest

from agent.ocpp16.backoff import Backoff


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


def test_even_the_longest_waits_of_two_boxes_differ():
    def tenth_wait(seed: int) -> float:
        backoff = Backoff(random.Random(seed))
        return [backoff.next(was_stable=False) for _ in range(10)][-1]

    waits = {tenth_wait(seed) for seed in range(20)}
    assert len(waits) == 20
    assert all(290 <= wait <= 300 for wait in waits)
