"""Meter values in StopTransaction: what is kept, what is thinned, what begins and ends them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import events as ev
from agent.core import meter_values_stop
from agent.core.commands import DropSample, EndTransaction, KeepSample, SaveTransaction
from agent.core.meter_values import CLOCK, PERIODIC, REGISTER
from agent.core.turn import Turn
from agent.core.values import (
    Boot,
    Instant,
    MeterSample,
    PilotState,
    Reading,
    SampledValue,
    StopReason,
)
from tests.core.story import (
    ALL_PARTS,
    BOOT_S,
    NOON,
    Story,
    a_charge_point,
    a_transaction,
    charging,
    finish,
    of,
    reading,
    stop_of,
    tap,
)

SAMPLED = {"StopTxnSampledData": REGISTER}
Told = list[tuple[float, str, str]]  # seconds after noon, context, value


def told(samples: tuple[MeterSample, ...]) -> Told:
    return [
        ((sample.sampled_at - NOON).total_seconds(), value.context, value.value)
        for sample in samples
        for value in sample.values
    ]


def read(story: Story, import_wh: int, **fields: object) -> list[object]:
    values = Reading(import_wh, story.now.utc, **fields)
    return story.tell(ev.MeterRead(1, values))


def ended(story: Story, meter_wh: int = 2000) -> Told:
    """The stop data of the session, which the card ends now."""
    story.tell(tap())
    return told(stop_of(finish(story, meter_wh)).samples)


def sample_each_minute(story: Story, minutes: int) -> None:
    for _ in range(minutes):
        story.wait(60)
        read(story, 1000 + int(story.seconds))


# --- what stands in it ---------------------------------------------------------------------------


def test_with_both_lists_empty_there_are_no_meter_values_at_all():
    story = charging()
    sample_each_minute(story, 2)
    assert of(KeepSample, story.commands) == []
    assert ended(story) == []


def test_the_values_of_begin_samples_and_end_stand_in_the_stop():
    story = charging(**SAMPLED)
    sample_each_minute(story, 2)
    assert ended(story) == [
        (0.0, "Transaction.Begin", "1000"),
        (70.0, PERIODIC, "1070"),
        (130.0, PERIODIC, "1130"),
        (130.0, "Transaction.End", "2000"),
    ]


def test_what_the_meter_tells_by_phase_stands_there_with_its_units():
    story = charging(StopTxnSampledData="Current.Import,Voltage.L2,Frequency", facts=None)
    story.tell(tap(), ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    last = Reading(
        1500, story.now.utc, current_a=(6.0, 6.1, 6.123), voltage_v=(230.0, 231.0, 229.5)
    )
    stop = stop_of(story.tell(ev.MeterRead(1, last)))
    (end,) = stop.samples  # the meter told nothing of this at the begin
    assert [(v.measurand, v.phase, v.value, v.unit) for v in end.values] == [
        ("Current.Import", "L1", "6.00", "A"),
        ("Current.Import", "L2", "6.10", "A"),
        ("Current.Import", "L3", "6.12", "A"),
        ("Voltage", "L2-N", "231.0", "V"),
    ]


def test_aligned_values_have_their_own_list_and_both_lists_begin_and_end():
    keys = {"ClockAlignedDataInterval": "60", "StopTxnAlignedData": "Power.Active.Import"}
    story = charging(**SAMPLED, **keys)
    story.wait(50)
    read(story, 1060, power_w=3000.0)
    story.tell(tap(), ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    commands = story.tell(ev.MeterRead(1, Reading(1080, story.now.utc, power_w=0.0)))
    assert told(stop_of(commands).samples) == [
        (0.0, "Transaction.Begin", "1000"),
        (60.0, CLOCK, "3000"),
        (60.0, PERIODIC, "1060"),
        (60.0, "Transaction.End", "1080"),
        (60.0, "Transaction.End", "0"),
    ]


def test_a_list_that_is_set_in_mid_session_gets_its_begin_from_the_record():
    story = charging()
    story.tell(ev.ConfigurationChangeRequested("r1", "StopTxnSampledData", REGISTER))
    sample_each_minute(story, 1)
    assert [context for _, context, _ in ended(story)] == [
        "Transaction.Begin",
        PERIODIC,
        "Transaction.End",
    ]


def test_a_begin_that_nobody_can_tell_any_more_is_left_out():
    story = charging()
    story.tell(ev.ConfigurationChangeRequested("r1", "StopTxnSampledData", "Voltage"))
    assert ended(story) == []


def test_lists_that_are_emptied_in_mid_session_leave_nothing():
    story = charging(**SAMPLED)
    sample_each_minute(story, 1)
    story.tell(ev.ConfigurationChangeRequested("r1", "StopTxnSampledData", ""))
    assert ended(story) == []


def test_a_meter_that_fails_at_the_end_gives_the_register_of_the_bill_and_nothing_else():
    story = charging(StopTxnSampledData=f"{REGISTER},Power.Active.Import")
    story.wait(60)
    read(story, 1500, power_w=3000.0)
    story.tell(tap(), ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    stop = stop_of(story.tell(ev.MeterFailed(1, "silent")))
    assert stop.meter_stop_wh == 1500
    assert told(stop.samples[-1:]) == [(70.0, "Transaction.End", "1500")]


def test_a_box_without_meter_has_nothing_to_tell():
    story = charging(traits=replace(ALL_PARTS, has_meter=False), **SAMPLED)
    story.tell(tap(), ev.PilotChanged(1, PilotState.B))
    assert stop_of(story.tell(ev.ContactorOpened(1))).samples == ()


# --- never too much ------------------------------------------------------------------------------


def test_there_are_never_more_than_the_key_says_and_they_are_spread():
    story = charging(StopTransactionMaxMeterValues="10", **SAMPLED)
    sample_each_minute(story, 100)
    times = [seconds for seconds, _, _ in ended(story)]
    assert len(times) == 10
    assert times[0] == 0.0
    assert times[-2:] == [6010.0, 6010.0]  # the last sample, and the end
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert max(gaps) <= 6010 / 8 * 2.5


@given(
    most=st.integers(4, 12),
    begun=st.booleans(),
    count=st.integers(0, 60),
)
def test_first_and_last_stay_whatever_is_dropped_and_store_and_memory_agree(most, begun, count):
    keys = {"StopTransactionMaxMeterValues": str(most), **SAMPLED}
    turn = Turn(a_charge_point(**keys), Story(a_charge_point()).now)
    transaction = a_transaction()
    if begun:
        transaction = meter_values_stop.begun(turn, transaction, reading(1000))
    stored: dict[int, MeterSample] = {}
    value = (SampledValue("1", REGISTER),)
    for number in range(count):
        transaction = meter_values_stop.keep(
            turn, transaction, NOON + timedelta(seconds=number), value
        )
        seconds = [told((sample,))[0][0] for sample in transaction.samples if sample.values]
        assert seconds[-1] == number
    for command in turn.commands:
        if isinstance(command, KeepSample):
            stored[command.sample.number] = command.sample
        elif isinstance(command, DropSample):
            del stored[command.number]
    assert tuple(stored.values()) == transaction.samples
    whole = meter_values_stop.at_end(
        turn, transaction, 2000, NOON + timedelta(hours=1), None, boot=0
    )
    assert 2 <= len(whole) <= most
    assert whole[0].values[0].context == "Transaction.Begin"
    assert whole[-1].values[0].context == "Transaction.End"


# --- what is written -----------------------------------------------------------------------------


def test_each_sample_is_stored_in_the_commit_of_its_session():
    story = charging(**SAMPLED)
    commands = read_after_a_minute(story)
    kinds = [type(c) for c in commands if isinstance(c, SaveTransaction | KeepSample)]
    assert kinds == [SaveTransaction, KeepSample]
    (kept,) = of(KeepSample, commands)
    assert (kept.ref, kept.sample.number) == (1, 2)
    story.tell(tap())
    assert of(EndTransaction, finish(story)) == [EndTransaction(1, 2000)]


def read_after_a_minute(story: Story) -> list[object]:
    story.wait(60)
    return read(story, 1100)


def test_what_was_stored_of_a_session_that_was_found_open_stands_in_its_stop():
    kept = (
        MeterSample(
            NOON, (SampledValue("1000", REGISTER, "Wh", None, meter_values_stop.BEGIN),), 1
        ),
        MeterSample(NOON + timedelta(seconds=60), (SampledValue("1050", REGISTER, "Wh"),), 4),
    )
    found = a_transaction(last_wh=1050, last_at=NOON + timedelta(seconds=60), samples=kept)
    keys = {"StopTxnSampledData": f"{REGISTER},Power.Active.Import"}
    story = Story(replace(a_charge_point(**keys), is_begun=False))
    story.seconds = 500.0
    story.tell(ev.Started((found,), ending=StopReason.POWER_LOSS))
    stop = stop_of(story.tell(ev.MeterRead(1, replace(reading(1060), power_w=5.0))))
    assert told(stop.samples) == [
        (0.0, "Transaction.Begin", "1000"),
        (60.0, PERIODIC, "1050"),
        (60.0, "Transaction.End", "1060"),
    ]


YEARS = timedelta(days=20_000)


def test_times_that_were_only_believed_are_corrected_in_memory_and_in_the_store():
    boot = Boot(7, "this boot", NOON - YEARS - timedelta(seconds=BOOT_S), is_time_known=False)
    true = MeterSample(NOON - timedelta(days=1), (SampledValue("900", REGISTER),), 1)
    believed = MeterSample(NOON - YEARS, (SampledValue("950", REGISTER),), 2, boot=7)
    running = a_transaction(last_at=NOON - YEARS, boot=7, samples=(true, believed))
    state = a_charge_point(online=False, **SAMPLED)
    state = replace(state, boot=boot, connectors=(replace(state.connectors[0]),))
    turn_state = charging_with(state, running)
    story = Story(turn_state)
    commands = story.tell(ev.TimePassed())
    right = replace(believed, sampled_at=NOON, boot=0)
    assert [c.sample for c in of(KeepSample, commands)] == [true, right]
    assert story.connector.transaction is not None
    assert story.connector.transaction.samples == (true, right)


def charging_with(state, running):
    connector = charging().connector
    connector = replace(connector, phase=replace(connector.phase, transaction=running))
    return replace(state, connectors=(connector,))


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_sample_says_whose_clock_gave_its_time(is_trusted):
    boot = Boot(7, "this boot", NOON - timedelta(seconds=BOOT_S), is_time_known=is_trusted)
    turn = Turn(replace(a_charge_point(**SAMPLED), boot=boot), Instant(BOOT_S, NOON, is_trusted))
    transaction = meter_values_stop.begun(turn, a_transaction(), reading(1000))
    assert transaction.samples[0].boot == (0 if is_trusted else 7)
    end = meter_values_stop.at_end(turn, transaction, 2000, NOON, None, boot=turn.time_mark)[-1]
    assert end.boot == (0 if is_trusted else 7)
