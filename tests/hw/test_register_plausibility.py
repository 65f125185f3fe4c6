"""What a meter says is believed only if a real meter can have said it."""

from __future__ import annotations

import math

import pytest

from hw.ports import MeterError, MeterReading
from hw.register_plausibility import RegisterPlausibility, WatchedMeter

MAX_POWER_W = 3600.0  # 1 Wh per second, so that allowed steps are easy to read: 2 Wh/s + 20 Wh


class Feed:
    """Feeds a watch with registers at chosen times."""

    def __init__(self) -> None:
        self.watch = RegisterPlausibility(MAX_POWER_W)
        self.offset_wh = 0.0

    def __call__(self, register_wh: float, at_s: float) -> float:
        reading = self.watch.check(MeterReading(import_wh=register_wh), at_s)
        self.offset_wh = reading.offset_wh
        return reading.import_wh

    def told(self, *registers: tuple[float, float]) -> list[float | None]:
        """What is reported of each register; None: it is not used."""
        told: list[float | None] = []
        for register_wh, at_s in registers:
            try:
                told.append(self(register_wh, at_s))
            except MeterError:
                told.append(None)
        return told


def test_a_register_that_grows_is_reported_as_it_is() -> None:
    feed = Feed()
    assert [feed(1000, 0), feed(1002, 2), feed(1002, 4)] == [1000, 1002, 1002]
    assert feed.offset_wh == 0


def test_the_rest_of_the_reading_passes_unchanged() -> None:
    reading = MeterReading(10.0, 3600.0, (230.0,), (16.0,), (3600.0,), 50.0, 0.99)
    assert RegisterPlausibility(MAX_POWER_W).check(reading, 0) == reading


def test_registers_are_rounded_to_whole_wh() -> None:
    feed = Feed()
    assert [feed(1000.4, 0), feed(1000.6, 1)] == [1000, 1001]


@pytest.mark.parametrize("back_to", [999.0, 999.4, 999.6])
def test_a_step_back_by_rounding_is_reported_as_no_step(back_to: float) -> None:
    feed = Feed()
    assert [feed(1000, 0), feed(back_to, 1), feed(1001, 2)] == [1000, 1000, 1001]
    assert feed.offset_wh == 0


def test_many_small_steps_back_do_not_creep() -> None:
    feed = Feed()
    feed(1000, 0)
    assert feed(999, 1) == 1000
    assert feed.told((998, 2), (998, 3), (998, 4)) == [None, None, 1000]
    assert feed.offset_wh == 2


def test_a_replaced_meter_goes_on_from_where_the_old_one_was_once_three_readings_say_so() -> None:
    feed = Feed()
    feed(500_000, 0)
    told = feed.told((3, 600), (3, 602), (5, 604), (10, 610))
    assert told == [None, None, 500_000, 500_005]
    assert feed.offset_wh == 499_995


def test_a_meter_may_be_replaced_more_than_once() -> None:
    feed = Feed()
    feed(1000, 0)
    feed.told((5, 10), (5, 12), (5, 14), (10, 20))
    assert feed.told((0, 30), (0, 32), (0, 34), (4, 40)) == [None, None, 1005, 1009]


# --- from one process to the next ----------------------------------------------------------------


def test_the_register_goes_on_after_a_restart() -> None:
    feed = Feed()
    feed.watch.resume(reported_wh=1_000_500, offset_wh=1_000_000)
    assert feed.told((502, 0), (503, 1)) == [1_000_502, 1_000_503]


def test_a_meter_that_was_reset_while_nobody_looked_does_not_run_backwards() -> None:
    feed = Feed()
    feed.watch.resume(reported_wh=1_000_500, offset_wh=0)
    assert feed.told((7, 0), (7, 2), (7, 4), (9, 6)) == [None, None, 1_000_500, 1_000_502]
    assert feed.offset_wh == 1_000_493


def test_a_meter_that_shows_0_while_both_start_costs_nothing_either() -> None:
    feed = Feed()
    feed.watch.resume(reported_wh=500_000, offset_wh=0)
    told = feed.told((0, 100), (0, 102), (0, 104), (500_004, 106))
    assert told == [None, None, 500_000, 500_004]
    assert feed.offset_wh == 0


@pytest.mark.parametrize("zeros", [1, 2])
def test_a_first_answer_of_0_shifts_nothing(zeros: int) -> None:
    feed = Feed()
    told = feed.told(*((0, 2.0 * n) for n in range(zeros)), (500_000, 10), (500_002, 12))
    assert told == [None] * zeros + [500_000, 500_002]
    assert feed.offset_wh == 0


def test_a_new_meter_is_believed_to_stand_at_0_when_it_says_so_three_times() -> None:
    assert Feed().told((0, 0), (0, 2), (0, 4), (1, 6)) == [None, None, 0, 1]


@pytest.mark.parametrize(
    ("elapsed_s", "step_wh", "is_possible"),
    [
        (0, 20, True),
        (0, 21, False),
        (10, 40, True),
        (10, 41, False),
        (3600, 7220, True),
        (3600, 7221, False),
        (-5, 20, True),
        (-5, 21, False),
    ],
)
def test_a_step_may_be_twice_what_the_fuse_allows_and_no_more(
    elapsed_s: float, step_wh: float, is_possible: bool
) -> None:
    feed = Feed()
    feed(1000, 100)
    if is_possible:
        assert feed(1000 + step_wh, 100 + elapsed_s) == 1000 + step_wh
    else:
        with pytest.raises(MeterError, match=f"jumped from 1000 to {1000 + step_wh} Wh"):
            feed(1000 + step_wh, 100 + elapsed_s)


