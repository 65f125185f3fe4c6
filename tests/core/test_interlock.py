"""The reflex: which readings mean "open now"."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.interlock import Readings, reason_to_abort_test, reason_to_open
from agent.core.values import LockState, PilotState

GOOD = Readings(plugged=True, pilot=PilotState.C, lock=LockState.LOCKED)


@pytest.mark.parametrize(
    "readings", [GOOD, replace(GOOD, pilot=PilotState.D), Readings(), replace(GOOD, plugged=None)]
)
def test_nothing_speaks_against_closing_when_every_part_that_exists_agrees(readings):
    assert reason_to_open(readings) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"plugged": False}, "no plug"),
        ({"pilot": PilotState.A}, "pilot state A"),
        ({"pilot": PilotState.B}, "pilot state B"),
        ({"pilot": PilotState.E}, "pilot state E"),
        ({"pilot": PilotState.F}, "pilot state F"),
        ({"lock": LockState.UNLOCKED}, "the lock is not confirmed"),
        ({"lock": LockState.MOVING}, "the lock is not confirmed"),
        ({"tripped_inputs": ("emergency_stop",)}, "emergency stop"),
        ({"tripped_inputs": ("door", "residual_current")}, "door, residual current"),
    ],
)
def test_each_reading_that_means_open_now_says_why(change, reason):
    assert reason_to_open(replace(GOOD, **change)) == reason


def test_a_safety_input_is_named_before_anything_else():
    everything_wrong = Readings(False, PilotState.F, LockState.UNLOCKED, ("residual_current",))
    assert reason_to_open(everything_wrong) == "residual current"


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        (Readings(), None),
        (Readings(plugged=False, pilot=PilotState.A, lock=LockState.UNLOCKED), None),
        (Readings(plugged=True), "a plug during the self-test"),
        (Readings(pilot=PilotState.B), "a car during the self-test"),
        (Readings(plugged=False, pilot=PilotState.F), "a car during the self-test"),
        (Readings(tripped_inputs=("door",)), "door"),
    ],
)
def test_a_self_test_closes_only_over_an_empty_socket(readings: Readings, reason: str | None):
    assert reason_to_abort_test(readings) == reason
