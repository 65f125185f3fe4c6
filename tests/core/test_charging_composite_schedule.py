"""What all profiles allow over time is what a slow second opinion says of every single second."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.charging_composite_schedule import (
    CHANGES_MAX,
    PERIODS_MAX,
    Place,
    charge_point_schedule,
    connector_schedule,
)
from agent.core.charging_limits import Session, Wiring
from agent.core.charging_profiles import InstalledProfile, Period, RateUnit, Recurrency, Schedule
from tests.core.charging import (
    ABSOLUTE,
    AMPERE,
    DAY_S,
    DEFAULT,
    MAX,
    NOON_S,
    RECURRING,
    REF,
    RELATIVE,
    TX,
    WATT,
    WINDOW_S,
    allowed_at,
    installed,
    sets_of_profiles,
)

ONE_PHASE, THREE_PHASES = Wiring(32.0, 1, 230.0), Wiring(32.0, 3, 230.0)
MANY = settings(max_examples=100, deadline=None)
wirings = st.sampled_from([ONE_PHASE, THREE_PHASES, Wiring(16.0, 3, 127.5)])
units = st.sampled_from(RateUnit)


def here(wiring: Wiring = THREE_PHASES, begun: int = NOON_S, ref: int | None = REF) -> Place:
    return Place(Session(1, ref, begun), wiring)


def there(wiring: Wiring = THREE_PHASES) -> Place:
    return Place(Session(2, None, NOON_S), wiring)


def converted(limit: tuple[Period, Schedule], unit: RateUnit, wiring: Wiring) -> float:
    period, schedule = limit
    if schedule.unit is unit:
        return period.limit
    factor = wiring.nominal_voltage_v * wiring.phases  # none is switched off
    return period.limit * factor if unit is WATT else period.limit / factor


def wired(unit: RateUnit, wiring: Wiring) -> float:
    watts = wiring.max_current_a * wiring.nominal_voltage_v * wiring.phases
    return watts if unit is WATT else wiring.max_current_a


def for_transactions(
    profiles: list[InstalledProfile], place: Place, second: int
) -> tuple[Period, Schedule] | None:
    session = place.session
    begun, connector_id = int(session.begun_s), session.connector_id
    return (
        (allowed_at(profiles, TX, connector_id, second, begun, REF) if session.ref else None)
        or allowed_at(profiles, DEFAULT, connector_id, second, begun)
        or allowed_at(profiles, DEFAULT, 0, second, begun)
    )


def limits_at(
    profiles: list[InstalledProfile], place: Place, unit: RateUnit, second: int
) -> list[float]:
    """Everything that limits one connector in one second."""
    found = [for_transactions(profiles, place, second), allowed_at(profiles, MAX, 0, second, 0)]
    limits = [converted(limit, unit, place.wiring) for limit in found if limit is not None]
    return [*limits, wired(unit, place.wiring)]


def lowest_own(
    profiles: list[InstalledProfile], place: Place, unit: RateUnit, second: int
) -> float:
    """What one connector takes in one second if the box as a whole is not limited."""
    limit = for_transactions(profiles, place, second)
    most = wired(unit, place.wiring)
    return most if limit is None else min(most, converted(limit, unit, place.wiring))


def with_one_decimal(limit: float) -> float:
    return math.floor(limit * 10 + 1e-6) / 10


def by_second(schedule: Schedule) -> list[float]:
    assert schedule.periods[0].starts_s == 0
    starts = [period.starts_s for period in schedule.periods]
    assert starts == sorted(set(starts))
    assert starts[-1] < schedule.duration_s
    limits = {period.starts_s: period.limit for period in schedule.periods}
    found = []
    for second in range(schedule.duration_s):
        found.append(limits.get(second, found[-1] if found else 0.0))
    return found


@MANY
@given(sets_of_profiles(), wirings, units, st.integers(-30, 60), st.integers(1, WINDOW_S))
def test_a_connectors_schedule_is_what_the_second_opinion_says_second_by_second(
    profiles, wiring, unit, begun, duration_s
):
    place = here(wiring, NOON_S + begun)
    schedule = connector_schedule(profiles, place, unit, NOON_S, duration_s)
    assert schedule.duration_s == duration_s
    for second, limit in enumerate(by_second(schedule), NOON_S):
        limits = limits_at(profiles, place, unit, second)
        assert limit == with_one_decimal(min(limits))
        assert all(limit <= other + 1e-6 for other in limits)


@MANY
@given(sets_of_profiles(), wirings, units, st.integers(1, WINDOW_S))
def test_the_box_takes_the_sum_of_its_connectors_and_never_more_than_its_own_limit(
    profiles, wiring, unit, duration_s
):
    places = [here(wiring), there(wiring)]
    schedule = charge_point_schedule(profiles, places, unit, NOON_S, duration_s)
    for second, limit in enumerate(by_second(schedule), NOON_S):
        own = [lowest_own(profiles, place, unit, second) for place in places]
        box = allowed_at(profiles, MAX, 0, second, 0)
        limits = [sum(own)] + ([] if box is None else [converted(box, unit, wiring)])
        assert limit == with_one_decimal(min(limits))


# --- one rule each -------------------------------------------------------------------------------


def steps(*profiles: InstalledProfile, seconds: int = 600, unit: RateUnit = AMPERE, **place: int):
    schedule = connector_schedule(profiles, here(**place), unit, NOON_S, seconds)
    return [(period.starts_s, period.limit) for period in schedule.periods]


def test_without_profiles_it_is_what_the_wiring_carries():
    assert steps() == [(0, 32.0)]
    assert steps(unit=WATT) == [(0, 22_080.0)]


def test_within_a_purpose_the_higher_stack_level_counts_and_not_the_lower_limit():
    low = installed(1, 10, level=0)
    high = installed(2, 20, level=1, duration_s=60)
    assert steps(low, high) == [(0, 20.0), (60, 10.0)]


def test_between_purposes_the_lower_limit_counts():
    default = installed(1, 20)
    box = installed(2, 16, (60, 25), purpose=MAX, at=0)
    assert steps(default, box) == [(0, 16.0), (60, 20.0)]


def test_the_profile_of_a_transaction_hides_the_default_even_where_it_allows_more():
    own = installed(1, 25, purpose=TX, ref=REF, duration_s=60)
    assert steps(own, installed(2, 10)) == [(0, 25.0), (60, 10.0)]


def test_the_profile_of_another_transaction_does_not_count():
    other = installed(1, 8, purpose=TX, ref=REF + 1)
    assert steps(other) == [(0, 32.0)]
    assert steps(installed(1, 8, purpose=TX, ref=REF), ref=None) == [(0, 32.0)]


def test_the_default_of_a_connector_comes_before_that_of_all_connectors():
    here_only = installed(1, 12, at=1, duration_s=60)
    everywhere = installed(2, 10, at=0, level=5)
    elsewhere = installed(3, 8, at=2)
    assert steps(here_only, everywhere, elsewhere) == [(0, 12.0), (60, 10.0)]


def test_a_profile_counts_from_valid_from_until_before_valid_to():
    profile = installed(1, 10, valid_from_s=NOON_S + 100, valid_to_s=NOON_S + 200)
    assert steps(profile) == [(0, 32.0), (100, 10.0), (200, 32.0)]


def test_an_absolute_schedule_does_not_count_before_its_begin():
    assert steps(installed(1, 10, begins_at_s=NOON_S + 300)) == [(0, 32.0), (300, 10.0)]


def test_a_relative_schedule_counts_from_the_begin_of_the_transaction():
    profile = installed(1, 10, (120, 16), kind=RELATIVE)
    assert steps(profile, begun=NOON_S - 60) == [(0, 10.0), (60, 16.0)]


def test_a_daily_schedule_begins_anew_each_day_and_leaves_the_rest_to_lower_levels():
    night = installed(
        1, 8, level=1, kind=RECURRING, recurrency=Recurrency.DAILY, duration_s=3600,
        begins_at_s=NOON_S + 5 * DAY_S + 600,
    )  # fmt: skip
    found = steps(night, installed(2, 20), seconds=DAY_S + 1200)
    assert found == [
        *((0, 20.0), (600, 8.0), (4200, 20.0)),
        (DAY_S + 600, 8.0),
    ]


def test_what_is_longer_than_its_recurrence_is_not_executed():
    weekly = installed(
        1, 8, (8 * DAY_S, 31), kind=RECURRING, recurrency=Recurrency.WEEKLY, duration_s=9 * DAY_S
    )
    assert steps(weekly, seconds=10 * DAY_S) == [(0, 8.0)]


def test_equal_neighbours_are_one_period():
    assert steps(installed(1, 10, (60, 10), (120, 10.0))) == [(0, 10.0)]


@pytest.mark.parametrize(
    ("unit", "limit", "phases", "wiring", "amperes"),
    [
        (AMPERE, 16.0, 3, THREE_PHASES, 16.0),
        (AMPERE, 16.0, 3, ONE_PHASE, 16.0),  # errata 3.34: not divided by phases that are not there
        (WATT, 11_040.0, None, THREE_PHASES, 16.0),
        (WATT, 3_680.0, None, ONE_PHASE, 16.0),
        (WATT, 3_680.0, 1, THREE_PHASES, 5.3),  # it would draw three times that of 16 A
        (WATT, 11_040.0, 2, THREE_PHASES, 16.0),
        (WATT, 5_000.0, None, THREE_PHASES, 7.2),  # 7.246: never rounded up
    ],
)
def test_watts_are_all_phases_together_and_amperes_one_of_them(
    unit, limit, phases, wiring, amperes
):
    profile = installed(1, limit, unit=unit, phases=phases)
    schedule = connector_schedule([profile], here(wiring), AMPERE, NOON_S, 60)
    assert schedule.periods[0].limit == amperes


@pytest.mark.parametrize(("unit", "first"), [(AMPERE, 10.0), (WATT, 6_900.0)])
def test_the_phases_that_are_wired_are_told_because_none_is_switched_off(unit, first):
    profile = installed(1, 10, phases=1, duration_s=60)
    schedule = connector_schedule([profile], here(), unit, NOON_S, 600)
    last = 32.0 if unit is AMPERE else 22_080.0
    assert [(p.limit, p.phases) for p in schedule.periods] == [(first, 3), (last, 3)]


def test_a_schedule_of_more_periods_than_an_answer_holds_ends_where_they_end():
    every_minute = tuple((60 * number, 6 + number % 2) for number in range(100))
    daily = installed(
        1, *every_minute, kind=RECURRING, recurrency=Recurrency.DAILY, duration_s=6000
    )
    schedule = connector_schedule([daily], here(), AMPERE, NOON_S, 40 * DAY_S)
    assert len(schedule.periods) == PERIODS_MAX
    assert schedule.periods[-1].starts_s < schedule.duration_s < 40 * DAY_S


def test_changes_that_nobody_sees_are_looked_at_only_so_often():
    hidden = installed(
        1, 40, *((second, 40) for second in range(1, 100)),
        kind=RECURRING, recurrency=Recurrency.DAILY,
    )  # fmt: skip
    schedule = connector_schedule([hidden], here(), AMPERE, NOON_S, 366 * DAY_S)
    assert [p.limit for p in schedule.periods] == [32.0]
    assert schedule.duration_s == pytest.approx(CHANGES_MAX // 100 * DAY_S, abs=DAY_S)


def test_a_schedule_ends_after_a_year_and_a_day():
    schedule = connector_schedule([], here(), AMPERE, NOON_S, 10**12)
    assert schedule.duration_s == 366 * DAY_S


def test_absolute_profiles_that_are_over_do_not_count_any_more():
    profile = installed(1, 10, kind=ABSOLUTE, begins_at_s=NOON_S - 120, duration_s=120)
    assert steps(profile) == [(0, 32.0)]
