"""What all charging profiles together allow over time: GetCompositeSchedule (OCPP 1.6, 5.7).

Pure: the same rules as for the present limit, asked from change to change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

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
from agent.core.replace import replace

PERIODS_MAX = 1000  # of one answer; a longer schedule ends where they end
CHANGES_MAX = 20_000  # that are looked at for one answer
DURATION_MAX_S = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Place:
    """A connector: who charges there, and what its wiring and its operator allow now."""

    session: Session
    wiring: Wiring


def connector_schedule(
    installed: Sequence[InstalledProfile], place: Place, unit: RateUnit, now_s: int, duration_s: int
) -> Schedule:
    """What one connector may draw: its session's profiles, the whole box's, and its wiring.

    The limit of the box stands in it whole: how it is shared depends on who else will charge.
    """
    wired = wired_rate(place.wiring)
    plans: list[tuple[Plan, Memory]] = [
        (session_plan(installed, place.session, place.wiring), {}),
        (charge_point_plan(installed, place.wiring), {}),
    ]

    def lowest(utc_s: float) -> tuple[Rate, float]:
        allowances = [allowance(plan, utc_s, known) for plan, known in plans]
        return _lowest_of(wired, allowances, unit), _soonest(allowances)

    return _schedule(lowest, unit, now_s, duration_s)


def charge_point_schedule(
    installed: Sequence[InstalledProfile],
    places: Sequence[Place],
    unit: RateUnit,
    now_s: int,
    duration_s: int,
    supply_a: float | None = None,
) -> Schedule:
    """What the box may take from the grid: the sum of its connectors, or its own limit if lower.

    ``supply_a``: what feeds it can carry, if that may be less than the sum.
    """
    wiring = places[0].wiring
    supply = math.inf if supply_a is None else supply_a
    fed = wired_rate(replace(wiring, max_current_a=supply))
    wired = [wired_rate(place.wiring) for place in places]
    plans: list[tuple[Plan, Memory]] = [
        (session_plan(installed, place.session, place.wiring), {}) for place in places
    ]
    box_plan, box_known = charge_point_plan(installed, wiring), Memory()

    def lowest(utc_s: float) -> tuple[Rate, float]:
        allowances = [allowance(plan, utc_s, known) for plan, known in plans]
        drawn = [_lowest_of(most, [own], unit) for most, own in zip(wired, allowances, strict=True)]
        of_box = allowance(box_plan, utc_s, box_known)
        sum_drawn = _lowest_of(_sum(drawn), [(fed, math.inf)], unit)
        return _lowest_of(sum_drawn, [of_box], unit), _soonest([*allowances, of_box])

    return _schedule(lowest, unit, now_s, duration_s)


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