def test_a_rejected_jump_leaves_no_trace() -> None:
    feed = Feed()
    feed(1000, 0)
    with pytest.raises(MeterError):
        feed(9_000_000, 2)
    assert [feed(1004, 4), feed(1006, 6)] == [1004, 1006]
    assert feed.offset_wh == 0


def test_a_used_meter_with_a_higher_register_is_believed_after_three_readings() -> None:
    feed = Feed()
    feed(1000, 0)
    for register_wh, at_s in ((80_000, 2), (80_002, 4)):
        with pytest.raises(MeterError):
            feed(register_wh, at_s)
    assert [feed(80_004, 6), feed(80_006, 8)] == [1000, 1002]


def test_jumps_that_do_not_agree_with_each_other_are_never_believed() -> None:
    feed = Feed()
    feed(1000, 0)
    for turn, register_wh in enumerate((80_000, 90_000, 70_000, 95_000, 60_000)):
        with pytest.raises(MeterError):
            feed(register_wh, 2 * turn)
    assert feed(1010, 12) == 1010


def test_a_good_reading_between_two_jumps_starts_the_count_again() -> None:
    feed = Feed()
    feed(1000, 0)
    for at_s in (2, 4):
        with pytest.raises(MeterError):
            feed(80_000, at_s)
    feed(1000, 6)
    for at_s in (8, 10):
        with pytest.raises(MeterError):
            feed(80_000, at_s)


@pytest.mark.parametrize("poll_s", [0.5, 2, 60])
@pytest.mark.parametrize("zeros", [1, 2, 3, 10])
def test_a_meter_that_shows_0_for_a_while_costs_nobody_anything(zeros: int, poll_s: float) -> None:
    """What has flowed meanwhile is counted, and nothing is shifted."""
    feed = Feed()
    feed(500_000, 0)
    grown_wh = 500_000 + round((zeros + 1) * poll_s)
    feed.told(*((0, poll_s * (n + 1)) for n in range(zeros)))
    assert feed(grown_wh, poll_s * (zeros + 1)) == grown_wh
    assert feed.offset_wh == 0


def test_a_meter_that_has_counted_since_is_another_one() -> None:
    feed = Feed()
    feed(1000, 0)
    feed.told((0, 2), (0, 4), (0, 6), (1, 8))
    assert feed.told((1030, 10), (1030, 12), (1030, 14)) == [None, None, 1001]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e13])
def test_a_register_that_is_no_number_is_rejected(value: float) -> None:
    feed = Feed()
    assert feed.told((value, 0), (5, 1)) == [None, 5]


def test_a_register_below_zero_is_rejected() -> None:
    with pytest.raises(MeterError, match="-5 Wh as its register"):
        Feed()(-5, 0)


@pytest.mark.parametrize("max_power_w", [0, -1, math.nan, math.inf])
def test_a_watch_without_a_sensible_power_is_refused(max_power_w: float) -> None:
    with pytest.raises(ValueError, match="max_power_w must be above 0"):
        RegisterPlausibility(max_power_w)


class FakeMeter:
    """Gives what it is told to, or fails."""

    def __init__(self) -> None:
        self.register_wh: float | None = 1000.0
        self.odd: list[float] = []  # said first
        self.is_open = True

    def read(self) -> MeterReading:
        if self.register_wh is None:
            raise MeterError("silent")
        return MeterReading(import_wh=self.odd.pop(0) if self.odd else self.register_wh)

    def resume(self, reported_wh: float, offset_wh: float) -> None:
        self.resumed = (reported_wh, offset_wh)

    def shut_down(self) -> None:
        self.is_open = False


def test_a_watched_meter_reports_a_register_that_never_decreases() -> None:
    fake, now_s = FakeMeter(), 0.0
    meter = WatchedMeter("meter", fake, RegisterPlausibility(MAX_POWER_W), lambda: now_s)
    meter.resume(1990.0, 1000.0)
    assert fake.resumed == (1990.0, 1000.0)
    assert meter.read().import_wh == 2000
    fake.register_wh = 3.0
    with pytest.raises(MeterError, match="went back from 1000 to 3 Wh"):
        meter.read()
    fake.register_wh = None
    with pytest.raises(MeterError, match="silent"):
        meter.read()
    fake.register_wh = 1043.0
    with pytest.raises(MeterError, match="jumped"):
        meter.read()
    now_s = 600.0
    assert meter.read().import_wh == 2043
    meter.shut_down()
    assert not fake.is_open


@pytest.mark.parametrize("odd_wh", [0.0, 9_000_000.0])
def test_one_odd_answer_is_asked_for_again_and_fails_nothing(odd_wh: float) -> None:
    fake = FakeMeter()
    meter = WatchedMeter("meter", fake, RegisterPlausibility(MAX_POWER_W), lambda: 0.0)
    meter.read()
    fake.odd = [odd_wh]
    assert meter.read() == MeterReading(1000.0)
    fake.odd = [0.0]
    assert WatchedMeter("meter", fake, RegisterPlausibility(MAX_POWER_W)).read() == MeterReading(
        1000.0
    )
