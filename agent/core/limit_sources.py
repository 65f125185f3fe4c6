"""Whose limit prevails at a connector, in words: the same for status, page, log and API. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from agent.core import charging_profiles_applied as applied
from agent.core.charging_limits import (
    CURRENT_MIN_A,
    Plan,
    charge_point_plan,
    prevailing,
    rounded_down,
    session_plan,
)
from agent.core.external_limits import ExternalLimit, ExternalSource
from agent.core.key_enum import KeyEnum
from agent.core.replace import replace
from agent.core.state import ChargePoint, Charging, Connector
from agent.core.values import Instant


class LimitSource(KeyEnum):
    """Who or what limits a connector: stable words for programs."""

    WIRING = "wiring"
    CABLE = "cable"
    OPERATOR = "operator"
    CHARGING_PROFILE = "charging_profile"
    HOUSE = ExternalSource.HOUSE.value
    GRID_OPERATOR = ExternalSource.GRID_OPERATOR.value
    RANDOM_DELAY = "random_delay"
    SUPPLY = "supply"  # of all connectors together, as wired


@dataclass(frozen=True, slots=True)
class PrevailingLimit:
    """What a session may draw there, and who says so."""

    current_a: float  # per phase; below 6 A the session pauses
    source: LimitSource
    detail: str

    @property
    def words(self) -> str:
        """The limit as people read it."""
        return f"{self.current_a:g} A: {self.detail}"


EXTERNAL_WORDS = {
    ExternalSource.HOUSE: "the house's energy management",
    ExternalSource.GRID_OPERATOR: "the grid operator",
}


def prevailing_limit(state: ChargePoint, connector: Connector, now: Instant) -> PrevailingLimit:
    """The lowest of all limits; where no session runs, what one would be limited to."""
    own = min(_own_limits(state, connector, now), key=_current_a)
    whole = min(_whole_limits(state, connector, now), key=_current_a, default=own)
    lowest = min(own, whole, key=_current_a)
    has_share = connector.allowed_a is not None and connector.current_a < lowest.current_a
    if not has_share or lowest.current_a < CURRENT_MIN_A:
        return lowest
    # Others have taken the rest of what all connectors may draw.
    part = "a share" if connector.current_a >= CURRENT_MIN_A else "too little is left"
    detail = f"{part} of {rounded_down(whole.current_a):g} A for all connectors: {whole.detail}"
    return replace(whole, current_a=connector.current_a, detail=detail)


def _current_a(limit: PrevailingLimit) -> float:
    return limit.current_a


def _own_limits(
    state: ChargePoint, connector: Connector, now: Instant
) -> Iterator[PrevailingLimit]:
    yield PrevailingLimit(connector.traits.max_current_a, LimitSource.WIRING, "the wiring")
    if connector.cable_a is not None:
        yield PrevailingLimit(connector.cable_a, LimitSource.CABLE, "the cable")
    if connector.limit_a is not None:
        yield PrevailingLimit(connector.limit_a, LimitSource.OPERATOR, "the operator")
    delay = connector.phase.delay if isinstance(connector.phase, Charging) else None
    if delay is not None:  # the profiles are not felt before its end
        left_s = max(0, ceil(delay.until_s - now.monotonic_s))
        detail = f"waits for the random delay, {left_s} s left"
        yield PrevailingLimit(delay.current_a, LimitSource.RANDOM_DELAY, detail)
    else:
        session = applied.session_of(connector, now)
        plan = session_plan(state.charging_profiles, session, applied.wiring_of(connector))
        yield from _of_profiles(plan, now)
    for limit, limit_a in applied.external_limits_a(state, connector):
        yield _of_external(limit, limit_a)


def _whole_limits(
    state: ChargePoint, connector: Connector, now: Instant
) -> Iterator[PrevailingLimit]:
    if state.rules.supply_a is not None:
        yield PrevailingLimit(state.rules.supply_a, LimitSource.SUPPLY, "what feeds the box")
    wiring = applied.wiring_of(connector)
    yield from _of_profiles(charge_point_plan(state.charging_profiles, wiring), now)
    for limit, limit_a in applied.whole_limits_a(state, connector):
        yield _of_external(limit, rounded_down(limit_a))


def _of_profiles(plan: Plan, now: Instant) -> Iterator[PrevailingLimit]:
    profile, rate, _ = prevailing(plan, applied.utc_s_of(now))
    if profile is not None and rate is not None:
        kind = f"{profile.purpose.value}, stack level {profile.stack_level}"
        detail = f"charging profile {profile.profile_id} ({kind}) of the central system"
        limit_a = rounded_down(rate.current_a)
        yield PrevailingLimit(limit_a, LimitSource.CHARGING_PROFILE, detail)


def _of_external(limit: ExternalLimit, limit_a: float) -> PrevailingLimit:
    return PrevailingLimit(limit_a, LimitSource(limit.source.value), EXTERNAL_WORDS[limit.source])
