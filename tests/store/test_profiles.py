"""Charging profiles on disk: as they were, one for each id, and none that limits by mistake."""

from __future__ import annotations

import logging

import pytest

from agent.core.charging_profiles import ID_MAX, InstalledProfile, Recurrency
from agent.core.commands import RemoveChargingProfile, SaveChargingProfile
from agent.store import Store
from tests.core.charging import (
    MAX,
    NOON_S,
    RECURRING,
    RELATIVE,
    TX,
    WATT,
    installed,
)
from tests.store.builders import NOON

PLAIN = installed(1, 10)
FULL = installed(
    -ID_MAX, 11_000.5, (3600, 0), (7200, 22_000),
    at=0, level=3, purpose=MAX, kind=RECURRING, recurrency=Recurrency.WEEKLY, unit=WATT, phases=3,
    valid_from_s=NOON_S - 5, valid_to_s=NOON_S + 5, duration_s=90_000, least=1380.0,
)  # fmt: skip
SINCE = installed(8, 10, at=0, purpose=MAX, begins_at_s=None, in_effect_s=NOON_S)
OWN = installed(7, 6.1, at=2, ref=12, purpose=TX, kind=RELATIVE, transaction_id=-5)


def stored(store: Store) -> tuple[InstalledProfile, ...]:
    return store.load().charging_profiles


def test_a_new_store_has_no_profiles(store: Store):
    assert stored(store) == ()


def test_every_field_is_read_back_as_it_was(store: Store):
    store.commit([SaveChargingProfile(one) for one in (PLAIN, FULL, OWN, SINCE)], NOON)
    assert stored(store) == (FULL, PLAIN, OWN, SINCE)


def test_a_profile_of_the_same_id_takes_the_place_of_the_old_one(store: Store):
    store.commit([SaveChargingProfile(PLAIN)], NOON)
    store.commit([SaveChargingProfile(installed(1, 12, at=2))], NOON)
    assert stored(store) == (installed(1, 12, at=2),)


def test_a_removed_profile_is_gone_and_the_others_stay(store: Store):
    store.commit([SaveChargingProfile(PLAIN), SaveChargingProfile(OWN)], NOON)
    store.commit([RemoveChargingProfile(1), RemoveChargingProfile(99)], NOON)
    assert stored(store) == (OWN,)


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"recurrency": "Hourly"}'])
def test_a_profile_that_nobody_can_read_is_left_out_and_named(store: Store, caplog, text: str):
    store.commit([SaveChargingProfile(PLAIN), SaveChargingProfile(OWN)], NOON)
    store._database.writer.execute(
        "UPDATE charging_profiles SET profile = ? WHERE profile_id = 1", (text,)
    )
    with caplog.at_level(logging.ERROR):
        assert stored(store) == (OWN,)
    assert "charging profile 1 is unreadable" in caplog.text
