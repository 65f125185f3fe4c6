"""So many at once, so many in the long run; so many in mind, the last ones."""

from __future__ import annotations

from agent.platform.bounds import BoundedMap, TokenBucket


def test_many_at_once_and_few_for_ever():
    bucket = TokenBucket(10, per_s=2.0, now_s=50.0)
    assert [bucket.take(50.0) for _ in range(11)] == [True] * 10 + [False]
    assert [bucket.take(51.0) for _ in range(3)] == [True, True, False]
    assert sum(bucket.take(3651.0) for _ in range(100)) == 10


def test_a_clock_that_goes_back_takes_nothing_away():
    bucket = TokenBucket(2, per_s=1.0, now_s=50.0)
    assert [bucket.take(40.0) for _ in range(3)] == [True, True, False]
    assert bucket.take(41.0)


def test_the_key_that_was_set_longest_ago_makes_room():
    kept = BoundedMap[str, int](2)
    kept["a"], kept["b"] = 1, 2
    kept["a"] = 3  # set anew: now "b" is the oldest
    kept["c"] = 4
    assert dict(kept) == {"a": 3, "c": 4}
    assert kept.pop("a") == 3
    kept["d"] = 5
    assert dict(kept) == {"c": 4, "d": 5}
