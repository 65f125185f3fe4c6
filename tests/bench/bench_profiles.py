"""Smart charging: the composite schedule of a day, and what profiles cost in every turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from agent.core import charge_point
from agent.core.charging_profiles import (
    ChargingProfile,
    InstalledProfile,
    Period,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    Recurrency,
    Schedule,
)
from agent.core.charging_profiles_applied import composite_schedule
from agent.core.configuration import configuration
from agent.core.events import TimePassed
from agent.core.state import ChargePoint, Charging, Connector, Rules
from agent.core.values import Instant, LockState, Transaction

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = Instant(1000.0, NOON)
DAY_S = 86_400
PROFILES = 20
PERIODS = 24


def run(rounds: int = 200) -> list[tuple[str, str]]:
    """Time the schedule of 24 hours and one turn of the core, with 20 profiles in one stack."""
    state = _charging(_stack())
    label = f"{PROFILES} stacked profiles of {PERIODS} periods"
    day_s = _p50_s(
        lambda: composite_schedule(state, NOW, 1, RateUnit.WATT, DAY_S), max(1, rounds // 10)
    )
    box_s = _p50_s(
        lambda: composite_schedule(state, NOW, 0, RateUnit.WATT, DAY_S), max(1, rounds // 10)
    )
    turn_s = _p50_s(lambda: charge_point.handle(state, TimePassed(), NOW), rounds)
    bare = replace(state, charging_profiles=())
    bare_s = _p50_s(lambda: charge_point.handle(bare, TimePassed(), NOW), rounds)
    return [
        (f"composite schedule of 24 h, {label}, p50", f"{day_s * 1e3:.2f} ms"),
        ("the same for connector 0", f"{box_s * 1e3:.2f} ms"),
        (f"a turn of the core, {label}, p50", f"{turn_s * 1e6:.0f} us"),
        ("a turn of the core without profiles, p50", f"{bare_s * 1e6:.0f} us"),
    ]


def _p50_s(work: Callable[[], object], rounds: int) -> float:
    return statistics.median(_seconds(work) for _ in range(rounds))


def _seconds(work: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    work()
    return time.perf_counter() - begun_s


def _stack() -> tuple[InstalledProfile, ...]:
    """Each level has gaps through which the next one shows, so that all of them are looked at."""
    return tuple(_profile(level) for level in range(PROFILES))


def _profile(level: int) -> InstalledProfile:
    periods = tuple(Period(60 * number, 6.0 + (level + number) % 20) for number in range(PERIODS))
    schedule = Schedule(
        RateUnit.AMPERE,
        periods,
        duration_s=60 * PERIODS,
        begins_at_s=int(NOON.timestamp()) + 4000 * level,
    )
    profile = ChargingProfile(
        profile_id=level,
        stack_level=level,
        purpose=ProfilePurpose.TX_DEFAULT,
        kind=ProfileKind.RECURRING,
        schedule=schedule,
        recurrency=Recurrency.DAILY,
    )
    return InstalledProfile(profile, 1)


def _charging(profiles: tuple[InstalledProfile, ...]) -> ChargePoint:
    session = Transaction(1, 1, "TAG", NOON, NOW.monotonic_s, 0, 0, NOON)
    connector = Connector(1, plugged=True, lock=LockState.LOCKED, phase=Charging(session))
    return ChargePoint(Rules(), configuration(1, {}, {}), (connector,), charging_profiles=profiles)


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
