"""Charging profiles to tell stories about, and a slow second opinion about what they allow.

``allowed_at`` is written from OCPP 1.6 section 3.13 once more, for one second, without looking at
the agent's own arithmetic: no next change, no search, no sorting.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

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
from tests.core.story import NOON

NOON_S = int(NOON.timestamp())
DAY_S = 86_400
MAX, DEFAULT, TX = ProfilePurpose
ABSOLUTE, RECURRING, RELATIVE = ProfileKind
AMPERE, WATT = RateUnit


def a_schedule(
    *limits: float | tuple[int, float], unit: RateUnit = AMPERE, **more: Any
) -> Schedule:
    """A schedule of (start, limit) pairs; a bare number is a limit from the begin on."""
    pairs = [(0, limit) if isinstance(limit, int | float) else limit for limit in limits]
    phases = more.pop("phases", None)
    return Schedule(unit, tuple(Period(start, limit, phases) for start, limit in pairs), **more)


def a_profile(
    profile_id: int, *limits: float | tuple[int, float], level: int = 0, **more: Any
) -> ChargingProfile:
    """An absolute TxDefaultProfile from noon on, unless told otherwise."""
    fields = {"purpose": DEFAULT, "kind": ABSOLUTE}
    fields |= {name: more.pop(name) for name in list(more) if name in ChargingProfile.__slots__}
    begins = {} if fields["kind"] is RELATIVE else {"begins_at_s": NOON_S}
    return ChargingProfile(
        profile_id=profile_id,
        stack_level=level,
        schedule=a_schedule(*limits, **{**begins, **more}),
        **fields,
    )


def installed(
    profile_id: int,
    *limits: float | tuple[int, float],
    at: int = 1,
    ref: int | None = None,
    **more: Any,
) -> InstalledProfile:
    """A profile at a connector."""
    return InstalledProfile(a_profile(profile_id, *limits, **more), at, ref)


# --- the second opinion --------------------------------------------------------------------------


def period_at(profile: ChargingProfile, second: int, begun: int) -> Period | None:
    """The period of a profile in one second, by trying them all."""
    if profile.valid_from_s is not None and profile.valid_from_s > second:
        return None
    if profile.valid_to_s is not None and profile.valid_to_s <= second:
        return None
    schedule = profile.schedule
    if profile.counts_from_its_effect:
        begun = 0 if profile.purpose is MAX else begun
        begun = max(begun, profile.in_effect_s or 0, profile.valid_from_s or 0)
    match profile.kind:
        case ProfileKind.RELATIVE:
            elapsed = second - begun
        case ProfileKind.ABSOLUTE if schedule.begins_at_s is None:
            elapsed = second - begun
        case ProfileKind.ABSOLUTE:
            elapsed = second - schedule.begins_at_s
        case ProfileKind.RECURRING:
            days = {Recurrency.DAILY: 1, Recurrency.WEEKLY: 7}[profile.recurrency]
            elapsed = (second - schedule.begins_at_s) % (days * DAY_S)
    if elapsed < 0 or (schedule.duration_s is not None and elapsed >= schedule.duration_s):
        return None
    latest = None
    for period in schedule.periods:
        if period.starts_s <= elapsed:
            latest = period
    return latest


def allowed_at(
    profiles: list[InstalledProfile],
    purpose: ProfilePurpose,
    place: int,
    second: int,
    begun: int,
    ref: int | None = None,
) -> tuple[Period, Schedule] | None:
    """The period that counts for one purpose in one second, and its schedule."""
    best = None
    for one in profiles:
        if one.profile.purpose is not purpose or one.connector_id != place:
            continue
        if purpose is TX and one.transaction_ref != ref:
            continue
        period = period_at(one.profile, second, begun)
        if period is not None and (best is None or one.profile.stack_level > best[0]):
            best = (one.profile.stack_level, period, one.profile.schedule)
    return None if best is None else best[1:]


# --- any profiles --------------------------------------------------------------------------------

WINDOW_S = 240  # what happens, happens within these seconds after noon
REF = 7  # of the session on connector 1 that TxProfiles are for

_around = st.integers(-60, WINDOW_S)
_limits = {
    AMPERE: st.integers(0, 400).map(lambda tenths: tenths / 10),
    WATT: st.integers(0, 250_000).map(lambda tenths: tenths / 10),
}


@st.composite
def schedules(draw: st.DrawFn, kind: ProfileKind) -> Schedule:
    """Any schedule that may be installed."""
    unit = draw(st.sampled_from(RateUnit))
    first = draw(st.sampled_from([0, 0, 0, 1, 30]))
    starts = [first, *sorted(draw(st.sets(st.integers(first + 1, WINDOW_S), max_size=4)))]
    has_no_start = kind is RELATIVE or (kind is ABSOLUTE and draw(st.booleans()))
    days = 0 if kind is ABSOLUTE else draw(st.sampled_from([-14, -7, -1, 0, 1, 7]))
    return Schedule(
        unit,
        tuple(
            Period(start, draw(_limits[unit]), draw(st.sampled_from([None, 1, 2, 3])))
            for start in starts
        ),
        duration_s=draw(st.none() | st.integers(0, WINDOW_S)),
        begins_at_s=None if has_no_start else NOON_S + draw(_around) + days * DAY_S,
    )


@st.composite
def sets_of_profiles(draw: st.DrawFn) -> list[InstalledProfile]:
    """Any profiles that may be installed together on a box with two connectors."""
    places = draw(
        st.lists(
            st.tuples(
                st.sampled_from([(MAX, 0), (DEFAULT, 0), (DEFAULT, 1), (DEFAULT, 2), (TX, 1)]),
                st.integers(0, 3),
            ),
            unique=True,
            max_size=8,
        )
    )
    found = []
    for number, ((purpose, place), level) in enumerate(places):
        kind = draw(st.sampled_from(ProfileKind))
        in_effect = st.none() if kind is RECURRING else _around.map(lambda second: NOON_S + second)
        profile = ChargingProfile(
            in_effect_s=draw(in_effect),
            profile_id=number,
            stack_level=level,
            purpose=purpose,
            kind=kind,
            recurrency=draw(st.sampled_from(Recurrency)) if kind is RECURRING else None,
            valid_from_s=draw(st.none() | _around.map(lambda second: NOON_S + second)),
            valid_to_s=draw(st.none() | _around.map(lambda second: NOON_S + second)),
            schedule=draw(schedules(kind)),
        )
        found.append(InstalledProfile(profile, place, REF if purpose is TX else None))
    return found
