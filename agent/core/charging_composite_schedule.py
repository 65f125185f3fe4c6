"""What all charging profiles together allow over time: GetCompositeSchedule (OCPP 1.6, 5.7).

Pure: the same rules as for the present limit, asked from change to change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from agent.core.charging_limits import (
    Allowance,
    Memory,
    Plan,
    Rate,
    Session,
    Wiring,
    allowance,
    charge_point_plan,
    rounded_down,
    session_plan,
    wired_rate,
)
from agent.core.charging_profiles import InstalledProfile, Period, RateUnit, Schedule

PERIODS_MAX = 1000  # of one answer; a longer schedule ends where they end
CHANGES_MAX = 20_000  # that are looked at for one answer
DURATION_MAX_S = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Place:
    """A connector: who charges there, and what its wiring and its operator allow now."""

    session: Session
    wiring: Wiring
    caps: tuple[Allowance, ...] = ()  # what else holds there, and until when


def connector_schedule(
    installed: Sequence[InstalledProfile],
    place: Place,
    unit: RateUnit,
    now_s: int,
    duration_s: int,
    caps: Sequence[Allowance] = (),
) -> Schedule:
    """What one connector may draw: its session's profiles, the whole box's, and its wiring.

    The limits of the box, its profile and ``caps``, stand in it whole: how they are shared
    depends on who else will charge.
    """
    wired = wired_rate(place.wiring)
    plans: list[tuple[Plan, Memory]] = [
        (session_plan(installed, place.session, place.wiring), {}),
        (charge_point_plan(installed, place.wiring), {}),
    ]

    def lowest(utc_s: float) -> tuple[Rate, float]:
        allowances = [allowance(plan, utc_s, known) for plan, known in plans]
        allowances += _holding((*place.caps, *caps), utc_s)
        return _lowest_of(wired, allowances, unit), _soonest(allowances)

    return _schedule(lowest, unit, now_s, duration_s)


def charge_point_schedule(
    installed: Sequence[InstalledProfile],
    places: Sequence[Place],
    unit: RateUnit,
    now_s: int,
    duration_s: int,
    caps: Sequence[Allowance] = (),
) -> Schedule:
    """What the box may take from the grid: the sum of its connectors, or its own limit if lower.

    ``caps``: what limits all of it besides profiles, and until when.
    """
    wired = [wired_rate(place.wiring) for place in places]
    plans: list[tuple[Plan, Memory]] = [
        (session_plan(installed, place.session, place.wiring), {}) for place in places
    ]
    box_plan, box_known = charge_point_plan(installed, places[0].wiring), Memory()

    def lowest(utc_s: float) -> tuple[Rate, float]:
        own = [
            [allowance(plan, utc_s, known), *_holding(place.caps, utc_s)]
            for (plan, known), place in zip(plans, places, strict=True)
        ]
        drawn = [_lowest_of(most, limits, unit) for most, limits in zip(wired, own, strict=True)]
        of_box = [allowance(box_plan, utc_s, box_known), *_holding(caps, utc_s)]
        return _lowest_of(_sum(drawn), of_box, unit), _soonest(chain(of_box, *own))

    return _schedule(lowest, unit, now_s, duration_s)


def _holding(caps: Iterable[Allowance], utc_s: float) -> list[Allowance]:
    return [(rate, until_s) for rate, until_s in caps if utc_s < until_s]


def _sum(rates: Sequence[Rate]) -> Rate:
    return Rate(
        sum(rate.current_a for rate in rates),
        sum(rate.power_w for rate in rates),
        max(rate.phases for rate in rates),
    )


def _lowest_of(wired: Rate, allowances: Iterable[Allowance], unit: RateUnit) -> Rate:
    rates = [wired, *(rate for rate, _ in allowances if rate is not None)]
    return min(rates, key=lambda rate: (rate.in_unit(unit), rate.phases))


def _soonest(allowances: Iterable[Allowance]) -> float:
    return min(until_s for _, until_s in allowances)


def _schedule(
    lowest: Callable[[float], tuple[Rate, float]], unit: RateUnit, now_s: int, duration_s: int
) -> Schedule:
    """Ask from change to change; equal neighbours are one period."""
    end_s = now_s + min(duration_s, DURATION_MAX_S)
    periods: list[Period] = []
    at_s: float = now_s
    for _ in range(CHANGES_MAX):
        rate, until_s = lowest(at_s)
        period = Period(int(at_s) - now_s, rounded_down(rate.in_unit(unit)), rate.phases)
        if not periods or not _is_same(period, periods[-1]):
            if len(periods) == PERIODS_MAX:
                break
            periods.append(period)
        at_s = min(until_s, end_s)
        if at_s >= end_s:
            break
    return Schedule(unit, tuple(periods), duration_s=int(at_s) - now_s)


def _is_same(one: Period, other: Period) -> bool:
    return (one.limit, one.phases) == (other.limit, other.phases)
