import itertools

import pytest

from hw.lock import PulsedLock, SolenoidLock
from hw.lock_sequence import Debouncer, LockTiming
from hw.ports import LockChanged, LockJammed, LockState
from hw.settings import LockSettings

LOCKED, UNLOCKED, MOVING = LockState.LOCKED, LockState.UNLOCKED, LockState.MOVING
MOTOR = LockSettings(driver="motor", lock_pin=5, unlock_pin=6, feedback_pin=13)
SOLENOID = LockSettings(driver="solenoid", pin=5, feedback_pin=13)
STEP_S = 0.01


class Bench:
    """Outputs, a bolt that follows them unless it is stuck, and a timer that rings by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.outputs = {"locking": False, "unlocking": False}
        self.pulses: list[tuple[str, float, float]] = []  # which, from, how long
        self.on_since: dict[str, float] = {}
        self.were_both_on = False
        self.bolt_is_in = False
        self.is_stuck = False
        self.feedback_fails = False
        self.failing_outputs: set[str] = set()
        self.alarms: list[tuple[float, object]] = []
        self.no_threads = False
        self.released = 0

    def output(self, name: str):
        def set_output(is_on: bool) -> None:
            if name in self.failing_outputs:
                raise OSError("the line is gone")
            if is_on and not self.outputs[name]:
                self.on_since[name] = self.now_s
            if self.outputs[name] and not is_on:
                from_s = self.on_since[name]
                self.pulses.append((name, round(from_s - 100, 2), round(self.now_s - from_s, 2)))
            self.outputs[name] = is_on
            self.were_both_on |= all(self.outputs.values())
            self.move()

        return set_output

    def move(self) -> None:
        if not self.is_stuck and any(self.outputs.values()):
            self.bolt_is_in = self.outputs["locking"]

    def read_locked(self) -> bool:
        if self.feedback_fails:
            raise OSError("the line is gone")
        return self.bolt_is_in

    def call_later(self, delay_s: float, function):
        if self.no_threads:
            raise RuntimeError("can't start new thread")
        alarm = (self.now_s + delay_s, function)
        self.alarms.append(alarm)
        return lambda: self.alarms.remove(alarm) if alarm in self.alarms else None

    def release(self) -> None:
        self.released += 1


class SolenoidBench(Bench):
    def move(self) -> None:
        if not self.is_stuck:
            self.bolt_is_in = self.outputs["locking"]


def motor(bench: Bench, settings: LockSettings = MOTOR) -> PulsedLock:
    return PulsedLock(
        "connector 1 lock",
        LockTiming.of(settings),
        lambda: bench.now_s,
        bench.output("locking"),
        bench.output("unlocking"),
        bench.read_locked,
        bench.call_later,
        bench.release,
    )


def solenoid(bench: Bench) -> SolenoidLock:
    return SolenoidLock(
        "connector 1 lock",
        LockTiming.of(SOLENOID),
        lambda: bench.now_s,
        bench.output("locking"),
        bench.read_locked,
        bench.release,
    )


def run(bench: Bench, lock: PulsedLock | SolenoidLock, seconds: float) -> list:
    """Step every 10 ms for so long; return what was reported, and when (s since the start)."""
    reported = []
    until_s = bench.now_s + seconds
    while bench.now_s < until_s:
        bench.now_s += STEP_S
        reported += [(e, round(bench.now_s - 100, 2)) for e in lock.step(bench.now_s)]
    assert not bench.were_both_on, "both directions were driven at once"
    return reported


def test_a_motor_locks_by_one_pulse_then_settles_and_reads_three_samples():
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    assert lock.state is MOVING
    reported = run(bench, lock, 1.0)
    assert bench.pulses == [("locking", 0.0, 0.6)]
    assert reported == [(LockChanged(LOCKED), 0.77)]
    assert lock.state is LOCKED
    assert lock.due_at() is None


def test_a_motor_unlocks_by_one_pulse_the_other_way():
    bench = Bench()
    bench.bolt_is_in = True
    lock = motor(bench)
    assert lock.state is LOCKED
    lock.unlock()
    assert [event for event, _ in run(bench, lock, 1.0)] == [LockChanged(UNLOCKED)]
    assert bench.pulses == [("unlocking", 0.0, 0.6)]


def test_a_motor_rests_eight_times_the_pulse_before_it_moves_again():
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    run(bench, lock, 1.0)
    lock.unlock()
    assert lock.state is LOCKED, "it has not begun to move"
    assert [event for event, _ in run(bench, lock, 6.0)] == [LockChanged(UNLOCKED)]
    assert bench.pulses[1] == ("unlocking", 5.4, 0.6)


def test_unlocking_ends_a_lock_pulse_at_once_and_wins():
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    run(bench, lock, 0.2)
    lock.unlock()
    assert bench.outputs == {"locking": False, "unlocking": False}
    assert [event for event, _ in run(bench, lock, 3.0)] == [LockChanged(UNLOCKED)]
    assert bench.pulses == [("locking", 0.0, 0.2), ("unlocking", 1.8, 0.6)]


def test_a_lock_order_waits_for_the_end_of_an_unlock():
    bench = Bench()
    bench.bolt_is_in = True
    lock = motor(bench)
    lock.unlock()
    run(bench, lock, 0.2)
    lock.lock()
    events = [event for event, _ in run(bench, lock, 10.0)]
    assert events == [LockChanged(UNLOCKED), LockChanged(LOCKED)]
    assert [name for name, _, _ in bench.pulses] == ["unlocking", "locking"]


def test_an_unlock_order_forgets_a_lock_order_that_waits():
    bench = Bench()
    bench.bolt_is_in = True
    lock = motor(bench)
    lock.unlock()
    lock.lock()
    lock.unlock()
    assert [event for event, _ in run(bench, lock, 20.0)] == [LockChanged(UNLOCKED)]


def test_repeating_an_order_under_way_changes_nothing_and_afterwards_confirms_it_again():
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    run(bench, lock, 0.3)
    lock.lock()
    run(bench, lock, 1.0)
    for _ in range(100):
        lock.lock()
    assert [event for event, _ in run(bench, lock, 10.0)] == [LockChanged(LOCKED)]
    assert len(bench.pulses) == 1


def test_a_jammed_bolt_is_relieved_and_tried_three_times_then_reported():
    bench = Bench()
    bench.is_stuck = True
    lock = motor(bench)
    lock.lock()
    reported = run(bench, lock, 60.0)
    assert [event for event, _ in reported] == [LockJammed(LOCKED)]
    names = [name for name, _, _ in bench.pulses]
    assert names == ["locking", "unlocking", "locking", "unlocking", "locking"]
    lengths = [length for name, _, length in bench.pulses if name == "unlocking"]
    assert lengths == [0.15, 0.15]
    starts = [from_s for name, from_s, _ in bench.pulses if name == "locking"]
    assert all(5.0 <= b - a <= 8.0 for a, b in itertools.pairwise(starts))
    assert lock.state is UNLOCKED
    assert lock.due_at() is None


def test_a_bolt_that_comes_free_on_the_second_try_is_locked():
    bench = Bench()
    bench.is_stuck = True
    lock = motor(bench)
    lock.lock()
    run(bench, lock, 2.0)
    bench.is_stuck = False
    assert [event for event, _ in run(bench, lock, 10.0)] == [LockChanged(LOCKED)]


def test_an_unlock_that_jams_is_reported_once_and_tried_every_thirty_seconds_for_ever():
    bench = Bench()
    bench.bolt_is_in = bench.is_stuck = True
    lock = motor(bench)
    lock.unlock()
    assert [event for event, _ in run(bench, lock, 200.0)] == [LockJammed(UNLOCKED)]
    starts = [from_s for _, from_s, _ in bench.pulses]
    assert len(starts) >= 8
    assert all(30.0 <= b - a <= 31.0 for a, b in itertools.pairwise(starts[2:]))
    bench.is_stuck = False
    assert [event for event, _ in run(bench, lock, 31.0)] == [LockChanged(UNLOCKED)]


def test_a_new_unlock_order_after_a_jam_is_answered_anew():
    bench = Bench()
    bench.bolt_is_in = bench.is_stuck = True
    lock = motor(bench)
    lock.unlock()
    run(bench, lock, 20.0)
    lock.unlock()
    assert [event for event, _ in run(bench, lock, 20.0)] == [LockJammed(UNLOCKED)]


def test_a_bolt_moved_by_hand_is_reported_and_the_next_order_drives_again():
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    run(bench, lock, 1.0)
    bench.bolt_is_in = False
    assert run(bench, lock, 0.1) == [(LockChanged(UNLOCKED), 1.03)]
    lock.lock()
    assert [event for event, _ in run(bench, lock, 10.0)] == [LockChanged(LOCKED)]
    assert len(bench.pulses) == 2


def test_a_shaking_feedback_is_not_believed():
    bench = Bench()
    lock = motor(bench)
    for _ in range(50):
        bench.bolt_is_in = not bench.bolt_is_in
        assert run(bench, lock, STEP_S) == []
    assert lock.state is UNLOCKED


def test_a_feedback_that_never_comes_to_rest_after_a_move_is_a_jam_and_not_a_lock():
    bench = Bench()
    bench.bolt_is_in = True
    lock = motor(bench)
    bench.is_stuck = True
    lock.lock()
    events = []
    for _ in range(3000):
        bench.bolt_is_in = not bench.bolt_is_in
        events += run(bench, lock, STEP_S)
    assert [event for event, _ in events] == [LockJammed(LOCKED)]
    assert lock.state is MOVING, "nobody knows where it is"


def test_a_feedback_that_cannot_be_read_confirms_neither_order(caplog):
    bench = Bench()
    lock = motor(bench)
    bench.feedback_fails = True
    lock.lock()
    assert [event for event, _ in run(bench, lock, 30.0)] == [LockJammed(LOCKED)]
    lock.unlock()
    assert LockJammed(UNLOCKED) in [event for event, _ in run(bench, lock, 30.0)]
    assert "connector 1 lock: its feedback cannot be read" in caplog.text


def test_no_pulse_outlives_one_second_when_nobody_steps():
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    [(at_s, end_pulse)] = bench.alarms
    assert at_s == 101.0
    bench.now_s = at_s
    end_pulse()
    assert bench.pulses == [("locking", 0.0, 1.0)]
    assert [event for event, _ in run(bench, lock, 1.0)] == [LockChanged(LOCKED)]


def test_the_limit_of_an_old_pulse_does_not_end_a_new_one():
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    [(_, end_first_pulse)] = bench.alarms
    run(bench, lock, 6.0)
    assert bench.alarms == [], "a pulse that ended takes its alarm along"
    lock.unlock()
    end_first_pulse()
    assert bench.outputs["unlocking"]


def test_without_its_limit_no_pulse_begins(caplog):
    bench = Bench()
    bench.no_threads = True
    lock = motor(bench)
    lock.lock()
    assert [event for event, _ in run(bench, lock, 30.0)] == [LockJammed(LOCKED)]
    assert bench.pulses == []
    assert "its output cannot be driven" in caplog.text


def test_an_output_that_does_not_go_off_is_tried_on_each_step(caplog):
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    run(bench, lock, 0.3)
    bench.failing_outputs = {"locking"}
    run(bench, lock, 1.0)
    assert bench.outputs["locking"]
    assert lock.due_at() is not None
    bench.failing_outputs.clear()
    run(bench, lock, STEP_S)
    assert not bench.outputs["locking"]
    assert "an output cannot be switched off" in caplog.text


def test_a_motor_is_never_driven_while_the_other_direction_is_stuck_on():
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    run(bench, lock, 0.3)
    bench.failing_outputs = {"locking"}
    lock.unlock()
    assert LockJammed(UNLOCKED) in [event for event, _ in run(bench, lock, 30.0)]
    assert not bench.were_both_on


@pytest.mark.parametrize("make", [motor, solenoid])
def test_shutting_down_lets_go_and_releases_once(make):
    bench = Bench()
    lock = make(bench)
    lock.lock()
    lock.shut_down()
    lock.shut_down()
    lock.lock()
    assert bench.outputs == {"locking": False, "unlocking": False}
    assert bench.released == 1
    assert run(bench, lock, 10.0) == []
    assert lock.due_at() is None


def test_a_solenoid_stays_energised_while_locked_and_lets_go_to_unlock():
    bench = SolenoidBench()
    lock = solenoid(bench)
    lock.lock()
    assert [event for event, _ in run(bench, lock, 1.0)] == [LockChanged(LOCKED)]
    assert bench.outputs["locking"]
    assert lock.due_at() is None
    lock.unlock()
    assert not bench.outputs["locking"], "unlocking a solenoid needs no rest"
    assert [event for event, _ in run(bench, lock, 1.0)] == [LockChanged(UNLOCKED)]


def test_a_solenoid_that_jams_is_let_go_in_between_and_at_the_end():
    bench = SolenoidBench()
    bench.is_stuck = True
    lock = solenoid(bench)
    lock.lock()
    assert [event for event, _ in run(bench, lock, 30.0)] == [LockJammed(LOCKED)]
    assert not bench.outputs["locking"]
    assert len(bench.pulses) == 3


def test_a_solenoid_that_falls_in_between_two_tries_is_locked():
    bench = SolenoidBench()
    bench.is_stuck = True
    lock = solenoid(bench)
    lock.lock()
    run(bench, lock, 1.0)
    bench.bolt_is_in = True  # someone pushed the plug home
    assert run(bench, lock, 1.0) == [(LockChanged(LOCKED), 1.03)]
    assert bench.outputs["locking"]


def test_stepping_only_when_something_is_due_reaches_the_same_end():
    bench = Bench()
    lock = motor(bench)
    lock.lock()
    events, steps = [], 0
    while (due_at := lock.due_at()) is not None:
        bench.now_s = max(bench.now_s, due_at)
        events += lock.step(bench.now_s)
        steps += 1
        assert steps < 20
    assert events == [LockChanged(LOCKED)]


def test_a_level_counts_after_three_equal_samples_ten_milliseconds_apart():
    level = Debouncer(False, samples=3, sample_s=0.01)
    for at_s in (0.0, 0.001, 0.002, 0.003):
        level.sample(True, at_s)
    assert not level.value, "samples that lie too close are one"
    level.sample(True, 0.010)
    assert not level.value
    level.sample(True, 0.020)
    assert level.value
    assert level.due_at() is None
