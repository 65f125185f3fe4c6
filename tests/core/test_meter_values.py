"""Which samples are due, and what a reading becomes on the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.meter_values import first_sample_s, sample_after, sampled_values
from agent.core.values import Reading, SampledValue
from tests.core.story import NOON

FULL = Reading(
    import_wh=12_345,
    read_at=NOON,
    power_w=11_040.4,
    voltage_v=(230.04, 229.96, 231.0),
    current_a=(16.004, 15.996, 16.0),
    power_phase_w=(3680.6, 3679.4, 3680.5),
    frequency_hz=49.987,
    power_factor=0.9994,
    offered_a=16.0,
    offered_w=11_040.0,
)


def values(reading: Reading, *measurands: str) -> list[tuple[str, str | None, str | None]]:
    return [(v.value, v.unit, v.phase) for v in sampled_values(reading, measurands)]


@pytest.mark.parametrize(
    ("measurand", "expected"),
    [
        ("Energy.Active.Import.Register", [("12345", "Wh", None)]),
        (
            "Power.Active.Import",
            [
                ("11040", "W", None),
                ("3681", "W", "L1"),
                ("3679", "W", "L2"),
                ("3680", "W", "L3"),
            ],
        ),
        ("Power.Active.Import.L2", [("3679", "W", "L2")]),
        ("Current.Import", [("16.00", "A", "L1"), ("16.00", "A", "L2"), ("16.00", "A", "L3")]),
        ("Voltage", [("230.0", "V", "L1-N"), ("230.0", "V", "L2-N"), ("231.0", "V", "L3-N")]),
        ("Voltage.L3", [("231.0", "V", "L3-N")]),
        ("Frequency", [("49.99", None, None)]),  # 1.6 knows no unit for it in every message
        ("Power.Factor", [("0.999", None, None)]),
        ("Current.Offered", [("16.00", "A", None)]),
        ("Power.Offered", [("11040", "W", None)]),
        ("Temperature", []),
    ],
)
def test_a_measurand_is_written_with_its_unit_its_digits_and_every_phase(measurand, expected):
    assert values(FULL, measurand) == expected


def test_the_values_come_in_the_order_of_the_configured_measurands():
    named = [v.measurand for v in sampled_values(FULL, ("Voltage.L1", "Frequency", "Voltage.L2"))]
    assert named == ["Voltage", "Frequency", "Voltage"]


def test_a_value_that_two_measurands_ask_for_is_told_once():
    wanted = ("Voltage.L1", "Voltage", "Voltage")
    assert [v.phase for v in sampled_values(FULL, wanted)] == ["L1-N", "L2-N", "L3-N"]


def test_no_measurand_at_all_means_the_register_alone():
    assert sampled_values(FULL, (), "Trigger") == (
        SampledValue("12345", "Energy.Active.Import.Register", "Wh", None, "Trigger"),
    )


def test_what_the_meter_did_not_tell_is_left_out():
    bare = Reading(12_345, NOON)
    wanted = ("Power.Active.Import", "Current.Import", "Voltage", "Frequency", "Power.Factor")
    assert sampled_values(bare, wanted) == ()


def test_a_small_negative_power_is_written_as_zero_and_without_exponent():
    assert values(replace(FULL, power_w=-0.3, power_phase_w=()), "Power.Active.Import") == [
        ("0", "W", None)
    ]
    assert values(replace(FULL, current_a=(1e-9,)), "Current.Import") == [("0.00", "A", "L1")]


@pytest.mark.parametrize(("interval_s", "first_s"), [(60, 160.0), (0, None)])
def test_the_first_sample_comes_one_interval_after_the_start_unless_sampling_is_off(
    interval_s, first_s
):
    assert first_sample_s(100.0, interval_s) == first_s


@pytest.mark.parametrize(
    ("now_s", "interval_s", "next_s"),
    [
        (160.0, 60, 220.0),
        (165.0, 60, 220.0),  # late, but the grid stays
        (220.0, 60, 280.0),
        (345.0, 60, 400.0),  # missed ones are not made up
        (159.0, 60, 220.0),  # asked a little early
        (160.0, 0, None),
    ],
)
def test_samples_stay_on_the_grid_that_began_with_the_transaction(now_s, interval_s, next_s):
    assert sample_after(160.0, now_s, interval_s) == next_s
