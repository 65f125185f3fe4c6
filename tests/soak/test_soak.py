"""The soak finds what it is for; and one short hang with everything real."""

from __future__ import annotations

import pytest

from tests.bench.bench_opening import press
from tests.emulators.central_system import FakeCentralSystem, ReceivedCall
from tests.soak.day import Count, problems_of
from tests.soak.minutes import growth, soaked_agent, wrong_sessions


@pytest.mark.real_time
async def test_the_contactor_opens_while_loop_and_disk_hang():
    async with soaked_agent() as box:
        assert await press(box, hangs=True) < 0.5  # the soak and the bench look closer
        assert (await box.pull("facts"))["broken"] == []


def test_what_grows_in_a_day_is_found():
    flat = [Count(900, 5, 1), Count(1000, 5, 1), Count(1010, 5, 1), Count(1019, 5, 1)]
    assert problems_of(flat) == []
    assert "objects" in problems_of([*flat[:3], Count(1021, 5, 1)])[0]
    assert "tasks" in problems_of([*flat[:3], Count(1000, 6, 1)])[0]
    assert "threads" in problems_of([*flat[:3], Count(1000, 5, 2)])[0]


def test_memory_that_grows_is_found_and_a_single_peak_is_none():
    assert growth([900] * 5 + [1000] * 10 + [1021] * 5) > 0.02
    assert growth([900] * 5 + [1000] * 12 + [9000, 1000, 1001]) == 0.0


def test_a_session_that_is_lost_or_told_twice_is_found():
    def call(action: str, unique_id: str, **payload: int) -> ReceivedCall:
        return ReceivedCall(action, payload, unique_id, 0.0)

    start, stop = call("StartTransaction", "a"), call("StopTransaction", "b", transactionId=1)
    repeated = call("StopTransaction", "b", transactionId=1)
    again = call("StopTransaction", "c", transactionId=1)
    assert wrong_sessions(FakeCentralSystem(calls=[start, stop, repeated])) == []
    assert wrong_sessions(FakeCentralSystem(calls=[start]))
    assert wrong_sessions(
        FakeCentralSystem(calls=[start, call("StartTransaction", "d"), stop, again])
    )
