"""Which charging profiles may be installed, which one replaces which, and which ones are meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.charging_profiles import (
    ID_MAX,
    SECONDS_MAX,
    Criteria,
    Period,
    Recurrency,
    mistake_in,
    replaced_by,
)
from agent.core.configuration import configuration
from tests.core.charging import (
    ABSOLUTE,
    DEFAULT,
    MAX,
    RECURRING,
    RELATIVE,
    TX,
    WATT,
    a_profile,
    a_schedule,
    installed,
)

KEYS = configuration(
    1,
    {
        "ChargeProfileMaxStackLevel": "3",
        "ChargingScheduleMaxPeriods": "2",
        "ChargingScheduleAllowedChargingRateUnit": "Current",
    },
    {},
)
GOOD = a_profile(1, 10)


@pytest.mark.parametrize(
    "profile",
    [
        GOOD,
        a_profile(-ID_MAX, 0, (1, 10.5), level=3),
        a_profile(1, 10, kind=RELATIVE),
        a_profile(1, 10, kind=RECURRING, recurrency=Recurrency.WEEKLY),
        a_profile(1, 10, purpose=MAX, duration_s=0),
        a_profile(1, 10, (SECONDS_MAX, 6), purpose=TX, duration_s=SECONDS_MAX),
        a_profile(1, 10, phases=3),
    ],
)
def test_a_profile_that_keeps_the_rules_may_be_installed(profile):
    assert mistake_in(profile, KEYS) == ""


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (a_profile(ID_MAX + 1, 10), "chargingProfileId"),
        (a_profile(1, 10, level=4), "ChargeProfileMaxStackLevel"),
        (a_profile(1, 10, level=-1), "stackLevel"),
        (a_profile(1, 10, (1, 9), (2, 8)), "ChargingScheduleMaxPeriods"),
        (a_profile(1, 10, unit=WATT), "ChargingScheduleAllowedChargingRateUnit"),
        (a_profile(1, 10, duration_s=-1), "duration"),
        (a_profile(1, 10, duration_s=SECONDS_MAX + 1), "duration"),
        (a_profile(1), "no chargingSchedulePeriod"),
        (a_profile(1, (-1, 10)), "first startPeriod"),
        (a_profile(1, 10, (0, 9)), "do not grow"),
        (a_profile(1, 10, (-5, 9)), "do not grow"),
        (a_profile(1, 10, (SECONDS_MAX + 1, 9)), "out of range"),
        (a_profile(1, -0.1), "below 0"),
        (a_profile(1, 10, phases=0), "numberPhases"),
        (a_profile(1, 10, phases=4), "numberPhases"),
        (a_profile(1, 10, kind=RECURRING), "recurrencyKind"),
        (
            a_profile(1, 10, kind=RECURRING, recurrency=Recurrency.DAILY, begins_at_s=None),
            "Recurring needs startSchedule",
        ),
    ],
)
def test_a_profile_that_breaks_a_rule_is_refused_in_words(profile, words):
    assert words in mistake_in(profile, KEYS)


@pytest.mark.parametrize(
    "profile",
    [
        a_profile(1, 10, begins_at_s=None),
        a_profile(1, 10, begins_at_s=None, purpose=MAX),
        a_profile(1, 10, kind=RELATIVE, purpose=MAX),
        a_profile(1, (60, 10)),
    ],
)
def test_what_the_standard_does_not_forbid_is_taken(profile):
    assert mistake_in(profile, KEYS) == ""


def test_watts_are_taken_where_they_are_allowed():
    keys = KEYS.with_value("ChargingScheduleAllowedChargingRateUnit", "Power")
    assert mistake_in(a_profile(1, 10, unit=WATT), keys) == ""
    assert "chargingRateUnit" in mistake_in(GOOD, keys)


@pytest.mark.parametrize(
    ("old", "is_replaced"),
    [
        (installed(9, 8, at=1, level=2), True),
        (installed(5, 8, at=2, level=0, purpose=MAX), True),  # the same id, wherever it is
        (installed(9, 8, at=1, level=1), False),
        (installed(9, 8, at=0, level=2), False),
        (installed(9, 8, at=1, level=2, purpose=TX), False),
    ],
)
def test_the_same_id_or_purpose_and_level_at_the_same_place_is_replaced(old, is_replaced):
    new = installed(5, 10, at=1, level=2)
    assert replaced_by(new, [old]) == [old] * is_replaced


EVERYTHING = [
    installed(1, 8, at=0, purpose=MAX),
    installed(2, 8, at=0, purpose=DEFAULT),
    installed(3, 8, at=1, purpose=DEFAULT, level=1),
    installed(4, 8, at=1, purpose=TX, level=1),
]


@pytest.mark.parametrize(
    ("criteria", "ids"),
    [
        (Criteria(), [1, 2, 3, 4]),
        (Criteria(profile_id=3), [3]),
        (Criteria(profile_id=3, connector_id=0, purpose=TX, stack_level=9), [3]),
        (Criteria(profile_id=9), []),
        (Criteria(connector_id=0), [1, 2]),
        (Criteria(purpose=DEFAULT), [2, 3]),
        (Criteria(stack_level=1), [3, 4]),
        (Criteria(stack_level=1, purpose=TX), [4]),
        (Criteria(connector_id=1, purpose=MAX), []),
    ],
)
def test_a_profile_is_meant_by_its_id_alone_or_by_all_that_is_given(criteria, ids):
    assert [one.profile.profile_id for one in EVERYTHING if criteria.fits(one)] == ids


def test_a_schedule_for_tests_says_what_it_should():
    schedule = a_schedule(10, (60, 8.5), unit=WATT, phases=1)
    assert schedule.periods == (Period(0, 10, 1), Period(60, 8.5, 1))
    assert replace(schedule, unit=WATT) == schedule
    assert GOOD.kind is ABSOLUTE
