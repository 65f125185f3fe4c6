"""From an input that trips to the open output, with the real threads on emulated pins.

The agent runs in a process of its own; a thread of that process changes the level of the pin and
waits for the level of the coil. Measured while the box charges: once with nothing else to do, once
with an event loop that hangs and a disk that stalls.
"""

from __future__ import annotations

import asyncio
import statistics

from tests.soak.minutes import Soaked, soaked_agent

HUNG_S = 1.5


def run(times: int = 40) -> list[tuple[str, str]]:
    """Press the emergency stop so often; a quarter as often while loop and disk hang."""
    return asyncio.run(_measure(times))


async def _measure(times: int) -> list[tuple[str, str]]:
    async with soaked_agent() as box:
        idle = [await press(box, hangs=False) for _ in range(times)]
        hung = [await press(box, hangs=True) for _ in range(max(1, times // 4))]
    return [
        *_rows("emergency stop to open output", idle),
        *_rows("the same, event loop and disk hang", hung),
    ]


async def press(box: Soaked, hangs: bool) -> float:
    """Charge, press, and mend everything again; seconds from the level to the open output."""
    await box.charge()
    if hangs:
        await box.pull("stall", s=HUNG_S)
        await box.pull("block", s=HUNG_S)
        await asyncio.sleep(HUNG_S / 3)
    took_s = await box.pull("trip", name="emergency_stop")
    await box.come_to_rest()
    return float(took_s)


def _rows(what: str, took_s: list[float]) -> list[tuple[str, str]]:
    return [
        (f"{what}: p50 (aim: under 100 ms)", f"{statistics.median(took_s) * 1e3:.1f} ms"),
        (f"{what}: max of {len(took_s)}", f"{max(took_s) * 1e3:.1f} ms"),
    ]


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
