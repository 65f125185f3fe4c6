"""The soak finds what it is for; and one short hang with everything real."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.app.box import running_box
from tests.bench.bench_opening import press
from tests.bench.gaps import Gaps
from tests.emulators.central_system import FakeCentralSystem, ReceivedCall
from tests.soak.day import Count, day, problems_of
from tests.soak.minutes import ROUNDS_TO_JUDGE, growth, soaked_agent, wrong_sessions
from tests.soak.trouble import Witness

ROOT = Path(__file__).parents[2]
ROUND_S = 4.0  # of the soak, on a busy machine


@pytest.mark.real_time
async def test_the_contactor_opens_while_loop_and_disk_hang():
    async with soaked_agent() as box:
        assert await press(box, hangs=True) < 0.5  # the soak and the bench look closer
        assert (await box.pull("facts"))["broken"] == []


@pytest.mark.real_time
async def test_the_lever_counts_from_the_moment_at_which_it_was_pulled():
    async with soaked_agent() as box:
        await box.charge()
        before_s = time.monotonic() - 50  # so long this process could not have run
        assert await box.pull("trip", name="emergency_stop", at_s=before_s) > 50


def test_who_is_kept_from_the_interpreter_is_seen():
    gaps = Gaps()
    before_s = time.process_time()
    sum(range(5_000_000))  # one call that lets nobody else run
    held_s = time.process_time() - before_s
    assert gaps.stop().processor_s > held_s / 2


def test_what_grows_in_a_day_is_found():
    flat = [Count(900, 90, 5, 1), Count(1000, 100, 5, 1), Count(1010, 101, 5, 1)]
    assert problems_of([*flat, Count(1019, 101, 5, 1)]) == []
    assert "objects" in problems_of([*flat, Count(1021, 100, 5, 1)])[0]
    assert "memory" in problems_of([*flat, Count(1000, 103, 5, 1)])[0]
    assert "tasks" in problems_of([*flat, Count(1000, 100, 6, 1)])[0]
    assert "threads" in problems_of([*flat, Count(1000, 100, 5, 2)])[0]


async def test_some_hours_with_random_trouble_break_no_promise(tmp_path):
    lived = await day(tmp_path, seed="1", quarters=1, sessions=4)
    assert lived.broken == []
    assert lived.happened.total() >= 4
    assert len(lived.counts) == 1


async def test_a_contactor_that_closes_over_a_fault_is_found(tmp_path):
    async with running_box(tmp_path) as box:
        witness = Witness(box)
        await box.charge()
        assert witness.broken == []
        await box.do("sim", lever="fault", name="door")
        await box.until(lambda: not box.contactor.is_closed)
        witness.must_be_open("door")
        assert witness.broken == []
        box.contactor.contacts.set_coil(True)  # whoever did that
        witness.must_be_open("door")
        assert "closed with: door" in witness.broken
        assert "closed 0.1 s after: door" in witness.broken


async def test_contacts_that_are_welded_may_be_closed_but_their_coil_may_not_be_on(tmp_path):
    async with running_box(tmp_path) as box:
        witness = Witness(box)
        await box.charge()
        await box.do("sim", lever="fault", name="welded")
        await box.do("sim", lever="fault", name="door")
        await asyncio.sleep(0.1)
        assert box.contactor.is_closed
        witness.must_be_open("door")
        assert witness.broken == []
        box.contactor.contacts.is_coil_on = True
        witness.must_be_open("door")
        assert witness.broken == ["closed 0.1 s after: door"]


async def test_a_session_that_got_energy_and_was_never_told_is_found(tmp_path):
    async with running_box(tmp_path) as box:
        witness = Witness(box)
        await box.charge()
        await asyncio.sleep(60)
        await box.finish()
        witness.look_back()
        assert witness.broken == []
        await asyncio.sleep(60)
        await box.charge()
        await asyncio.sleep(60)
        await box.finish()
        box.central_system.calls.clear()
        witness.look_back()
        assert witness.broken == ["1 sessions got energy, 0 were told"]


async def test_a_session_that_ends_below_its_beginning_is_found(tmp_path):
    async with running_box(tmp_path) as box:
        witness = Witness(box)
        await box.charge()
        await asyncio.sleep(60)
        await box.finish()
        stop = box.central_system.of("StopTransaction")[0]
        box.central_system.calls.remove(stop)
        box.central_system.calls.append(replace(stop, payload={**stop.payload, "meterStop": -1}))
        witness.look_back()
        assert [line for line in witness.broken if "ended at -1 Wh" in line]


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


def test_ci_soaks_long_enough_to_judge_memory():
    runs = re.findall(r"SOAK_MINUTES=(\d+) make soak", (ROOT / ".ci/run").read_text())
    assert runs
    assert all(int(minutes) * 60 / ROUND_S > ROUNDS_TO_JUDGE for minutes in runs)
