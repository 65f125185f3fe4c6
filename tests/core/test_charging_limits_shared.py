"""The connectors share what the box may draw: never more than that, and nobody waits needlessly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.charging_limits import Demand, share

amperes = st.integers(0, 800).map(lambda tenths: tenths / 10)
claims = st.lists(
    st.builds(Demand, st.integers(1, 6), st.integers(60, 200).map(lambda t: t / 10), amperes),
    max_size=6,
    unique_by=lambda claim: claim.connector_id,
)


def shares(total_a: float, *most_a: float, least_a: float = 6.0) -> list[float]:
    found = share(total_a, [Demand(n, least_a, most) for n, most in enumerate(most_a, 1)])
    return [found[number] for number in range(1, len(most_a) + 1)]


@pytest.mark.parametrize(
    ("total_a", "most_a", "expected"),
    [
        (32.0, (32.0,), [32.0]),
        (40.0, (32.0,), [32.0]),
        (32.0, (32.0, 32.0), [16.0, 16.0]),
        (32.0, (10.0, 32.0), [10.0, 22.0]),  # what one cannot use the other gets
        (11.9, (32.0, 32.0), [11.9, 0.0]),  # too little for two: who began first goes on
        (12.0, (32.0, 32.0), [6.0, 6.0]),
        (20.0, (32.0, 32.0, 32.0), [6.6, 6.6, 6.6]),  # rounded down
        (5.9, (32.0,), [0.0]),
        (32.0, (4.0, 32.0), [0.0, 32.0]),  # limited elsewhere to what no car can take
        (0.0, (32.0, 32.0), [0.0, 0.0]),
        (32.0, (), []),
    ],
)
def test_what_there_is_is_divided(total_a, most_a, expected):
    assert shares(total_a, *most_a) == expected


def test_a_session_that_charges_badly_with_little_gets_its_least_or_nothing():
    found = share(20.0, [Demand(1, 10.0, 32.0), Demand(2, 12.0, 32.0), Demand(3, 6.0, 32.0)])
    assert found == {1: 12.0, 2: 0.0, 3: 8.0}


@given(amperes, claims)
def test_the_sum_is_never_above_the_total_and_each_share_is_usable_or_nothing(total_a, wanted):
    found = share(total_a, wanted)
    assert sum(found.values()) <= total_a + 1e-5
    for claim in wanted:
        given_a = found[claim.connector_id]
        assert given_a == 0 or claim.least_a <= given_a <= claim.most_a


@given(amperes, claims)
def test_nobody_who_is_served_could_have_had_more(total_a, wanted):
    found = share(total_a, wanted)
    served = [claim for claim in wanted if found[claim.connector_id] > 0]
    is_used_up = total_a - sum(found.values()) <= 0.1 * len(served) + 1e-5
    assert not served or is_used_up or all(found[c.connector_id] == c.most_a for c in served)
