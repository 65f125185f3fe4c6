"""The queue by itself: order, lanes, limits, and an end for everything."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from agent.api.errors import Refused
from agent.api.queue import LANE_MAX, UNFINISHED_MAX, CommandQueue, Progress, Run
from agent.api.results import KEPT_MAX, CommandOutcome, CommandStatus, Results, applied
from agent.platform.errors import StoreError
from tests.emulators.virtual_clock import NOON


def queue() -> CommandQueue:
    numbers = itertools.count(1)
    return CommandQueue(Results(lambda: f"{next(numbers):032x}"[::-1], lambda: NOON))


def after(seconds: float, done: list[str], name: str) -> Run:
    async def run(progress: Progress) -> CommandOutcome:
        await asyncio.sleep(seconds)
        done.append(name)
        return applied()

    return run


def raising(problem: BaseException) -> Run:
    async def run(progress: Progress) -> CommandOutcome:
        raise problem

    return run


async def settled(commands: CommandQueue) -> None:
    async with asyncio.timeout(3600):
        while commands.unfinished:
            await asyncio.sleep(0.1)


async def test_commands_of_a_connector_run_one_at_a_time_in_order():
    commands, done = queue(), []
    for name, seconds in (("first", 5.0), ("second", 1.0), ("third", 0.0)):
        commands.submit(1, name, after(seconds, done, name))
    commands.submit(2, "elsewhere", after(0.5, done, "elsewhere"))
    await settled(commands)
    assert done == ["elsewhere", "first", "second", "third"]


async def test_a_deferred_command_lets_the_others_go_on():
    commands, done = queue(), []
    cable = asyncio.Event()

    async def run(progress: Progress) -> CommandOutcome:
        progress.defer("waiting for the cable")
        await cable.wait()
        return applied()

    waiting = commands.submit(1, "start_session", run)
    commands.submit(1, "unlock", after(0.0, done, "unlock"))
    await asyncio.sleep(1)
    assert (waiting.status, done) == (CommandStatus.DEFERRED, ["unlock"])
    assert waiting.detail == "waiting for the cable"
    cable.set()
    await settled(commands)
    assert (waiting.status, waiting.detail) == (CommandStatus.APPLIED, None)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (StoreError("the disk is full"), "the disk is full"),
        (ValueError("no such lever"), "no such lever"),
        (TimeoutError(), "did not decide in time"),
        (KeyError("a mistake"), "inside the agent"),
    ],
)
async def test_whatever_goes_wrong_the_command_ends_as_failed(problem, words, caplog):
    commands, done = queue(), []
    command = commands.submit(1, "plug", raising(problem))
    commands.submit(1, "next", after(0.0, done, "next"))
    await settled(commands)
    assert command.status is CommandStatus.FAILED
    assert words in (command.detail or "")
    assert done == ["next"]


async def test_too_many_at_one_connector_are_refused():
    commands, done = queue(), []
    commands.submit(1, "runs", after(10.0, done, "runs"))
    await asyncio.sleep(0)
    for _ in range(LANE_MAX):
        commands.submit(1, "waits", after(0.0, done, "waits"))
    with pytest.raises(Refused, match="Too many commands") as refusal:
        commands.submit(1, "over", after(0.0, done, "over"))
    assert (refusal.value.status, refusal.value.code) == (503, "queue_full")
    commands.submit(2, "elsewhere", after(0.0, done, "elsewhere"))
    await settled(commands)
    assert "over" not in done


async def test_too_many_in_all_are_refused_and_no_result_is_lost():
    commands, done = queue(), []
    for number in range(UNFINISHED_MAX):
        commands.submit(number, "plug", after(1.0, done, "plug"))
    with pytest.raises(Refused):
        commands.submit(KEPT_MAX, "plug", after(1.0, done, "plug"))
    assert commands.unfinished == UNFINISHED_MAX
    assert len(commands.results.newest(KEPT_MAX)) == UNFINISHED_MAX
    await settled(commands)
    for number in range(KEPT_MAX):
        commands.submit(number % 10, "plug", after(0.0, done, "plug"))
        await settled(commands)
    assert len(commands.results.newest(10 * KEPT_MAX)) == KEPT_MAX


async def test_to_be_quiet_is_waited_for_a_short_time_only():
    commands, done = queue(), []
    loop = asyncio.get_running_loop()
    await commands.quiet([1, 2], 0.5)
    assert loop.time() == 0
    commands.submit(1, "slow", after(10.0, done, "slow"))
    commands.submit(2, "quick", after(0.1, done, "quick"))
    await commands.quiet([2], 0.5)
    assert loop.time() == pytest.approx(0.1)
    await commands.quiet([1], 0.5)
    assert loop.time() == pytest.approx(0.6)
    await commands.close()
    assert done == ["quick"]


async def test_a_final_status_stays():
    results = queue().results
    command = results.begin("plug")
    results.change(command, CommandStatus.EXPIRED)
    results.change(command, CommandStatus.APPLIED)
    assert command.status is CommandStatus.EXPIRED
    assert results.finished == {("plug", "expired"): 1}


async def test_ids_have_12_hex_digits_and_do_not_repeat():
    ids = iter(["ABCDEF12-3456-7890-ABCD-EF1234567890"] * 2 + ["0" * 32])
    make_id: Callable[[], str] = lambda: next(ids)  # noqa: E731
    results = Results(make_id, lambda: NOON)
    assert results.begin("plug").id == "abcdef123456"
    assert results.begin("plug").id == "000000000000"
