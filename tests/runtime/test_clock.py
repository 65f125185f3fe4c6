"""A wall clock that nobody trusts until somebody says what time it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from agent.core.values import Instant
from agent.runtime.clock import SystemClock, is_kernel_clock_synchronized, this_boot_id

BOOT = datetime(1970, 1, 1, 0, 0, 30, tzinfo=UTC)
TRUE_TIME = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Machine:
    """The clocks of a machine, to be turned by hand."""

    monotonic_s: float = 30.0
    wall: datetime = BOOT
    is_synchronized: bool = False

    def __post_init__(self) -> None:
        self.clock = SystemClock(
            lambda: self.monotonic_s, lambda: self.wall, lambda: self.is_synchronized
        )

    def pass_time(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.wall += timedelta(seconds=seconds)


def test_both_clocks_are_read_together():
    machine = Machine()
    machine.pass_time(10)
    now = machine.clock.now()
    assert (now.monotonic_s, now.utc) == (40.0, BOOT + timedelta(seconds=10))


def test_what_the_central_system_says_replaces_a_wall_clock_that_is_years_off(caplog):
    caplog.set_level("INFO")
    machine = Machine()
    machine.clock.learn(TRUE_TIME)
    assert machine.clock.now().utc == TRUE_TIME
    machine.pass_time(3600)
    assert machine.clock.now().utc == TRUE_TIME + timedelta(hours=1)
    assert "clock set by the central system" in caplog.text


def test_a_clock_that_is_set_by_hand_is_no_longer_kept_from_that_moment_on():
    machine = Machine(wall=TRUE_TIME, is_synchronized=True)
    machine.clock.now()
    machine.pass_time(0.5)  # it was asked a moment ago whether somebody keeps the clock
    machine.wall, machine.is_synchronized = BOOT, False
    machine.pass_time(0.1)
    now = machine.clock.now()
    assert (now.utc, now.is_trusted) == (TRUE_TIME + timedelta(seconds=0.6), True)


def test_a_time_service_may_correct_the_clock_by_a_step():
    machine = Machine(wall=TRUE_TIME, is_synchronized=True)
    machine.clock.now()
    machine.wall += timedelta(minutes=2)
    machine.pass_time(0.1)
    assert machine.clock.now().utc == TRUE_TIME + timedelta(minutes=2, seconds=0.1)


@pytest.mark.parametrize("time", [TRUE_TIME, BOOT + timedelta(seconds=1)], ids=["far", "near"])
@pytest.mark.parametrize("jump", [timedelta(days=-700), timedelta(days=700)])
def test_a_jump_of_the_wall_clock_does_not_matter_after_learning(time, jump):
    machine = Machine()
    machine.clock.learn(time)
    before = machine.clock.now().utc
    machine.wall += jump
    machine.pass_time(5)
    assert machine.clock.now().utc == before + timedelta(seconds=5)


def test_the_clock_does_not_step_for_the_delay_of_a_message():
    machine = Machine()
    machine.clock.learn(TRUE_TIME)
    machine.pass_time(60)
    machine.clock.learn(TRUE_TIME + timedelta(seconds=59))
    assert machine.clock.now().utc == TRUE_TIME + timedelta(seconds=60)


def test_drift_is_corrected_when_it_has_grown():
    machine = Machine()
    machine.clock.learn(TRUE_TIME)
    machine.pass_time(86_400)
    time = TRUE_TIME + timedelta(days=1, seconds=5)
    machine.clock.learn(time)
    assert machine.clock.now().utc == time


def test_a_synchronized_system_clock_wins():
    machine = Machine(wall=TRUE_TIME, is_synchronized=True)
    machine.clock.learn(TRUE_TIME + timedelta(hours=5))
    assert machine.clock.now().utc == TRUE_TIME


def test_a_system_clock_that_becomes_synchronized_takes_over():
    machine = Machine()
    machine.clock.learn(TRUE_TIME + timedelta(seconds=30))
    machine.pass_time(1)
    machine.wall, machine.is_synchronized = TRUE_TIME, True
    machine.clock.learn(TRUE_TIME + timedelta(seconds=30))
    assert machine.clock.now().utc == TRUE_TIME


def test_the_clocks_of_this_machine_run_forwards():
    clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert second.monotonic_s >= first.monotonic_s
    assert first.utc.tzinfo is UTC


# --- belief and knowledge ------------------------------------------------------------------------


def test_the_clock_is_a_belief_until_somebody_says_what_time_it_is():
    machine = Machine()
    assert not machine.clock.now().is_trusted
    machine.clock.learn(BOOT + timedelta(seconds=1))  # confirmed, within the noise
    assert machine.clock.now().is_trusted


@pytest.mark.parametrize("jump", [timedelta(days=-700), timedelta(days=20_000)])
def test_a_clock_that_nobody_trusts_does_not_jump_either(jump):
    machine = Machine()
    before = machine.clock.now()
    machine.wall += jump
    machine.pass_time(5)
    now = machine.clock.now()
    assert (now.utc - before.utc, now.is_trusted) == (timedelta(seconds=5), False)


def test_a_time_service_makes_the_clock_trusted_without_a_central_system():
    machine = Machine()
    assert not machine.clock.now().is_trusted
    machine.pass_time(1)
    machine.wall, machine.is_synchronized = TRUE_TIME, True
    assert machine.clock.now() == Instant(31.0, TRUE_TIME, is_trusted=True)


def test_the_time_is_kept_when_the_time_service_goes_away():
    machine = Machine(wall=TRUE_TIME, is_synchronized=True)
    machine.clock.now()
    machine.pass_time(60)
    machine.is_synchronized = False
    machine.wall = BOOT
    assert machine.clock.now() == Instant(90.0, TRUE_TIME + timedelta(seconds=60))


@pytest.mark.parametrize("is_known", [True, False])
def test_a_clock_goes_on_with_what_an_earlier_process_of_this_boot_knew(is_known):
    machine = Machine()
    machine.clock.now()
    machine.clock.believe(TRUE_TIME, is_known)
    assert machine.clock.now() == Instant(30.0, TRUE_TIME + timedelta(seconds=30), is_known)


def test_this_boot_has_a_name_and_the_kernel_says_whether_its_clock_is_kept():
    assert this_boot_id() == this_boot_id()
    assert is_kernel_clock_synchronized() in (True, False)
