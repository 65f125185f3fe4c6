"""Charging profiles as values, and what may be installed (OCPP 1.6 sections 3.13, 5.16, 7.8 ff).

Times of day are whole seconds since 1970-01-01 UTC, so that a schedule is arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.core.configuration import Configuration
from agent.core.key_enum import KeyEnum

CHARGE_POINT = 0  # connectorId of the charge point and all its connectors
ID_MAX = 2**53  # larger numbers are not exact in every JSON reader, nor in the database
SECONDS_MAX = 10**9  # of an offset or a duration: 31 years
PHASES_MAX = 3


class ProfilePurpose(KeyEnum):
    """What a profile limits (OCPP 1.6 section 7.11)."""

    CHARGE_POINT_MAX = "ChargePointMaxProfile"  # the sum of all connectors
    TX_DEFAULT = "TxDefaultProfile"  # every transaction without a profile of its own
    TX = "TxProfile"  # one transaction


class ProfileKind(KeyEnum):
    """What the schedule's time counts from (OCPP 1.6 section 7.10)."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"  # to the beginning of the transaction


class Recurrency(KeyEnum):
    """How often a recurring schedule begins anew (OCPP 1.6 section 7.41)."""

    DAILY = "Daily"
    WEEKLY = "Weekly"


class RateUnit(KeyEnum):
    """What a limit is given in (OCPP 1.6 section 7.12)."""

    AMPERE = "A"  # per phase
    WATT = "W"  # all phases together


# As ChargingScheduleAllowedChargingRateUnit names them (errata 3.88).
UNIT_NAMES = {"Current": RateUnit.AMPERE, "Power": RateUnit.WATT}


@dataclass(frozen=True, slots=True)
class Period:
    """One limit from ``starts_s`` seconds after the schedule's begin on, until the next period."""

    starts_s: int
    limit: float  # in the unit of its schedule
    phases: int | None = None  # None: 3 (OCPP 1.6 section 7.14)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Limits over time. ``duration_s`` None: the last period goes on."""

    unit: RateUnit
    periods: tuple[Period, ...]
    duration_s: int | None = None
    begins_at_s: int | None = None  # None: with the transaction, or when it came into effect
    least: float | None = None  # minChargingRate: below this charging is inefficient; a hint


@dataclass(frozen=True, slots=True)
class ChargingProfile:
    """A charging profile as the central system wrote it (OCPP 1.6 section 7.8)."""

    profile_id: int
    stack_level: int
    purpose: ProfilePurpose
    kind: ProfileKind
    schedule: Schedule
    recurrency: Recurrency | None = None
    valid_from_s: int | None = None
    valid_to_s: int | None = None
    transaction_id: int | None = None  # the one it is meant for, if the central system said so
    in_effect_s: int | None = None  # from when on, where its schedule may count from that

    @property
    def counts_from_its_effect(self) -> bool:
        """True if nothing but its coming into effect says when the schedule begins.

        OCPP 1.6 section 7.13: an absolute schedule without startSchedule. And 7.10: where there is
        no transaction to be relative to, the charge point chooses the moment.
        """
        if self.kind is ProfileKind.RELATIVE:
            return self.purpose is ProfilePurpose.CHARGE_POINT_MAX
        return self.schedule.begins_at_s is None


@dataclass(frozen=True, slots=True)
class InstalledProfile:
    """A profile, and where it counts: connector 0 is the charge point.

    ``transaction_ref`` is our own name for the session of a TxProfile: a transactionId may be that
    of two sessions, and is not known before StartTransaction was answered.
    """

    profile: ChargingProfile
    connector_id: int
    transaction_ref: int | None = None


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which profiles are meant (OCPP 1.6 section 6.11): all that fit every field that is given."""

    profile_id: int | None = None  # given: the other fields do not count (errata 3.25)
    connector_id: int | None = None
    purpose: ProfilePurpose | None = None
    stack_level: int | None = None

    def fits(self, installed: InstalledProfile) -> bool:
        """True if this profile is meant."""
        profile = installed.profile
        if self.profile_id is not None:
            return profile.profile_id == self.profile_id
        return (
            self.connector_id in (None, installed.connector_id)
            and self.purpose in (None, profile.purpose)
            and self.stack_level in (None, profile.stack_level)
        )


def mistake_in(profile: ChargingProfile, configuration: Configuration) -> str:
    """Why this profile cannot be installed anywhere, in words; empty: it can."""
    schedule = profile.schedule
    if abs(profile.profile_id) > ID_MAX:
        return "chargingProfileId is out of range"
    if not 0 <= profile.stack_level <= configuration.integer("ChargeProfileMaxStackLevel"):
        return "stackLevel is not one from 0 to ChargeProfileMaxStackLevel"
    allowed = configuration.text("ChargingScheduleAllowedChargingRateUnit").split(",")
    if schedule.unit not in (UNIT_NAMES[name] for name in allowed):
        return "chargingRateUnit is not one of ChargingScheduleAllowedChargingRateUnit"
    if len(schedule.periods) > configuration.integer("ChargingScheduleMaxPeriods"):
        return "there are more periods than ChargingScheduleMaxPeriods"
    if schedule.duration_s is not None and not 0 <= schedule.duration_s <= SECONDS_MAX:
        return "duration is out of range"
    return _mistake_in_kind(profile) or _mistake_in_periods(schedule.periods)


def _mistake_in_kind(profile: ChargingProfile) -> str:
    if profile.kind is not ProfileKind.RECURRING:
        return ""
    if profile.schedule.begins_at_s is None:
        return "a profile of kind Recurring needs startSchedule"
    return "a profile of kind Recurring needs recurrencyKind" if profile.recurrency is None else ""


def _mistake_in_periods(periods: tuple[Period, ...]) -> str:
    starts_s = [period.starts_s for period in periods]
    if not periods:
        return "there is no chargingSchedulePeriod"
    if starts_s[0] < 0:
        return "the first startPeriod is below 0"
    if starts_s != sorted(set(starts_s)) or starts_s[-1] > SECONDS_MAX:
        return "the startPeriods do not grow, or are out of range"
    if any(period.limit < 0 for period in periods):
        return "a limit is below 0"
    if any(period.phases not in (None, 1, 2, PHASES_MAX) for period in periods):
        return "numberPhases is not one of 1, 2, 3"
    return ""


def replaced_by(
    new: InstalledProfile, installed: Iterable[InstalledProfile]
) -> list[InstalledProfile]:
    """The profiles that the new one takes the place of (OCPP 1.6 sections 5.16.3 and 5.16.4).

    Those of the same id, wherever, and of the same purpose and stackLevel at the same place.
    """
    return [old for old in installed if _is_same_id(old, new) or _is_same_place(old, new)]


def _is_same_id(old: InstalledProfile, new: InstalledProfile) -> bool:
    return old.profile.profile_id == new.profile.profile_id


def _is_same_place(old: InstalledProfile, new: InstalledProfile) -> bool:
    return (
        old.profile.purpose is new.profile.purpose
        and old.profile.stack_level == new.profile.stack_level
        and old.connector_id == new.connector_id
    )
