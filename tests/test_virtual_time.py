"""The loop of the tests: waiting costs nothing, and a deadlock is found."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.virtual_time import run_in_virtual_time


def test_a_day_passes_in_a_moment():
    async def main() -> float:
        await asyncio.sleep(24 * 3600)
        return asyncio.get_running_loop().time()

    begun_s = time.monotonic()
    assert run_in_virtual_time(main()) >= 24 * 3600
    assert time.monotonic() - begun_s < 5


def test_timers_go_off_in_their_order():
    async def main() -> list[int]:
        rung: list[int] = []

        async def ring(after_s: int) -> None:
            await asyncio.sleep(after_s)
            rung.append(after_s)

        await asyncio.gather(*(ring(after_s) for after_s in (300, 1, 20)))
        return rung

    assert run_in_virtual_time(main()) == [1, 20, 300]


def test_a_deadlock_is_an_error_and_no_endless_wait():
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run_in_virtual_time(main())


async def test_async_tests_run_in_virtual_time():
    await asyncio.sleep(3600)
    assert asyncio.get_running_loop().time() >= 3600
