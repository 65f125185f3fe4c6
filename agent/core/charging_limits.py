"""Which charging profile prevails at an instant, what it allows, and until when (OCPP 1.6, 3.13.3).

Pure arithmetic over seconds since 1970. Between purposes the lowest limit counts; within a purpose
the highest stackLevel that defines a limit at that instant, not the lowest one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.charging_profiles import (
    CHARGE_POINT,
    ChargingProfile,
    InstalledProfile,
    Period,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    Recurrency,
)

CURRENT_MIN_A = 6.0  # IEC 61851-1: nothing between 0 and 6 A can be offered; below means pause
_RECURS_S = {Recurrency.DAILY: 86_400, Recurrency.WEEKLY: 7 * 86_400}


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a connector can carry, and how amperes become watts."""

    max_current_a: float
    phases: int
    nominal_voltage_v: float  # of the region, never the measured one (OCPP 1.6 section 7.12)


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit in both units."""

    current_a: float  # per phase
    power_w: float  # all phases together
    phases: int
    least_a: float = 0.0  # below this charging is inefficient

    def in_unit(self, unit: RateUnit) -> float:
        """The limit in this unit."""
        return self.current_a if unit is RateUnit.AMPERE else self.power_w


@dataclass(frozen=True, slots=True)
class Session:
    """Whose limit is asked for. ``ref`` None: no session runs there."""

    connector_id: int
    ref: int | None
    begun_s: float  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Plan:
    """The profiles that count for one place, stack by stack, the one that wins first."""

    stacks: tuple[tuple[ChargingProfile, ...], ...]
    begun_s: float  # what a Relative profile counts from
    wiring: Wiring


# A limit, or none, and the time at which that may change; infinite: never.
Allowance = tuple[Rate | None, float]
# What each profile allows by itself, and until when it does.
Memory = dict[int, Allowance]


def wired_rate(wiring: Wiring) -> Rate:
    """What the wiring itself allows."""
    power_w = wiring.max_current_a * wiring.nominal_voltage_v * wiring.phases
    return Rate(wiring.max_current_a, power_w, wiring.phases)


def session_plan(installed: Sequence[InstalledProfile], session: Session, wiring: Wiring) -> Plan:
    """The profiles for transactions that count for this session: its own, else default ones.

    In a gap of the one the next of these counts: TxProfile, TxDefaultProfile of the connector,
    TxDefaultProfile of the charge point.
    """
    here, ref = session.connector_id, session.ref
    own = () if ref is None else _stack(installed, ProfilePurpose.TX, here, ref)
    default = _stack(installed, ProfilePurpose.TX_DEFAULT, here)
    default_of_all = _stack(installed, ProfilePurpose.TX_DEFAULT, CHARGE_POINT)
    return Plan((own, default, default_of_all), session.begun_s, wiring)


def charge_point_plan(installed: Sequence[InstalledProfile], wiring: Wiring) -> Plan:
    """The profiles that limit all connectors together."""
    stack = _stack(installed, ProfilePurpose.CHARGE_POINT_MAX, CHARGE_POINT)
    return Plan((stack,), 0.0, wiring)


def _stack(
    installed: Sequence[InstalledProfile],
    purpose: ProfilePurpose,
    connector_id: int,
    ref: int | None = None,
) -> tuple[ChargingProfile, ...]:
    found = [
        one.profile
        for one in installed
        if one.profile.purpose is purpose
        and one.connector_id == connector_id
        and one.transaction_ref == ref
    ]
    return tuple(sorted(found, key=lambda profile: -profile.stack_level))


def allowance(plan: Plan, utc_s: float, memory: Memory | None = None) -> Allowance:
    """What the profiles allow at an instant, and until when that cannot change.

    A caller that asks about one plan at times that only grow may keep a ``memory`` for it: then
    profiles are looked into only when what they define can have changed.
    """
    _, rate, until_s = prevailing(plan, utc_s, memory)
    return rate, until_s


def prevailing(
    plan: Plan, utc_s: float, memory: Memory | None = None
) -> tuple[ChargingProfile | None, Rate | None, float]:
    """As ``allowance``, with the profile that says so."""
    known: Memory = {} if memory is None else memory
    until_s = math.inf
    for stack in plan.stacks:
        for profile in stack:
            found = known.get(profile.profile_id)
            if found is None or utc_s >= found[1]:
                found = known[profile.profile_id] = _allowed_by(profile, utc_s, plan)
            rate, changes_s = found
            if changes_s < until_s:
                until_s = changes_s
            if rate is not None:
                return profile, rate, until_s
    return None, None, until_s


def _allowed_by(profile: ChargingProfile, utc_s: float, plan: Plan) -> Allowance:
    period, until_s = defined_at(profile, utc_s, plan.begun_s)
    if period is None:
        return None, until_s
    schedule = profile.schedule
    return rate_of(period.limit, schedule.unit, plan.wiring, schedule.least or 0.0), until_s


def defined_at(
    profile: ChargingProfile, utc_s: float, begun_s: float
) -> tuple[Period | None, float]:
    """The period that this profile defines at an instant, and when that may change at the earliest.

    ``begun_s`` is the time that a Relative profile counts from.
    """
    if profile.valid_from_s is not None and utc_s < profile.valid_from_s:
        return None, profile.valid_from_s
    valid_to_s = math.inf if profile.valid_to_s is None else profile.valid_to_s
    if utc_s >= valid_to_s:
        return None, math.inf
    period, until_s = _scheduled_at(profile, utc_s, begun_s)
    return period, min(until_s, valid_to_s)


def _scheduled_at(
    profile: ChargingProfile, utc_s: float, begun_s: float
) -> tuple[Period | None, float]:
    schedule = profile.schedule
    start_s, again_s = _started(profile, utc_s, begun_s)
    if utc_s < start_s:
        return None, start_s
    end_s = math.inf if schedule.duration_s is None else start_s + schedule.duration_s
    if utc_s >= end_s:
        return None, again_s  # errata 3.43: until it begins anew, as if it were not there
    # 0: before the first period, for which nothing is said (section 7.14).
    index = bisect_right(schedule.periods, utc_s - start_s, key=_starts_s)
    next_s = math.inf
    if index < len(schedule.periods):
        next_s = start_s + schedule.periods[index].starts_s
    # Errata 3.44: what is longer than the recurrence is not executed.
    return schedule.periods[index - 1] if index else None, min(next_s, end_s, again_s)


def _starts_s(period: Period) -> int:
    return period.starts_s


def _started(profile: ChargingProfile, utc_s: float, begun_s: float) -> tuple[float, float]:
    """When the schedule began last, and when it begins anew; infinite: never."""
    if profile.counts_from_its_effect:
        moments_s = (begun_s, profile.in_effect_s or 0, profile.valid_from_s or 0)
        return max(moments_s), math.inf
    if profile.kind is ProfileKind.RELATIVE:
        return begun_s, math.inf
    assert profile.schedule.begins_at_s is not None
    begins_at_s = profile.schedule.begins_at_s
    if profile.recurrency is None or profile.kind is ProfileKind.ABSOLUTE:
        return begins_at_s, math.inf
    # Times before startSchedule are counted backwards: that names a time of day, or of the week.
    recurs_s = _RECURS_S[profile.recurrency]
    start_s = begins_at_s + (utc_s - begins_at_s) // recurs_s * recurs_s
    return start_s, start_s + recurs_s


def rate_of(limit: float, unit: RateUnit, wiring: Wiring, least: float = 0.0) -> Rate:
    """A limit in both units, by the phases that are wired, whatever numberPhases says.

    A vehicle draws what it is offered on every phase that it has, and none is switched off for it
    (ConnectorSwitch3to1PhaseSupported is false): watts for one phase are watts altogether. Errata
    3.34: so is a limit for more phases than there are; amperes are those of one phase.
    """
    phases = wiring.phases
    watts_per_ampere = wiring.nominal_voltage_v * phases
    if unit is RateUnit.AMPERE:
        return Rate(limit, limit * watts_per_ampere, phases, least)
    return Rate(limit / watts_per_ampere, limit, phases, least / watts_per_ampere)


def rounded_down(limit: float) -> float:
    """The limit with one decimal, never above it (but for the noise of a conversion)."""
    return math.floor(limit * 10 + 1e-6) / 10


@dataclass(frozen=True, slots=True)
class Demand:
    """What one session could use. Amperes per phase."""

    connector_id: int
    least_a: float  # with less it does not charge
    most_a: float


def share(total_a: float, claims: Sequence[Demand]) -> dict[int, float]:
    """The share of each connector; their sum is never above the total. The oldest claim first."""
    shares = {claim.connector_id: 0.0 for claim in claims}
    left_a = total_a
    served = []
    for claim in claims:
        if claim.least_a <= claim.most_a and claim.least_a <= left_a:
            served.append(claim)
            shares[claim.connector_id] = claim.least_a
            left_a -= claim.least_a
    # Who can use least is given first, so that the others divide what he leaves.
    served.sort(key=lambda claim: claim.most_a - claim.least_a)
    for number, claim in enumerate(served):
        extra_a = min(left_a / (len(served) - number), claim.most_a - claim.least_a)
        shares[claim.connector_id] += extra_a
        left_a -= extra_a
    return {connector_id: rounded_down(given_a) for connector_id, given_a in shares.items()}
