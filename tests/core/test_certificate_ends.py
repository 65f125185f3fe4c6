"""Certificates whose end matters: which are watched, and when somebody is warned."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core.certificate_ends import ending, next_warning_s, watched
from agent.core.certificates import Certificate, Certificates, InstalledRoot
from agent.core.connection_profile import ConnectionProfile, ConnectionProfiles
from agent.core.own_certificates import OwnCertificates
from agent.core.state import ChargePoint
from tests.core.own_certificates import kept
from tests.core.story import BOOT_S, NOON, a_charge_point, at
from tests.core.test_certificates import BEGIN, BELIEVED, END, MANUFACTURER, OF_FACTORY, A, a_root

LEAF = Certificate("leaf", "cs", BEGIN, END)
OF_FILE = Certificate("own", "CP-1", BEGIN, END)


def knowing(*installed: InstalledRoot, chain: tuple[Certificate, ...] = ()) -> ChargePoint:
    return replace(a_charge_point(), certificates=Certificates(installed, chain))


def own_one(profile: int, **own: Any) -> list[str]:
    """The fingerprints of this box's own that are watched."""
    way = ConnectionProfile("wss://cs.example", profile)
    state = replace(
        knowing(), approaches=ConnectionProfiles(way), own_certificates=OwnCertificates(**own)
    )
    return [c.fingerprint for what, c in watched(state) if what == "this box's own"]


@pytest.mark.parametrize(("days", "warned_before_days"), [(3650, 30), (300, 30), (90, 9), (1, 0.1)])
def test_the_end_is_told_30_days_ahead_or_in_the_last_tenth_of_a_short_life(
    days: int, warned_before_days: float
):
    certificate = Certificate("x", "x", NOON, NOON + timedelta(days=days))
    warned = knowing(chain=(certificate,))
    before_s = (days - warned_before_days) * 86_400
    assert ending(warned, at(before_s - 1)) == ()
    assert [c for _, c in ending(warned, at(before_s))] == [certificate]
    assert next_warning_s(warned, at(0)) == BOOT_S + before_s
    assert next_warning_s(warned, at(before_s)) is None
    assert [c for _, c in ending(warned, at(days * 86_400 + 1))] == [certificate]


def test_a_clock_that_nobody_trusts_warns_of_nothing():
    over = knowing(a_root("A", end=NOON))
    assert ending(over, at(0)) != ()
    assert ending(over, BELIEVED) == ()
    assert next_warning_s(over, replace(BELIEVED, utc=BEGIN)) is None


def test_each_certificate_is_watched_once_and_named():
    both = InstalledRoot(MANUFACTURER, A.certificate)
    state = knowing(A, both, OF_FACTORY, chain=(LEAF, A.certificate))
    state = replace(state, own_certificates=OwnCertificates((kept("own"),)))
    assert [(what, c.fingerprint) for what, c in watched(state)] == [
        ("the central system's own", "leaf"),
        ("authority of the central system", "a"),
        ("this box's own", "own"),
        ("installed ManufacturerRootCertificate", "m"),
    ]


def test_one_that_was_signed_over_ocpp_is_watched_in_every_profile_the_last_only():
    assert own_one(2, kept=(kept("new"), kept("old"))) == ["new"]


def test_one_that_ends_before_the_next_begins_is_watched_until_then():
    end = NOON + timedelta(days=9)
    ahead = kept("ahead", begin=end + timedelta(hours=1))
    assert own_one(3, kept=(ahead, kept("present", end=end))) == ["present"]
    assert own_one(3, kept=(ahead,)) == ["ahead"]


@pytest.mark.parametrize(("profile", "found"), [(2, []), (3, ["own"])])
def test_that_of_the_file_is_watched_where_it_is_shown_and_takes_the_place_of_others(
    profile: int, found: list[str]
):
    assert own_one(profile, kept=(kept("new"),), has_file=True, file=OF_FILE) == found
    assert own_one(profile, kept=(kept("new"),), has_file=True) == []  # it cannot be read
