"""Clock-aligned meter values: at full multiples of the interval, with whom they belong to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.core import charge_point, followers, meter_values_aligned
from agent.core import events as ev
from agent.core.commands import QueueMessage, ReadMeter
from agent.core.meter_values import next_boundary
from agent.core.state import AlignedAsk, Finished
from agent.core.turn import Turn
from agent.core.values import (
    NO_TRANSACTION,
    ConnectorMeasured,
    Instant,
    LockState,
    PilotState,
    Reading,
    TransactionEnded,
)
from tests.core.story import (
    ALL_PARTS,
    BOOT_S,
    NOON,
    Story,
    a_charge_point,
    a_transaction,
    at,
    charging,
    finish,
    listed,
    messages,
    of,
    play,
    reading,
    tap,
    with_transaction,
)

QUARTER = {"ClockAlignedDataInterval": "900"}


def values(commands) -> list[tuple[int, ConnectorMeasured]]:
    """The meter values that were queued, each with the session it belongs to."""
    queued = of(QueueMessage, commands)
    return [(row.transaction_ref, row.message) for row in queued if is_sample(row.message)]


def is_sample(message) -> bool:
    return isinstance(message, ConnectorMeasured)


def contexts(commands) -> list[str]:
    return [message.values[0].context for _, message in values(commands)]


# --- when ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("utc", "interval_s", "wanted"),
    [
        ("12:00:00", 900, "12:15:00"),  # a boundary is over when it is there
        ("12:14:59.999", 900, "12:15:00"),
        ("12:00:00.5", 1, "12:00:01"),
        ("23:50:00", 900, "24:00:00"),
        ("23:59:59", 50_000, "24:00:00"),  # does not divide a day: begins anew at midnight
        ("13:53:20", 50_000, "24:00:00"),
        ("13:53:19", 50_000, "13:53:20"),
        ("00:00:00", 86_400, "24:00:00"),
    ],
)
def test_boundaries_are_multiples_of_the_interval_from_midnight_utc(utc, interval_s, wanted):
    midnight = datetime(2026, 3, 1, tzinfo=UTC)

    def of_day(text: str) -> datetime:
        hours, minutes, seconds = text.split(":")
        passed = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
        return midnight + passed

    assert next_boundary(of_day(utc), interval_s) == of_day(wanted)


def test_without_an_interval_nothing_is_waited_for():
    story = Story(a_charge_point())
    story.tell(ev.TimePassed())
    assert story.state.aligned_due is None
    assert of(ReadMeter, story.wait(90_000)) == []


def test_values_come_at_every_boundary_and_only_then():
    story = Story(a_charge_point(**QUARTER))
    story.tell(ev.TimePassed())
    assert of(ReadMeter, story.wait(899.9)) == []
    told = []
    for boundary in (900, 1800, 2700):
        assert of(ReadMeter, story.wait(boundary - story.seconds)) == [ReadMeter(1)]
        told += values(story.tell(ev.MeterRead(1, reading(boundary))))
    assert [message.sampled_at for _, message in told] == [
        NOON + timedelta(seconds=seconds) for seconds in (900, 1800, 2700)
    ]


def test_a_new_interval_counts_from_midnight_at_once_and_zero_ends_it():
    story = Story(a_charge_point(**QUARTER))
    story.tell(ev.TimePassed())
    story.wait(100)
    story.tell(ev.ConfigurationChangeRequested("r1", "ClockAlignedDataInterval", "60"))
    assert of(ReadMeter, story.wait(20)) == [ReadMeter(1)]
    story.tell(ev.ConfigurationChangeRequested("r2", "ClockAlignedDataInterval", "0"))
    assert of(ReadMeter, story.wait(600)) == []
    assert story.state.aligned_due is None


def test_nothing_is_aligned_before_it_is_known_what_time_it_is():
    state = a_charge_point(**QUARTER)
    believed = Instant(BOOT_S, NOON, is_trusted=False)
    state, _ = charge_point.handle(state, ev.TimePassed(), believed)
    assert state.aligned_due is None
    state, _ = charge_point.handle(state, ev.TimePassed(), at(1))
    assert state.aligned_due is not None
    assert state.aligned_due.due_s == BOOT_S + 900


@pytest.mark.parametrize("jump_s", [-3600, -2, 2, 600, 86_400 * 365])
def test_a_clock_that_jumps_gives_another_deadline_and_no_false_sample(jump_s):
    state, _ = play(a_charge_point(**QUARTER), ev.TimePassed())
    jumped = Instant(BOOT_S + 450, NOON + timedelta(seconds=450 + jump_s))
    state, commands = charge_point.handle(state, ev.TimePassed(), jumped)
    assert of(ReadMeter, commands) == []
    assert state.aligned_due is not None
    left_s = state.aligned_due.due_s - jumped.monotonic_s
    assert jumped.utc + timedelta(seconds=left_s) == state.aligned_due.boundary
    assert state.aligned_due.boundary == next_boundary(jumped.utc, 900)


def test_a_clock_that_drifts_a_little_makes_no_second_sample_of_one_boundary():
    state, _ = play(a_charge_point(**QUARTER), ev.TimePassed())
    slow = Instant(BOOT_S + 900, NOON + timedelta(seconds=899.5))
    state, commands = charge_point.handle(state, ev.TimePassed(), slow)
    assert of(ReadMeter, commands) == [ReadMeter(1)]
    assert state.aligned_due is not None
    assert state.aligned_due.boundary == NOON + timedelta(seconds=1800)


def test_a_boundary_that_was_slept_through_is_not_made_up():
    state, _ = play(a_charge_point(**QUARTER), ev.TimePassed())
    state, commands = play(state, ev.TimePassed(), seconds=900 + meter_values_aligned.LATE_S + 0.1)
    assert of(ReadMeter, commands) == []
    assert state.aligned_due is not None
    assert state.aligned_due.boundary == NOON + timedelta(seconds=1800)
    _, commands = play(state, ev.TimePassed(), seconds=1800 + meter_values_aligned.LATE_S)
    assert of(ReadMeter, commands) == [ReadMeter(1)]


def test_nothing_is_aligned_before_the_store_has_told_what_was():
    state = replace(a_charge_point(**QUARTER), is_begun=False)
    state, _ = play(state, ev.TimePassed())
    assert state.aligned_due is None


# --- whose ---------------------------------------------------------------------------------------


def test_between_sessions_values_belong_to_none_and_are_queued_all_the_same():
    story = Story(a_charge_point(online=False, **QUARTER))
    story.tell(ev.TimePassed())
    story.wait(900)
    told = values(story.tell(ev.MeterRead(1, replace(reading(1234), power_w=0.0))))
    ((ref, message),) = told
    assert ref == NO_TRANSACTION
    assert [(v.value, v.measurand, v.context) for v in message.values] == [
        ("1234", "Energy.Active.Import.Register", "Sample.Clock"),
        ("0", "Power.Active.Import", "Sample.Clock"),
    ]


def test_every_metered_connector_is_read_and_the_others_are_not():
    state = a_charge_point(connectors=3, **QUARTER)
    blind = replace(state.connectors[1], traits=replace(ALL_PARTS, has_meter=False))
    story = Story(replace(state, connectors=(state.connectors[0], blind, state.connectors[2])))
    story.tell(ev.TimePassed())
    assert of(ReadMeter, story.wait(900)) == [ReadMeter(1), ReadMeter(3)]


def test_in_a_session_they_belong_to_it():
    story = charging(MeterValueSampleInterval="0", **QUARTER)
    story.wait(900 - story.seconds)
    (told,) = values(story.tell(ev.MeterRead(1, reading(1500))))
    assert told[0] == 1
    assert story.connector.transaction is not None
    assert story.connector.transaction.last_wh == 1500


def test_a_sample_and_a_boundary_at_one_moment_give_both_the_older_time_first():
    story = charging(MeterValueSampleInterval="890", **QUARTER)
    story.wait(900 - story.seconds)
    assert story.connector.phase.sample_asked
    read = Reading(1500, NOON + timedelta(seconds=900.2))
    commands = story.tell(ev.MeterRead(1, read))
    assert contexts(commands) == ["Sample.Clock", "Sample.Periodic"]
    times = [message.sampled_at for _, message in values(commands)]
    assert times == [NOON + timedelta(seconds=900), read.read_at]
    assert values(story.tell(ev.MeterRead(1, reading(1501)))) == []


def test_the_session_that_ran_at_the_boundary_counts_not_the_one_that_began_before_the_reading():
    story = Story(a_charge_point(MeterValueSampleInterval="0", **QUARTER))
    story.tell(ev.CablePluggedIn(1))
    story.wait(899)
    story.tell(tap(facts=listed()))
    story.wait(1)
    told = story.tell(ev.MeterRead(1, reading(1000)), ev.LockChanged(1, LockState.LOCKED))
    assert [ref for ref, _ in values(told)] == [NO_TRANSACTION]
    assert story.connector.transaction is not None


def test_values_of_a_session_that_is_over_before_the_reading_comes_are_dropped():
    story = charging(MeterValueSampleInterval="0", **QUARTER)
    story.wait(900 - story.seconds)
    story.state = replace(story.state, connectors=(with_transaction(story.connector, ref=2),))
    assert values(story.tell(ev.MeterRead(1, reading(1500)))) == []
    ask = AlignedAsk(NOON, ref=1)
    over = replace(story.connector, phase=Finished(), aligned_asked=ask)
    turn = Turn(replace(story.state, connectors=(over,)), story.now)
    meter_values_aligned.meter_read(turn, 1, reading(1500))
    assert turn.commands == []
    assert turn.connector(1).aligned_asked is None


def test_a_boundary_in_the_last_seconds_of_a_session_comes_before_its_stop():
    story = charging(MeterValueSampleInterval="0", **QUARTER)
    story.wait(899 - story.seconds)
    story.tell(tap())
    story.wait(1)
    told = messages(finish(story))
    assert [type(message) for message in told] == [ConnectorMeasured, TransactionEnded]


def test_a_session_that_was_found_open_gets_no_values_of_the_present():
    state = replace(a_charge_point(**QUARTER), is_begun=False)
    story = Story(state)
    story.seconds = 899.0
    found = a_transaction(last_at=NOON)
    story.tell(ev.Started((found,)))
    assert story.connector.stop is not None
    story.wait(1)
    assert story.connector.aligned_asked is None


def test_a_meter_that_does_not_answer_gives_no_values():
    story = Story(a_charge_point(**QUARTER))
    story.tell(ev.TimePassed())
    story.wait(900)
    story.tell(ev.MeterFailed(1, "silent"))
    assert values(story.tell(ev.MeterRead(1, reading(1)))) == []


def test_an_empty_list_sends_nothing_in_and_between_sessions():
    empty = {"MeterValuesAlignedData": "", "MeterValueSampleInterval": "0"}
    story = charging(**empty, **QUARTER)
    story.wait(900 - story.seconds)
    assert values(story.tell(ev.MeterRead(1, reading(1500)))) == []
    free = Story(a_charge_point(**empty, **QUARTER))
    free.tell(ev.TimePassed())
    free.wait(900)
    assert values(free.tell(ev.MeterRead(1, reading(1500)))) == []


def test_an_idle_box_without_an_interval_wakes_for_nothing():
    story = Story(a_charge_point())
    story.tell(ev.TimePassed(), ev.PilotChanged(1, PilotState.B), ev.PilotChanged(1, PilotState.A))
    assert followers.next_deadline_s(story.state, story.now) is None
