"""Charging profiles in the database: one row each, the profile itself as JSON."""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import Any

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
from agent.core.commands import RemoveChargingProfile, SaveChargingProfile

logger = logging.getLogger(__name__)


def save_profile(connection: sqlite3.Connection, row: SaveChargingProfile) -> None:
    """Keep a profile, in the place of any with the same id."""
    installed = row.installed
    connection.execute(
        "INSERT OR REPLACE INTO charging_profiles"
        " (profile_id, connector_id, transaction_ref, profile) VALUES (?, ?, ?, ?)",
        (
            installed.profile.profile_id,
            installed.connector_id,
            installed.transaction_ref,
            _encoded(installed.profile),
        ),
    )


def remove_profile(connection: sqlite3.Connection, row: RemoveChargingProfile) -> None:
    """Forget a profile."""
    connection.execute("DELETE FROM charging_profiles WHERE profile_id = ?", (row.profile_id,))


def read_profiles(reader: sqlite3.Connection) -> tuple[InstalledProfile, ...]:
    """Read all of them. An unreadable one is left out, with a warning: the box must start."""
    found = []
    rows = reader.execute(
        "SELECT profile_id, connector_id, transaction_ref, profile FROM charging_profiles"
        " ORDER BY profile_id"
    )
    for profile_id, connector_id, transaction_ref, text in rows.fetchall():
        try:
            profile = _decoded(profile_id, text)
        except (ValueError, KeyError, TypeError) as problem:
            logger.error(
                "charging profile %d is unreadable and limits nothing: %s", profile_id, problem
            )
        else:
            found.append(InstalledProfile(profile, connector_id, transaction_ref))
    return tuple(found)


def _encoded(profile: ChargingProfile) -> str:
    schedule = profile.schedule
    return json.dumps(
        {
            "stack_level": profile.stack_level,
            "purpose": profile.purpose.value,
            "kind": profile.kind.value,
            "recurrency": None if profile.recurrency is None else profile.recurrency.value,
            "valid_from_s": profile.valid_from_s,
            "valid_to_s": profile.valid_to_s,
            "transaction_id": profile.transaction_id,
            "in_effect_s": profile.in_effect_s,
            "unit": schedule.unit.value,
            "duration_s": schedule.duration_s,
            "begins_at_s": schedule.begins_at_s,
            "least": schedule.least,
            "periods": [[p.starts_s, p.limit, p.phases] for p in schedule.periods],
        },
        separators=(",", ":"),
        allow_nan=False,
    )


def _decoded(profile_id: int, text: str) -> ChargingProfile:
    data: dict[str, Any] = json.loads(text)
    recurrency = data["recurrency"]
    return ChargingProfile(
        profile_id=profile_id,
        stack_level=data["stack_level"],
        purpose=ProfilePurpose(data["purpose"]),
        kind=ProfileKind(data["kind"]),
        recurrency=None if recurrency is None else Recurrency(recurrency),
        valid_from_s=data["valid_from_s"],
        valid_to_s=data["valid_to_s"],
        transaction_id=data["transaction_id"],
        in_effect_s=data.get("in_effect_s"),  # 0.1.0 did not write it
        schedule=Schedule(
            unit=RateUnit(data["unit"]),
            duration_s=data["duration_s"],
            begins_at_s=data["begins_at_s"],
            least=data["least"],
            periods=tuple(Period(*period) for period in data["periods"]),
        ),
    )
