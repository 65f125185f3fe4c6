"""Limits of the house: taken, run out, refused in words; they never raise anything."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from agent.config.settings import HouseSettings
from agent.core.values import Instant
from agent.mqtt.broker import Received
from agent.mqtt.house.set_points import BadSetPoint, read_set_point
from tests.mqtt.house.conftest import ROOT, House, house

SET, RESULT = f"{ROOT}connector/1/limit/set", f"{ROOT}connector/1/limit/result"


async def test_a_limit_lowers_what_the_car_is_offered_and_says_whose_it_is(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        answer = await here.limit('{"limit": 10, "unit": "A", "valid_to": 60}')
        assert answer["accepted"] is True
        assert answer["in_words"] == "at most 10 A for 60 s"
        found = await here.until(offered_current_a=10.0, limit_source="house", house_limit_a=10)
        assert found["limit_in_words"] == "10 A: the house's energy management"


async def test_it_runs_out_by_itself(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        await here.limit('{"limit": 10, "valid_to": 60}')
        await here.until(offered_current_a=10.0)
        await asyncio.sleep(61)
        await here.until(offered_current_a=32.0, house_limit_a=None, house_limit_valid_to=None)


async def test_a_plain_number_is_amperes_and_runs_out_after_the_time_of_the_settings(tmp_path):
    async with house(tmp_path, limit_valid_s=300) as here:
        await here.box.charge()
        assert (await here.limit("13"))["in_words"] == "at most 13 A for 300 s"
        await here.until(offered_current_a=13.0)
        await asyncio.sleep(301)
        await here.until(offered_current_a=32.0)


async def test_the_broker_may_go_away_and_it_still_runs_out(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        await here.limit("0")
        await here.until(status="SuspendedEVSE")
        here.broker.refusal = "nobody is there"
        here.broker.break_off()
        await asyncio.sleep(901)
        assert here.offered_a == 32


async def test_zero_pauses_and_a_limit_above_resumes_in_the_same_session(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        begun_at = (await here.until(charging=True))["session_begun_at"]
        for nothing in ("0", "-0.0"):
            answer = await here.limit(nothing)
            assert answer["in_words"] == "at most 0 A for 900 s: charging pauses"
        await here.until(status="SuspendedEVSE", charging=False)
        assert not here.box.contactor.is_closed
        await here.limit("16")
        await here.until(status="Charging", offered_current_a=16.0, session_begun_at=begun_at)


async def test_null_takes_it_back(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        await here.limit("8")
        await here.until(offered_current_a=8.0)
        answer = await here.limit("null")
        assert answer["in_words"] == "there is no limit of the house"
        await here.until(offered_current_a=32.0, house_limit_a=None)


async def test_watts_are_those_of_all_phases_and_a_limit_may_be_for_the_whole_box(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        await here.limit('{"limit": 2300, "unit": "W"}', place="")
        await here.until(offered_current_a=10.0)


async def test_it_never_raises_what_the_wiring_allows(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        assert (await here.limit("63"))["accepted"] is True
        found = await here.until(house_limit_a=63)
        assert (found["offered_current_a"], found["limit_source"]) == (32, "wiring")


async def test_it_begins_and_ends_no_session(tmp_path):
    async with house(tmp_path) as here:
        await here.box.plug()
        await here.limit("16")
        await asyncio.sleep(30)
        assert here.box.state.transaction is None


MANY = b'{"limit": 10, "note": "' + b"x" * 100_000 + b'"}'


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"\xff\xfe", "it is not UTF-8"),
        (b"on", "it is not JSON"),
        (b"NaN", "NaN is no number"),
        (b'{"limit": Infinity}', "Infinity is no number"),
        (b"1e999", "out of range"),
        (b"-1", "limit must be from 0 to 1000 A"),
        (b"1001", "limit must be from 0 to 1000 A"),
        (b'{"limit": 2000000, "unit": "W"}', "limit must be from 0 to 1000000 W"),
        (b"true", "limit must be a number"),
        (b'"10"', "limit must be a number"),
        (b'{"limit": [10]}', "limit must be a number"),
        (b"[10]", "limit must be a number"),
        (b"{}", "limit is missing"),
        (b'{"limit": 10, "unit": "kW"}', 'unit must be "A"'),
        (b'{"limit": 10, "unit": ["A"]}', 'unit must be "A"'),
        (b'{"limit": 10, "start": true}', "keys that are not known"),
        (b'{"limit": 10, "valid_to": 0}', "valid_to must be above 0 s"),
        (b'{"limit": 10, "valid_to": -5}', "valid_to must be from 0"),
        (b'{"limit": 10, "valid_to": "tomorrow"}', "valid_to must be seconds, or a date"),
        (b'{"limit": 10, "valid_to": "2020-01-01T00:00:00Z"}', "valid_to has passed"),
        (b'{"limit": 10, "valid_to": true}', "valid_to must be a number"),
        (MANY, "it has 100025 bytes; a limit has at most 1024"),
    ],
)
async def test_what_is_no_limit_is_answered_in_words_and_changes_nothing(tmp_path, payload, words):
    async with house(tmp_path) as here:
        await here.box.charge()
        await here.limit("10")
        await here.until(offered_current_a=10.0)
        answer = await here.limit(payload)
        assert answer["accepted"] is False
        assert words in answer["problem"]
        await asyncio.sleep(1)
        assert here.offered_a == 10


async def test_an_end_that_lies_far_away_is_cut_to_what_the_settings_allow(tmp_path):
    async with house(tmp_path, limit_valid_max_s=3600) as here:
        answer = await here.limit('{"limit": 10, "valid_to": "2999-01-01T00:00:00+01:00"}')
        assert answer["in_words"] == "at most 10 A for 3600 s"


def ends_in(here: House, seconds: float) -> str:
    return (here.box.clock.now().utc + timedelta(seconds=seconds)).isoformat()


async def test_a_kept_limit_counts_only_with_an_end_that_has_not_passed(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        for payload, words in (
            ("10", "the broker had kept it"),
            ('{"limit": 10, "valid_to": 600}', "the broker had kept it"),
            ("null", "the broker had kept it"),
            (json.dumps({"limit": 10, "valid_to": ends_in(here, -1)}), "valid_to has passed"),
        ):
            answer = await here.limit(payload, is_kept=True)
            assert words in answer["problem"]
        assert here.offered_a == 32
        content = json.dumps({"limit": 10, "valid_to": ends_in(here, 600)})
        assert (await here.limit(content, is_kept=True))["accepted"] is True
        await here.until(offered_current_a=10.0)


def test_while_the_time_of_day_is_not_known_an_end_is_taken_in_seconds_only():
    now = Instant(0.0, datetime(2020, 1, 1, tzinfo=UTC), is_trusted=False)
    dated = Received(SET, b'{"limit": 10, "valid_to": "2026-05-01T12:00:00Z"}')
    with pytest.raises(BadSetPoint, match="give valid_to in seconds"):
        read_set_point(dated, now, HouseSettings())
    in_seconds = Received(SET, b'{"limit": 10, "valid_to": 60}')
    assert read_set_point(in_seconds, now, HouseSettings()).valid_for_s == 60


async def test_a_kept_message_that_is_taken_back_says_nothing(tmp_path):
    async with house(tmp_path) as here:
        here.broker.send(SET, b"")
        await asyncio.sleep(5)
        assert here.broker.told_of(RESULT) == []


async def test_of_a_flood_the_newest_counts_and_few_are_taken(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        for number in range(5000):
            here.broker.send(SET, str(6 + number % 20))
        here.broker.send(SET, "9")
        await here.until(offered_current_a=9.0)
        await asyncio.sleep(10)
        assert len(here.broker.told_of(RESULT)) <= 2
        assert here.offered_a == 9
